/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The devices of a pod's machine that its containers can be given, beside those that every container has. */
#include "schemas/schema.h"

enum { DEVICES_MAX = 16 };

/* What a container may do with one. */
typedef enum DeviceAccess {
    DEVICE_MAKE = 1 << 0, /* another node of it, with the capability MKNOD */
    DEVICE_READ = 1 << 1,
    DEVICE_WRITE = 1 << 2,
    DEVICE_ALL = DEVICE_MAKE | DEVICE_READ | DEVICE_WRITE,
} DeviceAccess;

typedef struct Device {
    const char *path; /* the same in the guest and in a container */
    const char *
        module; /* of the guest's kernel, loaded where a container has the device; NULL: it is always there */
    const char *doc;
} Device;
extern const Device guest_devices[];
extern const size_t n_guest_devices;
/* NULL: no container can have it. */
const Device *device_find(const char *path);
/* "/dev/fuse, /dev/net/tun" (malloc'ed; NULL = no memory). */
char *device_names(void);

extern const Format format_device; /* "/dev/fuse:rw", of any name */
/* 0 with a malloc'ed path and what may be done with it, -EINVAL for what format_device does not accept, or -ENOMEM. */
int device_parse(const char *s, char **ret_path, unsigned *ret_access);
