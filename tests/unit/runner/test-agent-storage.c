/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent gets of a pod's disks, secrets and config files, and when: a runner in this process, a fake agent. */
#include <sys/mman.h>

#include "tests/unit/runner/runner-fixture.h"

static int setup(void **state)
{
    return begin(state, true);
}

static int file_come(Fixture *f, const char *text)
{
    RunnerFile file = { .kind = POD_FILE_SECRET, .name = (char[]){ "key" } };
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_success(write_all(fd, text, strlen(text)));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    int r = agent_glue_file(f->runner, &file, &fd);
    safe_close(fd);
    return r;
}

static int file_missing(Fixture *f)
{
    RunnerFile file = { .kind = POD_FILE_SECRET,
                        .name = (char[]){ "key" },
                        .error = (char[]){ "it is gone" } };
    return agent_glue_file(f->runner, &file, &(int){ -1 });
}

static void expect_file(Fixture *f, const char *text)
{
    const AgentFile *piece = fake_expect(&f->agent, AGENT_FILE);

    assert_int_equal(piece->data.size, strlen(text));
    assert_memory_equal(piece->data.data, text, strlen(text));
}

/* As far as to the containers that run. */
static void configure_storage(Fixture *f)
{
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_STORAGE);
    (void)clock_answer(f, 0);
    assert_success(file_come(f, "one"));
    expect_file(f, "one");
    (void)fake_expect(&f->agent, AGENT_CONFIGURE);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &(RunnerReply){ 0 });
    assert_int_equal(state_of(f), RUNNER_RUNNING);
}

static void secrets_are_there_before_the_containers(void **state)
{
    Fixture *f = *state;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_STORAGE);
    (void)clock_answer(f, 0);
    assert_true(fake_is_silent(&f->agent));
    assert_string_equal(f->runner->record.report.phase,
                        "its secrets and config files, which podvisord sends");
    assert_success(file_come(f, "canary"));
    expect_file(f, "canary");
    const AgentConfigure *c = fake_expect(&f->agent, AGENT_CONFIGURE);
    assert_int_equal(c->n_disks, 1);
    assert_string_equal(c->disks[0].volume, "data");
    assert_int_equal(c->disks[0].disk, RUN_VOLUME_DISK);
    /* The guest learns no path of the host. */
    assert_null(c->volumes[0].source);
}

static void a_secret_that_changes_is_sent_again_and_to_each_session(void **state)
{
    Fixture *f = *state;
    configure_storage(f);
    assert_success(file_come(f, "two"));
    expect_file(f, "two");
    f->agent.fd = safe_close(f->agent.fd);
    channel_next(f);
    (void)fake_expect(&f->agent, AGENT_HELLO);
    fake_say(&f->agent, AGENT_WELCOME, 0,
             &(AgentWelcome){ .version = AGENT_PROTOCOL_STORAGE, .configured = true });
    (void)clock_answer(f, 0);
    expect_file(f, "two");
}

static void a_source_that_cannot_be_read_ends_a_start_and_no_pod_that_runs(void **state)
{
    Fixture *f = *state;
    configure_storage(f);
    assert_int_equal(file_missing(f), 0);
    assert_int_equal(f->kills, 0);
}

static void a_start_without_its_secret_fails_with_the_reason(void **state)
{
    Fixture *f = *state;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_STORAGE);
    assert_int_equal(file_missing(f), 0);
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_int_equal(f->runner->record.report.reason, END_START_FAILED);
    assert_string_equal(f->runner->record.report.message, "the secret key cannot be read: it is gone");
}

static void an_agent_of_an_older_podvisor_is_refused_what_it_does_not_know(void **state)
{
    Fixture *f = *state;
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_STORAGE - 1);
    assert_int_equal(f->kills, 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_string_equal(
        f->runner->record.report.message,
        "the agent is of an older podvisor: it knows no disks, no secrets and no config files");
}

static void add_share(Fixture *f)
{
    RunDefinition *d = &f->runner->definition;
    VolumeDefinition *v = field_append(schema_field(&pod_schema, "volumes"), &d->pod);
    RunDisk *share = field_append(schema_field(&run_definition_schema, "shares"), d);

    v->type = VOLUME_SHARE;
    v->mode = SHARE_LIVE;
    assert_success(str_replace(&v->name, "uploads"));
    assert_success(str_replace(&share->volume, "uploads"));
}

static void a_live_share_is_told_to_the_agent_by_its_tag(void **state)
{
    Fixture *f = *state;
    add_share(f);
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_SHARES);
    (void)clock_answer(f, 0);
    assert_success(file_come(f, "canary"));
    expect_file(f, "canary");
    const AgentConfigure *c = fake_expect(&f->agent, AGENT_CONFIGURE);
    assert_int_equal(c->n_shares, 1);
    assert_string_equal(c->shares[0].volume, "uploads");
    assert_string_equal(c->shares[0].tag, "volume1");
}

static void an_agent_that_knows_no_live_shares_gets_no_pod_with_one(void **state)
{
    Fixture *f = *state;
    add_share(f);
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_SHARES - 1);
    machine_ends(END_VMM_SIGNAL, 9);
    assert_string_equal(f->runner->record.report.message,
                        "the agent is of an older podvisor: it knows no shares that are live");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(secrets_are_there_before_the_containers),
        TEST(a_secret_that_changes_is_sent_again_and_to_each_session),
        TEST(a_source_that_cannot_be_read_ends_a_start_and_no_pod_that_runs),
        TEST(a_start_without_its_secret_fails_with_the_reason),
        TEST(an_agent_of_an_older_podvisor_is_refused_what_it_does_not_know),
        TEST(a_live_share_is_told_to_the_agent_by_its_tag),
        TEST(an_agent_that_knows_no_live_shares_gets_no_pod_with_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
