/* SPDX-License-Identifier: Apache-2.0 */
/* Which network a pod that starts gets, and which address there. */
#include "base/strings.h"
#include "supervisor/networks-internal.h"
#include "supervisor/pod-network.h"
#include "supervisor/supervisor.h"

/* --- the network ------------------------------------------------------------------------------------------------------------ */

const ManagedNetwork *network_present(const Network *network)
{
    return network->record.made.subnet ? &network->record.made : &network->definition;
}

static bool is_before(const Network *a, const Network *b)
{
    bool made = a->record.made.subnet != NULL;

    return made != (b->record.made.subnet != NULL) ? made : strcmp(a->name, b->name) < 0;
}

/* Of two that cannot be both, the one that is there counts, and else the first by name. */
static int check_against(const Network *network, const Network *other, char **ret_error)
{
    const ManagedNetwork *mine = network_present(network), *theirs = network_present(other);
    bool counts = other->record.made.subnet || (other->declared && other->defined);

    if (other == network || !counts || !is_before(other, network))
        return 0;
    IpAddress a = managed_network_subnet(mine), b = managed_network_subnet(theirs);
    if (ip_overlap(&a, &b))
        *ret_error = strf("the network %s, %s, has addresses in common with the network %s, %s",
                          network->name, mine->subnet, other->name, theirs->subnet);
    else if (streq_ptr(mine->bridge, theirs->bridge))
        *ret_error = strf("the bridge %s of the network %s is that of the network %s too", mine->bridge,
                          network->name, other->name);
    else
        return 0;
    return -EADDRINUSE;
}

int network_check_others(const Network *network, char **ret_error)
{
    size_t n;
    Network *const *all = networks_all(network->owner, &n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = check_against(network, all[i], ret_error);
    return r;
}

/* NULL and *ret_error, or the network that can be joined. */
static Network *find(const Pod *pod, const char *name, char **ret_error)
{
    const Supervisor *s = pod->supervisor;
    _cleanup_(freep) char *directories = strv_join(s->paths->definitions, ", ");
    Network *network = networks_find(s->networks, name);

    if (!network || (!network->declared && TAILQ_EMPTY(&network->members)))
        *ret_error = strf("there is no network %s: %s.network, which would declare it, is not in %s", name,
                          name, directories ?: "?");
    else if (!network->declared)
        *ret_error =
            strf("the network %s is not declared any more: it goes on for the pods that are on it, and "
                 "takes no others",
                 name);
    else if (!network->defined)
        *ret_error = strf("the network %s cannot be used: %s", name,
                          network->errors ? network->errors[0] : "its file cannot be read");
    else
        return network;
    return NULL;
}

/* --- the address ------------------------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The places that no pod can be allotted: the host's, those of other pods, and those that pod files name. */
typedef struct Taken {
    IpAddress subnet;
    uint64_t *places;
    size_t n;
} Taken;

static void take(Taken *t, const char *address)
{
    IpAddress a;

    if (!address || ip_parse(address, &a) < 0 || !ip_within(&a, &t->subnet))
        return;
    a.bits = t->subnet.bits;
    t->places[t->n++] = ip_place(&a);
}

static int collect(const Network *network, const Pod *pod, Taken *t)
{
    const Supervisor *s = pod->supervisor;
    const NetworkRecord *record = &network->record;

    t->places = calloc(record->n_allotments + s->n_pods + 1, sizeof *t->places);
    if (!t->places)
        return -ENOMEM;
    take(t, network_present(network)->gateway);
    for (size_t i = 0; i < record->n_allotments; i++)
        if (!streq_ptr(record->allotments[i].pod, pod->name))
            take(t, record->allotments[i].address);
    for (size_t i = 0; i < s->n_pods; i++)
        if (s->pods[i] != pod && s->pods[i]->wanted.defined &&
            streq_ptr(s->pods[i]->definition.network.network, network->name))
            take(t, s->pods[i]->definition.network.address);
    qsort(t->places, t->n, sizeof *t->places, by_number);
    return 0;
}

/* The lowest that is free (malloc'ed), or NULL with *ret_full. */
static char *lowest(const ManagedNetwork *m, const Taken *t, bool *ret_full)
{
    uint64_t place, last;

    managed_network_range(m, &place, &last);
    for (size_t i = 0; i < t->n; i++)
        if (t->places[i] == place)
            place++;
    *ret_full = place > last;
    IpAddress a = ip_at(&t->subnet, place);
    return *ret_full ? NULL : ip_format(&a);
}

static int pick(Network *network, const Pod *pod, char **ret_address, char **ret_error)
{
    const ManagedNetwork *m = network_present(network);
    Taken t = { .subnet = managed_network_subnet(m) };
    bool full = false;

    int r = collect(network, pod, &t);
    char *address = r < 0 ? NULL : lowest(m, &t, &full);
    free(t.places);
    if (full)
        *ret_error = strf("the network %s has no address left: all of %s are other pods'", network->name,
                          m->range ?: m->subnet);
    *ret_address = address;
    return address ? 0 : full ? -EADDRNOTAVAIL : -ENOMEM;
}

/* What the pod has had, where it still can. */
static bool can_stay(const Network *network, const char *address)
{
    const ManagedNetwork *m = network_present(network);
    uint64_t first, last;
    IpAddress a;

    if (managed_network_objection(m, address) || ip_parse(address, &a) < 0)
        return false;
    a.bits = managed_network_subnet(m).bits;
    managed_network_range(m, &first, &last);
    return ip_place(&a) >= first && ip_place(&a) <= last;
}

static int check_wanted(const Network *network, const Pod *pod, const char *address, char **ret_error)
{
    const ManagedNetwork *m = network_present(network);
    const char *objection = managed_network_objection(m, address);
    const Allotment *holder = network_record_holder(&network->record, address);

    if (objection)
        *ret_error = strf("the address %s cannot be had on the network %s, %s: it %s", address, network->name,
                          m->subnet, objection);
    else if (holder && !streq_ptr(holder->pod, pod->name))
        *ret_error = strf("the address %s of the network %s is that of the pod %s", address, network->name,
                          holder->pod);
    else
        return 0;
    return objection ? -EADDRNOTAVAIL : -EADDRINUSE;
}

/* The address that the pod is to have (malloc'ed). */
static int decide(Network *network, const Pod *pod, char **ret_address, char **ret_error)
{
    const char *wanted = pod->definition.network.address;
    const Allotment *held = network_record_find(&network->record, pod->name);

    if (wanted) {
        int r = check_wanted(network, pod, wanted, ret_error);
        if (r < 0)
            return r;
    } else if (!held || !can_stay(network, held->address)) {
        return pick(network, pod, ret_address, ret_error);
    }
    *ret_address = strdup(wanted ?: held->address);
    return *ret_address ? 0 : -ENOMEM;
}

/* --- both ------------------------------------------------------------------------------------------------------------------- */

/* On disk before anything of it is there. */
static int record(Network *network, const Pod *pod, const char *address, char **ret_error)
{
    const Allotment *held = network_record_find(&network->record, pod->name);
    bool changed = !held || !streq_ptr(held->address, address);

    int r = changed ? network_record_allot(&network->record, pod->name, address) : 0;
    if (r >= 0 && !network->record.made.subnet) {
        schema_done(&managed_network_schema, &network->record.made);
        r = schema_copy(&managed_network_schema, &network->definition, &network->record.made);
        changed = true;
    }
    if (r < 0 || !changed)
        return r;
    r = network_save(network);
    if (r < 0)
        *ret_error = strf("what must be remembered of the network %s cannot be written: %s", network->name,
                          strerror(-r));
    return r;
}

static int describe(const Network *network, const Paths *paths, const char *address, NetworkDefinition *to,
                    BridgeMake *make)
{
    const ManagedNetwork *m = &network->record.made;
    _cleanup_(freep) char *instance = pod_network_instance(paths);

    if (!instance)
        return -ENOMEM;
    int r = bridge_make_mac(instance, network->name, &make->mac);
    free(to->address);
    to->address = managed_network_with_bits(m, address);
    make->address = managed_network_with_bits(m, m->gateway);
    make->mtu = m->mtu;
    to->mtu = to->mtu ?: m->mtu;
    if (r < 0 || !to->address || !make->address || str_replace(&to->bridge, m->bridge) < 0 ||
        str_replace(&to->gateway, m->gateway) < 0)
        return -ENOMEM;
    return to->dns || !m->dns || (to->dns = strv_copy(m->dns)) ? 0 : -ENOMEM;
}

static size_t count_members(const Network *network)
{
    const Pod *member;
    size_t n = 0;

    TAILQ_FOREACH(member, &network->members, network_entry)
    n++;
    return n;
}

int networks_choose(Pod *pod, NetworkDefinition *network, BridgeMake *make, char **ret_error)
{
    _cleanup_(freep) char *address = NULL;
    Network *n = find(pod, network->network, ret_error);

    if (!n)
        return -ENOENT;
    if (count_members(n) >= NETWORK_MEMBERS_MAX) {
        *ret_error = strf("%d pods run on the network %s, and no more can", NETWORK_MEMBERS_MAX, n->name);
        return -EMFILE;
    }
    int r = network_check_others(n, ret_error);
    if (r >= 0)
        r = decide(n, pod, &address, ret_error);
    if (r >= 0)
        r = record(n, pod, address, ret_error);
    return r < 0 ? r : describe(n, pod->supervisor->paths, address, network, make);
}
