/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/networks.h"

/* --- taking note ------------------------------------------------------------------------------------------------------------ */

static void network_done(CheckedNetwork *n)
{
    free(n->name);
    free(n->file);
    schema_done(&managed_network_schema, &n->definition);
}

static const CheckedNetwork *find(const CheckedNetworks *n, const char *name)
{
    for (size_t i = 0; i < n->n_items; i++)
        if (streq(n->items[i].name, name))
            return &n->items[i];
    return NULL;
}

int networks_add(CheckedNetworks *n, const char *name, const char *file, const void *text, size_t size,
                 Diagnostics *diagnostics)
{
    CheckedNetwork item = { 0 };

    int r = managed_network_read(&item.definition, name, file, text, size, diagnostics);
    if (r < 0)
        return r;
    item.right = r == 0;
    CheckedNetwork *items = find(n, name) ? NULL : reallocarray(n->items, n->n_items + 1, sizeof *items);
    item.name = strdup(name);
    item.file = strdup(file);
    if (items)
        n->items = items;
    if (items && item.name && item.file) {
        items[n->n_items++] = item;
        return 0;
    }
    network_done(&item);
    return find(n, name) ? 0 : -ENOMEM;
}

static void use_done(NetworkUse *u)
{
    free(u->pod);
    free(u->file);
    free(u->network);
    free(u->address);
}

int networks_use(CheckedNetworks *n, const char *pod, const char *file, PodLines lines,
                 const PodDefinition *definition)
{
    const NetworkDefinition *d = &definition->network;

    if (!d->network)
        return 0;
    NetworkUse *uses = reallocarray(n->uses, n->n_uses + 1, sizeof *uses);
    if (!uses)
        return -ENOMEM;
    n->uses = uses;
    NetworkUse use = { .pod = strdup(pod),
                       .file = strdup(file),
                       .line = lines.network,
                       .network = strdup(d->network),
                       .address = d->address ? strdup(d->address) : NULL,
                       .address_line = lines.address };
    if (!use.pod || !use.file || !use.network || (d->address && !use.address)) {
        use_done(&use);
        return -ENOMEM;
    }
    uses[n->n_uses++] = use;
    return 0;
}

/* --- checking --------------------------------------------------------------------------------------------------------------- */

static void check_pair(const CheckedNetwork *mine, const CheckedNetwork *theirs, Diagnostics *diagnostics)
{
    IpAddress a = managed_network_subnet(&mine->definition), b = managed_network_subnet(&theirs->definition);

    if (ip_overlap(&a, &b))
        diagnostics_add(diagnostics, mine->file, 0,
                        "subnet: %s has addresses in common with %s of the network %s (%s)",
                        mine->definition.subnet, theirs->definition.subnet, theirs->name, theirs->file);
    if (streq_ptr(mine->definition.bridge, theirs->definition.bridge))
        diagnostics_add(diagnostics, mine->file, 0, "bridge: %s is that of the network %s too (%s)",
                        mine->definition.bridge, theirs->name, theirs->file);
}

static void check_missing(const CheckedNetworks *n, const NetworkUse *use, Diagnostics *diagnostics)
{
    const char **names = calloc(n->n_items + 1, sizeof *names);

    for (size_t i = 0; names && i < n->n_items; i++)
        names[i] = n->items[i].name;
    const char *meant = names ? str_suggest(use->network, names, n->n_items) : NULL;
    diagnostics_add(diagnostics, use->file, use->line,
                    "network.network: there is no network \"%s\": no file %s.network is among these%s%s%s",
                    use->network, use->network, meant ? "; did you mean \"" : "", meant ?: "",
                    meant ? "\"?" : "");
    free(names);
}

static void check_address(const CheckedNetworks *n, size_t i, const ManagedNetwork *network,
                          Diagnostics *diagnostics)
{
    const NetworkUse *use = &n->uses[i];
    const char *objection = use->address ? managed_network_objection(network, use->address) : NULL;

    if (objection)
        diagnostics_add(diagnostics, use->file, use->address_line,
                        "network.address: %s %s: the network %s is %s", use->address, objection, use->network,
                        network->subnet);
    for (size_t j = 0; use->address && j < i; j++)
        if (streq(n->uses[j].network, use->network) && !streq(n->uses[j].pod, use->pod) &&
            ip_text_equal(n->uses[j].address, use->address))
            diagnostics_add(diagnostics, use->file, use->address_line,
                            "network.address: %s on the network %s is that of the pod %s too (%s:%u)",
                            use->address, use->network, n->uses[j].pod, n->uses[j].file,
                            n->uses[j].address_line);
}

void networks_check(const CheckedNetworks *n, bool complete, Diagnostics *diagnostics)
{
    for (size_t i = 0; i < n->n_items; i++)
        for (size_t j = 0; j < i; j++)
            if (n->items[i].right && n->items[j].right)
                check_pair(&n->items[i], &n->items[j], diagnostics);
    for (size_t i = 0; i < n->n_uses; i++) {
        const CheckedNetwork *network = find(n, n->uses[i].network);
        if (network && network->right)
            check_address(n, i, &network->definition, diagnostics);
        else if (!network && complete)
            check_missing(n, &n->uses[i], diagnostics);
    }
}

void networks_done(CheckedNetworks *n)
{
    for (size_t i = 0; i < n->n_items; i++)
        network_done(&n->items[i]);
    for (size_t i = 0; i < n->n_uses; i++)
        use_done(&n->uses[i]);
    free(n->items);
    free(n->uses);
    *n = (CheckedNetworks){ 0 };
}
