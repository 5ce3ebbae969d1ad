/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown of limits that were changed while a pod runs, by whoever its runner is: also one of an older podvisor. */
#include "supervisor/pod-live.h"
#include "tests/unit/test.h"

#define OLD_RUNNER                                                                                           \
    "limits of containers: the pod's runner is of an older podvisor, which cannot change them; they change " \
    "when the pod is restarted"
#define ON_THEIR_WAY "limits of containers: on their way to the containers"

/* A machine that runs, whose definition is of generation 3 now. */
static Pod pod_at(bool takes_limits, uint64_t began_with, uint64_t told)
{
    return (Pod){
        .observed = { .phase = MACHINE_LIVE, .reported = true },
        .report = { .state = RUNNER_RUNNING, .limits_generation = told },
        .has_running = true,
        .running_generation = 3,
        .link_limits = takes_limits,
        .link_generation = began_with,
    };
}

/* The lines, as one; the caller frees. NULL: there are none. */
static char *shown(const Pod *pod)
{
    _cleanup_(strv_freep) char **lines = NULL;

    assert_success(pod_live_show(pod, &lines));
    return lines ? strv_join(lines, "\n") : NULL;
}

static void each_runner_is_taken_for_what_it_can_do(void **state)
{
    static const struct {
        bool takes_limits;
        uint64_t began_with, told;
        const char *words; /* NULL: nothing is outstanding */
    } rows[] = {
        { true, 1, 2, ON_THEIR_WAY },
        { true, 1, 3, NULL },
        /* It has begun with them, and its agent has not got them yet. */
        { true, 3, 2, ON_THEIR_WAY },
        /* An old one says nothing of limits, and knows what it has read when it began. */
        { false, 2, 0, OLD_RUNNER },
        { false, 3, 0, NULL },
    };

    TABLE_FOREACH (row, rows) {
        Pod pod = pod_at(row->takes_limits, row->began_with, row->told);
        _cleanup_(freep) char *text = shown(&pod);
        if (!streq_ptr(text, row->words))
            fail_msg("%s: %s", row->words ?: "nothing", text ?: "nothing");
    }
}

static void what_the_agent_says_is_shown_in_its_place(void **state)
{
    Pod pod = pod_at(true, 1, 2);

    pod.report.limits_failed = (char[]){ "the agent is too old" };
    _cleanup_(freep) char *text = shown(&pod);
    assert_string_equal(text, "limits of containers: the agent is too old");
}

static void a_container_that_did_not_get_them_is_named(void **state)
{
    ContainerReport containers[] = { { .name = (char[]){ "web" } },
                                     { .name = (char[]){ "db" },
                                       .limits_failed = (char[]){ "it uses 80M" } } };
    Pod pod = pod_at(true, 1, 3);

    pod.report.containers = containers;
    pod.report.n_containers = ELEMENTSOF(containers);
    _cleanup_(freep) char *text = shown(&pod);
    assert_string_equal(text, "limits of container db: it uses 80M");
}

static void of_a_machine_that_is_not_there_nothing_is_shown(void **state)
{
    static const MachinePhase phases[] = { MACHINE_NONE, MACHINE_ENDED };

    TABLE_FOREACH (phase, phases) {
        Pod pod = pod_at(false, 1, 0);
        pod.observed.phase = *phase;
        assert_null(shown(&pod));
    }
    Pod silent = pod_at(false, 1, 0);
    silent.observed.reported = false;
    assert_null(shown(&silent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runner_is_taken_for_what_it_can_do),
        cmocka_unit_test(what_the_agent_says_is_shown_in_its_place),
        cmocka_unit_test(a_container_that_did_not_get_them_is_named),
        cmocka_unit_test(of_a_machine_that_is_not_there_nothing_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
