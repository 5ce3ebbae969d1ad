/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/device.h"
#include "schemas/pod-check.h"

/* --- devices -------------------------------------------------------------------------------------------------------- */

static void complain_of_stranger(const Check *c, const char *key, const char *path)
{
    const char *names[DEVICES_MAX] = { NULL };
    _cleanup_(freep) char *all = device_names();

    for (size_t i = 0; i < n_guest_devices && i < ELEMENTSOF(names); i++)
        names[i] = guest_devices[i].path;
    const char *meant = str_suggest(path, names, MIN(n_guest_devices, ELEMENTSOF(names)));
    if (meant)
        check_complain(c, key, "no pod has a device \"%s\" for its containers; did you mean \"%s\"?", path,
                       meant);
    else
        check_complain(c, key, "no pod has a device \"%s\" for its containers; there are %s", path,
                       all ?: "others");
}

static void check_devices(const Check *c, const char *container, char *const *devices)
{
    _cleanup_(freep) char *key = strf("%s.devices", container);
    _cleanup_(strv_freep) char **known = NULL;

    for (size_t i = 0; key && devices && devices[i]; i++) {
        _cleanup_(freep) char *path = NULL;
        unsigned access;
        if (device_parse(devices[i], &path, &access) < 0)
            continue; /* it has been complained of */
        if (!device_find(path))
            complain_of_stranger(c, key, path);
        else if (strv_contains(known, path))
            check_complain(c, key, "\"%s\" is named twice", path);
        (void)strv_append(&known, path);
    }
}

void check_resources(const Check *c)
{
    for (size_t i = 0; i < pod_n_containers(c->pod); i++) {
        _cleanup_(freep) char *container = check_container_path(c, i);
        if (container)
            check_devices(c, container, pod_container(c->pod, i)->devices);
    }
}
