/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start-view.h"
#include "base/strings.h"
#include "cli/text.h"

char *start_span(usec_t time)
{
    unsigned long long us = time;

    if (time < USEC_PER_MSEC)
        return strf("%lluus", us);
    if (time < 10 * USEC_PER_MSEC)
        return strf("%.1fms", (double)time / (double)USEC_PER_MSEC);
    if (time < USEC_PER_SEC)
        return strf("%llums", us / USEC_PER_MSEC);
    if (time < USEC_PER_MINUTE)
        return strf("%.3fs", (double)time / (double)USEC_PER_SEC);
    return strf("%llumin %.3fs", us / USEC_PER_MINUTE,
                (double)(time % USEC_PER_MINUTE) / (double)USEC_PER_SEC);
}

char *start_point_name(const StartPoint *p)
{
    _cleanup_(freep) char *container = p->container ? text_safe(p->container) : NULL;

    return strf("%s%s%s", container ?: "", container ? " " : "", p->word);
}

/* --- the summary ---------------------------------------------------------------------------------------------------- */

/* "62ms (podvisord) + 31ms (runner) = 93ms" */
static char *parts_text(const StartAnalysis *a)
{
    _cleanup_(strv_freep) char **parts = NULL;
    _cleanup_(freep) char *total = start_span(a->total);

    for (int i = 0; i < START_PART_MAX; i++) {
        _cleanup_(freep) char *span = start_span(a->parts[i]);
        if (a->parts[i] > 0 &&
            strv_appendf(&parts, "%s (%s)", span ?: "?", enum_to_string(&start_part_table, i)) < 0)
            return NULL;
    }
    _cleanup_(freep) char *sum = strv_join(parts, " + ");
    return strf("%s%s%s", sum ?: "", parts ? " = " : "", total ?: "?");
}

/* The last step that was done, before whatever ended the start. */
static const StartPoint *reached(const StartAnalysis *a)
{
    int i = a->outcome == START_FAILED && a->last >= 0 ? a->points[a->last].before : a->last;
    return i >= 0 ? &a->points[i] : NULL;
}

static char *reached_text(const StartAnalysis *a)
{
    const StartPoint *p = reached(a);
    _cleanup_(freep) char *name = p ? start_point_name(p) : NULL;

    return p ? strf("it came to \"%s\"", name ?: "?") : strdup("it came to nothing");
}

static char *unknown_text(const PodStatus *pod)
{
    const char *name = pod->name;

    if (pod->attempt == 0 && pod->state == POD_WAITING)
        return strf("Pod %s has not been started yet: it waits for %s.", name,
                    pod->phase ?: "something that it needs");
    if (pod->attempt == 0)
        return strf("Pod %s has never been started.", name);
    return strf(
        "Of the start of pod %s nothing is known: it was started by an older podvisor, or before this boot.",
        name);
}

static char *summary_text(const PodStatus *pod, const StartAnalysis *a, usec_t now)
{
    _cleanup_(freep) char *parts = parts_text(a), *whole = start_span(usec_sub(now, a->begin)),
                          *came = reached_text(a), *message = text_safe(pod->message),
                          *phase = text_safe(pod->phase);

    switch (a->outcome) {
    case START_FINISHED:
        return strf("Startup of %s finished in %s.", pod->name, parts ?: "?");
    case START_FAILED:
        return strf("Startup of %s failed after %s: %s; %s%s%s.", pod->name, parts ?: "?", came ?: "?",
                    end_reason_table.rows[pod->reason].doc, str_empty(message) ? "" : ": ", message ?: "");
    case START_UNDER_WAY:
        return strf("Startup of %s is under way for %s: %s%s%s.", pod->name, whole ?: "?", came ?: "?",
                    str_empty(phase) ? "" : ", and waits for ", phase ?: "");
    case START_UNKNOWN:
    case START_OUTCOME_MAX:
        break;
    }
    return unknown_text(pod);
}

int start_print_summary(const PodStatus *pod, const StartAnalysis *a, usec_t now, FILE *f)
{
    _cleanup_(freep) char *text = summary_text(pod, a, now), *doubt = start_span(a->doubt),
                          *tick = start_span(a->tick);

    if (!text)
        return -ENOMEM;
    fprintf(f, "%s\n", text);
    if (a->guest_silent && pod->kernel)
        fprintf(f, "The steps inside of the machine are not known: its agent is of an older podvisor.\n");
    else if (a->doubt > 0)
        fprintf(f, "Times inside of the machine are by its own clock, known to within %s.\n", doubt ?: "?");
    if (a->tick >= USEC_PER_MSEC)
        fprintf(f,
                "That clock goes by ticks of %s, of which it loses some on a busy host: farther from the "
                "agent's first word "
                "its times are rough.\n",
                tick ?: "?");
    return ferror(f) ? -EIO : 0;
}

/* --- blame ------------------------------------------------------------------------------------------------------------ */

static void print_point(const StartPoint *p, bool colours, FILE *f)
{
    _cleanup_(freep) char *took = start_span(p->took), *name = start_point_name(p);

    fprintf(f, "%12s %s%-20s%s %-10s %s\n", took ?: "?",
            colour_begin(p->critical ? COLOUR_STRONG : COLOUR_NONE, colours), name ?: "?",
            colour_end(p->critical ? COLOUR_STRONG : COLOUR_NONE, colours),
            enum_to_string(&start_part_table, (int)p->part), p->doc);
}

int start_print_blame(const StartAnalysis *a, bool colours, FILE *f)
{
    int order[START_POINTS_MAX];

    start_order_by_length(a, order);
    for (int i = 0; i < a->n_points; i++)
        if (a->points[order[i]].before >= 0)
            print_point(&a->points[order[i]], colours, f);
    return ferror(f) ? -EIO : 0;
}

/* --- critical chain ----------------------------------------------------------------------------------------------------- */

int start_chain(const StartAnalysis *a, int points[START_POINTS_MAX])
{
    int n = 0;

    for (int i = a->last; i >= 0; i = a->points[i].before)
        points[n++] = i;
    return n;
}

static void print_link(const StartAnalysis *a, int i, int depth, const char *branch, bool colours, FILE *f)
{
    const StartPoint *p = &a->points[i];
    Colour colour = p->critical ? COLOUR_BAD : COLOUR_NONE;
    _cleanup_(freep) char *name = start_point_name(p), *at = start_span(usec_sub(p->at, a->begin)),
                          *took = start_span(p->took);

    fprintf(f, "%*s%s%s%s @%s%s%s%s\n", depth * 2, "", branch, colour_begin(colour, colours), name ?: "?",
            at ?: "?", p->before >= 0 ? " +" : "", p->before >= 0 ? took ?: "?" : "",
            colour_end(colour, colours));
}

/* What it waited for as well, was there before the last of them, and does not come below. */
static void print_branches(const StartAnalysis *a, int point, int depth, bool colours, FILE *f)
{
    for (int i = 0; i < a->n_edges; i++)
        if (a->edges[i].point == point && !a->points[a->edges[i].waited_for].critical)
            print_link(a, a->edges[i].waited_for, depth, "├─", colours, f);
}

int start_print_chain(const StartAnalysis *a, bool legend, bool colours, FILE *f)
{
    int chain[START_POINTS_MAX], n = start_chain(a, chain);

    if (legend)
        fprintf(f, "When a step was done stands behind the \"@\", how long it took behind the \"+\".\n"
                   "Each waited for what is below it; last for what is farthest down.\n\n");
    for (int i = 0; i < n; i++) {
        print_link(a, chain[i], MAX(i - 1, 0), i > 0 ? "└─" : "", colours, f);
        print_branches(a, chain[i], i, colours, f);
    }
    return ferror(f) ? -EIO : 0;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------------ */

static int put_common(Json *object, const PodStatus *pod, const StartAnalysis *a)
{
    int r = json_put(object, "pod", json_text(pod->name));
    if (r >= 0)
        r = json_put(object, "outcome", json_text(enum_to_string(&start_outcome_table, (int)a->outcome)));
    if (r >= 0)
        r = json_put(object, "begin", json_whole(a->begin));
    if (r >= 0)
        r = json_put(object, "total", json_whole(a->total));
    if (r >= 0)
        r = json_put(object, "guest_doubt", json_whole(a->doubt));
    return r;
}

static Json *parts_json(const StartAnalysis *a)
{
    _cleanup_(json_releasep) Json *parts = json_new_object();

    for (int i = 0; i < START_PART_MAX; i++)
        if (json_put(parts, enum_to_string(&start_part_table, i), json_whole(a->parts[i])) < 0)
            return NULL;
    return take_ptr(parts);
}

Json *start_summary_json(const PodStatus *pod, const StartAnalysis *a)
{
    _cleanup_(json_releasep) Json *object = json_new_object();
    const StartPoint *p = reached(a);
    _cleanup_(freep) char *name = p ? start_point_name(p) : NULL;

    int r = put_common(object, pod, a);
    if (r >= 0)
        r = json_put(object, "parts", parts_json(a));
    if (r >= 0)
        r = json_put(object, "reached", json_text(name));
    if (r >= 0 && a->outcome == START_FAILED)
        r = json_put(object, "reason", json_text(enum_to_string(&end_reason_table, (int)pod->reason)));
    if (r >= 0 && a->outcome == START_FAILED)
        r = json_put(object, "message", json_text(pod->message));
    return r < 0 ? NULL : take_ptr(object);
}

static Json *point_json(const StartAnalysis *a, const StartPoint *p)
{
    _cleanup_(json_releasep) Json *object = json_new_object();

    int r = json_put(object, "step", json_text(p->word));
    if (r >= 0 && p->container)
        r = json_put(object, "container", json_text(p->container));
    if (r >= 0)
        r = json_put(object, "part", json_text(enum_to_string(&start_part_table, (int)p->part)));
    if (r >= 0)
        r = json_put(object, "at", json_whole(usec_sub(p->at, a->begin)));
    if (r >= 0)
        r = json_put(object, "took", json_whole(p->took));
    if (r >= 0)
        r = json_put(object, "critical", json_truth(p->critical));
    if (r >= 0)
        r = json_put(object, "guest", json_truth(p->guest));
    return r < 0 ? NULL : take_ptr(object);
}

Json *start_points_json(const PodStatus *pod, const StartAnalysis *a, const int *points, int n)
{
    _cleanup_(json_releasep) Json *object = json_new_object();
    _cleanup_(json_releasep) Json *list = json_new_array();

    int r = put_common(object, pod, a);
    for (int i = 0; r >= 0 && i < n; i++)
        r = json_append(list, point_json(a, &a->points[points[i]]));
    if (r >= 0)
        r = json_put(object, "steps", take_ptr(list));
    return r < 0 ? NULL : take_ptr(object);
}
