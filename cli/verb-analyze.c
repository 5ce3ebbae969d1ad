/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor analyze: what the time of a pod's start went into. */
#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exit-status.h"
#include "cli/start-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

static int finish(int r)
{
    if (r >= 0)
        return STATUS_OK;
    log_error_errno(r, "The result cannot be shown");
    return STATUS_FAILURE;
}

static bool wants_json(const Context *c)
{
    return option_given(c, OPTION_JSON);
}

static int print_json(const Context *c, Json *json)
{
    int r = json_print(json, (JsonStyle)c->options[OPTION_JSON].number, stdout);

    json_release(json);
    return r;
}

/* --- of all pods: a table ------------------------------------------------------------------------------------------ */

static char *part_cell(const StartAnalysis *a, int part)
{
    return a->parts[part] > 0 ? start_span(a->parts[part]) : strdup("-");
}

static void add_line(Table *table, const PodStatus *pod, const StartAnalysis *a)
{
    static const Colour outcomes[START_OUTCOME_MAX] = {
        [START_FINISHED] = COLOUR_GOOD,
        [START_FAILED] = COLOUR_BAD,
    };

    table_add(table, text_safe(pod->name), COLOUR_NONE);
    table_add(table, a->total > 0 ? start_span(a->total) : strdup("-"), COLOUR_STRONG);
    for (int i = 0; i < START_PART_MAX; i++)
        table_add(table, part_cell(a, i), COLOUR_NONE);
    table_add(table, strdup(enum_to_string(&start_outcome_table, (int)a->outcome)), outcomes[a->outcome]);
}

static int print_table(const Context *c, const PodList *pods, usec_t now)
{
    static const Column columns[] = {
        { "POD", .shrink = true },
        { "TOTAL", .right = true },
        { "PODVISORD", .right = true, .drop = 2 },
        { "RUNNER", .right = true, .drop = 1 },
        { "VMM+KERNEL", .right = true, .drop = 5 },
        { "AGENT", .right = true, .drop = 3 },
        { "CONTAINERS", .right = true, .drop = 4 },
        { "START" },
    };
    _Static_assert(ELEMENTSOF(columns) == START_PART_MAX + 3, "every part has a column");
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);
    StartAnalysis a;

    int r = table_new(columns, ELEMENTSOF(columns), &table);
    for (size_t i = 0; r >= 0 && i < pods->n_items; i++) {
        start_analyse(&pods->items[i].start, now, &a);
        add_line(table, &pods->items[i], &a);
    }
    return r < 0 ? r : table_print(table, &style, stdout);
}

static int print_all_json(const Context *c, const PodList *pods, usec_t now)
{
    _cleanup_(json_releasep) Json *array = json_new_array();
    StartAnalysis a;

    for (size_t i = 0; i < pods->n_items; i++) {
        start_analyse(&pods->items[i].start, now, &a);
        int r = json_append(array, start_summary_json(&pods->items[i], &a));
        if (r < 0)
            return r;
    }
    return print_json(c, take_ptr(array));
}

static int show_all(const Context *c, Client *client)
{
    usec_t now = now_usec(CLOCK_MONOTONIC);
    PodList pods = { 0 };

    int status = client_list(client, &pods);
    if (status == STATUS_OK && wants_json(c))
        status = finish(print_all_json(c, &pods, now));
    else if (status == STATUS_OK) {
        Pager pager = pager_open(c);
        status = finish(print_table(c, &pods, now));
        pager_close(&pager);
    }
    pod_list_done(&pods);
    return status;
}

/* --- of one pod ------------------------------------------------------------------------------------------------------ */

typedef struct View {
    const Context *context;
    const PodStatus *pod;
    const StartAnalysis *analysis;
    usec_t now;
} View;

static int show_summary(const View *v)
{
    if (wants_json(v->context))
        return print_json(v->context, start_summary_json(v->pod, v->analysis));
    return start_print_summary(v->pod, v->analysis, v->now, stdout);
}

static int show_blame(const View *v)
{
    int order[START_POINTS_MAX];

    if (!wants_json(v->context))
        return start_print_blame(v->analysis, terminal_has_colours(STDOUT_FILENO), stdout);
    start_order_by_length(v->analysis, order);
    return print_json(v->context, start_points_json(v->pod, v->analysis, order, v->analysis->n_points));
}

static int show_chain(const View *v)
{
    int chain[START_POINTS_MAX];

    if (!wants_json(v->context))
        return start_print_chain(v->analysis, !option_given(v->context, OPTION_NO_LEGEND),
                                 terminal_has_colours(STDOUT_FILENO), stdout);
    int n = start_chain(v->analysis, chain);
    return print_json(v->context, start_points_json(v->pod, v->analysis, chain, n));
}

static int show_plot(const View *v)
{
    int order[START_POINTS_MAX];

    if (!wants_json(v->context))
        return start_print_svg(v->pod, v->analysis, stdout);
    start_order_by_time(v->analysis, order);
    return print_json(v->context, start_points_json(v->pod, v->analysis, order, v->analysis->n_points));
}

static bool plot_is_for_a_terminal(const Context *c)
{
    if (wants_json(c) || !isatty(STDOUT_FILENO))
        return false;
    log_error("An SVG is for a file and not for a terminal: podvisor analyze plot %s > %s.svg",
              c->arguments[0], c->arguments[0]);
    return true;
}

static int analyse(const Context *c, Client *client, const char *name, int (*show)(const View *v))
{
    View v = { .context = c, .now = now_usec(CLOCK_MONOTONIC) };
    StartAnalysis a;
    PodStatus pod;

    int status = client_get(client, name, &pod, NULL);
    if (status != STATUS_OK)
        return status;
    start_analyse(&pod.start, v.now, &a);
    v.pod = &pod;
    v.analysis = &a;
    if (a.outcome == START_UNKNOWN) {
        (void)start_print_summary(&pod, &a, v.now, stderr);
        status = STATUS_WRONG_STATE;
    } else {
        status = finish(show(&v));
    }
    schema_done(&pod_status_schema, &pod);
    return status;
}

static int analyse_each(Context *c, int (*show)(const View *v))
{
    _cleanup_(client_freep) Client *client = NULL;

    int status = client_open(c, &client);
    if (status != STATUS_OK)
        return status;
    if (!c->arguments)
        return show_all(c, client);
    STRV_FOREACH (name, c->arguments) {
        int one = analyse(c, client, *name, show);
        status = status == STATUS_OK ? one : status;
    }
    return status;
}

int verb_analyze(Context *c)
{
    return analyse_each(c, show_summary);
}

int verb_analyze_blame(Context *c)
{
    return analyse_each(c, show_blame);
}

int verb_analyze_chain(Context *c)
{
    return analyse_each(c, show_chain);
}

int verb_analyze_plot(Context *c)
{
    return plot_is_for_a_terminal(c) ? STATUS_USAGE : analyse_each(c, show_plot);
}
