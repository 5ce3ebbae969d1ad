/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/pod-check.h"

void check_complain(const Check *c, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    diagnostics_add(c->diagnostics, c->name, locations_line(c->locations, path), "%s: %s", path, text ?: "?");
}

char *check_container_path(const Check *c, size_t i)
{
    bool init = i < c->pod->n_init;
    return strf("%s[%zu]", init ? "init" : "containers", init ? i : i - c->pod->n_init);
}

bool check_given(const Check *c, const char *list, size_t i, const char *key)
{
    _cleanup_(freep) char *path = strf("%s[%zu].%s", list, i, key);

    return path && locations_given(c->locations, path);
}

static void check_restart(const Check *c, const char *path, const RestartSettings *restart)
{
    _cleanup_(freep) char *where = strf("%s.max_delay", path);

    if (where && restart->max_delay < restart->delay)
        check_complain(c, where, "is shorter than delay; the longest wait cannot be below the first");
}

static void check_within(const Check *c, const char *path, uint64_t size)
{
    if (size != SIZE_INFINITY && size > c->pod->memory)
        check_complain(c, path, "is more than the memory of the whole pod");
}

static void check_memory(const Check *c, const char *limits, const ContainerLimits *l)
{
    const struct {
        const char *key;
        uint64_t size;
    } rows[] = { { "memory", l->memory },
                 { "memory_high", l->memory_high },
                 { "memory_low", l->memory_low } };

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *path = strf("%s.%s", limits, row->key);
        if (!path)
            continue;
        check_within(c, path, row->size);
        /* What is more than the pod has is more than the container's part of it, too. */
        if (row->size != SIZE_INFINITY && row->size <= c->pod->memory && row->size > l->memory)
            check_complain(c, path, "is more than memory, the most that the container may use");
    }
}

static void check_doubles(const Check *c, const char *path, char *const *names)
{
    for (size_t i = 0; names && names[i]; i++)
        for (size_t j = 0; j < i; j++)
            if (streq(names[i], names[j]))
                check_complain(c, path, "\"%s\" is named twice", names[i]);
}

/* By their names alone: two values of one setting are a mistake, too. */
static void check_sysctls(const Check *c)
{
    char *const *s = c->pod->sysctls;

    for (size_t i = 0; s && s[i]; i++) {
        size_t n = strcspn(s[i], "=");
        for (size_t j = 0; j < i; j++)
            if (strncmp(s[i], s[j], n + 1) == 0)
                check_complain(c, "sysctls", "\"%.*s\" is set twice", (int)n, s[i]);
    }
}

/* As all container tools tell a registry: by a dot or a port in the first step, or as localhost. */
static bool names_registry(const char *image)
{
    size_t first = strcspn(image, "/");

    return image[first] &&
           (memchr(image, '.', first) || memchr(image, ':', first) || str_after(image, "localhost/"));
}

static void check_pull(const Check *c, const ContainerDefinition *d, const char *container)
{
    _cleanup_(freep) char *path = container ? strf("%s.pull", container) : NULL;

    if (!path || d->pull == PULL_NEVER || !d->image || names_registry(d->image))
        return;
    if (str_after(d->image, "sha256:"))
        check_complain(c, path, "\"%s\" is the digest of an image that is here; no registry has it by that",
                       d->image);
    else
        check_complain(c, path,
                       "\"%s\" does not say from which registry it is pulled, such as \"docker.io/%s%s\"",
                       d->image, strchr(d->image, '/') ? "" : "library/", d->image);
}

static void check_containers(const Check *c)
{
    for (size_t i = 0; i < pod_n_containers(c->pod); i++) {
        const ContainerDefinition *d = pod_container(c->pod, i);
        _cleanup_(freep) char *path = check_container_path(c, i);
        check_pull(c, d, path);
        _cleanup_(freep) char *restart = path ? strf("%s.restart", path) : NULL;
        _cleanup_(freep) char *limits = path ? strf("%s.limits", path) : NULL;
        _cleanup_(freep) char *writable = path ? strf("%s.writable_size", path) : NULL;
        _cleanup_(freep) char *groups = path ? strf("%s.groups", path) : NULL;
        if (!restart || !limits || !writable || !groups)
            return;
        check_restart(c, restart, &d->restart);
        check_memory(c, limits, &d->limits);
        check_within(c, writable, d->writable_size);
        check_doubles(c, groups, d->groups);
    }
}

int pod_definition_read(PodDefinition *pod, const char *name, const void *text, size_t size,
                        Diagnostics *diagnostics, Locations *ret_locations)
{
    size_t before = diagnostics->n_items;
    Locations locations = { 0 };

    int r = schema_read_config(&pod_schema, pod, name, text, size, diagnostics, &locations);
    if (r >= 0) {
        Check c = { .pod = pod, .name = name, .diagnostics = diagnostics, .locations = &locations };
        check_restart(&c, "restart", &pod->restart);
        check_containers(&c);
        check_within(&c, "shm_size", pod->shm_size);
        check_sysctls(&c);
        check_storage(&c);
        check_life(&c);
        check_resources(&c);
        check_doubles(&c, "after", pod->after);
        check_doubles(&c, "requires", pod->requires);
        check_network(&c);
        check_bridge(&c);
        r = diagnostics->n_items > before || diagnostics->lost;
    }
    if (r >= 0 && ret_locations)
        *ret_locations = take_struct(locations);
    locations_done(&locations);
    return r;
}

PodLines pod_lines(const Locations *locations)
{
    return (PodLines){ locations_line(locations, "after"), locations_line(locations, "requires"),
                       locations_line(locations, "network.publish"),
                       locations_line(locations, "network.address"),
                       locations_line(locations, "network.network") };
}

void pod_definition_done(PodDefinition *pod)
{
    schema_done(&pod_schema, pod);
}

char *pod_name_from_file(const char *file_name)
{
    _cleanup_(freep) char *name = NULL;

    if (!str_ends_with(file_name, ".pod"))
        return NULL;
    name = strndup(file_name, strlen(file_name) - strlen(".pod"));
    return name && format_name.valid(name) ? take_ptr(name) : NULL;
}
