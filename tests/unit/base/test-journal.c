/* SPDX-License-Identifier: Apache-2.0 */
/* Records on their way to a journald that is there, is not, does not read, or comes back; played by a socket. */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/journal-log.h"
#include "tests/unit/test.h"

typedef struct Fixture {
    TestDir dir;
    char *path;
    int journald; /* -1: not there */
    sd_event *event;
} Fixture;

static void journald_begin(Fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    f->journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(f->journald >= 0);
    memcpy(address.sun_path, f->path, strlen(f->path));
    assert_int_equal(bind(f->journald, (struct sockaddr *)&address, sizeof address), 0);
}

static void journald_end(Fixture *f)
{
    f->journald = safe_close(f->journald);
    assert_int_equal(unlink(f->path), 0);
}

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = test_dir_new();
    f->path = strf("%s/socket", f->dir.path);
    f->journald = -1;
    assert_success(sd_event_new(&f->event));
    journal_set_path(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    journal_log_close();
    journal_set_path("/nonexistent");
    safe_close(f->journald);
    sd_event_unref(f->event);
    test_dir_done(&f->dir);
    free(f->path);
    free(f);
    return 0;
}

/* The next record with a NUL behind it; empty when there is none. */
static Bytes received(Fixture *f)
{
    Bytes b = { 0 };

    assert_non_null(bytes_reserve(&b, 1024 * 1024));
    ssize_t n = recv(f->journald, b.data, 1024 * 1024, 0);
    b.size = n > 0 ? (size_t)n : 0;
    assert_success(bytes_terminate(&b));
    return b;
}

static void assert_received(Fixture *f, const char *expected)
{
    _cleanup_(bytes_done) Bytes b = received(f);

    assert_string_equal((char *)b.data, expected);
}

static int say(const char *text)
{
    return journal_send(LOG_INFO, NULL, text, strlen(text));
}

/* Fills its queue; returns how many it took. */
static unsigned fill(Fixture *f)
{
    unsigned n = 0;

    while (say("filling") == 0)
        n++;
    assert_true(n > 0);
    return n;
}

static void a_record_has_its_fields(void **state)
{
    Fixture *f = *state;
    const LogField fields[] = { { "PODVISOR_POD", "web" }, { "PODVISOR_REASON", NULL }, { NULL, NULL } };
    journald_begin(f);
    assert_success(journal_send(LOG_WARNING, fields, "a b", 3));
    assert_received(f, "MESSAGE=a b\nPRIORITY=4\nPODVISOR_POD=web\n");
}

static void bytes_are_as_they_were(void **state)
{
    static const char message[] = "a\0b\nc", expected[] = "MESSAGE\n\5\0\0\0\0\0\0\0a\0b\nc\nPRIORITY=6\n";
    Fixture *f = *state;
    journald_begin(f);
    assert_success(journal_send(LOG_INFO, NULL, message, sizeof message - 1));
    _cleanup_(bytes_done) Bytes b = received(f);
    assert_int_equal(b.size, sizeof expected - 1);
    assert_memory_equal(b.data, expected, b.size);
}

static void a_record_beyond_a_datagram_goes_as_a_sealed_file(void **state)
{
    enum { SIZE = 32 * 1024 * 1024 };
    Fixture *f = *state;
    char space[CMSG_SPACE(sizeof(int))];
    struct msghdr message = { .msg_control = space, .msg_controllen = sizeof space };
    char *text = calloc(1, SIZE);
    int fd;
    journald_begin(f);
    assert_success(journal_send(LOG_INFO, NULL, text, SIZE));
    free(text);
    assert_int_equal(recvmsg(f->journald, &message, MSG_CMSG_CLOEXEC), 0);
    assert_non_null(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE);
    assert_true(lseek(fd, 0, SEEK_END) > SIZE);
    safe_close(fd);
}

static void nothing_waits_for_a_journald_that_does_not_read(void **state)
{
    Fixture *f = *state;
    journald_begin(f);
    (void)fill(f);
    assert_int_equal(say("more"), -EAGAIN);
}

static void a_journald_that_is_not_there_takes_nothing(void **state)
{
    Fixture *f = *state;
    assert_int_equal(say("lost"), -EAGAIN);
    journald_begin(f);
    assert_success(say("1"));
    journald_end(f);
    assert_int_equal(say("lost"), -EAGAIN);
    journald_begin(f);
    assert_success(say("2"));
    assert_received(f, "MESSAGE=2\nPRIORITY=6\n");
}

static void on_wait(void *userdata)
{
    *(bool *)userdata = true;
}

static void room_is_noticed(void **state)
{
    Fixture *f = *state;
    _cleanup_(journal_wait_freep) JournalWait *wait = NULL;
    bool called = false;
    journald_begin(f);
    unsigned n = fill(f);
    assert_success(journal_wait_new(f->event, on_wait, &called, &wait));
    assert_int_equal(sd_event_run(f->event, 0), 0);
    while (n-- > 0)
        bytes_done(&(Bytes[]){ received(f) }[0]);
    while (!called)
        assert_success(sd_event_run(f->event, UINT64_MAX));
}

static void messages_wait_for_journald(void **state)
{
    Fixture *f = *state;
    journal_log_open("podvisord", NULL, false);
    journal_log_attach(f->event);
    log_info("first");
    log_info("second");
    journald_begin(f);
    struct pollfd p = { .fd = f->journald, .events = POLLIN };
    while (poll(&p, 1, 0) == 0)
        assert_success(sd_event_run(f->event, UINT64_MAX));
    assert_received(f, "MESSAGE=first\nPRIORITY=6\nSYSLOG_IDENTIFIER=podvisord\n");
    assert_received(f, "MESSAGE=second\nPRIORITY=6\nSYSLOG_IDENTIFIER=podvisord\n");
}

static void what_is_too_much_is_counted_and_told(void **state)
{
    static const LogField lost[] = { { "PODVISOR_EVENT", "output-lost" }, { NULL, NULL } };
    Fixture *f = *state;
    unsigned seen = 0, said = 0;
    _cleanup_(freep) char *text = calloc(1, 1001);
    bool told = false;
    memset(text, 'x', 1000);
    journal_log_open("podvisord", lost, false);
    while (said < 1000) {
        log_info("%s", text);
        said++;
    }
    journald_begin(f);
    journal_log_attach(f->event);
    while (!told) {
        _cleanup_(bytes_done) Bytes b = received(f);
        if (b.size == 0) {
            assert_success(sd_event_run(f->event, UINT64_MAX));
            continue;
        }
        told = strstr((char *)b.data, "PODVISOR_EVENT=output-lost\n") != NULL;
        seen += !told;
        if (told) {
            _cleanup_(freep) char *expected =
                strf("MESSAGE=%u messages of podvisord were lost: ", said - seen);
            assert_non_null(str_after((char *)b.data, expected));
        }
    }
    assert_true(seen > 100 && seen < said);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_has_its_fields),
        TEST(bytes_are_as_they_were),
        TEST(a_record_beyond_a_datagram_goes_as_a_sealed_file),
        TEST(nothing_waits_for_a_journald_that_does_not_read),
        TEST(a_journald_that_is_not_there_takes_nothing),
        TEST(room_is_noticed),
        TEST(messages_wait_for_journald),
        TEST(what_is_too_much_is_counted_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
