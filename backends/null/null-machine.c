/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <systemd/sd-event.h>

#include "backends/null/null-machine.h"
#include "base/id128.h"
#include "base/socket.h"
#include "base/strings.h"
#include "base/units.h"

DEFINE_ENUM_TABLE(
    null_state, "state of a null machine",
    NULL_STATE_MAX, [NULL_BOOTING] = { "booting", "its start takes a while" },
    [NULL_WORKING] = { "working", "its containers run" }, [NULL_PAUSED] = { "paused", "it stands still" },
    [NULL_STOPPED] = { "stopped", "it ended as asked" }, [NULL_DONE] = { "done", "it ended by itself" });

DEFINE_ENUM_TABLE(
    null_order, "order to a null machine",
    NULL_ORDER_MAX, [NULL_STOP] = { "stop", "end in good order" }, [NULL_PAUSE] = { "pause", "stand still" },
    [NULL_RESUME] = { "resume", "go on" }, [NULL_QUIT] = { "quit", "exit, the end has been seen" });

enum { USAGE_ERROR = 2 };

typedef struct NullMachine {
    sd_event *event;
    const char *uuid;
    uint64_t exit_code;
    bool ignore_stop;
    NullState state, before_pause;
    usec_t start_delay, run_time;
    usec_t left;             /* of the timer, while paused; 0: it was not running */
    sd_event_source *timer;  /* the end of booting, or of the run time */
    sd_event_source *listen; /* disabled while a runner is connected: the next one waits in the queue */
    sd_event_source *io;
    int listener, runner;
} NullMachine;

static void runner_drop(NullMachine *m)
{
    m->io = sd_event_source_disable_unref(m->io);
    m->runner = safe_close(m->runner);
    (void)sd_event_source_set_enabled(m->listen, SD_EVENT_ON);
}

static void machine_say(NullMachine *m, const char *key, const char *value)
{
    char text[NULL_PACKET_MAX];

    if (m->runner < 0)
        return;
    int n = snprintf(text, sizeof text, "%s %s", key, value);
    if (packet_send(m->runner, text, (size_t)n, -1) < 0)
        runner_drop(m);
}

static void machine_set_state(NullMachine *m, NullState state)
{
    m->state = state;
    machine_say(m, "state", enum_to_string(&null_state_table, (int)state));
}

static void timer_arm(NullMachine *m, usec_t delay)
{
    if (delay == 0) {
        (void)sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time_relative(m->timer, delay);
    (void)sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
    NullMachine *m = userdata;

    if (m->state == NULL_WORKING) {
        machine_set_state(m, NULL_DONE);
        return 0;
    }
    machine_set_state(m, NULL_WORKING);
    timer_arm(m, m->run_time);
    return 0;
}

static bool machine_ended(const NullMachine *m)
{
    return m->state == NULL_STOPPED || m->state == NULL_DONE;
}

static void order_stop(NullMachine *m)
{
    if (m->ignore_stop || machine_ended(m))
        return;
    timer_arm(m, 0);
    machine_set_state(m, NULL_STOPPED);
}

static void order_pause(NullMachine *m)
{
    uint64_t due = 0;
    int on = 0;

    if (machine_ended(m) || m->state == NULL_PAUSED)
        return;
    (void)sd_event_source_get_time(m->timer, &due);
    (void)sd_event_source_get_enabled(m->timer, &on);
    m->left = on ? MAX(usec_sub(due, now_usec(CLOCK_MONOTONIC)), (usec_t)1) : 0;
    timer_arm(m, 0);
    m->before_pause = m->state;
    machine_set_state(m, NULL_PAUSED);
}

static void order_resume(NullMachine *m)
{
    if (m->state != NULL_PAUSED)
        return;
    machine_set_state(m, m->before_pause);
    timer_arm(m, m->left);
}

static void order_quit(NullMachine *m)
{
    (void)sd_event_exit(m->event, m->state == NULL_DONE ? (int)m->exit_code : 0);
}

static void (*const orders[NULL_ORDER_MAX])(NullMachine *m) = {
    [NULL_STOP] = order_stop,
    [NULL_PAUSE] = order_pause,
    [NULL_RESUME] = order_resume,
    [NULL_QUIT] = order_quit,
};

static int on_runner(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    NullMachine *m = userdata;
    Bytes packet = { 0 };

    ssize_t n = packet_receive(fd, NULL_PACKET_MAX, &packet, NULL);
    if (n > 0 && bytes_terminate(&packet) == 0) {
        int order = enum_from_string(&null_order_table, (const char *)packet.data);
        if (order >= 0)
            orders[order](m);
    } else if (n != -EAGAIN)
        runner_drop(m);
    bytes_done(&packet);
    return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    NullMachine *m = userdata;
    char identity[ID128_TEXT_SIZE + 32];

    int runner = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (runner < 0)
        return 0;
    m->runner = runner;
    (void)sd_event_source_set_enabled(m->listen, SD_EVENT_OFF);
    if (sd_event_add_io(m->event, &m->io, runner, EPOLLIN, on_runner, m) < 0) {
        runner_drop(m);
        return 0;
    }
    (void)snprintf(identity, sizeof identity, "%s %d", m->uuid, (int)getpid());
    machine_say(m, "hello", identity);
    machine_say(m, "state", enum_to_string(&null_state_table, (int)m->state));
    return 0;
}

static int machine_prepare(NullMachine *m)
{
    int r = sd_event_new(&m->event);
    if (r < 0)
        return r;
    if ((r = sd_event_add_io(m->event, &m->listen, m->listener, EPOLLIN, on_connect, m)) < 0)
        return r;
    r = sd_event_add_time_relative(m->event, &m->timer, CLOCK_MONOTONIC, 0, 1, on_timer, m);
    if (r < 0)
        return r;
    timer_arm(m, m->state == NULL_BOOTING ? m->start_delay : m->run_time);
    return 0;
}

bool null_machine_wanted(int argc, char **argv)
{
    return argc > 1 && streq(argv[1], NULL_MACHINE_VERB);
}

int null_machine_main(int argc, char **argv)
{
    enum { UUID = 2, SOCKET, START_DELAY, RUN_TIME, EXIT_CODE, IGNORE_STOP, N_ARGUMENTS };
    NullMachine m = { .listener = -1, .runner = -1 };
    uint64_t numbers[N_ARGUMENTS] = { 0 };

    if (argc != N_ARGUMENTS)
        return USAGE_ERROR;
    for (int i = SOCKET; i < N_ARGUMENTS; i++)
        if (parse_unsigned(argv[i], &numbers[i]) < 0)
            return USAGE_ERROR;
    m.uuid = argv[UUID];
    m.listener = (int)numbers[SOCKET];
    m.start_delay = numbers[START_DELAY];
    m.run_time = numbers[RUN_TIME];
    m.exit_code = numbers[EXIT_CODE];
    m.ignore_stop = numbers[IGNORE_STOP] != 0;
    m.state = m.start_delay > 0 ? NULL_BOOTING : NULL_WORKING;

    int r = machine_prepare(&m);
    if (r >= 0)
        r = sd_event_loop(m.event);
    return r < 0 ? USAGE_ERROR : r;
}
