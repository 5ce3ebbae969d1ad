/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets to which QEMU connects, with processes that play it. */
#include "tests/unit/test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "backends/libvirt/channels.h"
#include "backends/libvirt/domain-xml.h"
#include "base/socket.h"

typedef struct Fixture {
    TestDir dir;
    sd_event *event;
    Channels *channels;
    int met, said, flooded;
    int refuse; /* negative errno for whoever comes */
    ProcessId process;
    Bytes text;
} Fixture;

static int on_met(void *userdata, const ProcessId *id)
{
    Fixture *f = userdata;

    f->met++;
    f->process = *id;
    return f->refuse;
}

static void on_said(void *userdata, const Bytes *text, bool flood)
{
    Fixture *f = userdata;

    f->said++;
    f->flooded += flood;
    assert_success(bytes_append(&f->text, text->data, text->size));
}

static const ChannelHandlers handlers = { on_met, on_said };

static Fixture *fixture_new(void)
{
    Fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = test_dir_new();
    assert_success(sd_event_new(&f->event));
    assert_success(channels_new(f->event, f->dir.fd, &handlers, f, &f->channels));
    return f;
}

static void fixture_done(Fixture *f)
{
    channels_free(f->channels);
    sd_event_unref(f->event);
    bytes_done(&f->text);
    test_dir_done(&f->dir);
    free(f);
}

static void run_ready(Fixture *f)
{
    int r;

    while ((r = sd_event_run(f->event, 0)) > 0)
        ;
    assert_success(r);
}

static void run_until_said(Fixture *f, size_t size)
{
    usec_t end = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;

    while (f->text.size < size && now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(f->event, USEC_PER_SEC));
    assert_int_equal(f->text.size, size);
}

static int come(Fixture *f, const char *name)
{
    int fd = socket_connect_at(f->dir.fd, name, SOCK_STREAM);

    assert_true(fd >= 0);
    run_ready(f);
    return fd;
}

/* True when the other end has been closed. */
static bool is_closed(int fd)
{
    char c;
    return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

/* A connection that another process makes, which lives until it is killed. */
static pid_t stranger_comes(Fixture *f, const char *name, int *ret)
{
    int pair[2];
    char c;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        safe_close(pair[0]);
        int fd = socket_connect_at(f->dir.fd, name, SOCK_STREAM);
        _exit(fd >= 0 && packet_send(pair[1], "x", 1, fd) >= 0 && read(pair[1], &c, 1) >= 0 ? 0 : 1);
    }
    Bytes b = { 0 };
    assert_int_equal(packet_receive(pair[0], 1, &b, ret), 1);
    bytes_done(&b);
    safe_close(pair[1]);
    run_ready(f);
    safe_close(pair[0]);
    return child;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void whoever_comes_first_is_met_once(void **state)
{
    Fixture *f = fixture_new();
    int agent = come(f, DOMAIN_XML_AGENT_SOCKET), console = come(f, DOMAIN_XML_CONSOLE_SOCKET);

    assert_int_equal(f->met, 1);
    assert_int_equal(f->process.pid, getpid());
    assert_false(is_closed(agent) || is_closed(console));
    safe_close(agent);
    safe_close(console);
    fixture_done(f);
}

static void the_agents_channel_is_handed_out_once_for_each_connection(void **state)
{
    Fixture *f = fixture_new();

    assert_int_equal(channels_agent(f->channels), -EAGAIN);
    int agent = come(f, DOMAIN_XML_AGENT_SOCKET), taken = channels_agent(f->channels);
    assert_true(taken >= 0);
    assert_int_equal(channels_agent(f->channels), -EAGAIN);
    safe_close(taken);
    assert_true(is_closed(agent));
    int again = come(f, DOMAIN_XML_AGENT_SOCKET);
    taken = channels_agent(f->channels);
    assert_true(taken >= 0);
    safe_close(taken);
    safe_close(again);
    safe_close(agent);
    fixture_done(f);
}

static void another_process_is_not_taken(void **state)
{
    Fixture *f = fixture_new();
    int first = come(f, DOMAIN_XML_AGENT_SOCKET), fd;
    pid_t stranger = stranger_comes(f, DOMAIN_XML_CONSOLE_SOCKET, &fd);

    assert_true(is_closed(fd));
    assert_int_equal(f->met, 1);
    safe_close(fd);
    safe_close(first);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
    fixture_done(f);
}

static void only_the_recorded_process_is_taken(void **state)
{
    Fixture *f = fixture_new();
    ProcessId recorded;
    int fd;

    assert_success(process_identify(getpid(), &recorded));
    channels_expect(f->channels, &recorded);
    pid_t stranger = stranger_comes(f, DOMAIN_XML_AGENT_SOCKET, &fd);
    assert_true(is_closed(fd));
    int ours = come(f, DOMAIN_XML_AGENT_SOCKET);
    assert_false(is_closed(ours));
    assert_int_equal(f->met, 0);
    safe_close(ours);
    safe_close(fd);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
    fixture_done(f);
}

/* The same number, but another beginning. */
static void a_number_that_was_used_again_is_not_the_process(void **state)
{
    Fixture *f = fixture_new();
    ProcessId recorded;

    assert_success(process_identify(getpid(), &recorded));
    recorded.start_time--;
    channels_expect(f->channels, &recorded);
    int fd = come(f, DOMAIN_XML_AGENT_SOCKET);
    assert_true(is_closed(fd));
    safe_close(fd);
    fixture_done(f);
}

static void who_cannot_be_recorded_is_not_taken_and_may_come_again(void **state)
{
    Fixture *f = fixture_new();

    f->refuse = -EIO;
    int fd = come(f, DOMAIN_XML_AGENT_SOCKET);
    assert_true(is_closed(fd));
    f->refuse = 0;
    int again = come(f, DOMAIN_XML_AGENT_SOCKET);
    assert_false(is_closed(again));
    assert_int_equal(f->met, 2);
    safe_close(fd);
    safe_close(again);
    fixture_done(f);
}

static void what_the_console_says_is_told(void **state)
{
    Fixture *f = fixture_new();
    int console = come(f, DOMAIN_XML_CONSOLE_SOCKET);

    assert_int_equal(write(console, "hello\n", 6), 6);
    run_until_said(f, 6);
    assert_memory_equal(f->text.data, "hello\n", 6);
    assert_int_equal(f->said, 1);
    assert_int_equal(f->flooded, 0);
    safe_close(console);
    fixture_done(f);
}

static void the_last_words_are_read_at_the_end(void **state)
{
    Fixture *f = fixture_new();
    int console = come(f, DOMAIN_XML_CONSOLE_SOCKET);

    assert_int_equal(write(console, "panic", 5), 5);
    safe_close(console);
    channels_drain(f->channels);
    assert_int_equal(f->text.size, 5);
    channels_drain(f->channels);
    assert_int_equal(f->said, 1);
    fixture_done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_comes_first_is_met_once),
        cmocka_unit_test(the_agents_channel_is_handed_out_once_for_each_connection),
        cmocka_unit_test(another_process_is_not_taken),
        cmocka_unit_test(only_the_recorded_process_is_taken),
        cmocka_unit_test(a_number_that_was_used_again_is_not_the_process),
        cmocka_unit_test(who_cannot_be_recorded_is_not_taken_and_may_come_again),
        cmocka_unit_test(what_the_console_says_is_told),
        cmocka_unit_test(the_last_words_are_read_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
