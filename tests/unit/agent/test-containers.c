/* SPDX-License-Identifier: Apache-2.0 */
/* Real containers of an agent that is not process 1, on this machine. Skipped where mounts and control groups are not allowed. */
#include <signal.h>

#include "tests/unit/agent/fixture.h"

static void a_program_runs_and_its_output_and_status_are_exact(void **state)
{
    CONTAINER(c, "web", "probe say out err");
    Peer *p = start(state, &c, 1);
    const ContainerReport *r = ended(p, "web");

    assert_int_equal(r->exit_code, 0);
    assert_int_equal(r->exit_signal, 0);
    assert_true(r->started > 0 && r->ended >= r->started);
    peer_until(p, peer_log_has(p, "web stdout out\n") && peer_log_has(p, "web stderr err\n"));
    peer_until(p, p->powered_off);
    assert_true(p->report.completed);
    assert_int_equal(p->log_dropped, 0);
}

static void failures_to_start_are_told_in_words(void **state)
{
    static const struct {
        const char *command, *user, *message;
    } rows[] = {
        { "missing", NULL, "missing: command not found" },
        { "/bin/missing", NULL, "/bin/missing: command not found" },
        { "/bin/probe/x", NULL, "/bin/probe/x: command not found" },
        { "data", NULL, "data: permission denied" },
        { "foreign", NULL, "foreign: exec format error: is the image of another architecture?" },
        { "/bin/script", NULL, "/bin/script: the interpreter that it asks for is not in the image" },
        { "probe", "nobody", "user nobody is not in the image" },
    };
    AgentContainer c[ELEMENTSOF(rows)];
    char name[16];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        (void)snprintf(name, sizeof name, "c%zu", i);
        c[i] = container(name, rows[i].command);
        c[i].definition.restart.policy = RESTART_ALWAYS;
        assert_success(str_replace(&c[i].user, rows[i].user));
    }
    Peer *p = start(state, c, ELEMENTSOF(rows));
    peer_until(p, p->powered_off);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        assert_int_equal(p->report.containers[i].state, CONTAINER_FAILED);
        assert_string_equal(p->report.containers[i].message, rows[i].message);
        container_done_test(&c[i]);
    }
}

static void policies_restart_and_files_outlive_that(void **state)
{
    AgentContainer c[] = { container("three", "probe exit 3"), container("once", "probe once") };

    c[1].definition.restart.policy = RESTART_ON_FAILURE;
    Peer *p = start(state, c, 2);
    assert_int_equal(ended(p, "three")->exit_code, 3);
    const ContainerReport *r = ended(p, "once");
    assert_int_equal(r->exit_code, 0);
    assert_int_equal(r->restarts, 1);
    container_done_test(&c[0]);
    container_done_test(&c[1]);
}

static void a_stop_asks_politely_and_then_kills(void **state)
{
    AgentContainer c[] = { container("polite", "probe wait"), container("stubborn", "probe stubborn"),
                           container("other", "probe wait") };

    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        c[i].definition.restart.policy = RESTART_ALWAYS;
    c[1].definition.stop_timeout = 10 * USEC_PER_MSEC;
    assert_success(str_replace(&c[2].stop_signal, "SIGUSR1"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, peer_log_has(p, "polite stdout waiting") && peer_log_has(p, "stubborn stdout stubborn") &&
                      peer_log_has(p, "other stdout waiting"));
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 10 * USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(peer_container(p, "polite")->exit_code, SIGTERM);
    assert_int_equal(peer_container(p, "other")->exit_code, SIGUSR1);
    assert_int_equal(peer_container(p, "stubborn")->exit_signal, SIGKILL);
    assert_int_equal(peer_container(p, "stubborn")->exit_code, -1);
    assert_false(peer_container(p, "stubborn")->oom_killed);
    assert_false(p->report.completed);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void a_press_of_the_power_button_is_a_stop_in_the_pods_own_time(void **state)
{
    AgentContainer c[] = { container("polite", "probe wait"), container("stubborn", "probe stubborn") };

    c[1].definition.stop_timeout = 10 * USEC_PER_MSEC;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, peer_log_has(p, "polite stdout waiting") && peer_log_has(p, "stubborn stdout stubborn"));
    ending_power_button(p->agent);
    peer_until(p, p->report.power_button);
    peer_until(p, p->powered_off);
    assert_int_equal(peer_container(p, "polite")->exit_code, SIGTERM);
    assert_int_equal(peer_container(p, "stubborn")->exit_signal, SIGKILL);
    assert_false(p->report.completed);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void power_is_what_was_declared(void **state)
{
    AgentContainer c[] = { container("usual", "probe status Cap"), container("none", "probe status CapEff"),
                           container("user", "probe status CapEff"), container("bind", "probe status CapEff"),
                           container("privs", "probe status NoNewPrivs") };

    assert_success(strv_append(&c[1].definition.capabilities, "NONE"));
    assert_success(str_replace(&c[2].user, "www"));
    assert_success(str_replace(&c[3].user, "1000:1001"));
    assert_success(str_replace(&c[3].working_dir, "/work/dir"));
    assert_success(strv_append(&c[3].definition.capabilities, "NET_BIND_SERVICE"));
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "usual stdout CapEff:\t00000000800405fb"));
    assert_true(peer_log_has(p, "usual stdout CapBnd:\t00000000800405fb"));
    assert_true(peer_log_has(p, "usual stdout uid 0 gid 0 pid 1 cwd / home /root"));
    assert_true(peer_log_has(p, "none stdout CapEff:\t0000000000000000"));
    assert_true(peer_log_has(p, "user stdout CapEff:\t0000000000000000"));
    assert_true(peer_log_has(p, "user stdout uid 33 gid 34 pid 1 cwd / home /srv"));
    assert_true(peer_log_has(p, "bind stdout CapEff:\t0000000000000400"));
    assert_true(peer_log_has(p, "bind stdout uid 1000 gid 1001 pid 1 cwd /work/dir"));
    assert_true(peer_log_has(p, "privs stdout NoNewPrivs:\t1"));
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void what_is_read_only_cannot_be_written(void **state)
{
    AgentContainer c[] = { container("rw", "probe write /x"), container("ro", "probe write /x"),
                           container("volume", "probe write /var/cache/x"),
                           container("sys", "probe write /proc/sys/kernel/panic"),
                           container("null", "probe write /dev/null") };
    MountDefinition *mount = calloc(1, sizeof *mount);

    c[1].definition.read_only = c[2].definition.read_only = true;
    *mount = (MountDefinition){ .volume = strdup("cache"), .path = strdup("/var/cache") };
    c[2].definition.mounts = mount;
    c[2].definition.n_mounts = 1;
    Peer *p = start(state, c, ELEMENTSOF(c));
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "rw stdout /x: written"));
    assert_true(peer_log_has(p, "ro stdout /x: Read-only file system"));
    assert_true(peer_log_has(p, "volume stdout /var/cache/x: written"));
    assert_true(peer_log_has(p, "sys stdout /proc/sys/kernel/panic: Read-only file system"));
    assert_true(peer_log_has(p, "null stdout /dev/null: written"));
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

/* The image's own /etc/resolv.conf is a link that leads nowhere, as it is in many. */
static void a_pod_with_a_network_knows_its_address_and_who_resolves_names(void **state)
{
    AgentContainer c[] = { container("names", "probe show /etc/resolv.conf"),
                           container("hosts", "probe show /etc/hosts") };
    char *addresses[] = { (char[]){ "10.0.2.15/24" }, NULL }, *servers[] = { (char[]){ "10.0.2.3" }, NULL };
    Peer *p = *state;

    p->network_asked = (AgentNetwork){ .mac = (char[]){ "02:11:22:33:44:55" },
                                       .addresses = addresses,
                                       .nameservers = servers };
    start(state, c, ELEMENTSOF(c));
    assert_string_equal(p->network, "10.0.2.15/24");
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "names stdout nameserver 10.0.2.3\n"));
    assert_true(peer_log_has(p, "hosts stdout 10.0.2.15\tweb\n"));
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void a_pod_without_a_network_keeps_what_its_image_says_of_names(void **state)
{
    CONTAINER(c, "names", "probe show /etc/resolv.conf");
    Peer *p = start(state, &c, 1);

    assert_string_equal(p->network, "");
    peer_until(p, p->powered_off);
    assert_true(peer_log_has(p, "names stdout /etc/resolv.conf: No such file or directory\n"));
}

static void no_line_is_lost_to_a_runner_that_listens(void **state)
{
    CONTAINER(c, "web", "probe lines 100000");
    Peer *p = start(state, &c, 1);

    peer_until(p, p->powered_off);
    assert_int_equal(p->log_seq, 100000);
    assert_int_equal(p->log_dropped, 0);
    assert_true(peer_log_has(p, "web stdout 100000\n"));
}

static void a_container_waits_for_its_disk(void **state)
{
    Peer *p = *state;
    CONTAINER(c, "web", "probe exit 0");

    p->image = NULL;
    start(state, &c, 1);
    peer_until(p, peer_state_is(p, "web", CONTAINER_WAITING));
    agent_disks_changed(p->agent);
    assert_int_equal(p->agent->containers[0].life.phase, LIFE_WAITING);
    p->image = image;
    agent_disks_changed(p->agent);
    assert_int_equal(ended(p, "web")->exit_code, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(a_program_runs_and_its_output_and_status_are_exact),
        WITH_PEER(failures_to_start_are_told_in_words),
        WITH_PEER(policies_restart_and_files_outlive_that),
        WITH_PEER(a_stop_asks_politely_and_then_kills),
        WITH_PEER(a_press_of_the_power_button_is_a_stop_in_the_pods_own_time),
        WITH_PEER(power_is_what_was_declared),
        WITH_PEER(what_is_read_only_cannot_be_written),
        WITH_PEER(a_pod_with_a_network_knows_its_address_and_who_resolves_names),
        WITH_PEER(a_pod_without_a_network_keeps_what_its_image_says_of_names),
        WITH_PEER(no_line_is_lost_to_a_runner_that_listens),
        WITH_PEER(a_container_waits_for_its_disk),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
