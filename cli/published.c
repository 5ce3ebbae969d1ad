/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip-address.h"
#include "base/strings.h"
#include "cli/published.h"
#include "schemas/publish.h"

static void item_done(PublishedPod *item)
{
    free(item->name);
    free(item->file);
    strv_free(item->ports);
    free(item->bridge);
    free(item->address);
}

int published_add(PublishedPorts *p, const char *name, const char *file, PodLines lines,
                  const PodDefinition *pod)
{
    const NetworkDefinition *n = &pod->network;

    if (n->mode == NETWORK_NONE || (n->mode == NETWORK_USER && !n->publish))
        return 0;
    for (size_t i = 0; i < p->n_items; i++)
        if (streq(p->items[i].name, name))
            return 0;
    PublishedPod *items = reallocarray(p->items, p->n_items + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    p->items = items;
    PublishedPod item = {
        .name = strdup(name), .file = strdup(file), .lines = lines, .ports = strv_copy(n->publish)
    };
    if (n->mode == NETWORK_BRIDGE && n->bridge && n->address) {
        item.bridge = strdup(n->bridge);
        item.address = strdup(n->address);
    }
    if (!item.name || !item.file || (n->publish && !item.ports)) {
        item_done(&item);
        return -ENOMEM;
    }
    items[p->n_items++] = item;
    return 0;
}

static bool same_address(const PublishedPod *a, const PublishedPod *b)
{
    return a->bridge && streq_ptr(a->bridge, b->bridge) && ip_text_equal(a->address, b->address);
}

static void check_against(const PublishedPod *mine, const PublishedPod *theirs, Diagnostics *diagnostics)
{
    _cleanup_(freep) char *port = publish_collision(mine->ports, theirs->ports);

    if (port)
        diagnostics_add(diagnostics, mine->file, mine->lines.publish,
                        "network.publish: %s is published by the pod %s too (%s:%u); they could not run both",
                        port, theirs->name, theirs->file, theirs->lines.publish);
    if (same_address(mine, theirs))
        diagnostics_add(
            diagnostics, mine->file, mine->lines.address,
            "network.address: %s on the bridge %s is that of the pod %s too (%s:%u); they could not run both",
            mine->address, mine->bridge, theirs->name, theirs->file, theirs->lines.address);
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
