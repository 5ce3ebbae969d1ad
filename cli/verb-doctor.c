/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor doctor: what this host can do, what it lacks, and what to install. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/program.h"
#include "base/strings.h"
#include "cli/daemon-settings.h"
#include "cli/exit-status.h"
#include "cli/host-services.h"
#include "cli/probe.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "images/child.h"

#define PROBE_TIMEOUT (3 * USEC_PER_SEC)

typedef enum Health {
    HEALTH_OK,
    HEALTH_DEGRADED, /* it works, and something is lost */
    HEALTH_MISSING,
    HEALTH_MAX,
} Health;
DEFINE_ENUM_TABLE(health, "state", HEALTH_MAX, [HEALTH_OK] = { "ok", "it is as it should be" },
                  [HEALTH_DEGRADED] = { "degraded", "it works, and something is lost" },
                  [HEALTH_MISSING] = { "missing", "it is not there" });
static const Colour health_colours[HEALTH_MAX] = { COLOUR_GOOD, COLOUR_WARNING, COLOUR_BAD };

typedef struct Doctor {
    const Paths *paths;
    DaemonConfig config;
    HostServices host;
} Doctor;

/* Each tells what it found; *ret_detail (malloc'ed) says it in words, NULL: out of memory. */
typedef Health (*Examine)(const Doctor *d, char **ret_detail);

typedef struct Examination {
    const char *name;
    bool needed; /* without it no pod runs */
    Examine examine;
    const char *remedy; /* what to do when it is not ok */
} Examination;

static Health told(Health health, char **ret_detail, char *detail)
{
    *ret_detail = detail;
    return health;
}

static Health examine_kvm(const Doctor *d, char **ret)
{
    static const struct {
        Health health;
        const char *detail;
    } rows[] = {
        [KVM_WORKS] = { HEALTH_OK, "a machine runs; hardware isolates the pods" },
        [KVM_ABSENT] = { HEALTH_DEGRADED,
                         "there is no /dev/kvm: pods are emulated, slow, and not isolated by hardware" },
        [KVM_FORBIDDEN] = { HEALTH_DEGRADED, "/dev/kvm may not be used by this user" },
        [KVM_NO_PROCESSOR] = { HEALTH_DEGRADED, "/dev/kvm is there, but the processor has neither vmx nor "
                                                "svm: pods are emulated" },
        [KVM_BROKEN] = { HEALTH_DEGRADED, "/dev/kvm opens, but no machine runs on it: pods are emulated" },
        [KVM_HANGS] = { HEALTH_DEGRADED,
                        "/dev/kvm opens, but its machine hangs in the first instruction: pods are emulated" },
    };
    KvmOutcome outcome = probe_kvm(PROBE_TIMEOUT);

    return told(rows[outcome].health, ret, strdup(rows[outcome].detail));
}

static bool version_parse(const char *line, unsigned *ret_major, unsigned *ret_minor)
{
    const char *p = strstr(line, "version ");
    return p && sscanf(p, "version %u.%u", ret_major, ret_minor) == 2;
}

static Health examine_qemu(const Doctor *d, char **ret)
{
    _cleanup_(freep) char *line = NULL;
    unsigned major, minor;

    int r = program_first_line(d->config.qemu, "--version", PROBE_TIMEOUT, &line);
    if (r < 0)
        return told(HEALTH_MISSING, ret, strf("%s: %s", d->config.qemu, strerror(-r)));
    _cleanup_(freep) char *safe = text_safe(line);
    if (!version_parse(line, &major, &minor))
        return told(HEALTH_MISSING, ret,
                    strf("%s says \"%s\", which is no version", d->config.qemu, safe ?: "?"));
    if (major < 7)
        return told(HEALTH_MISSING, ret,
                    strf("version %u.%u is too old; 7.0 is the first that will do", major, minor));
    return told(HEALTH_OK, ret, strf("%s, version %u.%u", d->config.qemu, major, minor));
}

/* kernel: an uncompressed ELF file. initrd: anything that is not empty; the guest's kernel reads several formats. */
static Health examine_guest_file(const char *configured, const char *directory, const char *name,
                                 const char *magic, char **ret)
{
    _cleanup_(freep) char *path = configured ? strdup(configured) : strf("%s/%s", directory, name);
    char begin[4] = { 0 };
    _cleanup_(closep) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return told(HEALTH_MISSING, ret, strf("%s: %s", path ?: name, strerror(errno)));
    if (read(fd, begin, sizeof begin) != sizeof begin || (magic && memcmp(begin, magic, sizeof begin) != 0))
        return told(HEALTH_MISSING, ret, strf("%s is not what it should be", path));
    return told(HEALTH_OK, ret, take_ptr(path));
}

static Health examine_kernel(const Doctor *d, char **ret)
{
    return examine_guest_file(d->config.kernel, d->paths->guest, "vmlinux", "\177ELF", ret);
}

static Health examine_initrd(const Doctor *d, char **ret)
{
    return examine_guest_file(d->config.initrd, d->paths->guest, "initrd", NULL, ret);
}

static Health examine_program(const char *name, const char *path, char **ret)
{
    const ChildProgram program = { .name = name, .package = "" };
    char *found = NULL;

    if (child_find(&program, path, &found, NULL) < 0)
        return told(HEALTH_MISSING, ret, strdup("it is not installed"));
    return told(HEALTH_OK, ret, found);
}

static Health examine_mkfs(const Doctor *d, char **ret)
{
    return examine_program("mkfs.erofs", NULL, ret);
}

static Health examine_mke2fs(const Doctor *d, char **ret)
{
    return examine_program("mke2fs", NULL, ret);
}

static Health examine_umoci(const Doctor *d, char **ret)
{
    return examine_program("umoci", NULL, ret);
}

static Health examine_skopeo(const Doctor *d, char **ret)
{
    return examine_program("skopeo", NULL, ret);
}

static Health examine_passt(const Doctor *d, char **ret)
{
    if (access(d->config.passt, X_OK) == 0)
        return told(HEALTH_OK, ret, strdup(d->config.passt));
    return told(
        HEALTH_MISSING, ret,
        strf("%s: %s; pods with network.mode = \"user\" do not start", d->config.passt, strerror(errno)));
}

static Health examine_virtiofsd(const Doctor *d, char **ret)
{
    if (access(d->config.virtiofsd, X_OK) == 0)
        return told(HEALTH_OK, ret, strdup(d->config.virtiofsd));
    return told(HEALTH_MISSING, ret,
                strf("%s: %s; pods with a share of mode \"live\" do not start", d->config.virtiofsd,
                     strerror(errno)));
}

static Health examine_vsock(const Doctor *d, char **ret)
{
    if (access("/dev/vhost-vsock", R_OK | W_OK) == 0)
        return told(HEALTH_OK, ret, strdup("/dev/vhost-vsock"));
    return told(HEALTH_MISSING, ret,
                strf("/dev/vhost-vsock: %s; virtio-serial carries the agent's channel", strerror(errno)));
}

static Health examine_cgroups(const Doctor *d, char **ret)
{
    static const char *const wanted[] = { "cpu", "memory", "pids" };
    Bytes text = { 0 };
    _cleanup_(strv_freep) char **have = NULL, **missing = NULL;

    int r = file_read_at(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, &text);
    if (r >= 0 && bytes_terminate(&text) >= 0)
        have = strv_split((const char *)text.data, " \n");
    bytes_done(&text);
    if (r < 0)
        return told(HEALTH_DEGRADED, ret,
                    strdup("this host has no pure cgroup v2; pods run in podvisord's own groups"));
    TABLE_FOREACH (name, wanted)
        if (!strv_contains(have, *name))
            (void)strv_append(&missing, *name);
    _cleanup_(freep) char *list = strv_join(missing, ", ");
    strv_free(missing);
    missing = NULL;
    if (!str_empty(list))
        return told(HEALTH_DEGRADED, ret, strf("the controllers %s are not there", list));
    return told(HEALTH_OK, ret, strdup("cpu, memory and pids"));
}

static Health examine_journal(const Doctor *d, char **ret)
{
    if (journal_is_there())
        return told(HEALTH_OK, ret, strdup("takes the output of containers"));
    return told(HEALTH_DEGRADED, ret, strdup("there is none: the output of containers goes to files"));
}

static Health examine_systemd(const Doctor *d, char **ret)
{
    struct stat st;

    if (lstat("/run/systemd/system", &st) < 0 || !S_ISDIR(st.st_mode))
        return told(HEALTH_DEGRADED, ret,
                    strdup("is not this host's init: podvisord launches runners itself"));
    if (!d->host.systemd)
        return told(
            HEALTH_DEGRADED, ret,
            strdup(
                "is this host's init, but does not answer on the message bus: podvisord launches no units"));
    _cleanup_(freep) char *version = text_safe(d->host.systemd);
    if (strtoul(d->host.systemd, NULL, 10) < 252)
        return told(HEALTH_DEGRADED, ret,
                    strf("is this host's init, version %s; 252 is the first that pods are "
                         "tested with",
                         version ?: "?"));
    return told(HEALTH_OK, ret, strf("is this host's init, version %s", version ?: "?"));
}

static Health examine_service(const Doctor *d, bool there, const char *with, const char *without, char **ret)
{
    if (there)
        return told(HEALTH_OK, ret, strdup(with));
    return told(HEALTH_MISSING, ret,
                d->host.bus ? strdup(without) : strf("there is no message bus; %s", without));
}

static Health examine_machined(const Doctor *d, char **ret)
{
    return examine_service(d, d->host.machined, "machinectl shows pods", "machinectl does not show pods",
                           ret);
}

static Health examine_logind(const Doctor *d, char **ret)
{
    _cleanup_(freep) char *delay = duration_format(d->host.inhibit_delay);
    _cleanup_(freep) char *with =
        strf("delays a shutdown by up to %s, in which pods end in their order", delay ?: "?");

    return examine_service(d, d->host.logind, with ?: "", "pods end all at once when the host shuts down",
                           ret);
}

static Health examine_polkit(const Doctor *d, char **ret)
{
    return examine_service(d, d->host.polkit, "lets users manage pods, where its rules say so",
                           "nobody but root may use podvisor", ret);
}

static const Examination examinations[] = {
    { "KVM", false, examine_kvm,
      "enable virtualisation in the firmware, or nesting on the host around this one; add the user to group "
      "kvm" },
    { "QEMU", true, examine_qemu, "apt install qemu-system-x86" },
    { "guest kernel", true, examine_kernel, "tools/build makes it; podvisord.conf may name another" },
    { "guest initrd", true, examine_initrd, "tools/build makes it; podvisord.conf may name another" },
    { "mkfs.erofs", true, examine_mkfs, "apt install erofs-utils" },
    { "umoci", false, examine_umoci, "apt install umoci, to import OCI layouts and pull images" },
    { "skopeo", false, examine_skopeo,
      "apt install skopeo, to pull images and import what docker save writes" },
    { "mke2fs", false, examine_mke2fs, "apt install e2fsprogs, for disks that podvisor makes" },
    { "cgroups", false, examine_cgroups, "boot with systemd.unified_cgroup_hierarchy=1" },
    { "systemd", false, examine_systemd, "nothing to do in a container or for development" },
    { "machined", false, examine_machined, "apt install systemd-container" },
    { "logind", false, examine_logind, "systemctl unmask systemd-logind; nothing to do without systemd" },
    { "polkit", false, examine_polkit, "apt install polkitd" },
    { "journald", false, examine_journal, "nothing to do; podvisor logs reads the files" },
    { "vhost-vsock", false, examine_vsock, "modprobe vhost_vsock" },
    { "virtiofsd", false, examine_virtiofsd,
      "apt install qemu-system-common, for shares of mode \"live\"; podvisord.conf may name another "
      "program" },
    { "passt", false, examine_passt,
      "apt install passt, for pods with a network; podvisord.conf may name another program" },
};

static const Column doctor_columns[] = {
    { "WHAT" },
    { "STATE" },
    { "NEEDED" },
    { "FOUND" },
};

typedef struct Finding {
    Health health;
    char *detail;
} Finding;

static int print_table(const Context *c, const Finding *findings)
{
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    /* What was found is what one wants to read; it is not cut. */
    style.width = 0;
    int r = table_new(doctor_columns, ELEMENTSOF(doctor_columns), &table);
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(examinations); i++) {
        Health health = findings[i].health;
        table_add(table, strdup(examinations[i].name), COLOUR_NONE);
        table_add(table, strdup(enum_to_string(&health_table, (int)health)), health_colours[health]);
        table_add(table, strdup(examinations[i].needed ? "yes" : "no"), COLOUR_NONE);
        table_add(table, findings[i].detail ? strdup(findings[i].detail) : NULL, COLOUR_NONE);
    }
    if (r >= 0)
        r = table_print(table, &style, stdout);
    const char *gap = "\n";
    for (size_t i = 0; r >= 0 && style.legend && i < ELEMENTSOF(examinations); i++) {
        if (findings[i].health == HEALTH_OK)
            continue;
        printf("%s%s: %s\n", gap, examinations[i].name, examinations[i].remedy);
        gap = "";
    }
    return r;
}

static Json *finding_to_json(const Examination *e, const Finding *f)
{
    Json *json = json_new_object();

    if (json_put(json, "what", json_text(e->name)) < 0 ||
        json_put(json, "state", json_text(enum_to_string(&health_table, (int)f->health))) < 0 ||
        json_put(json, "needed", json_truth(e->needed)) < 0 ||
        json_put(json, "found", json_text(f->detail)) < 0 ||
        json_put(json, "remedy", json_text(f->health == HEALTH_OK ? NULL : e->remedy)) < 0)
        return json_release(json);
    return json;
}

static int print_json(const Context *c, const Finding *findings)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < ELEMENTSOF(examinations); i++) {
        int r = json_append(array, finding_to_json(&examinations[i], &findings[i]));
        if (r < 0)
            return r;
    }
    return json_print(array, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

int verb_doctor(Context *c)
{
    Doctor d = { .paths = &c->paths };
    Finding findings[ELEMENTSOF(examinations)] = { 0 };

    int r = daemon_settings_load(c, &d.config);
    if (r < 0) {
        log_error_errno(r, "The host cannot be examined");
        return STATUS_FAILURE;
    }
    /* podvisord does not start with settings that are wrong. */
    bool bad = r > 0;
    host_services_look(&d.host, PROBE_TIMEOUT);
    for (size_t i = 0; i < ELEMENTSOF(examinations); i++) {
        findings[i].health = examinations[i].examine(&d, &findings[i].detail);
        bad |= examinations[i].needed && findings[i].health == HEALTH_MISSING;
    }
    r = option_given(c, OPTION_JSON) ? print_json(c, findings) : print_table(c, findings);
    if (r < 0)
        log_error_errno(r, "What was found cannot be shown");
    for (size_t i = 0; i < ELEMENTSOF(examinations); i++)
        free(findings[i].detail);
    host_services_done(&d.host);
    schema_done(&daemon_config_schema, &d.config);
    return bad || r < 0 ? STATUS_FAILURE : STATUS_OK;
}
