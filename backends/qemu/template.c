/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backends/qemu/command-line.h"
#include "backends/qemu/template.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/strings.h"

#define TEMPLATE_NAME "template"
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

enum { STATE_MAX = 4 * 1024 * 1024 }; /* some ten kilobytes; a screen would be megabytes */

/* --- the shape ------------------------------------------------------------------------------------------------------------ */

/* The file by what only a replacement changes: reading all of QEMU, a kernel and an initrd would cost a start more than it saves. */
static int append_file(char ***lines, const char *what, const char *path, int fd, char **ret_why)
{
    struct stat st;

    if (!path || (fd >= 0 ? fstat(fd, &st) : stat(path, &st)) < 0) {
        int r = path ? -errno : -ENOENT;
        *ret_why = strf("the %s cannot be looked at: %s", what, strerror(-r));
        return r;
    }
    return strv_appendf(lines, "%s %llu:%llu %lld %lld.%09ld", what, (unsigned long long)st.st_dev,
                        (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_ctim.tv_sec,
                        st.st_ctim.tv_nsec);
}

/* What the machine would boot from, which podvisord may have opened for it. */
static int append_boot_file(char ***lines, const BackendContext *context, const char *name, const char *path,
                            char **ret_why)
{
    _cleanup_(closep) int fd = context ? backend_boot_file_open(context, name, path) : -1;
    return append_file(lines, name, path, fd, ret_why);
}

/* With numbers of descriptors and identities that are always the same. */
static int append_machine(char ***lines, const TemplateShape *shape)
{
    RunDefinition d;
    char **arguments = NULL;

    int r = template_definition(shape, &d);
    if (r < 0)
        return r;
    CommandLineInputs inputs = { .memory = MEMORY_TEMPLATE,
                                 .accelerator = shape->accelerator,
                                 .network_fd = shape->network ? 0 : -1 };
    r = command_line_build(&d, &inputs, &arguments);
    STRV_FOREACH (argument, arguments)
        if (r >= 0)
            r = strv_append(lines, *argument);
    strv_free(arguments);
    schema_done(&run_definition_schema, &d);
    return r;
}

int template_seal_key(TemplateShape *shape, const BackendContext *context, char **ret_why)
{
    _cleanup_(strv_freep) char **lines = NULL;
    char boot[ID128_TEXT_SIZE], digest[SHA256_TEXT_SIZE];
    Id128 id;

    int r = id128_boot(&id);
    if (r >= 0)
        r = strv_appendf(&lines, "podvisor " PODVISOR_VERSION " boot %s", id128_format(id, boot));
    if (r >= 0 && (r = append_file(&lines, "QEMU program", shape->qemu, -1, ret_why)) >= 0 &&
        (r = append_boot_file(&lines, context, RUN_KERNEL, shape->kernel, ret_why)) >= 0)
        r = append_boot_file(&lines, context, RUN_INITRD, shape->initrd, ret_why);
    if (r >= 0)
        r = append_machine(&lines, shape);
    _cleanup_(freep) char *text = r < 0 ? NULL : strv_join(lines, "\n");
    if (r >= 0 && !text)
        r = -ENOMEM;
    if (r < 0) {
        *ret_why = *ret_why ?: strf("it cannot be told what it is: %s", strerror(-r));
        return r;
    }
    sha256_text(text, strlen(text), digest);
    return str_replace(&shape->key, digest);
}

static const char *no_template(const RunDefinition *d)
{
    if (d->pod.network.mode == NETWORK_BRIDGE)
        return "it is on a bridge, and the tap that it has there is a part of the machine";
    if (d->n_shares > 0)
        return "it has a share that is live, and what serves that cannot be part of a template";
    return NULL;
}

int template_shape(const BackendContext *context, Accelerator accelerator, TemplateShape *ret, char **ret_why)
{
    const RunDefinition *d = context->definition;
    const char *why = no_template(d);
    TemplateShape s;

    *ret_why = NULL;
    if (why) {
        *ret_why = strdup(why);
        return -ENOTSUP;
    }
    int r = schema_init(&template_shape_schema, &s);
    if (r < 0)
        return r;
    s.machine = d->pod.qemu.machine;
    s.accelerator = accelerator;
    s.cpus = d->pod.cpus;
    s.memory = d->pod.memory;
    s.network = d->pod.network.mode != NETWORK_NONE;
    if ((r = str_replace(&s.qemu, d->qemu)) >= 0 && (r = str_replace(&s.kernel, d->kernel)) >= 0 &&
        (r = str_replace(&s.initrd, d->initrd)) >= 0)
        r = template_seal_key(&s, context, ret_why);
    if (r < 0)
        schema_done(&template_shape_schema, &s);
    else
        *ret = s;
    return r;
}

int template_definition(const TemplateShape *shape, RunDefinition *ret)
{
    RunDefinition d;

    int r = schema_init(&run_definition_schema, &d);
    if (r < 0)
        return r;
    d.pod.qemu.machine = shape->machine;
    d.pod.cpus = shape->cpus;
    d.pod.memory = shape->memory;
    d.pod.network.mode = shape->network ? NETWORK_USER : NETWORK_NONE;
    if ((r = str_replace(&d.name, TEMPLATE_NAME)) >= 0 && (r = str_replace(&d.qemu, shape->qemu)) >= 0 &&
        (r = str_replace(&d.kernel, shape->kernel)) >= 0)
        r = str_replace(&d.initrd, shape->initrd);
    if (r < 0)
        schema_done(&run_definition_schema, &d);
    else
        *ret = d;
    return r;
}

/* --- the files -------------------------------------------------------------------------------------------------------------- */

int template_files_new(const TemplateShape *shape, int *ret_memory, int *ret_state)
{
    enum { MIB = 1024 * 1024 };
    _cleanup_(closep) int memory = memfd_create("template-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    _cleanup_(closep) int state = memfd_create("template-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (memory < 0 || state < 0 || ftruncate(memory, (off_t)((shape->memory + MIB - 1) / MIB * MIB)) < 0)
        return -errno;
    *ret_memory = take_fd(&memory);
    *ret_state = take_fd(&state);
    return 0;
}

int template_files_seal(int memory, int state)
{
    return fcntl(memory, F_ADD_SEALS, SEALS) < 0 || fcntl(state, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

static bool sealed(int fd, struct stat *st)
{
    return fstat(fd, st) == 0 && S_ISREG(st->st_mode) && (fcntl(fd, F_GET_SEALS) & SEALS) == SEALS;
}

bool template_files_good(const TemplateShape *shape, int memory, int state)
{
    enum { MIB = 1024 * 1024 };
    struct stat m, s;

    return sealed(memory, &m) && (uint64_t)m.st_size == (shape->memory + MIB - 1) / MIB * MIB &&
           sealed(state, &s) && s.st_size > 0 && s.st_size <= STATE_MAX;
}
