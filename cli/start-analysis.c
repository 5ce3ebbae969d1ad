/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start-analysis.h"
#include "schemas/pod-definition.h"

_Static_assert((int)START_CONTAINERS_MAX == (int)CONTAINERS_MAX, "all containers have points");
_Static_assert((int)START_MARK_MAX <= 64, "sets of marks have a bit for each");

DEFINE_ENUM_TABLE(start_outcome, "outcome of a start",
                  START_OUTCOME_MAX, [START_UNKNOWN] = { "unknown", "nothing is known of it" },
                  [START_UNDER_WAY] = { "under-way", "it goes on" },
                  [START_FINISHED] = { "finished", "the pod has been ready" },
                  [START_FAILED] = { "failed", "the machine ended before the pod was ready" });

/* The work: where the point of each mark is, or of what takes its place; -1: nowhere. */
typedef struct Work {
    const StartTimes *times;
    StartAnalysis *a;
    int place[START_MARK_MAX];
} Work;

/* --- times -------------------------------------------------------------------------------------------------------- */

/* How far off a time may be that the guest's clock puts there. They were compared before the agent was configured. */
static usec_t slack(const StartTimes *t, usec_t time)
{
    usec_t compared = t->at[START_CONFIGURE] ?: t->at[START_WELCOME];
    usec_t distance = compared > time ? compared - time : time - compared;

    return usec_add(usec_add(t->guest_doubt, START_SLACK), distance / START_DRIFT);
}

/* A time of the guest on the host's clock, between what it cannot be before and after; 0: it is not known. */
static usec_t guest_time(const StartTimes *t, usec_t at, usec_t least, usec_t most)
{
    if (t->guest_doubt == 0 || at > (usec_t)INT64_MAX || least == 0)
        return 0;
    int64_t host;
    if (__builtin_add_overflow(t->guest_zero, (int64_t)at, &host) || host <= 0)
        return 0;
    usec_t time = (usec_t)host;
    if (usec_add(time, slack(t, time)) < least || time > usec_add(most, slack(t, time)))
        return 0;
    return MIN(MAX(time, least), MAX(least, most));
}

/* What a guest's mark of this place cannot be after: the agent's first word for all that leads to it, or the end. */
static usec_t latest(const Work *w, StartMark mark)
{
    usec_t welcome = w->times->at[START_WELCOME];

    return mark < START_WELCOME && welcome > 0 ? welcome : w->a->end;
}

static usec_t mark_time(const Work *w, StartMark mark)
{
    const StartTimes *t = w->times;

    if (!start_mark_rows[mark].guest)
        return t->at[mark] <= w->a->end ? t->at[mark] : 0;
    /* The kernel's clock begins at 0, and its mark is made by nobody. A copy of a template has not booted. */
    if (t->at[mark == START_KERNEL ? START_INIT : mark] == 0)
        return 0;
    return guest_time(t, t->at[mark], t->at[START_SPAWNED], latest(w, mark));
}

static usec_t step_time(const Work *w, const StartContainer *c, StartStep step)
{
    const StartTimes *t = w->times;
    usec_t least = MAX(t->at[START_WELCOME], t->at[START_CONFIGURE]);

    if (c->at[step] == 0)
        return 0;
    return start_step_rows[step].guest ? guest_time(t, c->at[step], least, w->a->end) : c->at[step];
}

/* --- points --------------------------------------------------------------------------------------------------------- */

static void wait_for(StartAnalysis *a, int point, int waited_for)
{
    StartPoint *p = &a->points[point];

    if (waited_for < 0 || waited_for == point || a->n_edges == (int)ELEMENTSOF(a->edges))
        return;
    a->edges[a->n_edges++] = (StartEdge){ .point = point, .waited_for = waited_for };
    if (p->before < 0 || a->points[waited_for].at > a->points[p->before].at)
        p->before = waited_for;
}

/* With its edges: the time that it took. What two clocks say must not run backwards. */
static void settle(StartAnalysis *a, int point)
{
    StartPoint *p = &a->points[point];

    if (p->before < 0)
        return;
    p->at = MAX(p->at, a->points[p->before].at);
    p->took = p->at - a->points[p->before].at;
}

static int add(StartAnalysis *a, StartPoint point)
{
    point.before = -1;
    a->points[a->n_points] = point;
    return a->n_points++;
}

static int add_mark(Work *w, StartMark mark, usec_t at)
{
    const StartMarkRow *row = &start_mark_rows[mark];

    return add(
        w->a,
        (StartPoint){ .word = row->word, .doc = row->doc, .part = row->part, .guest = row->guest, .at = at });
}

/* The mark's own point, or of those that it would have waited for the last one. */
static void place_mark(Work *w, StartMark mark)
{
    StartAnalysis *a = w->a;
    usec_t at = mark_time(w, mark);
    int point = at > 0 ? add_mark(w, mark, at) : -1, last = -1;

    for (int i = 0; i < START_MARK_MAX; i++) {
        int other = w->place[i];
        if (!(start_mark_rows[mark].after & (UINT64_C(1) << i)) || other < 0)
            continue;
        if (point >= 0)
            wait_for(a, point, other);
        if (last < 0 || a->points[other].at > a->points[last].at)
            last = other;
    }
    if (point >= 0)
        settle(a, point);
    w->place[mark] = point >= 0 ? point : last;
}

/* Those that come before it in the pod's order, and were done by then: init, sidecars; else the pod itself. */
static void wait_for_turn(Work *w, int point, const int *done, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (done[i] < 0 || w->a->points[done[i]].at > w->a->points[point].at)
            continue;
        wait_for(w->a, point, done[i]);
        any = true;
    }
    if (!any)
        wait_for(w->a, point, w->place[START_SETUP]);
}

static const StartStep waits_for_step[START_STEP_MAX] = {
    [START_STEP_CALLED] = START_STEP_MAX,      [START_STEP_CREATED] = START_STEP_CALLED,
    [START_STEP_STARTED] = START_STEP_CREATED, [START_STEP_DONE] = START_STEP_STARTED,
    [START_STEP_OUTPUT] = START_STEP_STARTED,
};

/* Returns where it was done; -1: it is not known. */
static int place_container(Work *w, const StartContainer *c, const int *done, size_t n)
{
    int places[START_STEP_MAX];

    for (size_t i = 0; i < START_STEP_MAX; i++) {
        const StartStepRow *row = &start_step_rows[i];
        StartStep step = waits_for_step[i];
        int other = step < START_STEP_MAX ? places[step] : w->place[START_SETUP];
        usec_t at = step_time(w, c, (StartStep)i);
        places[i] = other;
        if (at == 0)
            continue;
        places[i] = add(w->a, (StartPoint){ .word = row->word,
                                            .container = c->name ?: "",
                                            .doc = row->doc,
                                            .part = START_PART_CONTAINERS,
                                            .guest = row->guest,
                                            .at = at });
        if (i == START_STEP_CALLED)
            wait_for_turn(w, places[i], done, n);
        else
            wait_for(w->a, places[i], other);
        settle(w->a, places[i]);
    }
    return step_time(w, c, START_STEP_DONE) > 0 ? places[START_STEP_DONE] : -1;
}

/* --- the whole ------------------------------------------------------------------------------------------------------ */

static int latest_point(const StartAnalysis *a, int except)
{
    int last = -1;

    for (int i = 0; i < a->n_points; i++)
        if (i != except && (last < 0 || a->points[i].at >= a->points[last].at))
            last = i;
    return last;
}

/* The part that was under way: that of the step after the last one that was done. */
static StartPart part_of_end(const StartTimes *t)
{
    int last = 0;

    for (int i = 0; i < START_READY; i++)
        if (t->at[i] > 0)
            last = i;
    return start_mark_rows[last + 1].part;
}

/* Ready is who has containers that all are; what else is known may be of steps that nobody waits for. */
static void place_end(Work *w, const int *done, size_t n)
{
    StartAnalysis *a = w->a;
    StartMark mark = a->outcome == START_FINISHED ? START_READY : START_ENDED;
    bool any = false;

    if (a->outcome != START_FINISHED && a->outcome != START_FAILED) {
        a->last = latest_point(a, -1);
        return;
    }
    a->last = add_mark(w, mark, a->end);
    if (mark == START_ENDED)
        a->points[a->last].part = part_of_end(w->times);
    for (size_t i = 0; mark == START_READY && i < n; i++) {
        wait_for(a, a->last, done[i]);
        any |= done[i] >= 0;
    }
    if (!any)
        wait_for(a, a->last, mark == START_READY ? w->place[START_CONFIGURED] : latest_point(a, a->last));
    if (a->points[a->last].before < 0)
        wait_for(a, a->last, latest_point(a, a->last));
    settle(a, a->last);
}

static void add_up(StartAnalysis *a)
{
    for (int i = a->last; i >= 0; i = a->points[i].before) {
        a->points[i].critical = true;
        a->parts[a->points[i].part] += a->points[i].took;
        a->total += a->points[i].took;
        a->begin = a->points[i].at;
    }
}

static bool knows_guest(const StartTimes *t)
{
    for (size_t i = 0; i < START_MARK_MAX; i++)
        if (start_mark_rows[i].guest && t->at[i] > 0)
            return t->guest_doubt > 0;
    return false;
}

static StartOutcome outcome_of(const StartTimes *t)
{
    if (start_times_empty(t))
        return START_UNKNOWN;
    if (t->at[START_READY] > 0)
        return START_FINISHED;
    return t->at[START_ENDED] > 0 ? START_FAILED : START_UNDER_WAY;
}

void start_analyse(const StartTimes *t, usec_t now, StartAnalysis *ret)
{
    Work w = { .times = t, .a = ret };
    int done[START_CONTAINERS_MAX];
    size_t n = MIN(t->n_containers, ELEMENTSOF(done));

    *ret = (StartAnalysis){
        .outcome = outcome_of(t), .last = -1, .doubt = t->guest_doubt, .tick = t->guest_tick
    };
    ret->end = ret->outcome == START_FINISHED ? t->at[START_READY]
               : ret->outcome == START_FAILED ? t->at[START_ENDED]
                                              : now;
    ret->guest_silent = t->at[START_WELCOME] > 0 && t->at[START_CONFIGURED] > 0 && !knows_guest(t);
    for (size_t i = 0; i < START_MARK_MAX; i++)
        w.place[i] = -1;
    for (size_t i = 0; i < START_READY; i++)
        place_mark(&w, (StartMark)i);
    for (size_t i = 0; i < n; i++)
        done[i] = place_container(&w, &t->containers[i], done, i);
    place_end(&w, done, n);
    add_up(ret);
}

/* --- orders ---------------------------------------------------------------------------------------------------------- */

/* Of a hundred points at most, and stable: points of the same time stay in the order in which they wait for each other. */
static void sort(const StartAnalysis *a, int order[START_POINTS_MAX],
                 bool (*first)(const StartPoint *x, const StartPoint *y))
{
    for (int i = 0; i < a->n_points; i++) {
        int k = i;
        for (; k > 0 && first(&a->points[i], &a->points[order[k - 1]]); k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

static bool is_earlier(const StartPoint *x, const StartPoint *y)
{
    return x->at < y->at;
}

static bool is_longer(const StartPoint *x, const StartPoint *y)
{
    return x->took > y->took;
}

void start_order_by_time(const StartAnalysis *a, int order[START_POINTS_MAX])
{
    sort(a, order, is_earlier);
}

void start_order_by_length(const StartAnalysis *a, int order[START_POINTS_MAX])
{
    sort(a, order, is_longer);
}
