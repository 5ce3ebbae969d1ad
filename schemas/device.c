/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/device.h"
#include "schemas/formats.h"

#define PATH_MAX_LENGTH 64

/* Nothing by which a container would get at the memory, the disks or the console of its machine. */
const Device guest_devices[] = {
    { "/dev/fuse", "fuse", "file systems that are programs" },
    { "/dev/net/tun", "tun", "network interfaces that are programs" },
    { "/dev/hwrng", NULL, "randomness of the host" },
};
const size_t n_guest_devices = ELEMENTSOF(guest_devices);

const Device *device_find(const char *path)
{
    TABLE_FOREACH (d, guest_devices)
        if (streq(d->path, path))
            return d;
    return NULL;
}

char *device_names(void)
{
    const char *names[ELEMENTSOF(guest_devices) + 1] = { NULL };

    for (size_t i = 0; i < ELEMENTSOF(guest_devices); i++)
        names[i] = guest_devices[i].path;
    return strv_join((char *const *)names, ", ");
}

/* "rw": each letter once, and at least one. */
static int parse_access(const char *s, unsigned *ret)
{
    static const struct {
        char letter;
        DeviceAccess access;
    } letters[] = { { 'r', DEVICE_READ }, { 'w', DEVICE_WRITE }, { 'm', DEVICE_MAKE } };
    unsigned all = 0;

    for (; *s; s++) {
        unsigned one = 0;
        TABLE_FOREACH (l, letters)
            if (l->letter == *s)
                one = l->access;
        if (!one || (all & one))
            return -EINVAL;
        all |= one;
    }
    *ret = all;
    return all ? 0 : -EINVAL;
}

int device_parse(const char *s, char **ret_path, unsigned *ret_access)
{
    size_t n = strcspn(s, ":");
    unsigned access = DEVICE_ALL;

    if (n > PATH_MAX_LENGTH || (s[n] && parse_access(s + n + 1, &access) < 0))
        return -EINVAL;
    _cleanup_(freep) char *path = strndup(s, n);
    if (!path)
        return -ENOMEM;
    const char *name = str_after(path, "/dev/");
    if (str_empty(name) || !format_absolute_path.valid(path))
        return -EINVAL;
    *ret_path = take_ptr(path);
    *ret_access = access;
    return 0;
}

static bool valid_device(const char *s)
{
    _cleanup_(freep) char *path = NULL;
    unsigned access;
    return device_parse(s, &path, &access) == 0;
}
const Format format_device = {
    "a device such as \"/dev/fuse\" or \"/dev/net/tun:rw\"",
    valid_device,
};
