/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a container's program where it belongs, beside its user and its files. Skipped where containers cannot be run. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "guest/agent/capabilities.h"
#include "guest/agent/syscall-filter.h"
#include "tests/unit/agent/fixture.h"

static void call(AgentContainer *c, const char *name, long number)
{
    char command[64];

    (void)snprintf(command, sizeof command, "probe call %ld", number);
    *c = container(name, command);
}

static void done_all(AgentContainer *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        container_done_test(&c[i]);
}

static void system_calls_are_filtered_by_capabilities(void **state)
{
    AgentContainer c[6];

    call(&c[0], "keys", SYS_keyctl);
    call(&c[1], "free", SYS_clone3);
    call(&c[2], "clone3", SYS_clone3);
    call(&c[3], "admin", SYS_clone3);
    call(&c[4], "root", SYS_chroot);
    call(&c[5], "future", 4000);
    c[1].definition.seccomp = SECCOMP_UNCONFINED;
    assert_success(strv_append(&c[3].definition.capabilities, "SYS_ADMIN"));
    assert_success(strv_append(&c[4].definition.capabilities, "NONE"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "keys stdout call 250: EPERM"));
    assert_true(peer_log_has(p, "free stdout call 435: EINVAL"));
    assert_true(peer_log_has(p, "clone3 stdout call 435: ENOSYS"));
    assert_true(peer_log_has(p, "admin stdout call 435: EINVAL"));
    assert_true(peer_log_has(p, "root stdout call 161: EPERM"));
    assert_true(peer_log_has(p, "future stdout call 4000: ENOSYS"));
    done_all(c, ELEMENTSOF(c));
}

static void privileges_can_be_gained_only_where_that_is_asked_for(void **state)
{
    AgentContainer c[] = { container("kept", "probe status NoNewPrivs"),
                           container("open", "probe status NoNewPrivs"),
                           container("filter", "probe status Seccomp:") };

    c[1].definition.no_new_privs = c[2].definition.no_new_privs = false;
    assert_success(str_replace(&c[2].user, "www"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "kept stdout NoNewPrivs:\t1"));
    assert_true(peer_log_has(p, "open stdout NoNewPrivs:\t0"));
    assert_true(peer_log_has(p, "filter stdout Seccomp:\t2"));
    done_all(c, ELEMENTSOF(c));
}

static void limits_of_processes_are_what_was_declared(void **state)
{
    AgentContainer c[] = { container("usual", "probe limit 7"), container("files", "probe limit 7"),
                           container("core", "probe limit 4") };

    assert_success(str_replace(&c[1].definition.rlimits.nofile, "100:200"));
    assert_success(str_replace(&c[2].definition.rlimits.core, "0"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "usual stdout limit 1024 "));
    assert_true(peer_log_has(p, "files stdout limit 100 200\n"));
    assert_true(peer_log_has(p, "core stdout limit 0 0\n"));
    done_all(c, ELEMENTSOF(c));
}

static void groups_are_added_and_a_strange_one_is_named(void **state)
{
    AgentContainer c[] = { container("two", "probe status Groups"), container("odd", "probe exit 0") };

    assert_success(strv_append(&c[0].definition.groups, "2000"));
    assert_success(strv_append(&c[0].definition.groups, "1000"));
    assert_success(strv_append(&c[1].definition.groups, "wheel"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "two stdout Groups:\t1000 2000"));
    assert_int_equal(peer_container(p, "odd")->state, CONTAINER_FAILED);
    assert_string_equal(peer_container(p, "odd")->message, "group wheel is not in the image");
    done_all(c, ELEMENTSOF(c));
}

static void a_device_that_is_not_there_is_named(void **state)
{
    CONTAINER(c, "web", "probe exit 0");

    assert_success(strv_append(&c.definition.devices, "/dev/nothing-like-it"));
    Peer *p = start(state, &c, 1);
    peer_until(p, peer_state_is(p, "web", CONTAINER_FAILED));
    const char *why = peer_container(p, "web")->message;
    /* Where this test may not filter, that is the reason. */
    assert_true(streq(why, "device /dev/nothing-like-it is not there: the machine's kernel has none") ||
                str_after(why, "it could not be kept from other devices") ||
                str_after(why, "the machine's kernel cannot keep it from other devices"));
    peer_until(p, p->kernel_closed);
}

static void files_are_made_with_the_mask_that_was_declared(void **state)
{
    AgentContainer c[] = { container("usual", "probe status Umask"), container("own", "probe status Umask") };

    assert_success(str_replace(&c[1].definition.umask, "0077"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "usual stdout Umask:\t0022"));
    assert_true(peer_log_has(p, "own stdout Umask:\t0077"));
    done_all(c, ELEMENTSOF(c));
}

static void configure(void **state, AgentContainer *c, size_t n, bool share_pids, char **sysctls)
{
    Peer *p = *state;
    AgentConfigure configuration;

    if (!peer_can_run(p))
        skip();
    assert_success(schema_init(&agent_configure_schema, &configuration));
    configuration.share_pids = share_pids;
    configuration.sysctls = sysctls;
    configuration.containers = c;
    configuration.n_containers = n;
    peer_hello(p, 7, p->token, 1, 1);
    p->reply_error = (uint64_t)peer_ask(p, AGENT_CONFIGURE, &configuration);
}

static void processes_are_shared_where_the_pod_says_so(void **state)
{
    AgentContainer c[] = { container("one", "probe leave"), container("two", "probe status Pid"),
                           container("polite", "probe stubborn") };
    Peer *p = *state;

    configure(state, c, ELEMENTSOF(c), true, NULL);
    assert_int_equal(p->reply_error, 0);
    assert_int_equal(ended(p, "one")->exit_code, 0);
    assert_int_equal(ended(p, "two")->exit_code, 0);
    /* Not process 1, so a signal that it does not handle ends it. */
    assert_false(peer_log_has(p, "stdout left behind by 1\n"));
    peer_until(p, peer_log_has(p, "polite stdout stubborn"));
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 10 * USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(peer_container(p, "polite")->exit_signal, SIGTERM);
    /* What `one` left behind is gone with it, or its control group could not be removed at the end of the test. */
    done_all(c, ELEMENTSOF(c));
}

static void settings_of_the_kernel_are_made_or_the_pod_is_refused(void **state)
{
    CONTAINER(c, "web", "probe exit 0");
    char *good[] = { (char[]){ "net.core.somaxconn=1024" }, NULL },
         *bad[] = { (char[]){ "net.nothing=1" }, NULL },
         *wrong[] = { (char[]){ "kernel.modprobe=/x" }, NULL };
    Peer *p = *state;

    configure(state, &c, 1, false, bad);
    assert_int_equal(p->reply_error, ENOENT);
    assert_string_equal(p->reply, "sysctl net.nothing=1 could not be set: No such file or directory");
    configure(state, &c, 1, false, wrong);
    assert_int_equal(p->reply_error, EINVAL);
    assert_string_equal(p->sysctl, "net/nothing 1");
    configure(state, &c, 1, false, good);
    assert_int_equal(p->reply_error, 0);
    assert_string_equal(p->sysctl, "net/core/somaxconn 1024");
    peer_until(p, p->powered_off);
}

static void a_container_has_its_share_of_memory_for_files(void **state)
{
    static const struct {
        uint64_t memory, declared, expected;
    } rows[] = {
        { 64 << 20, 0, 32 << 20 }, { 64 << 20, 5 << 20, 5 << 20 }, { SIZE_INFINITY, 5 << 20, 5 << 20 },
        { SIZE_INFINITY, 0, 0 },   { SIZE_INFINITY, 0, 0 },
    };
    AgentContainer c[ELEMENTSOF(rows)];
    AgentConfigure configuration = { .containers = c, .n_containers = ELEMENTSOF(c) };
    Peer *p = *state;

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        c[i] = container("x", "probe exit 0");
        c[i].definition.limits.memory = rows[i].memory;
        c[i].definition.writable_size = rows[i].declared;
    }
    rootfs_decide_sizes(&p->platform, &configuration);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c[i].definition.writable_size, rows[i].expected);
    assert_true(c[3].definition.writable_size > 0);
    assert_int_equal(c[3].definition.writable_size, c[4].definition.writable_size);
    done_all(c, ELEMENTSOF(c));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(system_calls_are_filtered_by_capabilities),
        WITH_PEER(privileges_can_be_gained_only_where_that_is_asked_for),
        WITH_PEER(limits_of_processes_are_what_was_declared),
        WITH_PEER(a_device_that_is_not_there_is_named),
        WITH_PEER(files_are_made_with_the_mask_that_was_declared),
        WITH_PEER(groups_are_added_and_a_strange_one_is_named),
        WITH_PEER(processes_are_shared_where_the_pod_says_so),
        WITH_PEER(settings_of_the_kernel_are_made_or_the_pod_is_refused),
        WITH_PEER(a_container_has_its_share_of_memory_for_files),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
