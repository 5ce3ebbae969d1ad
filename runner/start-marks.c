/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/start-marks.h"
#include "base/strings.h"

/* Beyond this, an answer says nothing. */
#define START_DOUBT_MAX (10 * USEC_PER_SEC)

static StartTimes *times_of(Runner *r)
{
    return &r->record.report.start;
}

/* This start was seen from its beginning, and its pod has not been ready yet. */
static bool under_way(const StartTimes *t)
{
    return t->at[START_RUNNER] > 0 && t->at[START_READY] == 0 && t->at[START_ENDED] == 0;
}

static int containers_fill(const PodDefinition *pod, StartTimes *t)
{
    const Field *field = schema_field(&start_times_schema, "containers");

    for (size_t i = 0; i < pod_n_containers(pod); i++) {
        StartContainer *c = field_append(field, t);
        if (!c || str_replace(&c->name, pod_container(pod, i)->name) < 0)
            return -ENOMEM;
    }
    return 0;
}

int start_marks_begin(Runner *r, usec_t born)
{
    StartTimes *t = times_of(r);

    schema_done(&start_times_schema, t);
    memcpy(t->at, r->definition.start.at, sizeof t->at);
    t->at[START_RUNNER] = born;
    start_mark(t, START_BEGUN);
    return containers_fill(&r->definition.pod, t);
}

void start_marks_add(Runner *r, StartMark mark)
{
    if (under_way(times_of(r)))
        start_mark_once(times_of(r), mark);
}

void start_marks_ready(Runner *r)
{
    if (!under_way(times_of(r)))
        return;
    start_mark(times_of(r), START_READY);
    runner_save(r);
}

/* The shortest round trip says it best. A guest's word is no more than a number: beyond all sense, it is no answer. */
void start_marks_clock(Runner *r, usec_t asked, usec_t answered, const AgentClock *clock)
{
    StartTimes *t = times_of(r);
    usec_t half = usec_sub(answered, asked) / 2, doubt = MAX(usec_add(half, clock->tick), (usec_t)1);

    /* The clocks go apart in the course of time: of later answers, none is better for the steps that are done by then. */
    if (t->guest_doubt > 0 && t->at[START_CONFIGURED] > 0)
        return;
    if (!under_way(t) || clock->uptime == 0 || clock->uptime > (usec_t)INT64_MAX || doubt > START_DOUBT_MAX ||
        (t->guest_doubt > 0 && doubt >= t->guest_doubt))
        return;
    t->guest_zero = (int64_t)usec_add(asked, half) - (int64_t)clock->uptime;
    t->guest_doubt = doubt;
    t->guest_tick = clock->tick;
}

static void take_container(StartContainer *to, const StartTimes *told)
{
    for (size_t i = 0; i < told->n_containers; i++) {
        if (!streq_ptr(told->containers[i].name, to->name))
            continue;
        for (size_t k = 0; k < START_STEP_MAX; k++)
            if (start_step_rows[k].guest)
                to->at[k] = told->containers[i].at[k];
        return;
    }
}

void start_marks_take(Runner *r, const StartTimes *told)
{
    StartTimes *t = times_of(r);

    if (!under_way(t))
        return;
    for (size_t i = 0; i < START_MARK_MAX; i++)
        if (start_mark_rows[i].guest)
            t->at[i] = told->at[i];
    for (size_t i = 0; i < t->n_containers; i++)
        take_container(&t->containers[i], told);
}

void start_marks_output(Runner *r, const char *container)
{
    StartTimes *t = times_of(r);

    for (size_t i = 0; i < t->n_containers; i++) {
        usec_t *at = &t->containers[i].at[START_STEP_OUTPUT];
        if (*at > 0 || !streq_ptr(t->containers[i].name, container))
            continue;
        *at = now_usec(CLOCK_MONOTONIC);
        runner_save(r);
        runner_report_changed(r);
    }
}
