/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/reconcile.h"

DEFINE_ENUM_TABLE(machine_phase, "machine phase",
                  MACHINE_PHASE_MAX, [MACHINE_NONE] = { "none", "no machine was launched" },
                  [MACHINE_LAUNCHING] = { "launching", "a runner is about to be launched" },
                  [MACHINE_LIVE] = { "live", "a runner was launched" },
                  [MACHINE_STOPPING] = { "stopping", "the machine's end was asked for" },
                  [MACHINE_ENDED] = { "ended", "the machine's end was reported" });

DEFINE_ENUM_TABLE(operation, "operation", OPERATION_MAX, [OPERATION_NONE] = { "none", "nothing" },
                  [OPERATION_START] = { "start", "the machine starts" },
                  [OPERATION_STOP] = { "stop", "the machine was told to stop" },
                  [OPERATION_KILL] = { "kill", "the machine is being killed" },
                  [OPERATION_LEAVE] = { "leave", "the runner was told to exit" });

DEFINE_ENUM_TABLE(
    step, "step",
    STEP_MAX, [STEP_REST] = { "rest", "do nothing" }, [STEP_QUEUE] = { "queue", "wait for a turn to start" },
    [STEP_LAUNCH] = { "launch", "start a new machine" },
    [STEP_RELAUNCH] = { "relaunch", "launch a new runner for the same machine" },
    [STEP_STOP] = { "stop", "tell the runner to stop the machine" },
    [STEP_KILL] = { "kill", "tell the runner to kill the machine" },
    [STEP_KILL_RUNNER] = { "kill-runner", "kill the runner, not the machine" },
    [STEP_RECORD_END] = { "record-end", "record the machine's end" },
    [STEP_FORGET] = { "forget", "remove the run path" },
    [STEP_DOUBT] = { "doubt", "do nothing any more until an operator decides" });

DEFINE_ENUM_TABLE(rule, "rule", RULE_MAX, [RULE_DOUBT] = { "doubt", "it cannot be told what runs" },
                  [RULE_RUNNER_DOUBTS] = { "runner-doubts", "the runner cannot tell what runs" },
                  [RULE_NOT_DEFINED] = { "not-defined", "its definition was never right" },
                  [RULE_HELD] = { "held", "an operator stopped it" },
                  [RULE_NO_AUTOSTART] = { "no-autostart", "it is started only when an operator asks" },
                  [RULE_WANTED] = { "wanted", "it is declared and does not run" },
                  [RULE_CYCLIC] = { "cyclic", "it would wait for itself" },
                  [RULE_AWAITS] = { "awaits", "a pod that it comes after is not ready" },
                  [RULE_NO_SLOT] = { "no-slot", "others are starting" },
                  [RULE_NO_IMAGE] = { "no-image", "an image that it needs is not in the store" },
                  [RULE_MAKING_VOLUME] = { "making-volume", "a disk that it needs is being made" },
                  [RULE_SUCCEEDED] = { "succeeded", "it ended as it should" },
                  [RULE_FAILED] = { "failed",
                                    "it ended as it should not, and its restart policy says no more" },
                  [RULE_BACKOFF] = { "backoff", "it ended, and its next start is not due yet" },
                  [RULE_RESTART] = { "restart", "it ended, and its next start is due" },
                  [RULE_AGAIN_AS_ASKED] = { "again-as-asked", "it was stopped to be started anew" },
                  [RULE_GONE] = { "gone", "its definition is gone and nothing of it runs" },
                  [RULE_LEAVING] = { "leaving", "the runner is cleaning up" },
                  [RULE_NOT_LEAVING] = { "not-leaving", "the runner did not exit in time" },
                  [RULE_ENDED] = { "ended", "the runner reports the machine's end" },
                  [RULE_RUNNER_CAME] = { "runner-came", "a runner that systemd started waits to be let in" },
                  [RULE_RUNNER_LAUNCHING] = { "runner-launching", "systemd is starting a runner" },
                  [RULE_RUNNER_AWAY] = { "runner-away", "the next runner is not due yet" },
                  [RULE_RUNNER_BARREN] = { "runner-barren",
                                           "runner after runner was lost before it could say what it sees" },
                  [RULE_RUNNER_LOST] = { "runner-lost", "the runner is gone, the machine may live" },
                  [RULE_RUNNER_SILENT] = { "runner-silent", "the runner did not say in time what it sees" },
                  [RULE_ALL_END] = { "all-end", "all pods were stopped" },
                  [RULE_UNDECLARED] = { "undeclared", "its definition is gone" },
                  [RULE_STOP_HELD] = { "stop-held", "an operator stopped it" },
                  [RULE_RESTART_ASKED] = { "restart-asked", "an operator restarted it" },
                  [RULE_REPLACE] = { "replace", "its definition changed" },
                  [RULE_BEREFT] = { "bereft", "a pod that it requires is stopped, or has failed" },
                  [RULE_DEPENDED] = { "depended", "pods that come after it end first" },
                  [RULE_STOPPING_STILL] = { "stopping-still", "its stop had been begun" },
                  [RULE_KILL_ASKED] = { "kill-asked", "an operator killed it" },
                  [RULE_STOP_DEADLINE] = { "stop-deadline", "it did not stop in time" },
                  [RULE_START_DEADLINE] = { "start-deadline", "it did not start in time" },
                  [RULE_KILL_DEADLINE] = { "kill-deadline", "the runner did not kill its machine in time" },
                  [RULE_IN_TIME] = { "in-time", "the operation under way has time left" },
                  [RULE_SETTLED] = { "settled", "it runs as declared" });

const char *rule_words(const char *name)
{
    int rule = name ? enum_from_string(&rule_table, name) : -EINVAL;

    return rule < 0 ? NULL : rule_table.rows[rule].doc;
}

usec_t runner_relaunch_delay(unsigned losses)
{
    enum { DOUBLINGS_MAX = 5 };

    return losses <= 1 ? 0 : (100 * USEC_PER_MSEC) << MIN(losses - 2, (unsigned)DOUBLINGS_MAX);
}

static Decision decide(Step step, Rule rule)
{
    return (Decision){ .step = step, .rule = rule, .wake = USEC_INFINITY };
}

static Decision rest_until(Rule rule, usec_t wake)
{
    return (Decision){ .step = STEP_REST, .rule = rule, .wake = wake };
}

static Decision start(const PodObserved *o, const PodInFlight *f, Rule rule)
{
    if (o->awaits)
        return decide(STEP_REST, RULE_AWAITS);
    if (o->image_missing)
        return decide(STEP_REST, RULE_NO_IMAGE);
    if (o->volume_making)
        return decide(STEP_REST, RULE_MAKING_VOLUME);
    return f->slot ? decide(STEP_LAUNCH, rule) : decide(STEP_QUEUE, RULE_NO_SLOT);
}

bool reconcile_succeeded(const PodWanted *w, const PodObserved *o)
{
    return o->phase == MACHINE_ENDED && !o->as_asked && o->succeeded && w->policy != RESTART_ALWAYS;
}

bool reconcile_failed(const PodWanted *w, const PodObserved *o)
{
    return o->phase == MACHINE_ENDED && !o->as_asked && !o->succeeded && w->policy == RESTART_NEVER;
}

static Decision after_end(const PodWanted *w, const PodObserved *o, const PodInFlight *f, usec_t now)
{
    if (o->as_asked)
        return start(o, f, RULE_AGAIN_AS_ASKED);
    if (reconcile_succeeded(w, o))
        return decide(STEP_REST, RULE_SUCCEEDED);
    if (reconcile_failed(w, o))
        return decide(STEP_REST, RULE_FAILED);
    if (now < o->next_start)
        return rest_until(RULE_BACKOFF, o->next_start);
    return start(o, f, RULE_RESTART);
}

static Decision at_rest(const PodWanted *w, const PodObserved *o, const PodInFlight *f, usec_t now)
{
    if (!w->declared)
        return decide(STEP_FORGET, RULE_GONE);
    if (!w->defined)
        return decide(STEP_REST, RULE_NOT_DEFINED);
    if (w->hold)
        return decide(STEP_REST, RULE_HELD);
    if (w->all_end)
        return decide(STEP_REST, RULE_ALL_END);
    if (o->cyclic)
        return decide(STEP_REST, RULE_CYCLIC);
    if (o->phase == MACHINE_ENDED)
        return after_end(w, o, f, now);
    if (!w->autostart && !w->asked && !o->needed)
        return decide(STEP_REST, RULE_NO_AUTOSTART);
    return start(o, f, RULE_WANTED);
}

static Decision farewell(const PodInFlight *f, usec_t now)
{
    return f->operation == OPERATION_LEAVE && now < f->deadline ? rest_until(RULE_LEAVING, f->deadline)
                                                                : decide(STEP_KILL_RUNNER, RULE_NOT_LEAVING);
}

/* A machine may live and nobody is with it. */
static Decision bring_runner(const PodObserved *o, usec_t now)
{
    usec_t patience = usec_add(o->alone_since, RUNNER_LAUNCH_TIMEOUT);

    if (o->visiting)
        return decide(STEP_RELAUNCH, RULE_RUNNER_CAME);
    if (o->launching && now < patience)
        return rest_until(RULE_RUNNER_LAUNCHING, patience);
    usec_t due = usec_add(o->alone_since, runner_relaunch_delay(o->losses));

    if (o->barren > RUNNER_BARREN_MAX)
        return decide(STEP_DOUBT, RULE_RUNNER_BARREN);
    return now < due ? rest_until(RULE_RUNNER_AWAY, due) : decide(STEP_RELAUNCH, RULE_RUNNER_LOST);
}

static Decision await_hello(const PodObserved *o, usec_t now)
{
    usec_t deadline = usec_add(o->alone_since, RUNNER_HELLO_TIMEOUT);

    return now < deadline ? rest_until(RULE_IN_TIME, deadline) : decide(STEP_KILL_RUNNER, RULE_RUNNER_SILENT);
}

/* An end is under way. Each deadline that passes brings the next harder means; the last one is another runner. */
static Decision bring_end(const PodInFlight *f, Rule why, usec_t now)
{
    if (f->operation == OPERATION_KILL) {
        if (!f->told)
            return decide(STEP_KILL, why);
        return now < f->deadline ? rest_until(RULE_IN_TIME, f->deadline)
                                 : decide(STEP_KILL_RUNNER, RULE_KILL_DEADLINE);
    }
    if (f->operation != OPERATION_STOP || !f->told)
        return decide(STEP_STOP, why);
    return now < f->deadline ? rest_until(RULE_IN_TIME, f->deadline) : decide(STEP_KILL, RULE_STOP_DEADLINE);
}

/* The reason to end what runs; RULE_SETTLED when there is none. */
static Rule reason_to_end(const PodWanted *w, const PodObserved *o)
{
    const struct {
        bool holds;
        Rule rule;
    } rows[] = {
        { !w->declared, RULE_UNDECLARED },  { w->hold, RULE_STOP_HELD },
        { w->all_end, RULE_ALL_END },       { o->phase == MACHINE_STOPPING, RULE_STOPPING_STILL },
        { w->restart, RULE_RESTART_ASKED }, { w->replace, RULE_REPLACE },
        { o->bereft, RULE_BEREFT },
    };

    TABLE_FOREACH (row, rows)
        if (row->holds)
            return row->rule;
    return RULE_SETTLED;
}

bool reconcile_alive(const PodObserved *o)
{
    return o->phase != MACHINE_NONE && o->phase != MACHINE_ENDED;
}

bool reconcile_ends(const PodWanted *w, const PodObserved *o)
{
    return reconcile_alive(o) && reason_to_end(w, o) != RULE_SETTLED;
}

/* Its end is due, and not begun yet: whoever comes after it ends before it. */
static bool end_waits(const PodObserved *o, const PodInFlight *f)
{
    return o->depended && o->phase != MACHINE_STOPPING && f->operation != OPERATION_STOP &&
           f->operation != OPERATION_KILL;
}

static Decision with_runner(const PodWanted *w, const PodObserved *o, const PodInFlight *f, usec_t now)
{
    Rule why = reason_to_end(w, o);

    if (w->kill && f->operation != OPERATION_KILL)
        return decide(STEP_KILL, RULE_KILL_ASKED);
    if (why != RULE_SETTLED && end_waits(o, f))
        return decide(STEP_REST, RULE_DEPENDED);
    if (why != RULE_SETTLED || f->operation == OPERATION_KILL)
        return bring_end(f, why == RULE_SETTLED ? RULE_START_DEADLINE : why, now);
    if (f->operation != OPERATION_START)
        return decide(STEP_REST, RULE_SETTLED);
    return now < f->deadline ? rest_until(RULE_IN_TIME, f->deadline) : decide(STEP_KILL, RULE_START_DEADLINE);
}

/* Linked, but it does not say what it sees: it may hang. The machine does not need it. */
static Decision await_report(const PodObserved *o, usec_t now)
{
    usec_t deadline = usec_add(o->alone_since, RUNNER_ADOPT_TIMEOUT);

    return now < deadline ? rest_until(RULE_IN_TIME, deadline) : decide(STEP_KILL_RUNNER, RULE_RUNNER_SILENT);
}

static Decision alive(const PodWanted *w, const PodObserved *o, const PodInFlight *f, usec_t now)
{
    if (o->reported && o->state == RUNNER_ENDED)
        return decide(STEP_RECORD_END, RULE_ENDED);
    if (!o->runner)
        return bring_runner(o, now);
    if (!o->linked)
        return await_hello(o, now);
    if (o->reported && o->state == RUNNER_INDETERMINATE)
        return decide(STEP_REST, RULE_RUNNER_DOUBTS);
    if (!o->reported || o->state == RUNNER_ADOPTING)
        return await_report(o, now);
    return with_runner(w, o, f, now);
}

Decision reconcile(const PodWanted *wanted, const PodObserved *observed, const PodInFlight *in_flight,
                   usec_t now)
{
    if (observed->doubt)
        return decide(STEP_REST, RULE_DOUBT);
    if (reconcile_alive(observed))
        return alive(wanted, observed, in_flight, now);
    if (observed->runner)
        return farewell(in_flight, now);
    return at_rest(wanted, observed, in_flight, now);
}
