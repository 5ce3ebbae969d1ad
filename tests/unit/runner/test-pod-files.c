/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets and config files on their way from podvisord to the agent. */
#include <sys/mman.h>

#include "runner/pod-files.h"
#include "tests/unit/runner/fake-agent.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

typedef struct Fixture {
    SecretDefinition secrets[1];
    ConfigDefinition configs[2];
    PodDefinition pod;
    PodFiles *files;
    FakeAgent agent;
    AgentClient *client;
    unsigned refused;
} Fixture;

static void on_anything(void *userdata, void *body) {}
static void on_lost(void *userdata, int error) {}

static void on_room(void *userdata)
{
    Fixture *f = userdata;
    assert_success(pod_files_pump(f->files, f->client));
}

static const AgentCallbacks callbacks = {
    .on = { [AGENT_WELCOME] = on_anything },
    .room = on_room,
    .lost = on_lost,
};

static void on_refused(void *userdata, const char *kind, const char *name, int error, const char *message)
{
    Fixture *f = userdata;

    assert_string_equal(kind, "secret");
    assert_string_equal(name, "key");
    assert_int_equal(error, -EFBIG);
    assert_string_equal(message, "too much");
    f->refused++;
}

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    f->secrets[0] = (SecretDefinition){ .name = TEXT("key"), .source = TEXT("/key") };
    f->configs[0] = (ConfigDefinition){ .name = TEXT("motd"), .content = TEXT("hello") };
    f->configs[1] = (ConfigDefinition){ .name = TEXT("key"), .source = TEXT("/conf") };
    f->pod = (PodDefinition){ .secrets = f->secrets, .n_secrets = 1, .configs = f->configs, .n_configs = 2 };
    assert_success(pod_files_new(&f->pod, on_refused, f, &f->files));
    fake_init(&f->agent, &callbacks, f, &f->client);
    fake_welcome_version(&f->agent, AGENT_PROTOCOL_STORAGE);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    agent_client_free(f->client);
    pod_files_free(f->files);
    fake_done(&f->agent);
    free(f);
    return 0;
}

static int sealed(const void *data, size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_success(fd);
    assert_success(write_all(fd, data, size));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int take(Fixture *f, PodFileKind kind, const char *name, int fd)
{
    RunnerFile message = { .kind = kind, .name = TEXT(name) };

    int r = pod_files_take(f->files, &message, &fd);
    assert_int_equal(fd < 0, r == 0);
    safe_close(fd);
    return r;
}

static void give_text(Fixture *f, PodFileKind kind, const char *text)
{
    assert_success(take(f, kind, "key", sealed(text, strlen(text), F_SEAL_WRITE | F_SEAL_SHRINK)));
}

static void expect(Fixture *f, PodFileKind kind, const char *name, uint64_t offset, const char *text,
                   bool last)
{
    const AgentFile *piece = fake_expect(&f->agent, AGENT_FILE);

    assert_int_equal(piece->kind, kind);
    assert_string_equal(piece->name, name);
    assert_int_equal(piece->offset, offset);
    assert_int_equal(piece->last, last);
    assert_int_equal(piece->data.size, strlen(text));
    assert_memory_equal(piece->data.data, text, strlen(text));
}

static void all_are_sent_to_each_session_and_the_changed_one_again(void **state)
{
    Fixture *f = *state;

    assert_false(pod_files_complete(f->files));
    give_text(f, POD_FILE_CONFIG, "conf");
    assert_false(pod_files_complete(f->files));
    give_text(f, POD_FILE_SECRET, "secret");
    assert_true(pod_files_complete(f->files));
    for (int session = 0; session < 2; session++) {
        assert_int_equal(pod_files_pump(f->files, f->client), 1);
        expect(f, POD_FILE_SECRET, "key", 0, "secret", true);
        expect(f, POD_FILE_CONFIG, "motd", 0, "hello", true);
        expect(f, POD_FILE_CONFIG, "key", 0, "conf", true);
        assert_int_equal(pod_files_pump(f->files, f->client), 1);
        assert_true(fake_is_silent(&f->agent));
        pod_files_rewind(f->files);
    }
    assert_int_equal(pod_files_pump(f->files, f->client), 1);
    for (int i = 0; i < 3; i++)
        (void)fake_expect(&f->agent, AGENT_FILE);
    give_text(f, POD_FILE_SECRET, "");
    assert_int_equal(pod_files_pump(f->files, f->client), 1);
    expect(f, POD_FILE_SECRET, "key", 0, "", true);
    assert_true(fake_is_silent(&f->agent));
}

static void a_large_one_goes_in_pieces_as_there_is_room(void **state)
{
    Fixture *f = *state;
    uint8_t *content = malloc(POD_FILE_CONTENT_MAX);
    size_t got = 0;

    for (size_t i = 0; i < POD_FILE_CONTENT_MAX; i++)
        content[i] = (uint8_t)(i / 7);
    assert_success(take(f, POD_FILE_SECRET, "key", sealed(content, POD_FILE_CONTENT_MAX, F_SEAL_WRITE)));
    assert_int_equal(pod_files_pump(f->files, f->client), 0);
    for (bool last = false; !last;) {
        const AgentFile *piece = fake_expect(&f->agent, AGENT_FILE);
        assert_int_equal(piece->offset, got);
        assert_memory_equal(piece->data.data, content + got, piece->data.size);
        got += piece->data.size;
        last = piece->last;
    }
    assert_int_equal(got, POD_FILE_CONTENT_MAX);
    free(content);
}

static void what_is_not_declared_not_sealed_or_too_large_is_not_taken(void **state)
{
    Fixture *f = *state;
    uint8_t *large = calloc(1, POD_FILE_CONTENT_MAX + 1);

    assert_int_equal(take(f, POD_FILE_SECRET, "motd", sealed("x", 1, F_SEAL_WRITE)), -ENOENT);
    assert_int_equal(take(f, POD_FILE_SECRET, "key", sealed("x", 1, F_SEAL_GROW)), -EINVAL);
    assert_int_equal(take(f, POD_FILE_SECRET, "key", open("/dev/null", O_RDONLY)), -EINVAL);
    assert_int_equal(take(f, POD_FILE_SECRET, "key", sealed(large, POD_FILE_CONTENT_MAX + 1, F_SEAL_WRITE)),
                     -EINVAL);
    RunnerFile nothing = { .kind = POD_FILE_SECRET, .name = TEXT("key") };
    assert_int_equal(pod_files_take(f->files, &nothing, &(int){ -1 }), -EINVAL);
    free(large);
}

static void what_the_agent_refuses_is_told(void **state)
{
    Fixture *f = *state;
    RunnerReply no = { .error = EFBIG, .message = TEXT("too much") };

    give_text(f, POD_FILE_SECRET, "secret");
    assert_int_equal(pod_files_pump(f->files, f->client), 1);
    expect(f, POD_FILE_SECRET, "key", 0, "secret", true);
    fake_say(&f->agent, AGENT_REPLY, fake_id(&f->agent), &no);
    assert_int_equal(f->refused, 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_are_sent_to_each_session_and_the_changed_one_again),
        TEST(a_large_one_goes_in_pieces_as_there_is_room),
        TEST(what_is_not_declared_not_sealed_or_too_large_is_not_taken),
        TEST(what_the_agent_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
