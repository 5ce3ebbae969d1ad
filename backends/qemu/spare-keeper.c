/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spares of templates: how many there are to be, and when they are made.
 *
 * One is made at a time, and only when no start has begun for SPARES_QUIET: it takes as long of a processor as it will save the next
 * start. One that is being made when a start begins is given up.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/qemu/spare.h"
#include "backends/qemu/template-keeper-internal.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/program.h"
#include "base/socket.h"
#include "base/strings.h"

/* A start is over by then, or at least its machine runs. */
#define SPARES_QUIET (2 * USEC_PER_SEC)
/* After one that could not be made, or for which there was no memory. */
#define SPARES_AGAIN (1 * USEC_PER_MINUTE)

static void spare_free(Spare *s)
{
    sd_event_source_disable_unref(s->heard);
    sd_event_source_disable_unref(s->ended);
    safe_close(s->claim);
    safe_close(s->directory);
    safe_close(s->bell);
    safe_close(s->guardian);
    free(s->failure);
    free(s);
}

/* Nobody hands it out any more. Its guardian ends, when nobody else has the claim, and is waited for. */
static void leave(Spare *s)
{
    Keeper *k = s->keeper;

    TAILQ_REMOVE(&s->template->spares, s, entry);
    s->template->n_spares--;
    s->template = NULL;
    TAILQ_INSERT_TAIL(&k->spares_left, s, entry);
    s->heard = sd_event_source_disable_unref(s->heard);
    s->claim = safe_close(s->claim);
    s->directory = safe_close(s->directory);
    s->bell = safe_close(s->bell);
    if (k->spare_made == s)
        k->spare_made = NULL;
}

/* --- what its guardian says ----------------------------------------------------------------------------------------------------- */

static void lost(Spare *s)
{
    Template *t = s->template;

    log_warning("A spare of the template of %s with %llu MiB %s: %s",
                enum_to_string(&machine_table, (int)t->shape.machine),
                (unsigned long long)(t->shape.memory >> 20), s->ready ? "has been lost" : "could not be made",
                s->failure ?: "it ended");
    t->spares_due = usec_add(keeper_now(), s->ready ? SPARES_QUIET : SPARES_AGAIN);
    leave(s);
}

static int on_guardian_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Spare *s = userdata;
    Keeper *k = s->keeper;

    (void)waitid(P_PIDFD, (id_t)fd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
    if (s->template)
        lost(s);
    TAILQ_REMOVE(&k->spares_left, s, entry);
    spare_free(s);
    /* What it has left, if it was killed. One that is just being made may have its directory, and not its lock yet. */
    if (!k->spare_made)
        spare_sweep(k->settings->work);
    keeper_go_on(k);
    return 0;
}

static void take(Spare *s, Message *m, int *fd)
{
    TemplateNone *none = m->body;

    if (m->type == TEMPLATE_SPARE)
        s->is = *(const TemplateSpare *)m->body;
    else if (m->type == TEMPLATE_DIRECTORY && s->directory < 0)
        s->directory = take_fd(fd);
    else if (m->type == TEMPLATE_BELL && s->bell < 0)
        s->bell = take_fd(fd);
    else if (m->type == TEMPLATE_NONE && !s->failure)
        s->failure = take_ptr(none->message);
    if (s->ready || s->is.pid == 0 || s->directory < 0 || s->bell < 0)
        return;
    s->ready = true;
    s->keeper->spare_made = NULL;
}

static int on_guardian(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Spare *s = userdata;
    Keeper *k = s->keeper;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int passed = -1;
    Message m;

    ssize_t n = packet_receive(fd, TEMPLATE_PACKET_MAX, &packet, &passed);
    if (n > 0 && message_from_bytes(&template_protocol, packet.data, packet.size, &m) >= 0) {
        take(s, &m, &passed);
        message_done(&m);
    } else if (n != -EAGAIN)
        s->heard = sd_event_source_disable_unref(s->heard); /* it ends */
    if (s->ready && !k->spare_made)
        spares_go_on(k);
    return 0;
}

/* --- making --------------------------------------------------------------------------------------------------------------------- */

static int start_guardian(Spare *s)
{
    Keeper *k = s->keeper;
    const Template *t = s->template;
    const char *arguments[] = { k->settings->program, "--spare", k->settings->work, NULL };
    char *environment[] = { (char *)(uintptr_t) "LANG=C", NULL };
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    s->claim = pair[0];
    int r = program_start_lasting((char **)(uintptr_t)arguments, environment, pair[1], &pid);
    safe_close(pair[1]);
    if (r < 0)
        return r;
    /* One that cannot be waited for ends with the claim all the same. */
    if ((s->guardian = (int)syscall(SYS_pidfd_open, pid, 0)) < 0)
        return -errno;
    if ((r = sd_event_add_io(k->event, &s->ended, s->guardian, EPOLLIN, on_guardian_end, s)) >= 0 &&
        (r = sd_event_add_io(k->event, &s->heard, s->claim, EPOLLIN, on_guardian, s)) >= 0 &&
        /* What it has said is read before its end is. */
        (r = sd_event_source_set_priority(s->ended, SD_EVENT_PRIORITY_NORMAL + 1)) >= 0 &&
        (r = desk_send(s->claim, TEMPLATE_WANT, &t->shape, -1)) >= 0 &&
        (r = desk_send(s->claim, TEMPLATE_MEMORY, NULL, t->memory)) >= 0)
        r = desk_send(s->claim, TEMPLATE_STATE, NULL, t->state);
    return r;
}

static void make(Template *t)
{
    Keeper *k = t->keeper;
    Spare *s = calloc(1, sizeof *s);

    if (!s)
        return;
    *s = (Spare){ .keeper = k, .template = t, .claim = -1, .directory = -1, .bell = -1, .guardian = -1 };
    TAILQ_INSERT_TAIL(&t->spares, s, entry);
    t->n_spares++;
    k->spare_made = s;
    int r = start_guardian(s);
    if (r >= 0)
        return;
    s->failure = strf("its guardian cannot be started: %s", strerror(-r));
    lost(s);
    if (s->ended)
        return;
    TAILQ_REMOVE(&k->spares_left, s, entry);
    spare_free(s);
}

static void trim(Template *t, uint64_t n)
{
    for (Spare *s = TAILQ_FIRST(&t->spares), *next; s && t->n_spares > n; s = next) {
        next = TAILQ_NEXT(s, entry);
        leave(s);
    }
}

static int on_next(sd_event_source *source, uint64_t when, void *userdata)
{
    Keeper *k = userdata;

    k->spare_next = sd_event_source_disable_unref(k->spare_next);
    spares_go_on(k);
    return 0;
}

/* When this template may have its next one: now, later, or USEC_INFINITY. */
static usec_t due(const Template *t)
{
    const Keeper *k = t->keeper;

    if (t->phase != TEMPLATE_READY || t->n_spares >= k->spares)
        return USEC_INFINITY;
    return MAX(t->spares_due, usec_add(k->wanted, SPARES_QUIET));
}

/* Its pages are taken as its pod writes to them, as any machine's. */
static bool has_room(Template *t)
{
    if (keeper_memory_available() >= t->shape.memory)
        return true;
    if (t->spares_due == 0)
        log_notice(
            "No spare of the template of %s with %llu MiB is made: the host has not enough memory left",
            enum_to_string(&machine_table, (int)t->shape.machine),
            (unsigned long long)(t->shape.memory >> 20));
    t->spares_due = usec_add(keeper_now(), SPARES_AGAIN);
    return false;
}

void spares_go_on(Keeper *k)
{
    usec_t next = USEC_INFINITY;
    Template *t;

    k->spare_next = sd_event_source_disable_unref(k->spare_next);
    TAILQ_FOREACH(t, &k->templates, entry)
    {
        trim(t, k->spares);
        if (k->making || k->spare_made)
            continue;
        if (due(t) <= keeper_now() && has_room(t))
            make(t);
        next = MIN(next, due(t));
    }
    /* Else the end of what is being made leads here again. */
    if (!k->making && !k->spare_made && next != USEC_INFINITY)
        (void)sd_event_add_time(k->event, &k->spare_next, CLOCK_BOOTTIME, next, USEC_PER_SEC / 4, on_next, k);
}

/* --- wishes --------------------------------------------------------------------------------------------------------------------- */

void spares_init(Keeper *k)
{
    TAILQ_INIT(&k->spares_left);
    if (k->settings->spares)
        spare_sweep(k->settings->work);
}

void spares_hear(Keeper *k, const TemplateShape *wanted)
{
    k->wanted = keeper_now();
    k->spares = k->settings->spares ? MIN(wanted->spares, (uint64_t)TEMPLATE_SPARES_MAX) : 0;
    if (k->spare_made)
        leave(k->spare_made);
}

bool spares_hand_out(Template *t, int socket)
{
    Spare *s;

    TAILQ_FOREACH(s, &t->spares, entry)
    if (s->ready)
        break;
    if (!s)
        return false;
    if (desk_send(socket, TEMPLATE_SPARE, &s->is, s->claim) >= 0 &&
        desk_send(socket, TEMPLATE_DIRECTORY, NULL, s->directory) >= 0)
        (void)desk_send(socket, TEMPLATE_BELL, NULL, s->bell);
    leave(s);
    return true;
}

/* What QEMU has written to, of its own memory and the guest's: the rest is the template's, or its program. */
static uint64_t memory_of(const Spare *s)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    _cleanup_(freep) char *path = strf("/proc/%llu/status", (unsigned long long)s->is.pid);
    unsigned long long kib = 0;

    if (!path || file_read_at(AT_FDCWD, path, 16 * 1024, &text) < 0 || bytes_terminate(&text) < 0)
        return 0;
    const char *line = strstr((const char *)text.data, "RssAnon:");
    return line && sscanf(line, "RssAnon: %llu", &kib) == 1 ? kib * 1024 : 0;
}

size_t spares_count(const Template *t, uint64_t *ret_size)
{
    const Spare *s;
    size_t n = 0;

    *ret_size = 0;
    TAILQ_FOREACH(s, &t->spares, entry)
    {
        if (!s->ready)
            continue;
        n++;
        *ret_size += memory_of(s);
    }
    return n;
}

void spares_done(Template *t)
{
    trim(t, 0);
}

void spares_close(Keeper *k)
{
    while (!TAILQ_EMPTY(&k->spares_left)) {
        Spare *s = TAILQ_FIRST(&k->spares_left);
        TAILQ_REMOVE(&k->spares_left, s, entry);
        spare_free(s);
    }
    k->spare_next = sd_event_source_disable_unref(k->spare_next);
}
