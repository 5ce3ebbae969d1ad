/* SPDX-License-Identifier: Apache-2.0 */
/* The guard between a socket of the test's, in QEMU's place, and a child in passt's. */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/socket.h"
#include "schemas/uplink-protocol.h"
#include "tests/unit/test.h"
#include "uplink/frames.h"
#include "uplink/guard.h"

enum { FRAME_SIZE = 60, WHOLE = FRAME_HEADER + FRAME_SIZE, STORM = 20000, BAD_EACH = 3 };

/* --- passt ------------------------------------------------------------------------------------------------------------------ */

typedef void (*Passt)(int socket, int log);

/* Sends back what it gets. */
static void echo(int socket, int log)
{
    uint8_t data[8192];

    for (ssize_t n; (n = read(socket, data, sizeof data)) > 0;)
        if (write_all(socket, data, (size_t)n) < 0)
            break;
}

static void complain(int socket, int log)
{
    static const char words[] = "Failed to send 20 bytes to syslog\nno such thing\nexiting\n";

    (void)!write(log, words, sizeof words - 1);
    _exit(3);
}

static void die(int socket, int log)
{
    (void)raise(SIGKILL);
}

/* --- the world -------------------------------------------------------------------------------------------------------------- */

typedef struct World {
    int qemu, runner;
    pid_t guard;
} World;

static void pair(int type, int *one, int *other)
{
    int ends[2];

    assert_success(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
    *one = ends[0];
    *other = ends[1];
}

/* The guard's process: it never returns. */
static void be_guard(Guard *g, Passt passt)
{
    int theirs, log[2], ready[2];
    char *why = NULL;

    pair(SOCK_STREAM, &g->passt, &theirs);
    if (pipe2(log, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
        _exit(99);
    pid_t child = fork();
    if (child == 0) {
        safe_close(g->guest);
        safe_close(g->passt);
        (void)!write(ready[1], "1\n", 2);
        safe_close(ready[1]);
        passt(theirs, log[1]);
        _exit(0);
    }
    safe_close(theirs);
    safe_close(log[1]);
    safe_close(ready[1]);
    g->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    g->log = log[0];
    g->ready = ready[0];
    if (guard_confine() < 0)
        _exit(99);
    int r = guard_run(g, &why);
    if (why)
        (void)!send(g->runner, why, strlen(why), MSG_NOSIGNAL);
    _exit(r < 0 ? 98 : r);
}

static World world_with_mac(Passt passt, const char *mac)
{
    World w;
    Guard g = { .mac = mac };

    pair(SOCK_STREAM, &w.qemu, &g.guest);
    pair(SOCK_SEQPACKET, &w.runner, &g.runner);
    w.guard = fork();
    if (w.guard == 0) {
        safe_close(w.qemu);
        safe_close(w.runner);
        be_guard(&g, passt);
    }
    safe_close(g.guest);
    safe_close(g.runner);
    return w;
}

static World world_new(Passt passt)
{
    return world_with_mac(passt, NULL);
}

static int world_end(World *w)
{
    int status;

    safe_close(w->qemu);
    safe_close(w->runner);
    assert_int_equal(waitpid(w->guard, &status, 0), w->guard);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The runner's packets: what is no message is the guard's reason, which uplink.c would tell. */
static void assert_last_word(const World *w, const char *wanted)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    Message m;

    for (;;) {
        assert_true(packet_receive(w->runner, UPLINK_PACKET_MAX, &packet, NULL) > 0);
        if (message_from_bytes(&uplink_protocol, packet.data, packet.size, &m) < 0)
            break;
        assert_int_equal(m.type, UPLINK_READY);
        message_done(&m);
    }
    assert_success(bytes_terminate(&packet));
    assert_string_equal((char *)packet.data, wanted);
}

/* --- frames ----------------------------------------------------------------------------------------------------------------- */

/* The i-th one, to 192.0.2.1; each third to what must not pass. */
static void make_frame(uint8_t to[WHOLE], uint32_t i)
{
    static const uint8_t good[] = { 192, 0, 2, 1 }, bad[] = { 127, 0, 0, 1 };
    uint8_t *ethernet = to + FRAME_HEADER, *ip = ethernet + 14;

    memset(to, 0, WHOLE);
    to[3] = FRAME_SIZE;
    ethernet[12] = 0x08;
    ip[0] = 0x45;
    memcpy(ip + 16, i % BAD_EACH == 0 ? bad : good, sizeof good);
    memcpy(ip + 20, &i, sizeof i);
}

static uint32_t next_good(uint32_t i)
{
    return (i + 1) % BAD_EACH == 0 ? i + 2 : i + 1;
}

/* Sends all of them as fast as they are taken, and takes what comes back: every good one, once, in order. */
static void a_storm_of_frames_comes_back_whole_without_the_forbidden_ones(void **state)
{
    World w = world_new(echo);
    uint8_t out[WHOLE], in[WHOLE], wanted[WHOLE];
    uint32_t sent = 0, awaited = 1;
    size_t out_done = 0, in_done = 0;

    make_frame(out, sent);
    while (awaited < STORM) {
        struct pollfd p = { w.qemu, (short)(POLLIN | (sent < STORM ? POLLOUT : 0)), 0 };
        assert_int_equal(poll(&p, 1, 60000), 1);
        ssize_t n = p.revents & POLLOUT ? send(w.qemu, out + out_done, WHOLE - out_done, MSG_DONTWAIT) : 0;
        out_done += (size_t)MAX(n, 0);
        if (out_done == WHOLE && ++sent <= STORM) {
            make_frame(out, sent);
            out_done = 0;
        }
        n = p.revents & POLLIN ? recv(w.qemu, in + in_done, WHOLE - in_done, MSG_DONTWAIT) : 0;
        in_done += (size_t)MAX(n, 0);
        if (in_done < WHOLE)
            continue;
        make_frame(wanted, awaited);
        assert_memory_equal(in, wanted, WHOLE);
        in_done = 0;
        awaited = next_good(awaited);
    }
    assert_int_equal(world_end(&w), 0);
}

static void a_runner_that_goes_away_changes_nothing(void **state)
{
    World w = world_new(echo);
    uint8_t frame[WHOLE], back[WHOLE];

    w.runner = safe_close(w.runner);
    for (uint32_t i = 1; i < 100; i = next_good(i)) {
        make_frame(frame, i);
        assert_success(write_all(w.qemu, frame, WHOLE));
        for (size_t n = 0; n < WHOLE;) {
            ssize_t r = read(w.qemu, back + n, WHOLE - n);
            assert_true(r > 0);
            n += (size_t)r;
        }
        assert_memory_equal(back, frame, WHOLE);
    }
    assert_int_equal(world_end(&w), 0);
}

/* Before anything of the guest's: passt sends to everybody until it knows the guest, and no guest answers that. */
static void passt_is_told_first_who_the_guest_is(void **state)
{
    static const uint8_t wanted[] = {
        0,    0,    0,    42,                                            /* size */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0x1c, 0, 0,  0, 9, 8, 6, /* to everybody, ARP */
        0,    1,    8,    0,    6,    4,    0,  1,                       /* a request */
        2,    0x1c, 0,    0,    0,    9,    10, 0,    2, 15, 0, 0, 0, 0,
        0,    0,    10,   0,    2,    15, /* about itself */
    };
    World w = world_with_mac(echo, "02:1c:00:00:00:09");
    uint8_t frame[WHOLE], back[sizeof wanted + WHOLE];

    make_frame(frame, 1);
    assert_success(write_all(w.qemu, frame, WHOLE));
    for (size_t n = 0; n < sizeof back;) {
        ssize_t r = read(w.qemu, back + n, sizeof back - n);
        assert_true(r > 0);
        n += (size_t)r;
    }
    assert_memory_equal(back, wanted, sizeof wanted);
    assert_memory_equal(back + sizeof wanted, frame, WHOLE);
    assert_int_equal(world_end(&w), 0);
}

/* --- ends ------------------------------------------------------------------------------------------------------------------- */

static void the_end_of_the_machine_is_the_end(void **state)
{
    World w = world_new(echo);

    assert_int_equal(world_end(&w), 0);
}

static void a_machine_that_sends_what_is_no_frame_is_cut_off(void **state)
{
    World w = world_new(echo);
    static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff };
    char byte;

    assert_success(write_all(w.qemu, huge, sizeof huge));
    assert_int_equal(read(w.qemu, &byte, 1), 0);
    assert_int_equal(world_end(&w), 98);
}

static void passt_that_fails_has_said_why(void **state)
{
    World w = world_new(complain);

    assert_last_word(&w, "passt ended with status 3: no such thing; exiting");
    assert_int_equal(world_end(&w), 1);
}

static void passt_that_is_killed_is_said_to_be(void **state)
{
    World w = world_new(die);

    assert_last_word(&w, "passt was killed by SIGKILL");
    assert_int_equal(world_end(&w), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_frames_comes_back_whole_without_the_forbidden_ones),
        cmocka_unit_test(a_runner_that_goes_away_changes_nothing),
        cmocka_unit_test(passt_is_told_first_who_the_guest_is),
        cmocka_unit_test(the_end_of_the_machine_is_the_end),
        cmocka_unit_test(a_machine_that_sends_what_is_no_frame_is_cut_off),
        cmocka_unit_test(passt_that_fails_has_said_why),
        cmocka_unit_test(passt_that_is_killed_is_said_to_be),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
