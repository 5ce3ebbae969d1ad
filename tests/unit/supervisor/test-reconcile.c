/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/reconcile.h"
#include "tests/unit/test.h"

enum { NOW = 1000 * 1000 * 1000 };

typedef struct Case {
    const char *name;
    PodWanted wanted;
    PodObserved observed;
    PodInFlight in_flight;
    Step step;
    Rule rule;
    usec_t wake; /* 0: never */
} Case;

#define WANTED .declared = true, .defined = true, .autostart = true
#define ALIVE .phase = MACHINE_LIVE, LINKED
#define LINKED .runner = true, .linked = true, .reported = true, .alone_since = NOW

/* clang-format off */
static const Case cases[] = {
    { "a doubt is above all", { WANTED }, { .doubt = true }, { .slot = true }, STEP_REST, RULE_DOUBT, 0 },
    { "a doubt is above a removal", { 0 }, { .doubt = true }, { 0 }, STEP_REST, RULE_DOUBT, 0 },
    { "a new pod stands in line", { WANTED }, { 0 }, { 0 }, STEP_QUEUE, RULE_NO_SLOT, 0 },
    { "a new pod starts in its turn", { WANTED }, { 0 }, { .slot = true }, STEP_LAUNCH, RULE_WANTED, 0 },
    { "a held pod rests", { WANTED, .hold = true }, { 0 }, { .slot = true }, STEP_REST, RULE_HELD, 0 },
    { "no good definition, no start", { .declared = true, .autostart = true }, { 0 }, { 0 }, STEP_REST, RULE_NOT_DEFINED, 0 },
    { "no autostart, no start", { .declared = true, .defined = true }, { 0 }, { 0 }, STEP_REST, RULE_NO_AUTOSTART, 0 },
    { "an operator starts it", { .declared = true, .defined = true, .asked = true }, { 0 }, { .slot = true }, STEP_LAUNCH, RULE_WANTED, 0 },
    { "what would wait for itself is not started", { WANTED }, { .cyclic = true }, { .slot = true }, STEP_REST, RULE_CYCLIC, 0 },
    { "what would wait for itself is not started again", { WANTED }, { .phase = MACHINE_ENDED, .cyclic = true, .as_asked = true }, { .slot = true }, STEP_REST, RULE_CYCLIC, 0 },
    { "what would wait for itself and is held is held", { WANTED, .hold = true }, { .cyclic = true }, { 0 }, STEP_REST, RULE_HELD, 0 },
    { "a start waits for others", { WANTED }, { .awaits = true }, { .slot = true }, STEP_REST, RULE_AWAITS, 0 },
    { "a restart waits for others", { WANTED }, { .phase = MACHINE_ENDED, .awaits = true }, { .slot = true }, STEP_REST, RULE_AWAITS, 0 },
    { "a new start waits for others", { WANTED }, { .phase = MACHINE_ENDED, .as_asked = true, .awaits = true }, { .slot = true }, STEP_REST, RULE_AWAITS, 0 },
    { "a back-off goes on while others are awaited", { WANTED }, { .phase = MACHINE_ENDED, .awaits = true, .next_start = NOW + 1 }, { 0 }, STEP_REST, RULE_BACKOFF, NOW + 1 },
    { "others come before the image", { WANTED }, { .awaits = true, .image_missing = true }, { 0 }, STEP_REST, RULE_AWAITS, 0 },
    { "what runs waits for nobody", { WANTED }, { ALIVE, .state = RUNNER_RUNNING, .awaits = true, .cyclic = true }, { 0 }, STEP_REST, RULE_SETTLED, 0 },
    { "another one needs it", { .declared = true, .defined = true }, { .needed = true }, { .slot = true }, STEP_LAUNCH, RULE_WANTED, 0 },
    { "another one needs it, but it is held", { WANTED, .hold = true }, { .needed = true }, { .slot = true }, STEP_REST, RULE_HELD, 0 },
    { "nothing starts when all end", { WANTED, .all_end = true }, { 0 }, { .slot = true }, STEP_REST, RULE_ALL_END, 0 },
    { "nothing starts again when all end", { WANTED, .all_end = true }, { .phase = MACHINE_ENDED, .as_asked = true }, { .slot = true }, STEP_REST, RULE_ALL_END, 0 },
    { "all end: stop", { WANTED, .all_end = true }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_STOP, RULE_ALL_END, 0 },
    { "bereft: stop", { WANTED }, { ALIVE, .state = RUNNER_RUNNING, .bereft = true }, { 0 }, STEP_STOP, RULE_BEREFT, 0 },
    { "bereft while it starts: stop", { WANTED }, { ALIVE, .state = RUNNER_STARTING, .bereft = true }, { .operation = OPERATION_START, .deadline = NOW + 9, .told = true }, STEP_STOP, RULE_BEREFT, 0 },
    { "its end waits for those after it", { WANTED, .hold = true }, { ALIVE, .state = RUNNER_RUNNING, .depended = true }, { 0 }, STEP_REST, RULE_DEPENDED, 0 },
    { "an end that is not due waits for nobody", { WANTED }, { ALIVE, .state = RUNNER_RUNNING, .depended = true }, { 0 }, STEP_REST, RULE_SETTLED, 0 },
    { "a kill waits for nobody", { WANTED, .hold = true, .kill = true }, { ALIVE, .state = RUNNER_RUNNING, .depended = true }, { 0 }, STEP_KILL, RULE_KILL_ASKED, 0 },
    { "an end that has begun waits for nobody", { WANTED, .hold = true }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_STOPPING, .depended = true }, { .operation = OPERATION_STOP, .told = true, .deadline = NOW }, STEP_KILL, RULE_STOP_DEADLINE, 0 },
    { "an end that had begun waits for nobody", { WANTED }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_RUNNING, .depended = true }, { 0 }, STEP_STOP, RULE_STOPPING_STILL, 0 },
    { "no image, no start, and no place in line", { WANTED }, { .image_missing = true }, { .slot = true }, STEP_REST, RULE_NO_IMAGE, 0 },
    { "a disk is made before the start, and nobody waits for that in line", { WANTED }, { .volume_making = true }, { .slot = true }, STEP_REST, RULE_MAKING_VOLUME, 0 },
    { "no image, no restart", { WANTED }, { .phase = MACHINE_ENDED, .image_missing = true }, { 0 }, STEP_REST, RULE_NO_IMAGE, 0 },
    { "gone at rest is forgotten", { 0 }, { 0 }, { 0 }, STEP_FORGET, RULE_GONE, 0 },
    { "gone after its end is forgotten", { 0 }, { .phase = MACHINE_ENDED }, { 0 }, STEP_FORGET, RULE_GONE, 0 },

    { "it was stopped to start anew", { WANTED }, { .phase = MACHINE_ENDED, .as_asked = true }, { .slot = true }, STEP_LAUNCH, RULE_AGAIN_AS_ASKED, 0 },
    { "always: success waits too", { WANTED }, { .phase = MACHINE_ENDED, .succeeded = true, .next_start = NOW + 5 }, { 0 }, STEP_REST, RULE_BACKOFF, NOW + 5 },
    { "always: success starts again", { WANTED }, { .phase = MACHINE_ENDED, .succeeded = true, .next_start = NOW }, { .slot = true }, STEP_LAUNCH, RULE_RESTART, 0 },
    { "on-failure: success stays", { WANTED, .policy = RESTART_ON_FAILURE }, { .phase = MACHINE_ENDED, .succeeded = true }, { 0 }, STEP_REST, RULE_SUCCEEDED, 0 },
    { "on-failure: failure waits", { WANTED, .policy = RESTART_ON_FAILURE }, { .phase = MACHINE_ENDED, .next_start = NOW + 1 }, { 0 }, STEP_REST, RULE_BACKOFF, NOW + 1 },
    { "never: failure stays", { WANTED, .policy = RESTART_NEVER }, { .phase = MACHINE_ENDED }, { 0 }, STEP_REST, RULE_FAILED, 0 },
    { "never: success stays", { WANTED, .policy = RESTART_NEVER }, { .phase = MACHINE_ENDED, .succeeded = true }, { 0 }, STEP_REST, RULE_SUCCEEDED, 0 },
    { "never: but as asked", { WANTED, .policy = RESTART_NEVER }, { .phase = MACHINE_ENDED, .as_asked = true }, { .slot = true }, STEP_LAUNCH, RULE_AGAIN_AS_ASKED, 0 },
    { "held while it waits", { WANTED, .hold = true }, { .phase = MACHINE_ENDED, .next_start = NOW + 1 }, { 0 }, STEP_REST, RULE_HELD, 0 },

    { "the runner leaves", { WANTED }, { .phase = MACHINE_ENDED, .runner = true }, { .operation = OPERATION_LEAVE, .deadline = NOW + 1 }, STEP_REST, RULE_LEAVING, NOW + 1 },
    { "the runner does not leave", { WANTED }, { .phase = MACHINE_ENDED, .runner = true }, { .operation = OPERATION_LEAVE, .deadline = NOW }, STEP_KILL_RUNNER, RULE_NOT_LEAVING, 0 },
    { "gone, but the runner still leaves", { 0 }, { .phase = MACHINE_ENDED, .runner = true }, { .operation = OPERATION_LEAVE, .deadline = NOW + 1 }, STEP_REST, RULE_LEAVING, NOW + 1 },

    { "it runs", { WANTED }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_REST, RULE_SETTLED, 0 },
    { "it starts in time", { WANTED }, { ALIVE, .state = RUNNER_STARTING }, { .operation = OPERATION_START, .deadline = NOW + 1, .slot = true }, STEP_REST, RULE_IN_TIME, NOW + 1 },
    { "it does not start in time", { WANTED }, { ALIVE, .state = RUNNER_STARTING }, { .operation = OPERATION_START, .deadline = NOW, .slot = true }, STEP_KILL, RULE_START_DEADLINE, 0 },
    { "its end is recorded", { WANTED }, { ALIVE, .state = RUNNER_ENDED }, { 0 }, STEP_RECORD_END, RULE_ENDED, 0 },
    { "its end is recorded, link or not", { WANTED }, { .phase = MACHINE_LIVE, .reported = true, .state = RUNNER_ENDED }, { 0 }, STEP_RECORD_END, RULE_ENDED, 0 },
    { "the runner doubts", { 0 }, { ALIVE, .state = RUNNER_INDETERMINATE }, { 0 }, STEP_REST, RULE_RUNNER_DOUBTS, 0 },
    { "the runner has not looked yet", { WANTED }, { ALIVE, .state = RUNNER_ADOPTING }, { 0 }, STEP_REST, RULE_IN_TIME, NOW + RUNNER_ADOPT_TIMEOUT },
    { "the runner hangs while it looks", { WANTED }, { .phase = MACHINE_LIVE, .runner = true, .linked = true, .alone_since = NOW - RUNNER_ADOPT_TIMEOUT }, { 0 }, STEP_KILL_RUNNER, RULE_RUNNER_SILENT, 0 },

    { "the first runner is lost", { WANTED }, { .phase = MACHINE_LIVE, .losses = 1, .alone_since = NOW }, { 0 }, STEP_RELAUNCH, RULE_RUNNER_LOST, 0 },
    { "the next one waits", { WANTED }, { .phase = MACHINE_LIVE, .losses = 2, .alone_since = NOW }, { 0 }, STEP_REST, RULE_RUNNER_AWAY, NOW + 100 * USEC_PER_MSEC },
    { "gone, and its runner is lost", { 0 }, { .phase = MACHINE_STOPPING, .losses = 1, .alone_since = NOW }, { 0 }, STEP_RELAUNCH, RULE_RUNNER_LOST, 0 },
    { "one runner too many is lost", { WANTED }, { .phase = MACHINE_LIVE, .losses = 9, .barren = RUNNER_BARREN_MAX + 1 }, { 0 }, STEP_DOUBT, RULE_RUNNER_BARREN, 0 },
    { "systemd is at it", { WANTED }, { .phase = MACHINE_LIVE, .launching = true, .losses = 1, .alone_since = NOW }, { 0 }, STEP_REST, RULE_RUNNER_LAUNCHING, NOW + RUNNER_LAUNCH_TIMEOUT },
    { "systemd takes too long", { WANTED }, { .phase = MACHINE_LIVE, .launching = true, .losses = 1, .alone_since = NOW - RUNNER_LAUNCH_TIMEOUT }, { 0 }, STEP_RELAUNCH, RULE_RUNNER_LOST, 0 },
    { "a runner has come by itself", { WANTED }, { .phase = MACHINE_LIVE, .visiting = true, .losses = 5, .alone_since = NOW }, { 0 }, STEP_RELAUNCH, RULE_RUNNER_CAME, 0 },
    { "hello is awaited", { WANTED }, { .phase = MACHINE_LIVE, .runner = true, .alone_since = NOW }, { 0 }, STEP_REST, RULE_IN_TIME, NOW + RUNNER_HELLO_TIMEOUT },
    { "hello does not come", { WANTED }, { .phase = MACHINE_LIVE, .runner = true, .alone_since = NOW - RUNNER_HELLO_TIMEOUT }, { 0 }, STEP_KILL_RUNNER, RULE_RUNNER_SILENT, 0 },

    { "gone: stop", { 0 }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_STOP, RULE_UNDECLARED, 0 },
    { "held: stop", { WANTED, .hold = true }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_STOP, RULE_STOP_HELD, 0 },
    { "restarted: stop", { WANTED, .restart = true, .replace = true }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_STOP, RULE_RESTART_ASKED, 0 },
    { "changed: stop", { WANTED, .replace = true }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_STOP, RULE_REPLACE, 0 },
    { "held while it starts: stop", { WANTED, .hold = true }, { ALIVE, .state = RUNNER_STARTING }, { .operation = OPERATION_START, .deadline = NOW + 9, .told = true }, STEP_STOP, RULE_STOP_HELD, 0 },
    { "a stop goes on, wanted again or not", { WANTED }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_RUNNING }, { 0 }, STEP_STOP, RULE_STOPPING_STILL, 0 },
    { "it stops in time", { 0 }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_STOPPING }, { .operation = OPERATION_STOP, .told = true, .deadline = NOW + 1 }, STEP_REST, RULE_IN_TIME, NOW + 1 },
    { "another runner is told again", { 0 }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_RUNNING }, { .operation = OPERATION_STOP, .deadline = NOW + 1 }, STEP_STOP, RULE_UNDECLARED, 0 },
    { "it does not stop in time", { 0 }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_STOPPING }, { .operation = OPERATION_STOP, .told = true, .deadline = NOW }, STEP_KILL, RULE_STOP_DEADLINE, 0 },
    { "an operator kills", { WANTED, .hold = true, .kill = true }, { ALIVE, .state = RUNNER_RUNNING }, { 0 }, STEP_KILL, RULE_KILL_ASKED, 0 },
    { "a kill is under way", { WANTED, .hold = true, .kill = true }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_STOPPING }, { .operation = OPERATION_KILL, .told = true, .deadline = NOW + 1 }, STEP_REST, RULE_IN_TIME, NOW + 1 },
    { "another runner is to kill", { WANTED, .hold = true }, { LINKED, .phase = MACHINE_STOPPING, .state = RUNNER_RUNNING }, { .operation = OPERATION_KILL, .deadline = NOW + 1 }, STEP_KILL, RULE_STOP_HELD, 0 },
    { "the runner does not kill in time", { WANTED }, { ALIVE, .state = RUNNER_STARTING }, { .operation = OPERATION_KILL, .told = true, .deadline = NOW }, STEP_KILL_RUNNER, RULE_KILL_DEADLINE, 0 },
};
/* clang-format on */

static void every_situation_has_its_decision(void **state)
{
    TABLE_FOREACH (c, cases) {
        Decision d = reconcile(&c->wanted, &c->observed, &c->in_flight, NOW);
        if (d.step != c->step || d.rule != c->rule || d.wake != (c->wake ?: USEC_INFINITY))
            fail_msg("%s: %s by %s", c->name, enum_to_string(&step_table, (int)d.step),
                     enum_to_string(&rule_table, (int)d.rule));
    }
}

/* --- what holds in every combination of facts -------------------------------------------------------------------- */

static void check(const PodWanted *w, const PodObserved *o, const PodInFlight *f)
{
    Decision d = reconcile(w, o, f, NOW);
    bool alive = o->phase != MACHINE_NONE && o->phase != MACHINE_ENDED;
    bool starts = d.step == STEP_LAUNCH || d.step == STEP_QUEUE;
    bool ends = d.step == STEP_STOP || d.step == STEP_KILL;

    /* In doubt nothing is started and nothing is killed. */
    if (o->doubt)
        assert_int_equal(d.step, STEP_REST);
    /* Never a second machine, never one that is not wanted, never without a turn. */
    if (starts)
        assert_true(!alive && !o->runner && !o->image_missing && !o->volume_making && !o->awaits &&
                    !o->cyclic && !w->all_end && w->declared && w->defined && !w->hold);
    if (d.step == STEP_LAUNCH)
        assert_true(f->slot);
    /* Whoever is to end first does, unless an end has begun or is forced. */
    if (d.step == STEP_STOP && o->depended)
        assert_true(o->phase == MACHINE_STOPPING || f->operation == OPERATION_STOP);
    /* Only what lives is ended, only by a runner that is there, and only if it is not in doubt. */
    if (ends)
        assert_true(alive && o->runner && o->linked && o->reported && o->state != RUNNER_INDETERMINATE);
    if (d.step == STEP_RELAUNCH)
        assert_true(alive && !o->runner);
    if (d.step == STEP_KILL_RUNNER)
        assert_true(o->runner && !(o->reported && o->linked && alive && o->state == RUNNER_INDETERMINATE));
    if (d.step == STEP_FORGET)
        assert_true(!w->declared && !alive && !o->runner);
    if (d.step == STEP_RECORD_END)
        assert_true(alive && o->reported && o->state == RUNNER_ENDED);
    /* A wake-up lies ahead, or the loop would spin. */
    if (d.step == STEP_REST)
        assert_true(d.wake > NOW);
}

/* The facts that others bring are too many for all combinations: each one of the rest meets some of these. */
static void check_with_others(PodWanted w, PodObserved o, const PodInFlight *f)
{
    static uint32_t turn;
    uint32_t bits = turn++ * 2654435761U >> 23;

    w.restart = bits & 1;
    w.all_end = bits & 2;
    o.image_missing = bits & 4;
    o.awaits = bits & 8;
    o.cyclic = bits & 16;
    o.bereft = bits & 32;
    o.needed = bits & 64;
    o.depended = bits & 128;
    o.volume_making = bits & 256;
    check(&w, &o, f);
}

static void for_wanted(const PodObserved *o, const PodInFlight *f)
{
    for (unsigned bits = 0; bits < 1U << 7; bits++)
        for (int policy = 0; policy < RESTART_POLICY_MAX; policy++) {
            const PodWanted w = {
                .declared = bits & 1,
                .defined = bits & 2,
                .autostart = bits & 4,
                .asked = bits & 8,
                .hold = bits & 16,
                .kill = bits & 32,
                .replace = bits & 64,
                .policy = (RestartPolicy)policy,
            };
            check_with_others(w, *o, f);
        }
}

static void for_in_flight(const PodObserved *o)
{
    for (int operation = 0; operation < OPERATION_MAX; operation++)
        for (unsigned bits = 0; bits < 1U << 3; bits++) {
            const PodInFlight f = {
                .operation = (Operation)operation,
                .deadline = bits & 1 ? NOW + 1 : NOW,
                .told = bits & 2,
                .slot = bits & 4,
            };
            for_wanted(o, &f);
        }
}

static void no_combination_of_facts_breaks_a_promise(void **state)
{
    for (int phase = 0; phase < MACHINE_PHASE_MAX; phase++)
        for (int runner_state = 0; runner_state < RUNNER_STATE_MAX; runner_state++)
            for (unsigned bits = 0; bits < 1U << 10; bits++) {
                const PodObserved o = {
                    .phase = (MachinePhase)phase,
                    .state = (RunnerState)runner_state,
                    .doubt = bits & 1,
                    .runner = bits & 2,
                    .linked = bits & 4,
                    .reported = bits & 8,
                    .as_asked = bits & 16,
                    .succeeded = bits & 32,
                    .next_start = bits & 64 ? NOW + 1 : 0,
                    .alone_since = bits & 64 ? NOW : 0,
                    .losses = bits & 64 ? 3 : 0,
                    .launching = bits & 512,
                    .visiting = bits & 256,
                };
                for_in_flight(&o);
            }
}

static void runners_are_relaunched_at_once_then_ever_later(void **state)
{
    assert_int_equal(runner_relaunch_delay(1), 0);
    assert_int_equal(runner_relaunch_delay(2), 100 * USEC_PER_MSEC);
    assert_int_equal(runner_relaunch_delay(3), 200 * USEC_PER_MSEC);
    assert_int_equal(runner_relaunch_delay(1000000), 3200 * USEC_PER_MSEC);
}

static void every_rule_is_used(void **state)
{
    bool used[RULE_MAX] = { 0 };

    TABLE_FOREACH (c, cases)
        used[c->rule] = true;
    for (int i = 0; i < RULE_MAX; i++)
        if (!used[i])
            fail_msg("no case decides by \"%s\"", enum_to_string(&rule_table, i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_situation_has_its_decision),
        cmocka_unit_test(no_combination_of_facts_breaks_a_promise),
        cmocka_unit_test(runners_are_relaunched_at_once_then_ever_later),
        cmocka_unit_test(every_rule_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
