/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/pod-view.h"
#include "cli/text.h"

typedef struct StateView {
    Colour colour;
    bool runs;
} StateView;

static const StateView state_views[] = {
    [POD_INACTIVE] = { COLOUR_FAINT, false },   [POD_RECOVERING] = { COLOUR_WARNING, true },
    [POD_WAITING] = { COLOUR_WARNING, false },  [POD_QUEUED] = { COLOUR_NONE, false },
    [POD_STARTING] = { COLOUR_NONE, true },     [POD_RUNNING] = { COLOUR_WARNING, true },
    [POD_READY] = { COLOUR_GOOD, true },        [POD_PAUSED] = { COLOUR_WARNING, true },
    [POD_STOPPING] = { COLOUR_NONE, true },     [POD_BACKOFF] = { COLOUR_BAD, false },
    [POD_SUCCEEDED] = { COLOUR_FAINT, false },  [POD_FAILED] = { COLOUR_BAD, false },
    [POD_INDETERMINATE] = { COLOUR_BAD, true },
};
_Static_assert(ELEMENTSOF(state_views) == POD_STATE_MAX, "every state has a row");

Colour pod_state_colour(PodState state)
{
    return state_views[state].colour;
}

bool pod_state_runs(PodState state)
{
    return state_views[state].runs;
}

typedef struct PodColumn {
    Column column;
    char *(*text)(const PodStatus *status, usec_t now);
} PodColumn;

static char *cell_name(const PodStatus *s, usec_t now)
{
    return text_safe(str_empty(s->name) ? "-" : s->name);
}

static char *cell_state(const PodStatus *s, usec_t now)
{
    const char *state = enum_to_string(&pod_state_table, (int)s->state);
    size_t pods = strv_length(s->waits_for);
    _cleanup_(freep) char *first = text_safe(pods > 0 ? s->waits_for[0] : s->missing_image);

    if (s->state != POD_WAITING || str_empty(first))
        return strdup(state);
    if (pods > 1)
        return strf("%s for %s and %zu more", state, first, pods - 1);
    return strf("%s for %s%s", state, pods > 0 ? "" : "image ", first);
}

static char *cell_ready(const PodStatus *s, usec_t now)
{
    return strf("%llu/%llu", (unsigned long long)s->containers_ready,
                (unsigned long long)s->containers_total);
}

static char *cell_backend(const PodStatus *s, usec_t now)
{
    return text_safe(str_empty(s->backend) ? "-" : s->backend);
}

static char *number_or_dash(uint64_t n)
{
    return n > 0 ? strf("%llu", (unsigned long long)n) : strdup("-");
}

static char *cell_generation(const PodStatus *s, usec_t now)
{
    return number_or_dash(s->generation);
}

static char *cell_restarts(const PodStatus *s, usec_t now)
{
    return strf("%llu", (unsigned long long)s->restarts);
}

static char *cell_cpu(const PodStatus *s, usec_t now)
{
    return s->vmm_pid > 0 ? text_cpu(s->cpu_time, s->vmm_started, now) : strdup("-");
}

static char *cell_memory(const PodStatus *s, usec_t now)
{
    return s->vmm_pid > 0 && s->memory > 0 ? text_memory(s->memory) : strdup("-");
}

static char *cell_since(const PodStatus *s, usec_t now)
{
    return text_age(s->since, now);
}

/* On a narrow terminal, what pod is in what state and since when is what one wants to know. */
static const PodColumn pod_columns[] = {
    { { "POD", .shrink = true }, cell_name },
    { { "STATE" }, cell_state },
    { { "READY" }, cell_ready },
    { { "BACKEND", .drop = 2 }, cell_backend },
    { { "GEN", .right = true, .drop = 1 }, cell_generation },
    { { "RESTARTS", .right = true, .drop = 3 }, cell_restarts },
    { { "CPU", .right = true, .drop = 4 }, cell_cpu },
    { { "MEMORY", .right = true, .drop = 5 }, cell_memory },
    { { "SINCE", .drop = 6 }, cell_since },
};

int pod_table_print(const PodList *list, usec_t now, const TableStyle *style, FILE *f)
{
    Column columns[ELEMENTSOF(pod_columns)];
    _cleanup_(table_freep) Table *table = NULL;

    for (size_t i = 0; i < ELEMENTSOF(pod_columns); i++)
        columns[i] = pod_columns[i].column;
    int r = table_new(columns, ELEMENTSOF(columns), &table);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list->n_items; i++)
        TABLE_FOREACH (column, pod_columns)
            table_add(table, column->text(&list->items[i], now),
                      column->text == cell_state ? pod_state_colour(list->items[i].state) : COLOUR_NONE);
    return table_print(table, style, f);
}
