/* SPDX-License-Identifier: Apache-2.0 */
/* What runner and agent say to each other about the pod's network: its addresses, its lease, names of other pods. */
#include "runner/guest-clock.h"
#include "tests/unit/runner/runner-fixture.h"

static int setup(void **state)
{
    return begin(state, false);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void name(Fixture *f, const char *peer)
{
    char *peers[] = { (char *)(uintptr_t)peer, NULL };

    assert_success(runner_name_hosts(f->runner, &(RunnerHosts){ .peers = peers }));
}

static void names_of_other_pods_are_told_one_after_the_other_and_the_last_ones_count(void **state)
{
    Fixture *f = *state;
    RunnerReport *report = &f->runner->record.report;

    fake_welcome_version(&f->agent, AGENT_PROTOCOL_HOSTS);
    (void)clock_answer(f, 0);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    name(f, "db:10.0.0.3"); /* after the agent was told what to run, and before it runs */
    assert_true(fake_is_silent(&f->agent));
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    const RunnerHosts *said = fake_expect(&f->agent, AGENT_HOSTS);
    assert_string_equal(said->peers[0], "db:10.0.0.3");
    uint64_t id = fake_id(&f->agent);
    name(f, "db:10.0.0.4");
    name(f, "db:10.0.0.5");
    assert_true(fake_is_silent(&f->agent));
    fake_say(&f->agent, AGENT_REPLY, id, &(RunnerReply){ 0 });
    said = fake_expect(&f->agent, AGENT_HOSTS);
    assert_string_equal(said->peers[0], "db:10.0.0.5");
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent),
             &(RunnerReply){ .error = EIO, .message = (char[]){ "a\nb" } });
    assert_string_equal(report->hosts_failed, "a\\x0ab");
    name(f, "db:10.0.0.6");
    (void)fake_expect(&f->agent, AGENT_HOSTS);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    assert_null(report->hosts_failed);
}

static void an_agent_that_is_too_old_for_names_of_other_pods_is_told_of(void **state)
{
    Fixture *f = *state;

    configure(f);
    assert_null(f->runner->record.report.hosts_failed);
    name(f, "db:10.0.0.3");
    assert_true(fake_is_silent(&f->agent));
    assert_non_null(strstr(f->runner->record.report.hosts_failed, "is of an older podvisor"));
    assert_int_equal(f->kills, 0);
}

static void an_agent_that_is_too_old_for_a_network_is_not_left_without_one(void **state)
{
    Fixture *f = *state;
    f->runner->definition.pod.network.mode = NETWORK_USER;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_NETWORK - 1);
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_AGENT_REFUSED);
    assert_non_null(strstr(f->runner->record.report.message, "knows no networks"));
}

static void an_agent_is_told_of_the_network(void **state)
{
    Fixture *f = *state;
    f->runner->definition.pod.network.mode = NETWORK_USER;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_NETWORK);
    assert_int_equal(clock_answer(f, 0), 0);
    const AgentConfigure *c = fake_expect(&f->agent, AGENT_CONFIGURE);
    assert_string_equal(c->network.addresses[0], "10.0.2.15/24");
    assert_string_equal(c->network.gateways[0], "10.0.2.2");
    assert_string_equal(c->network.nameservers[0], "10.0.2.3");
    assert_non_null(str_after(c->network.mac, "02:"));
}

static void lease(Fixture *f)
{
    NetworkDefinition *n = &f->runner->definition.pod.network;
    BridgeLink *l = &f->runner->definition.link;

    n->mode = NETWORK_BRIDGE;
    n->lease_timeout = 7 * USEC_PER_SEC;
    assert_success(str_replace(&n->address, "dhcp"));
    assert_success(str_replace(&l->address, "dhcp"));
    assert_success(str_replace(&l->bridge, "br0"));
    assert_success(str_replace(&l->mac, "02:00:00:00:00:07"));
    assert_success(strv_append(&l->dns, "10.0.0.9"));
}

static void an_agent_is_told_to_lease_an_address(void **state)
{
    Fixture *f = *state;
    lease(f);
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_DHCP);
    assert_int_equal(clock_answer(f, 0), 0);
    const AgentConfigure *c = fake_expect(&f->agent, AGENT_CONFIGURE);
    assert_true(c->network.dhcp);
    assert_int_equal(c->network.lease_timeout, 7 * USEC_PER_SEC);
    assert_string_equal(c->network.mac, "02:00:00:00:00:07");
    assert_null(c->network.addresses);
    assert_null(c->network.gateways);
    assert_string_equal(c->network.nameservers[0], "10.0.0.9");
}

static void an_agent_that_leases_none_says_why_on_which_bridge(void **state)
{
    Fixture *f = *state;
    char why[] = "no DHCP server answered within 7s";
    lease(f);
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_DHCP);
    assert_int_equal(clock_answer(f, 0), 0);
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent),
             &(RunnerReply){ .error = EADDRNOTAVAIL, .message = why });
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_AGENT_REFUSED);
    assert_string_equal(f->runner->record.report.message,
                        "no address on the bridge br0: no DHCP server answered within 7s");
}

static void an_agent_that_is_too_old_to_lease_is_refused(void **state)
{
    Fixture *f = *state;
    lease(f);
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_DHCP - 1);
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_string_equal(f->runner->record.report.message,
                        "the agent is of an older podvisor: it cannot lease an address");
}

static void of_a_lease_only_what_can_be_is_believed(void **state)
{
    Fixture *f = *state;
    AgentReport said = { .lease = { .address = (char[]){ "10.0.0.57/24" },
                                    .server = (char[]){ "\033[2J" },
                                    .expires = 7,
                                    .trouble = (char[]){ "a\nb" } } };
    const LeaseReport *known = &f->runner->record.report.lease;
    configure(f);
    /* Of a pod that leases nothing: nothing. */
    fake_say(&f->agent, AGENT_REPORT, 0, &said);
    assert_null(known->address);
    lease(f);
    fake_say(&f->agent, AGENT_REPORT, 0, &said);
    assert_string_equal(known->address, "10.0.0.57/24");
    assert_null(known->server);
    assert_int_equal(known->expires, 7);
    assert_string_equal(known->trouble, "a\\x0ab");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_of_other_pods_are_told_one_after_the_other_and_the_last_ones_count),
        TEST(an_agent_that_is_too_old_for_names_of_other_pods_is_told_of),
        TEST(an_agent_that_is_too_old_for_a_network_is_not_left_without_one),
        TEST(an_agent_is_told_of_the_network),
        TEST(an_agent_is_told_to_lease_an_address),
        TEST(an_agent_that_leases_none_says_why_on_which_bridge),
        TEST(an_agent_that_is_too_old_to_lease_is_refused),
        TEST(of_a_lease_only_what_can_be_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
