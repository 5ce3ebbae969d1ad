/* SPDX-License-Identifier: Apache-2.0 */
/* How containers stand to each other, and their probes. */
#include "base/strings.h"
#include "schemas/pod-check.h"

/* In one list doubled names are found where it is read. */
static void check_names(const Check *c)
{
    const PodDefinition *pod = c->pod;

    for (size_t i = 0; i < pod->n_containers; i++)
        for (size_t k = 0; k < pod->n_init; k++) {
            _cleanup_(freep) char *path = strf("containers[%zu]", i), *other = strf("init[%zu]", k);
            if (path && other && pod->init[k].name && streq_ptr(pod->init[k].name, pod->containers[i].name))
                check_complain(c, path, "the name \"%s\" is taken already, by a container of init (line %u)",
                               pod->init[k].name, locations_line(c->locations, other));
        }
}

static void check_number(const Check *c)
{
    if (c->pod->n_init > 0 && pod_n_containers(c->pod) > CONTAINERS_MAX)
        check_complain(c, "init", "with containers these are %zu; at most %d are accepted together",
                       pod_n_containers(c->pod), CONTAINERS_MAX);
}

static void check_sidecars(const Check *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->pod->n_containers; i++)
        n += c->pod->containers[i].sidecar;
    if (n > 0 && n == c->pod->n_containers)
        check_complain(c, "containers",
                       "all of them are sidecars; the pod would end as soon as it has started");
    for (size_t i = 0; i < c->pod->n_init; i++) {
        _cleanup_(freep) char *path = strf("init[%zu].sidecar", i);
        if (path && c->pod->init[i].sidecar)
            check_complain(c, path, "a container of init runs to its end; a sidecar stands in containers");
    }
}

/* --- probes --- */

static void check_methods(const Check *c, const char *path, const ProbeDefinition *d)
{
    const struct {
        const char *name;
        bool given;
    } methods[] = { { "exec", d->exec }, { "tcp", d->tcp }, { "http", d->http } };
    const char *first = NULL;
    size_t n = 0;

    TABLE_FOREACH (method, methods) {
        _cleanup_(freep) char *where = strf("%s.%s", path, method->name);
        /* One whose value is wrong is given, too, and has been complained about. */
        if (!where || !locations_given(c->locations, where))
            continue;
        if (n++ > 0)
            check_complain(c, where, "%s is there, too; a probe has exactly one of exec, tcp and http",
                           first);
        first = first ?: method->name;
    }
    if (n == 0)
        check_complain(c, path, "says nothing to try; exactly one of exec, tcp and http is needed");
}

static void check_of_http(const Check *c, const char *path, const ProbeDefinition *d)
{
    static const char *const keys[] = { "headers", "status" };

    TABLE_FOREACH (key, keys) {
        _cleanup_(freep) char *where = strf("%s.%s", path, *key), *http = strf("%s.http", path);
        if (where && http && locations_given(c->locations, where) && !locations_given(c->locations, http))
            check_complain(c, where, "belongs to http, and this probe has none");
    }
    STRV_FOREACH (header, d->headers) {
        _cleanup_(freep) char *where = strf("%s.headers.%.*s", path, (int)strcspn(*header, "="), *header);
        if (where && !probe_header_valid(*header))
            check_complain(c, where,
                           "is no header; expected a name of letters, digits and -, and text on one line");
    }
}

static void check_probe(const Check *c, const char *container, ContainerRole role, ProbeKind kind,
                        const ProbeDefinition *d)
{
    _cleanup_(freep) char *path = strf("%s.%s", container, enum_to_string(&probe_kind_table, (int)kind));
    _cleanup_(freep) char *successes = path ? strf("%s.successes", path) : NULL;

    if (!successes || !locations_given(c->locations, path))
        return;
    if (role == CONTAINER_INIT) {
        check_complain(c, path, "a container of init is not probed; its exit status says all");
        return;
    }
    check_methods(c, path, d);
    check_of_http(c, path, d);
    if (kind != PROBE_READY && d->successes > 1)
        check_complain(c, successes, "only ready can ask for more than one");
}

static void check_probes(const Check *c)
{
    for (size_t i = 0; i < pod_n_containers(c->pod); i++) {
        const ContainerDefinition *d = pod_container(c->pod, i);
        _cleanup_(freep) char *path = check_container_path(c, i);
        for (ProbeKind kind = 0; path && kind < PROBE_KIND_MAX; kind++)
            check_probe(c, path, pod_container_role(c->pod, i), kind, container_probe(d, kind));
    }
}

void check_life(const Check *c)
{
    check_names(c);
    check_number(c);
    check_sidecars(c);
    check_probes(c);
}
