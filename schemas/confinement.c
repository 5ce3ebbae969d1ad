/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/strings.h"
#include "schemas/confinement.h"

DEFINE_ENUM_TABLE(seccomp_profile, "seccomp profile", SECCOMP_PROFILE_MAX,
                  [SECCOMP_DEFAULT] = { "default", "system calls that containers do not need are refused" },
                  [SECCOMP_UNCONFINED] = { "unconfined", "every system call reaches the guest's kernel" });

#define RLIMIT(m, doc_)                                                                                      \
    F_STRING(RlimitSettings, m), .format = &format_rlimit, .impact = IMPACT_REBOOT, .doc = doc_

static const Field rlimits_fields[] = {
    { RLIMIT(as, "Bytes of address space.") },
    { RLIMIT(core, "Bytes of a core dump. When the key is absent, none is made unless the program asks.") },
    { RLIMIT(cpu, "Seconds of processor time.") },
    { RLIMIT(data, "Bytes of data and heap.") },
    { RLIMIT(fsize, "Bytes of a file that is written.") },
    { RLIMIT(memlock, "Bytes that are locked in memory.") },
    { RLIMIT(msgqueue, "Bytes in POSIX message queues of the user.") },
    { RLIMIT(nice, "20 less the lowest nice value that may be taken.") },
    { RLIMIT(nofile, "Open descriptors. When the key is absent: 1024, which programs may raise to 524288."),
      .example = "rlimits = { nofile = \"1024:4096\"; };" },
    { RLIMIT(nproc, "Processes of the user, counted over all containers of the pod. When the key is absent, "
                    "there is no limit.") },
    { RLIMIT(rtprio, "The highest real-time priority.") },
    { RLIMIT(rttime, "Microseconds that a real-time process may run without a pause.") },
    { RLIMIT(sigpending, "Signals that wait for the user's processes.") },
    { RLIMIT(stack, "Bytes of the first thread's stack.") },
};
DEFINE_SCHEMA(
    rlimits_schema, RlimitSettings, "rlimits",
    "Limits of each process of the container, as setrlimit(2) has them: \"SOFT:HARD\", or one number for "
    "both.",
    rlimits_fields);

/* --- limits of processes --- */

static int rlimit_parse_part(const char *s, uint64_t *ret)
{
    if (streq(s, "infinity")) {
        *ret = UINT64_MAX;
        return 0;
    }
    return parse_unsigned(s, ret);
}

int rlimit_parse(const char *s, uint64_t *ret_soft, uint64_t *ret_hard)
{
    const char *colon = strchr(s, ':');
    _cleanup_(freep) char *soft = strndup(s, colon ? (size_t)(colon - s) : strlen(s));
    uint64_t low, high;

    if (!soft || rlimit_parse_part(soft, &low) < 0 ||
        rlimit_parse_part(colon ? colon + 1 : soft, &high) < 0 || low > high)
        return -EINVAL;
    *ret_soft = low;
    *ret_hard = high;
    return 0;
}

static bool valid_rlimit(const char *s)
{
    uint64_t soft, hard;
    return rlimit_parse(s, &soft, &hard) == 0;
}
const Format format_rlimit = {
    "a limit such as \"1024\", \"1024:4096\" (soft and hard) or \"infinity\"",
    valid_rlimit,
};

/* --- settings of the kernel --- */

/*
 * Those of a network or of the communication between processes, which the pod's containers share and nobody else has, and the one
 * of memory that databases ask for. None of them makes the kernel run a program or takes it away from the agent.
 */
static const char *const sysctls[] = {
    "net.", "fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm", "vm.max_map_count",
};

static bool may_set(const char *name, size_t n)
{
    TABLE_FOREACH (s, sysctls)
        if (n >= strlen(*s) && strncmp(name, *s, strlen(*s)) == 0)
            return true;
    return false;
}

char *sysctl_path(const char *setting, const char **ret_value)
{
    size_t n = strcspn(setting, "=");
    const char *value = setting + n + 1;

    if (!setting[n] || n > 128 || !may_set(setting, n) || !*value || strlen(value) > 256)
        return NULL;
    for (const char *p = value; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr(" -+_.,:", *p))
            return NULL;
    char *path = strndup(setting, n);
    for (char *p = path; p && *p; p++) {
        bool dot = *p == '.', ends = dot && (p == path || p[1] == '.' || !p[1]);
        if (ends ||
            (!dot && !islower((unsigned char)*p) && !isdigit((unsigned char)*p) && !strchr("_-", *p))) {
            free(path);
            return NULL;
        }
        if (dot)
            *p = '/';
    }
    if (path && ret_value)
        *ret_value = value;
    return path;
}

static bool valid_sysctl(const char *s)
{
    _cleanup_(freep) char *path = sysctl_path(s, NULL);
    return path != NULL;
}
const Format format_sysctl = {
    "a setting such as \"net.core.somaxconn=1024\", of net., fs.mqueue., kernel.msg, kernel.sem, kernel.shm "
    "or "
    "vm.max_map_count",
    valid_sysctl,
};
