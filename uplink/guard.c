/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/confine.h"
#include "base/process.h"
#include "base/socket.h"
#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/uplink-protocol.h"
#include "uplink/frames.h"
#include "uplink/guard.h"

enum {
    BUFFER_SIZE = 4 * (FRAME_HEADER + FRAME_MAX),
    LINE_MAX = 512,
};

/* One direction. */
typedef struct Flow {
    int from, to;
    FramesFunc func;
    size_t size;  /* bytes in data */
    size_t ready; /* of those, the first ones that may go on */
    uint8_t data[BUFFER_SIZE];
} Flow;

typedef struct Work {
    Guard *guard;
    Frames *frames;
    Flow up, down;
    char line[LINE_MAX]; /* the last that passt said, and since it was ready */
    size_t line_size;
    bool machine_gone;
} Work;

/* --- confinement --------------------------------------------------------------------------------------------------------- */

/* sigaltstack(2) is the last call of a sanitizer, where one is built in. */
static const int calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(close),
    SCMP_SYS(waitid),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(sigaltstack),
};

int guard_confine(void)
{
    /* Another of the same user, passt of another pod, has no way to look in here. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    int r = confine_writes(NULL, 0);
    if (r < 0)
        return r;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return -ENOMEM;
    TABLE_FOREACH (call, calls)
        r = r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ALLOW, *call, 0);
    if (r >= 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return MIN(r, 0);
}

/* --- frames ---------------------------------------------------------------------------------------------------------------- */

/* Seconds of its own; never 0. */
static uint32_t now_seconds(void)
{
    return (uint32_t)(now_usec(CLOCK_MONOTONIC) / USEC_PER_SEC) + 1;
}

static int flow_filter(Flow *f, Frames *frames)
{
    size_t rest = f->size - f->ready;
    ssize_t whole = frames_filter(frames, f->func, now_seconds(), f->data + f->ready, &rest);

    if (whole < 0)
        return (int)whole;
    f->size = f->ready + rest;
    f->ready += (size_t)whole;
    return 0;
}

/* 1: there was something, 0: its end, -EAGAIN, or another negative errno. */
static int flow_read(Flow *f, Frames *frames)
{
    ssize_t n = recv(f->from, f->data + f->size, sizeof f->data - f->size, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 ? -errno : 0;
    f->size += (size_t)n;
    int r = flow_filter(f, frames);
    return r < 0 ? r : 1;
}

static int flow_write(Flow *f)
{
    ssize_t n = f->ready > 0 ? send(f->to, f->data, f->ready, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    f->size -= (size_t)n;
    f->ready -= (size_t)n;
    memmove(f->data, f->data + n, f->size);
    return 0;
}

static short flow_wants_from(const Flow *f)
{
    return f->size < sizeof f->data ? POLLIN : 0;
}

static short flow_wants_to(const Flow *f)
{
    return f->ready > 0 ? POLLOUT : 0;
}

/* What came is sent on at once, most often without another wait. 0; 1: the end of `from`; or negative errno. */
static int flow_move(Flow *f, Frames *frames, short from)
{
    int r = from & POLLIN && f->size < sizeof f->data ? flow_read(f, frames) : 1;

    if (r == 0)
        return 1;
    return r < 0 && r != -EAGAIN && r != -EINTR ? r : flow_write(f);
}

/* --- passt ------------------------------------------------------------------------------------------------------------------- */

static void tell(Work *w, UplinkMessageType type, const void *body)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    int runner = w->guard->runner;

    if (runner >= 0 && message_to_bytes(&uplink_protocol, (int)type, 0, body, &packet) >= 0)
        (void)!send(runner, packet.data, packet.size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
}

static int on_ready(Work *w)
{
    char pid[32];
    ssize_t n = read(w->guard->ready, pid, sizeof pid);

    if (n > 0) {
        tell(w, UPLINK_READY, NULL);
        w->line_size = 0;
    }
    w->guard->ready = safe_close(w->guard->ready);
    return 0;
}

/* The last lines are kept, as many as fit, without those about a system log that is not there. */
static void take_line(Work *w, const char *line, size_t n)
{
    static const char noise[] = "Failed to send ";

    if (n == 0 || (n >= sizeof noise - 1 && memcmp(line, noise, sizeof noise - 1) == 0))
        return;
    if (w->line_size + n + 2 > sizeof w->line)
        w->line_size = 0;
    if (w->line_size > 0) {
        memcpy(w->line + w->line_size, "; ", 2);
        w->line_size += 2;
    }
    n = MIN(n, sizeof w->line - w->line_size);
    memcpy(w->line + w->line_size, line, n);
    w->line_size += n;
}

static int on_log(Work *w)
{
    char text[4096];
    ssize_t n = read(w->guard->log, text, sizeof text);

    if (n <= 0) {
        w->guard->log = safe_close(w->guard->log);
        return 0;
    }
    for (char *p = text, *end = text + n; p < end;) {
        char *next = memchr(p, '\n', (size_t)(end - p)) ?: end;
        take_line(w, p, (size_t)(next - p));
        p = next + 1;
    }
    return 0;
}

/* It cannot answer any more, and what it says there would be said to nobody. */
static int on_runner(Work *w)
{
    char byte;

    if (recv(w->guard->runner, &byte, 1, MSG_DONTWAIT) <= 0)
        w->guard->runner = safe_close(w->guard->runner);
    return 0;
}

static void drain_log(Work *w)
{
    struct pollfd p = { .fd = w->guard->log, .events = POLLIN };

    while (w->guard->log >= 0 && poll(&p, 1, 0) > 0)
        (void)on_log(w);
}

static char *end_words(Work *w, const siginfo_t *info)
{
    _cleanup_(freep) char *line = str_escape(w->line, w->line_size);
    const char *colon = str_empty(line) ? "" : ": ";

    if (info->si_code == CLD_EXITED)
        return strf("passt ended with status %d%s%s", info->si_status, colon, line ?: "");
    _cleanup_(freep) char *name = signal_format(info->si_status);
    return strf("passt was killed by %s", name ?: "a signal");
}

static char *passt_reap(Work *w)
{
    siginfo_t info = { 0 };

    (void)process_signal(w->guard->pidfd, SIGKILL);
    if (waitid(P_PIDFD, (id_t)w->guard->pidfd, &info, WEXITED) < 0)
        return strf("passt is gone: %s", strerror(errno));
    drain_log(w);
    return end_words(w, &info);
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------- */

enum { GUEST, PASST, PROCESS, LOG, READY, RUNNER, SOURCES };

static bool is_end(int r)
{
    return r == 1 || r == -ECONNRESET || r == -EPIPE;
}

/* 0, 1: it is over, or negative errno. */
static int move_frames(Work *w, const struct pollfd *p)
{
    const short gone = POLLHUP | POLLERR;

    w->machine_gone = p[GUEST].revents & gone;
    if (w->machine_gone || p[PASST].revents & gone)
        return 1;
    int up = flow_move(&w->up, w->frames, p[GUEST].revents),
        down = flow_move(&w->down, w->frames, p[PASST].revents);
    w->machine_gone = up == 1 || up == -ECONNRESET || down == -EPIPE;
    if (is_end(up) || is_end(down))
        return 1;
    return MIN(up, down);
}

static int round_of(Work *w, const struct pollfd *p)
{
    /* First: what it says in the same round comes later. */
    if (p[READY].revents)
        (void)on_ready(w);
    if (p[LOG].revents)
        (void)on_log(w);
    if (p[RUNNER].revents)
        (void)on_runner(w);
    int r = move_frames(w, p);
    return r == 0 && p[PROCESS].revents ? 1 : r;
}

static int loop(Work *w)
{
    Guard *g = w->guard;

    for (int r = 0; r == 0;) {
        struct pollfd p[SOURCES] = {
            [GUEST] = { g->guest, (short)(flow_wants_from(&w->up) | flow_wants_to(&w->down)), 0 },
            [PASST] = { g->passt, (short)(flow_wants_from(&w->down) | flow_wants_to(&w->up)), 0 },
            [PROCESS] = { g->pidfd, POLLIN, 0 },
            [LOG] = { g->log, POLLIN, 0 },
            [READY] = { g->ready, POLLIN, 0 },
            [RUNNER] = { g->runner, POLLIN, 0 },
        };
        if (poll(p, SOURCES, -1) < 0) {
            if (errno != EINTR)
                return -errno;
            continue;
        }
        if ((r = round_of(w, p)) < 0)
            return r;
    }
    return 0;
}

/* passt that lets go of its connection gets a moment to end by itself, so that its own reason is told. */
static void await_process(const Guard *g)
{
    enum { PATIENCE_MSEC = 1000 };
    struct pollfd p = { g->pidfd, POLLIN, 0 };

    (void)poll(&p, 1, PATIENCE_MSEC);
}

int guard_run(Guard *g, char **ret_why)
{
    Work *w = calloc(1, sizeof *w);

    if (!w || !(w->frames = frames_new())) {
        free(w);
        return -ENOMEM;
    }
    w->guard = g;
    w->up = (Flow){ .from = g->guest, .to = g->passt, .func = frames_allow };
    uint8_t mac[MAC_ADDRESS_SIZE];
    if (mac_address_parse(g->mac, mac))
        w->up.size = w->up.ready = frames_announce(mac, w->up.data);
    w->down.from = g->passt;
    w->down.to = g->guest;
    w->down.func = frames_note;
    int r = loop(w);
    bool machine_gone = w->machine_gone;
    if (r == 0 && !machine_gone)
        await_process(g);
    _cleanup_(freep) char *why = passt_reap(w);
    frames_free(w->frames);
    free(w);
    if (r < 0 || machine_gone)
        return r;
    *ret_why = take_ptr(why);
    return 1;
}
