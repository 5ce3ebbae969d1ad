/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles the profile of system calls to programs of the kernel's filter machine, on the machine that builds the agent, and writes
 * them as C for syscall-filter.c: one for what is allowed at all, one for all the gates that are closed to a container with common
 * capabilities, and one for each set of capabilities that lifts a gate, for all other containers. The kernel runs all that a
 * process was given and takes the strictest answer. doc/decisions/0020 says why here.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"
#include "guest/agent/seccomp-profile.h"

enum { PROGRAM_MAX = 4096 };

/* What is written behind the programs: the rows of the present table. */
typedef struct Output {
    char rows[8192];
    size_t used;
    unsigned n_programs;
} Output;

static int complain(const char *what, int r)
{
    fprintf(stderr, "seccomp-compile: %s: %s\n", what, strerror(-r));
    return r;
}

static scmp_filter_ctx make_filter(uint32_t fallback)
{
    scmp_filter_ctx filter = seccomp_init(fallback);

    /* 32-bit programs too. What is for yet another processor does not exist; libseccomp's own answer would be a kill. */
    if (!filter || seccomp_arch_add(filter, SCMP_ARCH_X86) < 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) < 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0) {
        seccomp_release(filter);
        return NULL;
    }
    return filter;
}

/* mask 0: whatever the argument is. */
static int add_rule(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned argument,
                    uint64_t mask, uint64_t value)
{
    int number = seccomp_syscall_resolve_name(name);
    struct scmp_arg_cmp compare = {
        .arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
    };

    if (number == __NR_SCMP_ERROR)
        return complain(name, -ENOSYS);
    int r = seccomp_rule_add_array(filter, action, number, mask != 0, &compare);
    return r < 0 ? complain(name, r) : 0;
}

static int add_group(scmp_filter_ctx filter, uint32_t action, const SyscallGroup *group)
{
    char name[64];
    int r = 0;

    for (const char *p = group->names; *p && r == 0;) {
        size_t n = strcspn(p, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)n, p);
        r = add_rule(filter, action, name, 0, 0, 0);
        p += n + (p[n] == ' ');
    }
    return r;
}

static int write_program(scmp_filter_ctx filter, unsigned index, unsigned *ret_n)
{
    static struct sock_filter program[PROGRAM_MAX];
    int fd = memfd_create("program", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
    ssize_t size = r < 0 ? 0 : pread(fd, program, sizeof program, 0);

    if (fd >= 0)
        close(fd);
    if (r < 0 || size <= 0 || size == sizeof program)
        return complain("export", r < 0 ? r : -E2BIG);
    *ret_n = (unsigned)((size_t)size / sizeof *program);
    printf("static const struct sock_filter program_%u[] = {\n", index);
    for (unsigned i = 0; i < *ret_n; i++)
        printf("    { 0x%x, %u, %u, 0x%x },\n", program[i].code, program[i].jt, program[i].jf, program[i].k);
    printf("};\n");
    return 0;
}

/* What passes all gates. */
static int fill_base(scmp_filter_ctx filter)
{
    int r = 0;

    for (unsigned i = 0; i < n_seccomp_allowed && r == 0; i++)
        r = add_group(filter, SCMP_ACT_ALLOW, &seccomp_allowed[i]);
    for (unsigned i = 0; i < n_seccomp_refused && r == 0; i++)
        r = add_group(filter, SCMP_ACT_ERRNO(EPERM), &seccomp_refused[i]);
    for (unsigned i = 0; i < n_seccomp_gates && r == 0; i++)
        if (seccomp_gates[i].mask == 0)
            r = add_rule(filter, SCMP_ACT_ALLOW, seccomp_gates[i].name, 0, 0, 0);
    for (unsigned i = 0; i < n_seccomp_allowed_values && r == 0; i++)
        r = add_rule(filter, SCMP_ACT_ALLOW, seccomp_allowed_values[i].name, 0, UINT32_MAX,
                     seccomp_allowed_values[i].value);
    return r;
}

typedef bool (*Takes)(const SyscallGate *gate, uint64_t capabilities);

/* All that are closed to a container with these. */
static bool takes_closed(const SyscallGate *gate, uint64_t capabilities)
{
    return !(gate->unless & capabilities);
}

/* Those that just these lift. */
static bool takes_alike(const SyscallGate *gate, uint64_t capabilities)
{
    return gate->unless == capabilities;
}

static int fill_gates(scmp_filter_ctx filter, Takes takes, uint64_t capabilities)
{
    int r = 0;

    for (unsigned i = 0; i < n_seccomp_gates && r == 0; i++) {
        const SyscallGate *gate = &seccomp_gates[i];
        if (takes(gate, capabilities))
            r = add_rule(filter, SCMP_ACT_ERRNO((uint32_t)gate->error), gate->name, gate->argument,
                         gate->mask, gate->value);
    }
    return r;
}

/* --- output --- */

/* takes NULL: the program that is everybody's. It and its row are written. */
static int compile(Output *o, Takes takes, uint64_t capabilities)
{
    scmp_filter_ctx filter = make_filter(takes ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
    unsigned n = 0;

    int r = !filter ? complain("filter", -ENOMEM)
            : takes ? fill_gates(filter, takes, capabilities)
                    : fill_base(filter);
    if (r >= 0)
        r = write_program(filter, o->n_programs, &n);
    seccomp_release(filter);
    if (r < 0)
        return r;
    int size = snprintf(o->rows + o->used, sizeof o->rows - o->used, "    { 0x%llx, program_%u, %u },\n",
                        (unsigned long long)capabilities, o->n_programs++, n);
    if (size < 0 || (size_t)size >= sizeof o->rows - o->used)
        return complain("table", -E2BIG);
    o->used += (size_t)size;
    return 0;
}

static void write_table(Output *o, const char *name, unsigned n)
{
    printf("const SeccompProgram %s[] = {\n%s};\nconst size_t n_%s = %u;\n\n", name, o->rows, name, n);
    o->used = 0;
    o->rows[0] = 0;
}

static bool is_first_of_its_kind(const SyscallGate *gate)
{
    for (const SyscallGate *other = seccomp_gates; other < gate; other++)
        if (other->unless == gate->unless)
            return false;
    return true;
}

int main(void)
{
    static Output o;
    uint64_t lifting = 0;
    unsigned n = 0;
    int r;

    printf(
        "/* Made by seccomp-compile of seccomp-profile.c. */\n#include \"guest/agent/syscall-filter.h\"\n\n");
    if ((r = compile(&o, NULL, 0)) == 0)
        write_table(&o, "seccomp_base", 1);
    for (unsigned i = 0; i < n_seccomp_common && r == 0; i++)
        r = compile(&o, takes_closed, seccomp_common[i]);
    write_table(&o, "seccomp_common_gates", n_seccomp_common);
    for (unsigned i = 0; i < n_seccomp_gates && r == 0; i++) {
        lifting |= seccomp_gates[i].unless;
        if (!is_first_of_its_kind(&seccomp_gates[i]))
            continue;
        r = compile(&o, takes_alike, seccomp_gates[i].unless);
        n++;
    }
    write_table(&o, "seccomp_single_gates", n);
    printf("const uint64_t seccomp_lifting = 0x%llx;\n", (unsigned long long)lifting);
    return r < 0;
}
