/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/agent-version.h"
#include "tests/unit/test.h"

static void an_old_agent_lacks_what_came_after_it(void **state)
{
    char *exec[] = { (char[]){ "true" }, NULL };
    ContainerDefinition plain = { 0 }, side = { .sidecar = true }, probed = { .alive = { .exec = exec } };
    const struct {
        PodDefinition pod;
        const char *lacks;
    } rows[] = {
        { { .containers = &plain, .n_containers = 1 }, NULL },
        { { .init = &plain, .n_init = 1, .containers = &plain, .n_containers = 1 }, "containers of init" },
        { { .containers = &side, .n_containers = 1 }, "sidecars" },
        { { .containers = &probed, .n_containers = 1 }, "probes" },
    };
    TABLE_FOREACH (row, rows) {
        assert_true(streq_ptr(agent_lacks(&row->pod, AGENT_PROTOCOL_LIFE - 1), row->lacks));
        assert_null(agent_lacks(&row->pod, AGENT_PROTOCOL_LIFE));
    }
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
        cmocka_unit_test(a_report_says_so_unless_it_says_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
