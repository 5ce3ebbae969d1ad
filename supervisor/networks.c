/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "schemas/formats.h"
#include "supervisor/bridge-sweep.h"
#include "supervisor/networks-internal.h"
#include "supervisor/pod-network.h"
#include "supervisor/supervisor.h"

struct Networks {
    Supervisor *supervisor;
    Definitions *definitions; /* NULL: not read yet */
    int dir;                  /* of the records */
    Network **items;          /* sorted by name */
    size_t n_items;
    BridgeSweep *sweep;
};

/* --- by name ---------------------------------------------------------------------------------------------------------------- */

static size_t position(const Networks *n, const char *name, bool *ret_found)
{
    size_t low = 0, high = n->n_items;

    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, n->items[middle]->name);
        *ret_found |= order == 0;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

Network *networks_find(const Networks *n, const char *name)
{
    bool found;
    size_t i = position(n, name, &found);
    return found ? n->items[i] : NULL;
}

Network *const *networks_all(const Networks *n, size_t *ret_n)
{
    *ret_n = n->n_items;
    return n->items;
}

Supervisor *network_supervisor(const Network *network)
{
    return network->owner->supervisor;
}

static Network *network_free(Network *network)
{
    if (!network)
        return NULL;
    schema_done(&network_record_schema, &network->record);
    schema_done(&managed_network_schema, &network->definition);
    strv_free(network->errors);
    free(network->file);
    free(network->name);
    free(network);
    return NULL;
}
DEFINE_CLEANUP(Network *, network_free)

/* The network of this name, made if need be; NULL: no memory. */
static Network *get(Networks *n, const char *name)
{
    bool found;
    size_t i = position(n, name, &found);
    if (found)
        return n->items[i];

    _cleanup_(network_freep) Network *network = calloc(1, sizeof *network);
    Network **longer = reallocarray(n->items, n->n_items + 1, sizeof *longer);
    if (longer)
        n->items = longer;
    if (!longer || !network || schema_init(&network_record_schema, &network->record) < 0)
        return NULL;
    network->owner = n;
    TAILQ_INIT(&network->members);
    if (!(network->name = strdup(name)) || !(network->record.name = strdup(name)))
        return NULL;
    memmove(longer + i + 1, longer + i, (n->n_items - i) * sizeof *longer);
    n->n_items++;
    return longer[i] = take_ptr(network);
}

static void drop(Network *network)
{
    Networks *n = network->owner;
    bool found;
    size_t i = position(n, network->name, &found);

    assert(found && n->items[i] == network);
    memmove(n->items + i, n->items + i + 1, (n->n_items - i - 1) * sizeof *n->items);
    n->n_items--;
    network_free(network);
}

/* --- records ---------------------------------------------------------------------------------------------------------------- */

int network_save(Network *network)
{
    const Id128 none = { 0 };
    _cleanup_(closep) int dir = dir_make_at(network->owner->dir, network->name, 0700);

    return dir < 0 ? dir : checkpoint_write(dir, &network_record_kind, none, 0, &network->record);
}

static void save(Network *network)
{
    int r = network_save(network);

    if (r < 0)
        log_error_errno(r, "What must be remembered of the network %s cannot be written", network->name);
}

/* What cannot be read is no reason to have no network: its pods' records say which addresses are theirs while they run. */
static int recall(Networks *n, const char *name)
{
    _cleanup_(freep) char *why = NULL;
    _cleanup_(closep) int dir = dir_open_at(n->dir, name);
    NetworkRecord record;

    if (!format_name.valid(name) || dir < 0)
        return 0;
    CheckpointOutcome outcome = checkpoint_read(dir, &network_record_kind, &record, NULL, &why);
    if (outcome != CHECKPOINT_GOOD) {
        if (outcome != CHECKPOINT_ABSENT)
            log_error(
                "What was remembered of the network %s cannot be used, and its pods get other addresses: %s",
                name, why ?: enum_to_string(&checkpoint_outcome_table, (int)outcome));
        return 0;
    }
    Network *network = get(n, name);
    if (!network || str_replace(&record.name, name) < 0) {
        schema_done(&network_record_schema, &record);
        return -ENOMEM;
    }
    schema_done(&network_record_schema, &network->record);
    network->record = record;
    return 0;
}

static int recall_all(Networks *n)
{
    int copy = fcntl(n->dir, F_DUPFD_CLOEXEC, 0), r = 0;
    _cleanup_(closedirp) DIR *d = copy < 0 ? NULL : fdopendir(copy);

    if (!d) {
        safe_close(copy);
        return -ENOMEM;
    }
    for (struct dirent *e; r >= 0 && (e = readdir(d));)
        r = recall(n, e->d_name);
    return r;
}

/* --- what is not wanted any more ---------------------------------------------------------------------------------------------- */

static bool is_made(const Network *network)
{
    return network->record.made.subnet != NULL;
}

static bool differs(const ManagedNetwork *a, const ManagedNetwork *b)
{
    size_t n = 0;

    return schema_diff(&managed_network_schema, a, b, NULL, NULL, &n) < 0 || n > 0;
}

bool network_is_changed(const Network *network)
{
    return is_made(network) && network->defined && differs(&network->record.made, &network->definition);
}

static bool is_over(const Network *network)
{
    if (!is_made(network) || !TAILQ_EMPTY(&network->members))
        return false;
    return !network->declared || network_is_changed(network);
}

/* Frees the network where nothing is known of it any more. */
static void settle(Network *network)
{
    NetworkRecord *record = &network->record;
    Networks *n = network->owner;

    /* Before the definitions are read, nothing can be said about what is not declared. */
    if (!n->definitions)
        return;
    if (is_over(network)) {
        if (!strv_contains(record->leftovers, record->made.bridge) &&
            strv_append(&record->leftovers, record->made.bridge) < 0)
            return;
        schema_done(&managed_network_schema, &record->made);
        save(network);
    }
    if (record->leftovers) {
        bridge_sweep_begin(n->sweep);
        return;
    }
    if (network->declared || is_made(network) || record->n_allotments > 0)
        return;
    (void)tree_remove_at(n->dir, network->name);
    drop(network);
}

static int add_leftovers(const Network *network, const char *instance, UplinkSweep *sweep)
{
    const Field *field = schema_field(&uplink_sweep_schema, "bridges");

    STRV_FOREACH (bridge, network->record.leftovers) {
        if (sweep->n_bridges >= UPLINK_BRIDGES_MAX)
            return 0;
        UplinkBridge *item = field_append(field, sweep);
        if (!item || str_replace(&item->bridge, *bridge) < 0 ||
            bridge_make_mac(instance, network->name, &item->mac) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int on_sweep(void *userdata, UplinkSweep *ret)
{
    const Networks *n = userdata;
    _cleanup_(freep) char *instance = pod_network_instance(n->supervisor->paths);
    int r = instance ? 0 : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < n->n_items; i++)
        r = add_leftovers(n->items[i], instance, ret);
    return r;
}

static void forget_bridge(Network *network, const char *bridge)
{
    char **kept = NULL;

    STRV_FOREACH (other, network->record.leftovers)
        if (!streq(*other, bridge))
            (void)strv_append(&kept, *other);
        else
            log_info("The bridge %s, which podvisor made for the network %s, is given up", bridge,
                     network->name);
    strv_free(network->record.leftovers);
    network->record.leftovers = kept;
}

/* Those that were asked for are gone, or a pod is on them again. */
static void on_swept(void *userdata, const UplinkSweep *done)
{
    Networks *n = userdata;

    for (size_t i = n->n_items; i-- > 0;) {
        Network *network = n->items[i];
        size_t before = strv_length(network->record.leftovers);
        for (size_t j = 0; before > 0 && j < done->n_bridges; j++)
            forget_bridge(network, done->bridges[j].bridge);
        if (strv_length(network->record.leftovers) == before)
            continue;
        save(network);
        if (!network->record.leftovers)
            settle(network);
    }
}

/* --- definitions -------------------------------------------------------------------------------------------------------------- */

static int take_definition(Network *network, const Definition *d)
{
    ManagedNetwork copy;

    int r = str_replace(&network->file, d->file);
    if (!d->declared) {
        /* One that comes later is another one, right or wrong. */
        schema_done(&managed_network_schema, &network->definition);
        network->defined = false;
    }
    if (r < 0 || !d->declared || !d->defined)
        return r;
    if ((r = schema_copy(&managed_network_schema, &d->network, &copy)) < 0)
        return r;
    schema_done(&managed_network_schema, &network->definition);
    network->definition = copy;
    network->defined = true;
    return 0;
}

static void take_errors(Network *network, char **errors)
{
    if (strv_equal(network->errors, errors))
        return;
    strv_free(network->errors);
    network->errors = strv_copy(errors);
    STRV_FOREACH (error, network->errors)
        log_error("%s", *error);
}

static void on_definition(void *userdata, const Definition *d)
{
    Network *network = get(userdata, d->name);

    if (!network || take_definition(network, d) < 0) {
        log_error("%s: its definition is lost: out of memory", d->name);
        return;
    }
    network->declared = d->declared;
    take_errors(network, d->errors);
    settle(network);
}

int networks_scan(Networks *n)
{
    return definitions_scan(n->definitions);
}

int networks_scan_file(Networks *n, const char *name)
{
    return definitions_scan_file(n->definitions, name);
}

char **networks_errors(const Networks *n)
{
    return definitions_errors(n->definitions);
}

/* --- pods ------------------------------------------------------------------------------------------------------------------- */

void networks_join(Pod *pod)
{
    const char *name = pod->record.link.network;
    Network *network = name && !pod->network ? get(pod->supervisor->networks, name) : NULL;

    if (!network)
        return;
    pod->network = network;
    TAILQ_INSERT_TAIL(&network->members, pod, network_entry);
    /* Of a pod that is found again nothing has changed, and each runner is told anew. */
    if (network->owner->definitions)
        network_names_changed(network, pod);
}

void networks_leave(Pod *pod)
{
    Network *network = pod->network;

    if (!network)
        return;
    pod->network = NULL;
    TAILQ_REMOVE(&network->members, pod, network_entry);
    network_names_changed(network, pod);
    settle(network);
}

void networks_forget(Networks *n, const char *pod)
{
    for (size_t i = n->n_items; i-- > 0;) {
        Network *network = n->items[i];
        Allotment *a = network_record_find(&network->record, pod);
        if (!a)
            continue;
        network_record_release(&network->record, a);
        save(network);
        settle(network);
    }
}

/* A definition that cannot be read now says nothing about where its pod belongs. */
static bool belongs(Networks *n, const Network *network, const char *name)
{
    const Pod *pod = supervisor_find(n->supervisor, name);

    if (!pod)
        return false;
    return !pod->wanted.defined || pod->network == network ||
           streq_ptr(pod->definition.network.network, network->name);
}

/* What pods had that went away while there was no podvisord. */
static void release_strays(Networks *n)
{
    for (size_t i = n->n_items; i-- > 0;) {
        Network *network = n->items[i];
        NetworkRecord *record = &network->record;
        size_t before = record->n_allotments;
        for (size_t j = before; j-- > 0;)
            if (!belongs(n, network, record->allotments[j].pod))
                network_record_release(record, &record->allotments[j]);
        if (record->n_allotments != before)
            save(network);
        settle(network);
    }
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

int networks_new(Networks **ret, Supervisor *supervisor)
{
    _cleanup_(networks_freep) Networks *n = calloc(1, sizeof *n);

    if (!n)
        return -ENOMEM;
    n->supervisor = supervisor;
    n->dir = dir_make_at(supervisor->state_dir, PATHS_NETWORKS, 0700);
    if (n->dir < 0)
        return log_error_errno(n->dir, "%s/" PATHS_NETWORKS " cannot be used", supervisor->paths->state);
    int r = bridge_sweep_new(&n->sweep, supervisor, on_sweep, on_swept, n);
    if (r >= 0)
        r = recall_all(n);
    if (r < 0)
        return r;
    *ret = take_ptr(n);
    return 0;
}

int networks_start(Networks *n)
{
    const Supervisor *s = n->supervisor;

    int r = definitions_new(&n->definitions, DEFINITION_NETWORK, s->paths->definitions,
                            s->paths->mode == PATHS_SYSTEM, on_definition, n);
    if (r >= 0)
        r = definitions_scan(n->definitions);
    if (r >= 0)
        release_strays(n);
    return r;
}

Networks *networks_free(Networks *n)
{
    if (!n)
        return NULL;
    for (size_t i = 0; i < n->n_items; i++)
        network_free(n->items[i]);
    free(n->items);
    bridge_sweep_free(n->sweep);
    definitions_free(n->definitions);
    safe_close(n->dir);
    free(n);
    return NULL;
}
