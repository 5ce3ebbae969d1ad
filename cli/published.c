/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/published.h"
#include "schemas/publish.h"

static void item_done(PublishedPod *item)
{
    free(item->name);
    free(item->file);
    strv_free(item->ports);
}

int published_add(PublishedPorts *p, const char *name, const char *file, unsigned line,
                  const PodDefinition *pod)
{
    if (pod->network.mode != NETWORK_USER || !pod->network.publish)
        return 0;
    for (size_t i = 0; i < p->n_items; i++)
        if (streq(p->items[i].name, name))
            return 0;
    PublishedPod *items = reallocarray(p->items, p->n_items + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    p->items = items;
    PublishedPod item = { strdup(name), strdup(file), line, strv_copy(pod->network.publish) };
    if (!item.name || !item.file || !item.ports) {
        item_done(&item);
        return -ENOMEM;
    }
    items[p->n_items++] = item;
    return 0;
}

static void check_against(const PublishedPod *mine, const PublishedPod *theirs, Diagnostics *diagnostics)
{
    _cleanup_(freep) char *port = publish_collision(mine->ports, theirs->ports);

    if (port)
        diagnostics_add(diagnostics, mine->file, mine->line,
                        "network.publish: %s is published by the pod %s too (%s:%u); they could not run both",
                        port, theirs->name, theirs->file, theirs->line);
}

void published_check(const PublishedPorts *p, Diagnostics *diagnostics)
{
    for (size_t i = 0; i < p->n_items; i++)
        for (size_t j = 0; j < i; j++)
            check_against(&p->items[i], &p->items[j], diagnostics);
}

void published_done(PublishedPorts *p)
{
    for (size_t i = 0; i < p->n_items; i++)
        item_done(&p->items[i]);
    free(p->items);
    *p = (PublishedPorts){ 0 };
}
