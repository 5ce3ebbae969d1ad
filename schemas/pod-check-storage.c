/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/pod-check.h"

/* --- volumes -------------------------------------------------------------------------------------------------------- */

/* Smaller ones have no room for a journal. */
#define DISK_SIZE_MIN (UINT64_C(8) << 20)

#define IS(type) (1U << (type))

/* Keys that not every type of volume has. */
static const struct {
    const char *key;
    unsigned types;
} volume_keys[] = {
    { "size", IS(VOLUME_TMPFS) | IS(VOLUME_DISK) | IS(VOLUME_SCRATCH) | IS(VOLUME_SWAP) },
    { "mode", IS(VOLUME_SHARE) },
    { "source", IS(VOLUME_DISK) | IS(VOLUME_SHARE) },
    { "format", IS(VOLUME_DISK) },
    { "filesystem", IS(VOLUME_DISK) },
    { "make", IS(VOLUME_DISK) },
    { "read_only", IS(VOLUME_DISK) | IS(VOLUME_SHARE) },
};

static void _printf_(4, 5)
    complain_of(const Check *c, size_t volume, const char *key, const char *format, ...)
{
    _cleanup_(freep) char *path = strf("volumes[%zu]%s%s", volume, *key ? "." : "", key);
    va_list args;

    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    if (path)
        check_complain(c, path, "%s", text ?: "?");
}

static void check_keys_of_type(const Check *c, size_t i)
{
    VolumeType type = c->pod->volumes[i].type;

    TABLE_FOREACH (row, volume_keys)
        if (!(row->types & IS(type)) && check_given(c, "volumes", i, row->key))
            complain_of(c, i, row->key, "means nothing for a volume of type \"%s\"",
                        enum_to_string(&volume_type_table, (int)type));
}

/* What makes podvisord make a disk must leave nothing open. */
static void check_make(const Check *c, size_t i)
{
    const VolumeDefinition *v = &c->pod->volumes[i];
    bool sized = check_given(c, "volumes", i, "size");

    if (!sized)
        complain_of(c, i, "make", "needs size, which says how large the disk becomes");
    else if (v->size == SIZE_INFINITY || v->size < DISK_SIZE_MIN)
        complain_of(c, i, "size", "is too small for a disk that is made; it must be at least 8M");
    if (v->format != DISK_RAW)
        complain_of(c, i, "make", "makes disks of format \"raw\" alone; one of \"%s\" is made by hand",
                    enum_to_string(&disk_format_table, (int)v->format));
    if (v->filesystem != DISK_EXT4)
        complain_of(c, i, "make", "makes file systems of type \"ext4\" alone; one of \"%s\" is made by hand",
                    enum_to_string(&disk_filesystem_table, (int)v->filesystem));
    if (v->read_only)
        complain_of(c, i, "make", "makes an empty disk, which would stay so, since read_only is set");
}

static void check_disk(const Check *c, size_t i)
{
    const VolumeDefinition *v = &c->pod->volumes[i];

    if (!check_given(c, "volumes", i, "format"))
        complain_of(c, i, "", "format is missing: a disk must say whether it is \"raw\" or \"qcow2\"");
    if (v->make)
        check_make(c, i);
    else if (check_given(c, "volumes", i, "size"))
        complain_of(c, i, "size", "is the disk's own; it is only for a disk that is made, with make = true");
    for (size_t j = 0; j < i; j++)
        if (v->source && c->pod->volumes[j].type == VOLUME_DISK &&
            streq_ptr(v->source, c->pod->volumes[j].source))
            complain_of(c, i, "source", "\"%s\" is the volume \"%s\" already", v->source,
                        c->pod->volumes[j].name ?: "?");
}

static void check_share(const Check *c, size_t i)
{
    if (!check_given(c, "volumes", i, "source"))
        complain_of(c, i, "", "source is missing: the directory of the host that is shared");
    if (c->pod->volumes[i].mode == SHARE_COPY && !c->pod->volumes[i].read_only)
        complain_of(
            c, i, "",
            "read_only = true is missing: this share is a copy, made when the pod starts, which can only be "
            "read; one with mode = \"live\" can be written");
}

static void check_live(const Check *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->pod->n_volumes; i++)
        if (volume_is_live(&c->pod->volumes[i]) && ++n == SHARES_LIVE_MAX + 1)
            complain_of(c, i, "mode", "is \"live\", as that of %d others; a pod can have no more",
                        SHARES_LIVE_MAX);
}

static void check_scratch(const Check *c, size_t i)
{
    const VolumeDefinition *v = &c->pod->volumes[i];

    if (!check_given(c, "volumes", i, "size"))
        complain_of(c, i, "", "size is missing: how much of the host's disk it may take");
    else if (v->size == SIZE_INFINITY || v->size < DISK_SIZE_MIN)
        complain_of(c, i, "size", "is too small for a disk; it must be at least 8M");
}

static void check_volumes(const Check *c)
{
    for (size_t i = 0; i < c->pod->n_volumes; i++) {
        check_keys_of_type(c, i);
        if (c->pod->volumes[i].type == VOLUME_DISK)
            check_disk(c, i);
        if (c->pod->volumes[i].type == VOLUME_SHARE)
            check_share(c, i);
        if (volume_is_of_machine(&c->pod->volumes[i]))
            check_scratch(c, i);
    }
    check_live(c);
}

/* --- secrets and config files --------------------------------------------------------------------------------------- */

/* Exactly one of the two is to be there. */
static void check_one_of(const Check *c, const char *list, size_t i, const char *one, const char *other)
{
    bool has_one = check_given(c, list, i, one), has_other = check_given(c, list, i, other);
    _cleanup_(freep) char *path = strf("%s[%zu]", list, i);

    if (path && !has_one && !has_other)
        check_complain(c, path, "either %s or %s is needed", one, other);
    if (path && has_one && has_other)
        check_complain(c, path, "%s and %s exclude each other", one, other);
}

static void check_files(const Check *c)
{
    for (size_t i = 0; i < c->pod->n_secrets; i++)
        check_one_of(c, "secrets", i, "source", "credential");
    for (size_t i = 0; i < c->pod->n_configs; i++)
        check_one_of(c, "configs", i, "source", "content");
}

/* --- mounts --------------------------------------------------------------------------------------------------------- */

/* What a mount may name: a key of it, the list that declares such, and the keys of a mount that go with it. */
typedef struct Mountable {
    const char *key;
    const char *list;
    const char *what;
    const char *keys[3];
} Mountable;

static const Mountable mountables[] = {
    { "volume", "volumes", "volume", { "read_only", NULL } },
    { "secret", "secrets", "secret", { "mode", "owner", NULL } },
    { "config", "configs", "config file", { "mode", "owner", NULL } },
};

static const char *const mount_extras[] = { "read_only", "mode", "owner" };

static void check_declared(const Check *c, const Mountable *m, const char *path, const char *name)
{
    const Field *list = schema_field(&pod_schema, m->list);
    const char *names[VOLUMES_MAX + 1] = { NULL };
    size_t n = 0;

    for (size_t i = 0; i < field_count(list, c->pod) && n < VOLUMES_MAX; i++) {
        const char *known = schema_key(list->schema, field_item(list, c->pod, i));
        if (known && streq(known, name))
            return;
        if (known)
            names[n++] = known;
    }
    const char *meant = str_suggest(name, names, n);
    _cleanup_(freep) char *all = n > 0 ? strv_join((char *const *)names, ", ") : strdup("none");
    if (meant)
        check_complain(c, path, "there is no %s \"%s\"; did you mean \"%s\"?", m->what, name, meant);
    else
        check_complain(c, path, "there is no %s \"%s\"; `%s` declares %s", m->what, name, m->list,
                       all ?: "others");
}

static void check_extras(const Check *c, const Mountable *m, const char *mounts, size_t i)
{
    TABLE_FOREACH (key, mount_extras) {
        bool fits = false;
        for (size_t k = 0; m->keys[k]; k++)
            fits |= streq(m->keys[k], *key);
        _cleanup_(freep) char *path = strf("%s[%zu].%s", mounts, i, *key);
        if (path && !fits && check_given(c, mounts, i, *key))
            check_complain(c, path, "means nothing for a %s", m->what);
    }
}

/* Exactly one thing is mounted, and it is declared. */
static void check_object(const Check *c, const char *mounts, size_t i, const MountDefinition *mount)
{
    const Mountable *found = NULL;
    size_t n = 0;
    _cleanup_(freep) char *here = strf("%s[%zu]", mounts, i);

    TABLE_FOREACH (m, mountables) {
        char *const *name = field_at(schema_field(&mount_schema, m->key), mount);
        _cleanup_(freep) char *path = strf("%s[%zu].%s", mounts, i, m->key);
        if (!check_given(c, mounts, i, m->key))
            continue;
        n++;
        found = m;
        if (path && *name)
            check_declared(c, m, path, *name);
    }
    if (here && n == 0)
        check_complain(c, here, "one of volume, secret and config is needed");
    if (here && n > 1)
        check_complain(c, here, "volume, secret and config exclude each other");
    if (n == 1)
        check_extras(c, found, mounts, i);
}

static void check_mounts(const Check *c, size_t container)
{
    const ContainerDefinition *d = pod_container(c->pod, container);
    _cleanup_(freep) char *of = check_container_path(c, container),
                          *mounts = of ? strf("%s.mounts", of) : NULL;

    for (size_t i = 0; mounts && i < d->n_mounts; i++) {
        _cleanup_(freep) char *path = strf("%s[%zu].path", mounts, i);
        if (!path)
            return;
        check_object(c, mounts, i, &d->mounts[i]);
        if (d->mounts[i].path && streq(d->mounts[i].path, "/"))
            check_complain(c, path, "\"/\" is the image's own; whatever is mounted goes below it");
        for (size_t j = 0; j < i; j++)
            if (d->mounts[i].path && streq_ptr(d->mounts[i].path, d->mounts[j].path))
                check_complain(c, path, "\"%s\" is taken by another mount of this container",
                               d->mounts[i].path);
    }
}

/* --- the layer of the root directory -------------------------------------------------------------------------------- */

static void check_writable(const Check *c, size_t container)
{
    static const Mountable volumes = { "writable_volume", "volumes", "volume", { NULL } };
    const ContainerDefinition *d = pod_container(c->pod, container);
    _cleanup_(freep) char *of = check_container_path(c, container),
                          *path = of ? strf("%s.writable_volume", of) : NULL,
                          *size = of ? strf("%s.writable_size", of) : NULL;

    if (!path || !size || !d->writable_volume)
        return;
    check_declared(c, &volumes, path, d->writable_volume);
    for (size_t i = 0; i < c->pod->n_volumes; i++)
        if (streq_ptr(c->pod->volumes[i].name, d->writable_volume) &&
            c->pod->volumes[i].type != VOLUME_SCRATCH)
            check_complain(c, path, "\"%s\" is of type \"%s\"; only one of type \"scratch\" can have it",
                           d->writable_volume,
                           enum_to_string(&volume_type_table, (int)c->pod->volumes[i].type));
    if (d->writable_size > 0)
        check_complain(c, size, "is for a layer in memory; the size of the volume \"%s\" bounds this one",
                       d->writable_volume);
    if (d->read_only)
        check_complain(c, path, "means nothing for a root directory that is read_only");
}

void check_storage(const Check *c)
{
    check_volumes(c);
    check_files(c);
    for (size_t i = 0; i < pod_n_containers(c->pod); i++) {
        check_mounts(c, i);
        check_writable(c, i);
    }
}
