/* SPDX-License-Identifier: Apache-2.0 */
/* The networks as the API shows them: made anew whenever somebody asks. */
#include "base/strings.h"
#include "supervisor/networks-internal.h"
#include "supervisor/supervisor.h"

static int show_pods(const Network *network, NetworkStatus *s)
{
    const Field *field = schema_field(&network_status_schema, "pods");
    const NetworkRecord *r = &network->record;

    for (size_t i = 0; i < r->n_allotments; i++) {
        const Pod *pod = supervisor_find(network_supervisor(network), r->allotments[i].pod);
        NetworkPod *item = field_append(field, s);
        if (!item || str_replace(&item->pod, r->allotments[i].pod) < 0 ||
            str_replace(&item->address, r->allotments[i].address) < 0)
            return -ENOMEM;
        item->running = pod && pod->network == network;
    }
    return 0;
}

static int show_content(const ManagedNetwork *m, NetworkStatus *s)
{
    s->mtu = m->mtu;
    int r = str_replace(&s->description, m->description);
    if (r >= 0)
        r = str_replace(&s->subnet, m->subnet);
    if (r >= 0)
        r = str_replace(&s->gateway, m->gateway);
    return r < 0 ? r : str_replace(&s->bridge, m->bridge);
}

static int show_errors(const Network *network, NetworkStatus *s)
{
    _cleanup_(freep) char *conflict = NULL;

    if (network->errors && !(s->errors = strv_copy(network->errors)))
        return -ENOMEM;
    if (!network->declared || !network->defined || network_check_others(network, &conflict) >= 0)
        return 0;
    return conflict ? strv_append(&s->errors, conflict) : -ENOMEM;
}

static int show(const Network *network, NetworkStatus *s)
{
    s->declared = network->declared;
    s->made = network->record.made.subnet != NULL;
    s->changed = network_is_changed(network);
    int r = str_replace(&s->name, network->name);
    if (r >= 0)
        r = str_replace(&s->file, network->declared ? network->file : NULL);
    if (r >= 0)
        r = show_content(network_present(network), s);
    if (r >= 0)
        r = show_errors(network, s);
    return r < 0 ? r : show_pods(network, s);
}

int networks_show(const Networks *n, NetworkList *ret)
{
    const Field *field = schema_field(&network_list_schema, "networks");
    NetworkList list = { 0 };
    size_t count;
    Network *const *all = networks_all(n, &count);
    int r = 0;

    for (size_t i = 0; r >= 0 && i < count; i++) {
        NetworkStatus *s = field_append(field, &list);
        r = s ? show(all[i], s) : -ENOMEM;
    }
    if (r < 0) {
        schema_done(&network_list_schema, &list);
        return r;
    }
    *ret = list;
    return 0;
}
