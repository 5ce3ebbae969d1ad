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

/* --- input and output ------------------------------------------------------------------------------------------------- */

static bool is_written(const PodDefinition *pod, const char *name)
{
    for (size_t i = 0; i < pod->n_volumes; i++)
        if (streq_ptr(pod->volumes[i].name, name))
            return volume_has_disk(&pod->volumes[i]) && !volume_is_read_only(&pod->volumes[i]);
    return true; /* one that is not there is complained of elsewhere */
}

static bool writes_to_disks(const PodDefinition *pod, const ContainerDefinition *d)
{
    bool found = d->writable_volume != NULL;

    for (size_t i = 0; !found && i < d->n_mounts; i++)
        found = d->mounts[i].volume && !d->mounts[i].read_only && is_written(pod, d->mounts[i].volume);
    return found;
}

/* A limit that can never hold would be a promise. */
static void check_io(const Check *c, const char *container, const ContainerDefinition *d)
{
    const struct {
        const char *key;
        bool given;
    } rows[] = { { "write_bps", io_limit_given(d->limits.io.write_bps) },
                 { "write_iops", d->limits.io.write_iops > 0 } };

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *key = strf("%s.limits.io.%s", container, row->key);
        if (key && row->given && !writes_to_disks(c->pod, d))
            check_complain(c, key,
                           "limits nothing: the container can write to no disk, only to the pod's memory; a "
                           "volume of type \"disk\" or \"scratch\" is one, or a writable_volume");
    }
}

/* --- swap --------------------------------------------------------------------------------------------------------------- */

static void check_swap_limit(const Check *c, const char *container, const ContainerDefinition *d)
{
    const VolumeDefinition *swap = volume_find_swap(c->pod->volumes, c->pod->n_volumes);
    _cleanup_(freep) char *key = strf("%s.limits.swap", container);
    uint64_t size = d->limits.swap;

    if (!key || size == 0)
        return;
    if (!swap)
        check_complain(c, key, "the pod has no swap space; a volume of type \"swap\" is that");
    else if (size != SIZE_INFINITY && size > swap->size)
        check_complain(c, key, "is more than the swap space of the whole pod, the volume \"%s\"",
                       swap->name ?: "?");
}

static void check_swap_mounts(const Check *c, const char *container, const ContainerDefinition *d)
{
    const VolumeDefinition *swap = volume_find_swap(c->pod->volumes, c->pod->n_volumes);

    for (size_t i = 0; swap && i < d->n_mounts; i++) {
        _cleanup_(freep) char *key = strf("%s.mounts[%zu].volume", container, i);
        if (key && streq_ptr(d->mounts[i].volume, swap->name))
            check_complain(c, key, "\"%s\" is swap space, which has no files", swap->name ?: "?");
    }
}

/* One is enough, and its size is easier to understand than that of two. */
static void check_swap_volumes(const Check *c)
{
    const VolumeDefinition *first = volume_find_swap(c->pod->volumes, c->pod->n_volumes);

    for (size_t i = 0; i < c->pod->n_volumes; i++) {
        _cleanup_(freep) char *key = strf("volumes[%zu].type", i);
        if (key && c->pod->volumes[i].type == VOLUME_SWAP && &c->pod->volumes[i] != first)
            check_complain(c, key, "the pod has swap space already, the volume \"%s\"", first->name ?: "?");
    }
}

void check_resources(const Check *c)
{
    check_swap_volumes(c);
    for (size_t i = 0; i < pod_n_containers(c->pod); i++) {
        const ContainerDefinition *d = pod_container(c->pod, i);
        _cleanup_(freep) char *container = check_container_path(c, i);
        if (!container)
            return;
        check_devices(c, container, d->devices);
        check_io(c, container, d);
        check_swap_limit(c, container, d);
        check_swap_mounts(c, container, d);
    }
}
