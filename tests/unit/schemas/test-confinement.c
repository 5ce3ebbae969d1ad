/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/confinement.h"
#include "tests/unit/test.h"

static void limits_of_processes_are_one_number_or_two(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t soft, hard;
    } rows[] = {
        { "1024", 0, 1024, 1024 },
        { "0", 0, 0, 0 },
        { "1024:4096", 0, 1024, 4096 },
        { "infinity", 0, UINT64_MAX, UINT64_MAX },
        { "0:infinity", 0, 0, UINT64_MAX },
        { "", -EINVAL },
        { ":", -EINVAL },
        { "1:", -EINVAL },
        { ":1", -EINVAL },
        { "2:1", -EINVAL },
        { "infinity:1", -EINVAL },
        { "-1", -EINVAL },
        { "1:2:3", -EINVAL },
        { "1 2", -EINVAL },
        { "99999999999999999999", -EINVAL },
    };

    TABLE_FOREACH (row, rows) {
        uint64_t soft = 7, hard = 7;
        assert_int_equal(rlimit_parse(row->text, &soft, &hard), row->result);
        assert_int_equal(soft, row->result < 0 ? 7 : row->soft);
        assert_int_equal(hard, row->result < 0 ? 7 : row->hard);
    }
}

static void settings_of_the_kernel_are_those_that_a_pod_may_change(void **state)
{
    static const struct {
        const char *text, *path, *value;
    } rows[] = {
        { "net.core.somaxconn=1024", "net/core/somaxconn", "1024" },
        { "net.ipv4.ip_local_port_range=1024 65535", "net/ipv4/ip_local_port_range", "1024 65535" },
        { "kernel.sem=250 32000 32 128", "kernel/sem", "250 32000 32 128" },
        { "kernel.shmmax=1", "kernel/shmmax", "1" },
        { "fs.mqueue.msg_max=5", "fs/mqueue/msg_max", "5" },
        { "vm.max_map_count=262144", "vm/max_map_count", "262144" },
        /* They would run programs, take memory from the agent, or are no settings at all. */
        { "kernel.core_pattern=|/bin/sh" },
        { "kernel.modprobe=/bin/sh" },
        { "vm.overcommit_memory=2" },
        { "net.core.somaxconn" },
        { "net.core.somaxconn=" },
        { "net.=1" },
        { "net..core=1" },
        { "net.core.=1" },
        { "net.core/../../kernel/modprobe=1" },
        { "net/core/somaxconn=1" },
        { "net.core.somaxconn=1\n2" },
        { "=1" },
        { "" },
    };

    TABLE_FOREACH (row, rows) {
        const char *value = NULL;
        _cleanup_(freep) char *path = sysctl_path(row->text, &value);
        assert_true(streq_ptr(path, row->path));
        assert_true(streq_ptr(value, row->value));
        assert_int_equal(format_sysctl.valid(row->text), row->path != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_processes_are_one_number_or_two),
        cmocka_unit_test(settings_of_the_kernel_are_those_that_a_pod_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
