/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/agent-version.h"
#include "tests/unit/test.h"

static void an_old_agent_lacks_what_came_after_it(void **state)
{
    char *exec[] = { (char[]){ "true" }, NULL };
    ContainerDefinition plain = { 0 }, side = { .sidecar = true }, probed = { .alive = { .exec = exec } };
    ContainerDefinition fed = { .keep_stdin = true }, shell = { .terminal = true };
    const struct {
        PodDefinition pod;
        const char *lacks;
        uint64_t since;
    } rows[] = {
        { { .containers = &plain, .n_containers = 1 }, NULL, AGENT_PROTOCOL_LIFE },
        { { .init = &plain, .n_init = 1, .containers = &plain, .n_containers = 1 },
          "containers of init",
          AGENT_PROTOCOL_LIFE },
        { { .containers = &side, .n_containers = 1 }, "sidecars", AGENT_PROTOCOL_LIFE },
        { { .containers = &probed, .n_containers = 1 }, "probes", AGENT_PROTOCOL_LIFE },
        { { .containers = &fed, .n_containers = 1 },
          "standard input and no terminals of containers",
          AGENT_PROTOCOL_ATTACH },
        { { .containers = &shell, .n_containers = 1 },
          "standard input and no terminals of containers",
          AGENT_PROTOCOL_ATTACH },
    };
    const struct {
        ContainerDefinition container;
        const char *lacks;
    } later[] = {
        { { .devices = exec }, "devices" },
        { { .umask = exec[0] }, "umask" },
        { { .limits.io.read_iops = 1 }, "limits of input and output" },
        { { .limits.swap = 1 }, "swap" },
    };
    TABLE_FOREACH (row, rows) {
        assert_true(streq_ptr(agent_lacks(&row->pod, row->since - 1), row->lacks));
        assert_null(agent_lacks(&row->pod, row->since));
    }
    TABLE_FOREACH (row, later) {
        ContainerDefinition c = row->container;
        const PodDefinition pod = { .containers = &c, .n_containers = 1 };
        assert_string_equal(agent_lacks(&pod, AGENT_PROTOCOL_RESOURCES - 1), row->lacks);
        assert_null(agent_lacks(&pod, AGENT_PROTOCOL_RESOURCES));
    }
}

static void an_old_agent_is_asked_for_no_task_that_came_after_it(void **state)
{
    for (Task task = 0; task < TASK_MAX; task++) {
        assert_true(agent_task_since(task) <= AGENT_PROTOCOL_MAX);
        assert_int_equal(agent_task_since(task) == AGENT_PROTOCOL_MIN, task == TASK_PROGRAM);
    }
    assert_int_equal(agent_task_since(TASK_PING), AGENT_PROTOCOL_TASKS);
    assert_int_equal(agent_task_since(TASK_ATTACH), AGENT_PROTOCOL_ATTACH);
}

static void a_report_says_so_unless_it_says_something_else(void **state)
{
    ContainerDefinition side = { .sidecar = true };
    PodDefinition pod = { .containers = &side, .n_containers = 1 };
    ContainerReport silent = { 0 }, other = { .message = (char[]){ "something else" } };

    agent_explain_lack(&pod, 1, 0, &silent);
    assert_string_equal(silent.message,
                        "the agent of this guest is older than podvisor, and knows no sidecars");
    free(silent.message);
    agent_explain_lack(&pod, 1, 0, &other);
    assert_string_equal(other.message, "something else");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_agent_lacks_what_came_after_it),
        cmocka_unit_test(an_old_agent_is_asked_for_no_task_that_came_after_it),
        cmocka_unit_test(a_report_says_so_unless_it_says_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
