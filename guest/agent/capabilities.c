/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/strings.h"
#include "guest/agent/capabilities.h"

#define CAPABILITY(c) (UINT64_C(1) << (c))

static const char *const names_of[] = {
    [CAP_CHOWN] = "CHOWN",
    [CAP_DAC_OVERRIDE] = "DAC_OVERRIDE",
    [CAP_DAC_READ_SEARCH] = "DAC_READ_SEARCH",
    [CAP_FOWNER] = "FOWNER",
    [CAP_FSETID] = "FSETID",
    [CAP_KILL] = "KILL",
    [CAP_SETGID] = "SETGID",
    [CAP_SETUID] = "SETUID",
    [CAP_SETPCAP] = "SETPCAP",
    [CAP_LINUX_IMMUTABLE] = "LINUX_IMMUTABLE",
    [CAP_NET_BIND_SERVICE] = "NET_BIND_SERVICE",
    [CAP_NET_BROADCAST] = "NET_BROADCAST",
    [CAP_NET_ADMIN] = "NET_ADMIN",
    [CAP_NET_RAW] = "NET_RAW",
    [CAP_IPC_LOCK] = "IPC_LOCK",
    [CAP_IPC_OWNER] = "IPC_OWNER",
    [CAP_SYS_MODULE] = "SYS_MODULE",
    [CAP_SYS_RAWIO] = "SYS_RAWIO",
    [CAP_SYS_CHROOT] = "SYS_CHROOT",
    [CAP_SYS_PTRACE] = "SYS_PTRACE",
    [CAP_SYS_PACCT] = "SYS_PACCT",
    [CAP_SYS_ADMIN] = "SYS_ADMIN",
    [CAP_SYS_BOOT] = "SYS_BOOT",
    [CAP_SYS_NICE] = "SYS_NICE",
    [CAP_SYS_RESOURCE] = "SYS_RESOURCE",
    [CAP_SYS_TIME] = "SYS_TIME",
    [CAP_SYS_TTY_CONFIG] = "SYS_TTY_CONFIG",
    [CAP_MKNOD] = "MKNOD",
    [CAP_LEASE] = "LEASE",
    [CAP_AUDIT_WRITE] = "AUDIT_WRITE",
    [CAP_AUDIT_CONTROL] = "AUDIT_CONTROL",
    [CAP_SETFCAP] = "SETFCAP",
    [CAP_MAC_OVERRIDE] = "MAC_OVERRIDE",
    [CAP_MAC_ADMIN] = "MAC_ADMIN",
    [CAP_SYSLOG] = "SYSLOG",
    [CAP_WAKE_ALARM] = "WAKE_ALARM",
    [CAP_BLOCK_SUSPEND] = "BLOCK_SUSPEND",
    [CAP_AUDIT_READ] = "AUDIT_READ",
    [CAP_PERFMON] = "PERFMON",
    [CAP_BPF] = "BPF",
    [CAP_CHECKPOINT_RESTORE] = "CHECKPOINT_RESTORE",
};
_Static_assert(ELEMENTSOF(names_of) == CAP_LAST_CAP + 1, "every capability has a name");

static const uint64_t usual =
    CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_FSETID) |
    CAPABILITY(CAP_KILL) | CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_SETFCAP) |
    CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SYS_CHROOT);

static int capability_from_name(const char *name)
{
    for (size_t c = 0; c < ELEMENTSOF(names_of); c++)
        if (streq(names_of[c], name))
            return (int)c;
    return -EINVAL;
}

int capabilities_from_names(char *const *names, uint64_t *ret, const char **ret_unknown)
{
    uint64_t mask = 0;

    if (!names || !*names) {
        *ret = usual;
        return 0;
    }
    for (; *names; names++) {
        if (streq(*names, "NONE"))
            continue;
        int c = capability_from_name(*names);
        if (c < 0) {
            *ret_unknown = *names;
            return -EINVAL;
        }
        mask |= CAPABILITY(c);
    }
    *ret = mask;
    return 0;
}

int capabilities_bound(uint64_t mask)
{
    /* PR_CAPBSET_READ fails behind the last capability that this kernel knows. */
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (!(mask & CAPABILITY(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
            return -errno;
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int set(uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];

    for (int i = 0; i < 2; i++) {
        uint32_t p = (uint32_t)(permitted >> (32 * i));
        data[i] = (struct __user_cap_data_struct){ .effective = p,
                                                   .permitted = p,
                                                   .inheritable = (uint32_t)(inheritable >> (32 * i)) };
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int capabilities_keep(uint64_t mask, bool ambient)
{
    bool root = geteuid() == 0;
    uint64_t kept = root || ambient ? mask : 0;

    /* A kernel that knows fewer refuses none of what it does not know: it is outside of the bounding set already. */
    for (int c = 0; c < 64; c++)
        if ((kept & CAPABILITY(c)) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) < 1)
            kept &= ~CAPABILITY(c);
    int r = set(kept, ambient ? kept : 0);
    for (int c = 0; r >= 0 && ambient && c < 64; c++)
        if ((kept & CAPABILITY(c)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
            r = -errno;
    return r;
}
