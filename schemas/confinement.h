/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What confines a container's programs beside users, capabilities and control groups: the parts of a pod file about it. */
#include "schemas/schema.h"

enum { SYSCTLS_MAX = 64, GROUPS_MAX = 32 };

typedef enum SeccompProfile {
    SECCOMP_DEFAULT,
    SECCOMP_UNCONFINED,
    SECCOMP_PROFILE_MAX,
} SeccompProfile;
extern const EnumTable seccomp_profile_table;

/* Limits of each process, as format_rlimit; NULL: as the machine has them. */
typedef struct RlimitSettings {
    char *as, *core, *cpu, *data, *fsize, *memlock, *msgqueue, *nice, *nofile, *nproc, *rtprio, *rttime,
        *sigpending, *stack;
} RlimitSettings;
extern const Schema rlimits_schema;

extern const Format format_rlimit; /* "1024", "1024:4096", "infinity" */
extern const Format format_sysctl; /* "net.core.somaxconn=1024", of those that a pod may set */

/* 0, or -EINVAL for what format_rlimit does not accept. UINT64_MAX is infinity, as RLIM_INFINITY is. */
int rlimit_parse(const char *s, uint64_t *ret_soft, uint64_t *ret_hard);
/* "net/core/somaxconn" (malloc'ed) and, within setting, "1024"; NULL: no memory, or not as format_sysctl. */
char *sysctl_path(const char *setting, const char **ret_value);
