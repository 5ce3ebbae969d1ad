/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/strings.h"
#include "guest/agent/capabilities.h"
#include "guest/agent/devices.h"

const DeviceNode device_nodes[] = {
    { "null", 1, 3 },
    { "zero", 1, 5 },
    { "full", 1, 7 },
    { "random", 1, 8 },
    { "urandom", 1, 9 },
    { "tty", 5, 0 },
    /* Terminals, which devpts makes. */
    { NULL, 5, 2 },
    { NULL, 136, DEVICE_ANY_MINOR },
};
const size_t n_device_nodes = ELEMENTSOF(device_nodes);

/* One that is not there is told when the container is started. */
static bool rule_of(const char *device, DeviceRule *ret)
{
    _cleanup_(freep) char *path = NULL;
    unsigned access;
    struct stat st;

    if (device_parse(device, &path, &access) < 0 || stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
        return false;
    *ret = (DeviceRule){ major(st.st_rdev), minor(st.st_rdev), access };
    return true;
}

int devices_confine(int cgroup, const ContainerDefinition *d)
{
    DeviceRule rules[ELEMENTSOF(device_nodes) + DEVICES_MAX];
    size_t n = 0;

    TABLE_FOREACH (node, device_nodes)
        rules[n++] = (DeviceRule){ node->major, node->minor, DEVICE_ALL };
    STRV_FOREACH (device, d->devices)
        if (n < ELEMENTSOF(rules) && rule_of(*device, &rules[n]))
            n++;
    return device_filter_attach(cgroup, rules, n);
}

bool devices_need_filter(const ContainerDefinition *d)
{
    const uint64_t makers = UINT64_C(1) << CAP_MKNOD | UINT64_C(1) << CAP_SYS_ADMIN;
    const char *unknown;
    uint64_t mask;

    if (d->devices)
        return true;
    return capabilities_from_names(d->capabilities, &mask, &unknown) >= 0 && (mask & makers);
}
