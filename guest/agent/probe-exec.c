/* SPDX-License-Identifier: Apache-2.0 */
/* A probe that is a program in the container: it passes with exit status 0. Its first words are kept for the failure. */
#include <fcntl.h>
#include <sys/pidfd.h>

#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/launch.h"
#include "schemas/formats.h"

static Loop *loop_of(const Probe *p)
{
    return &p->container->agent->loop;
}

/* --- its output --- */

static void output_close(Probe *p)
{
    loop_unwatch(loop_of(p), &p->watch);
    p->fd = safe_close(p->fd);
}

/* What does not fit is read and forgotten, so that the program does not wait. */
static ssize_t output_read(Probe *p)
{
    char rest[4096];
    bool full = p->n_input == sizeof p->input;
    ssize_t n = full ? read(p->fd, rest, sizeof rest)
                     : read(p->fd, p->input + p->n_input, sizeof p->input - p->n_input);

    if (n > 0 && !full)
        p->n_input += (size_t)n;
    return n;
}

static void on_output(void *userdata, uint32_t events)
{
    Probe *p = userdata;
    ssize_t n = output_read(p);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        output_close(p);
}

/* On one line, and no longer than a message needs. */
static char *output_text(Probe *p)
{
    size_t n = MIN(p->n_input, (size_t)PROBE_TEXT_MAX);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p->input[i] < ' ' || p->input[i] == 0x7f)
            p->input[i] = ' ';
    while (n > 0 && p->input[n - 1] == ' ')
        n--;
    return strf("%s%.*s", n > 0 ? ": " : "", (int)n, p->input);
}

/* --- its process --- */

static void launch_close(Probe *p)
{
    loop_unwatch(loop_of(p), &p->launch_watch);
    p->launch_status = safe_close(p->launch_status);
}

static void launch_hear(Probe *p)
{
    int terminal = -1;

    if (p->launch_status < 0)
        return;
    LaunchNews news = launch_news(p->launch_status, &p->launch_ready, &terminal, &p->launch_failure);
    safe_close(terminal);
    if (news == LAUNCH_NOTHING)
        return;
    launch_close(p);
    if (news == LAUNCH_DIED)
        failure_say(&p->launch_failure, -EIO, "its process ended before the program ran");
}

static void on_launch_status(void *userdata, uint32_t events)
{
    launch_hear(userdata);
}

static void on_end(void *userdata, int code, int signal)
{
    Probe *p = userdata;
    Failure f = { 0 };

    if (!p->waits)
        return;
    launch_hear(p);
    /* One that left the pipe to others has said what it said. */
    for (int i = 0; p->fd >= 0 && i < PROBE_INPUT_MAX && p->n_input < sizeof p->input; i++)
        if (output_read(p) <= 0)
            break;
    if (p->launch_failure.error) {
        probe_result(p, &p->launch_failure);
        return;
    }
    if (code == 0) {
        probe_result(p, NULL);
        return;
    }
    _cleanup_(freep) char *text = output_text(p), *name = signal > 0 ? signal_format(signal) : NULL;
    if (signal > 0)
        failure_say(&f, -EIO, "killed by %s%s", name ?: "a signal", text ?: "");
    else
        failure_say(&f, -EIO, "exit status %d%s", code, text ?: "");
    probe_result(p, &f);
}

static int launch_in(Probe *p, int output, Failure *f)
{
    Agent *a = p->container->agent;
    LaunchSpec spec = exec_spec(p->container);
    Launched launched;

    spec.command = p->life.definition->exec;
    spec.stdio[0] = -1;
    spec.stdio[1] = spec.stdio[2] = output;
    int r = launch(&spec, &launched, f);
    if (r < 0)
        return r;
    p->child.on_end = on_end;
    p->child.userdata = p;
    children_add(&a->children, &p->child, launched.pid, launched.pidfd);
    p->waits = true;
    p->launch_status = launched.status;
    p->launch_watch = (Watch){ .func = on_launch_status, .userdata = p };
    r = loop_watch(&a->loop, &p->launch_watch, p->launch_status, EPOLLIN);
    return r < 0 ? failure_set(f, r, "its process cannot be watched") : 0;
}

static int begin(Probe *p, Failure *f)
{
    int fds[2];

    if (!container_runs(p->container))
        return failure_say(f, -ESRCH, "the container does not run");
    if (p->child.pid > 0)
        return failure_say(f, -EBUSY, "the process of an earlier try, though killed, has not ended");
    p->launch_ready = false;
    p->launch_failure.error = 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return failure_set(f, -errno, "its output could not be set up");
    _cleanup_(closep) int theirs = fds[1];
    p->fd = fds[0];
    p->watch = (Watch){ .func = on_output, .userdata = p };
    int r =
        fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : loop_watch(loop_of(p), &p->watch, p->fd, EPOLLIN);
    if (r < 0)
        return failure_set(f, r, "its output could not be set up");
    return launch_in(p, theirs, f);
}

static void end(Probe *p)
{
    output_close(p);
    launch_close(p);
    p->waits = false;
    if (p->child.pid <= 0)
        return;
    /* With what of its session is still in its process group. */
    (void)kill(-p->child.pid, SIGKILL);
    (void)pidfd_send_signal(p->child.pidfd, SIGKILL, NULL, 0);
}

const ProbeMethod probe_exec = { .begin = begin, .end = end };
