/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between two sockets: all of them, in order, and none after the end. */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "supervisor/relay.h"
#include "tests/unit/test.h"

/* A client, a server, and the process that relays between them. */
typedef struct Line {
    int client, server;
    pid_t pid;
} Line;

static Line line_new(void)
{
    int a[2], b[2];

    assert_success(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a));
    assert_success(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b));
    pid_t pid = fork();
    assert_success(pid);
    if (pid == 0) {
        safe_close(a[0]);
        safe_close(b[0]);
        _exit(-relay(a[1], b[1]));
    }
    safe_close(a[1]);
    safe_close(b[1]);
    return (Line){ a[0], b[0], pid };
}

/* What relay() returned. */
static int line_done(Line *l)
{
    int status;

    l->client = safe_close(l->client);
    l->server = safe_close(l->server);
    assert_int_equal(waitpid(l->pid, &status, 0), l->pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void assert_reads(int fd, const char *text)
{
    char buffer[64] = "";

    assert_int_equal(recv(fd, buffer, strlen(text), MSG_WAITALL), strlen(text));
    assert_string_equal(buffer, text);
}

static void assert_ended(int fd)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void each_hears_the_other(void **state)
{
    Line l = line_new();

    assert_int_equal(send(l.client, "question", 8, 0), 8);
    assert_reads(l.server, "question");
    assert_int_equal(send(l.server, "answer", 6, 0), 6);
    assert_reads(l.client, "answer");
    assert_int_equal(line_done(&l), 0);
}

static void the_last_words_are_delivered(void **state)
{
    Line l = line_new();

    assert_int_equal(send(l.client, "farewell", 8, 0), 8);
    l.client = safe_close(l.client);
    assert_reads(l.server, "farewell");
    assert_ended(l.server);
    assert_int_equal(line_done(&l), 0);
}

static void a_server_that_ends_ends_its_client(void **state)
{
    Line l = line_new();

    assert_int_equal(send(l.server, "no", 2, 0), 2);
    l.server = safe_close(l.server);
    assert_reads(l.client, "no");
    assert_ended(l.client);
    assert_int_equal(line_done(&l), 0);
}

/* As much as is taken while the other side does not read. */
static size_t fill(int fd)
{
    static const char block[4096];
    size_t total = 0;

    for (struct pollfd p = { .fd = fd, .events = POLLOUT }; poll(&p, 1, 500) > 0;) {
        ssize_t n = send(fd, block, sizeof block, MSG_DONTWAIT);
        assert_true(n > 0 || errno == EAGAIN);
        total += n > 0 ? (size_t)n : 0;
        assert_true(total < 64 * 1024 * 1024);
    }
    return total;
}

static size_t drain(int fd, size_t size)
{
    static char block[4096];
    size_t total = 0;

    for (ssize_t n; total < size && (n = recv(fd, block, sizeof block, 0)) > 0;)
        total += (size_t)n;
    return total;
}

static void who_does_not_read_is_sent_no_more_and_misses_nothing(void **state)
{
    Line l = line_new();

    size_t sent = fill(l.client);
    assert_true(sent > 64 * 1024);
    /* The other direction goes on meanwhile. */
    assert_int_equal(send(l.server, "answer", 6, 0), 6);
    assert_reads(l.client, "answer");
    assert_int_equal(drain(l.server, sent), sent);
    assert_int_equal(line_done(&l), 0);
}

static void nothing_is_kept_busy_by_a_side_that_hung_up(void **state)
{
    Line l = line_new();
    siginfo_t info;

    (void)fill(l.client);
    l.client = safe_close(l.client);
    /* The server reads nothing, and goes, too. */
    l.server = safe_close(l.server);
    assert_success(waitid(P_PID, (id_t)l.pid, &info, WEXITED | WNOWAIT));
    assert_int_equal(line_done(&l), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_hears_the_other),
        cmocka_unit_test(the_last_words_are_delivered),
        cmocka_unit_test(a_server_that_ends_ends_its_client),
        cmocka_unit_test(who_does_not_read_is_sent_no_more_and_misses_nothing),
        cmocka_unit_test(nothing_is_kept_busy_by_a_side_that_hung_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
