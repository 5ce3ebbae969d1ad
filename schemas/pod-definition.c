/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/pod-definition.h"
#include "schemas/publish.h"

typedef struct Check {
    const PodDefinition *pod;
    const char *name;
    Diagnostics *diagnostics;
    const Locations *locations;
} Check;

static void _printf_(3, 4) complain(const Check *c, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    diagnostics_add(c->diagnostics, c->name, locations_line(c->locations, path), "%s: %s", path, text ?: "?");
}

static const VolumeDefinition *volume_find(const PodDefinition *pod, const char *name)
{
    for (size_t i = 0; i < pod->n_volumes; i++)
        if (pod->volumes[i].name && streq(pod->volumes[i].name, name))
            return &pod->volumes[i];
    return NULL;
}

static void check_volume_exists(const Check *c, const char *path, const char *name)
{
    const char *names[VOLUMES_MAX + 1] = { NULL };
    size_t n = 0;

    if (!name || volume_find(c->pod, name))
        return;
    for (size_t i = 0; i < c->pod->n_volumes && n < VOLUMES_MAX; i++)
        if (c->pod->volumes[i].name)
            names[n++] = c->pod->volumes[i].name;
    const char *meant = str_suggest(name, names, n);
    _cleanup_(freep) char *list = n > 0 ? strv_join((char *const *)names, ", ") : strdup("none");
    if (meant)
        complain(c, path, "there is no volume \"%s\"; did you mean \"%s\"?", name, meant);
    else
        complain(c, path, "there is no volume \"%s\"; `volumes` declares %s", name, list ?: "others");
}

static void check_mounts(const Check *c, size_t container)
{
    const ContainerDefinition *d = &c->pod->containers[container];

    for (size_t i = 0; i < d->n_mounts; i++) {
        _cleanup_(freep) char *volume = strf("containers[%zu].mounts[%zu].volume", container, i);
        _cleanup_(freep) char *path = strf("containers[%zu].mounts[%zu].path", container, i);
        if (!volume || !path)
            return;
        check_volume_exists(c, volume, d->mounts[i].volume);
        if (d->mounts[i].path && streq(d->mounts[i].path, "/"))
            complain(c, path, "\"/\" is the image's own; a volume goes below it");
        for (size_t j = 0; j < i; j++)
            if (d->mounts[i].path && streq_ptr(d->mounts[i].path, d->mounts[j].path))
                complain(c, path, "\"%s\" is taken by another mount of this container", d->mounts[i].path);
    }
}

static void check_restart(const Check *c, const char *path, const RestartSettings *restart)
{
    _cleanup_(freep) char *where = strf("%s.max_delay", path);

    if (where && restart->max_delay < restart->delay)
        complain(c, where, "is shorter than delay; the longest wait cannot be below the first");
}

static void check_within(const Check *c, const char *path, uint64_t size)
{
    if (size != SIZE_INFINITY && size > c->pod->memory)
        complain(c, path, "is more than the memory of the whole pod");
}

static void check_doubles(const Check *c, const char *path, char *const *names)
{
    for (size_t i = 0; names && names[i]; i++)
        for (size_t j = 0; j < i; j++)
            if (streq(names[i], names[j]))
                complain(c, path, "\"%s\" is named twice", names[i]);
}

/* By their names alone: two values of one setting are a mistake, too. */
static void check_sysctls(const Check *c)
{
    char *const *s = c->pod->sysctls;

    for (size_t i = 0; s && s[i]; i++) {
        size_t n = strcspn(s[i], "=");
        for (size_t j = 0; j < i; j++)
            if (strncmp(s[i], s[j], n + 1) == 0)
                complain(c, "sysctls", "\"%.*s\" is set twice", (int)n, s[i]);
    }
}

static void check_containers(const Check *c)
{
    for (size_t i = 0; i < c->pod->n_containers; i++) {
        _cleanup_(freep) char *restart = strf("containers[%zu].restart", i);
        _cleanup_(freep) char *memory = strf("containers[%zu].limits.memory", i);
        _cleanup_(freep) char *writable = strf("containers[%zu].writable_size", i);
        _cleanup_(freep) char *groups = strf("containers[%zu].groups", i);
        const ContainerDefinition *d = &c->pod->containers[i];
        check_mounts(c, i);
        if (!restart || !memory || !writable || !groups)
            return;
        check_restart(c, restart, &d->restart);
        check_within(c, memory, d->limits.memory);
        check_within(c, writable, d->writable_size);
        check_doubles(c, groups, d->groups);
    }
}

/* A port that cannot be read is no port of another's. */
static void check_publish_twice(const Check *c, const char *path, const Publish *p, size_t n)
{
    char *const *texts = c->pod->network.publish;
    Publish other;
    uint16_t port;

    for (size_t i = 0; i < n; i++)
        if (publish_parse(texts[i], &other, NULL) >= 0 && publish_same_port(p, &other, &port))
            complain(c, path,
                     "port %u/%s is published by \"%s\" already; one port of the host goes to one place",
                     port, enum_to_string(&publish_protocol_table, (int)p->protocol), texts[i]);
}

static void check_network(const Check *c)
{
    const NetworkDefinition *network = &c->pod->network;
    unsigned ports = 0;

    for (size_t i = 0; network->publish && network->publish[i]; i++) {
        _cleanup_(freep) char *path = strf("network.publish[%zu]", i), *why = NULL;
        Publish p;
        if (!path)
            return;
        if (publish_parse(network->publish[i], &p, &why) < 0) {
            _cleanup_(freep) char *escaped = str_escape(network->publish[i], strlen(network->publish[i]));
            _cleanup_(freep) char *cause = why ? str_escape(why, strlen(why)) : NULL;
            complain(c, path, "\"%s\" is not [ADDRESS:]PORT:PORT[/tcp|/udp]: %s", escaped ?: "?",
                     cause ?: "it cannot be read");
            continue;
        }
        check_publish_twice(c, path, &p, i);
        ports += p.count;
    }
    if (ports > PUBLISH_PORTS_MAX)
        complain(c, "network.publish", "has %u ports; at most %d are accepted", ports, PUBLISH_PORTS_MAX);
    if (network->publish && network->mode == NETWORK_NONE)
        complain(c, "network.publish",
                 "there is no network to publish from; network.mode = \"user\" makes one");
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
        check_doubles(&c, "after", pod->after);
        check_doubles(&c, "requires", pod->requires);
        check_network(&c);
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
                       locations_line(locations, "network.publish") };
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
