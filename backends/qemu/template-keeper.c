/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "backends/qemu/template-keeper.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/program.h"
#include "base/socket.h"
#include "base/strings.h"

enum { CONNECTIONS_MAX = 64 };
/* From its connection on, a runner has so long to say what it wants. */
#define WANT_TIMEOUT (2 * USEC_PER_SEC)

typedef enum TemplateState {
    TEMPLATE_QUEUED,
    TEMPLATE_MAKING,
    TEMPLATE_READY,
    TEMPLATE_FAILED,
    TEMPLATE_STATE_MAX,
} TemplateState;

typedef struct Keeper Keeper;

typedef struct Template {
    Keeper *keeper;
    TemplateShape shape;
    TemplateState phase;
    int memory, state;
    char *failure;
    usec_t used;  /* or failed; CLOCK_BOOTTIME */
    usec_t began; /* its making */
    /* While it is made: */
    int channel, pidfd;
    bool made;
    sd_event_source *process;
    TAILQ_ENTRY(Template) entry;
} Template;

typedef struct Visitor {
    Keeper *keeper;
    int socket;
    sd_event_source *heard, *late;
    TAILQ_ENTRY(Visitor) entry;
} Visitor;

struct Keeper {
    const TemplateSettings *settings;
    sd_event *event;
    TAILQ_HEAD(, Template) templates;
    TAILQ_HEAD(, Visitor) visitors;
    size_t n_templates, n_visitors;
    bool making;
    sd_event_source *tidy;
};

static usec_t now(void)
{
    return now_usec(CLOCK_BOOTTIME);
}

static Template *template_free(Template *t)
{
    Keeper *k = t->keeper;

    TAILQ_REMOVE(&k->templates, t, entry);
    k->n_templates--;
    sd_event_source_disable_unref(t->process);
    safe_close(t->memory);
    safe_close(t->state);
    safe_close(t->channel);
    safe_close(t->pidfd);
    free(t->failure);
    schema_done(&template_shape_schema, &t->shape);
    free(t);
    return NULL;
}

static void visitor_free(Visitor *v)
{
    TAILQ_REMOVE(&v->keeper->visitors, v, entry);
    v->keeper->n_visitors--;
    sd_event_source_disable_unref(v->heard);
    sd_event_source_disable_unref(v->late);
    safe_close(v->socket);
    free(v);
}

/* --- what is kept for how long ---------------------------------------------------------------------------------------------- */

static usec_t expires(const Template *t)
{
    if (t->phase == TEMPLATE_READY)
        return usec_add(t->used, TEMPLATE_UNUSED);
    return t->phase == TEMPLATE_FAILED ? usec_add(t->used, TEMPLATE_FAILED_AGAIN) : USEC_INFINITY;
}

static void arm(Keeper *k);

static int on_tidy(sd_event_source *source, uint64_t when, void *userdata)
{
    Keeper *k = userdata;

    if (k->n_templates == 0 && k->n_visitors == 0) {
        (void)sd_event_exit(k->event, 0);
        return 0;
    }
    for (Template *t = TAILQ_FIRST(&k->templates), *next; t; t = next) {
        next = TAILQ_NEXT(t, entry);
        if (expires(t) <= now())
            template_free(t);
    }
    arm(k);
    return 0;
}

/* The next moment at which there is something to do: none of them is looked for by waking up. */
static void arm(Keeper *k)
{
    usec_t due = k->n_templates == 0 ? usec_add(now(), TEMPLATE_IDLE) : USEC_INFINITY;
    Template *t;

    TAILQ_FOREACH(t, &k->templates, entry)
    due = MIN(due, expires(t));
    k->tidy = sd_event_source_disable_unref(k->tidy);
    if (due != USEC_INFINITY)
        (void)sd_event_add_time(k->event, &k->tidy, CLOCK_BOOTTIME, due, USEC_PER_SEC, on_tidy, k);
}

/* True when there is room for another. */
static bool make_room(Keeper *k)
{
    Template *t, *oldest = NULL;

    if (k->n_templates < TEMPLATES_MAX)
        return true;
    TAILQ_FOREACH(t, &k->templates, entry)
    if (expires(t) != USEC_INFINITY && (!oldest || t->used < oldest->used))
        oldest = t;
    if (oldest)
        template_free(oldest);
    return oldest;
}

/* --- making ------------------------------------------------------------------------------------------------------------------ */

static void make_next(Keeper *k);

static int send_packet(int socket, TemplateMessageType type, const void *body, int fd)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&template_protocol, (int)type, 0, body, &packet);
    return r < 0 ? r : packet_send(socket, packet.data, packet.size, fd);
}

/* message is taken over. */
static void making_failed(Template *t, char *message)
{
    Keeper *k = t->keeper;

    t->phase = TEMPLATE_FAILED;
    t->used = now();
    t->failure = message;
    t->memory = safe_close(t->memory);
    t->state = safe_close(t->state);
    log_warning("A template of %s with %llu MiB could not be made: %s",
                enum_to_string(&machine_table, (int)t->shape.machine),
                (unsigned long long)(t->shape.memory >> 20), message ?: "out of memory");
    arm(k);
}

static void making_succeeded(Template *t)
{
    struct stat st;

    int r = template_files_seal(t->memory, t->state);
    if (r < 0 || !template_files_good(&t->shape, t->memory, t->state) || fstat(t->memory, &st) < 0) {
        making_failed(t, strf("what was made is no template: %s", strerror(r < 0 ? -r : EBADMSG)));
        return;
    }
    t->phase = TEMPLATE_READY;
    t->used = now();
    log_info("A template of %s with %llu MiB is ready: %llu MiB, made in %llu ms",
             enum_to_string(&machine_table, (int)t->shape.machine),
             (unsigned long long)(t->shape.memory >> 20), (unsigned long long)st.st_blocks / 2048,
             (unsigned long long)(usec_sub(now(), t->began) / USEC_PER_MSEC));
    arm(t->keeper);
}

/* What its maker has said; NULL with t->made when it is done. */
static char *maker_words(Template *t)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;
    Message m;

    if (packet_receive(t->channel, TEMPLATE_PACKET_MAX, &packet, &fd) <= 0 ||
        message_from_bytes(&template_protocol, packet.data, packet.size, &m) < 0)
        return NULL;
    const TemplateNone *none = m.body;
    char *words = m.type == TEMPLATE_NONE && none->message ? strdup(none->message) : NULL;
    t->made = m.type == TEMPLATE_MADE;
    message_done(&m);
    return words;
}

static int on_maker_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Template *t = userdata;
    Keeper *k = t->keeper;
    siginfo_t info = { 0 };

    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
    char *words = maker_words(t);
    t->process = sd_event_source_disable_unref(t->process);
    t->channel = safe_close(t->channel);
    t->pidfd = safe_close(t->pidfd);
    k->making = false;
    if (t->made)
        making_succeeded(t);
    else if (info.si_code != CLD_EXITED)
        making_failed(t, strf("its maker was killed by signal %d", info.si_status));
    else
        making_failed(t, words ?: strf("its maker ended with status %d", info.si_status));
    make_next(k);
    return 0;
}

static int start_maker(Template *t)
{
    const TemplateSettings *s = t->keeper->settings;
    const char *arguments[] = { s->program, "--make", s->work, NULL };
    char *environment[] = { (char *)(uintptr_t) "LANG=C", NULL };
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    t->channel = pair[0];
    int r = program_start_lasting((char **)(uintptr_t)arguments, environment, pair[1], &pid);
    safe_close(pair[1]);
    if (r < 0)
        return r;
    if ((t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0)
        return -errno;
    if ((r = template_files_new(&t->shape, &t->memory, &t->state)) >= 0 &&
        (r = send_packet(t->channel, TEMPLATE_WANT, &t->shape, -1)) >= 0 &&
        (r = send_packet(t->channel, TEMPLATE_MEMORY, NULL, t->memory)) >= 0)
        r = send_packet(t->channel, TEMPLATE_STATE, NULL, t->state);
    return r < 0 ? r : sd_event_add_io(t->keeper->event, &t->process, t->pidfd, EPOLLIN, on_maker_end, t);
}

static void make(Template *t)
{
    t->began = now();
    int r = start_maker(t);
    if (r >= 0) {
        t->phase = TEMPLATE_MAKING;
        t->keeper->making = true;
        return;
    }
    if (t->pidfd >= 0) {
        (void)process_signal(t->pidfd, SIGKILL);
        (void)waitid(P_PIDFD, (id_t)t->pidfd, &(siginfo_t){ 0 }, WEXITED);
        t->pidfd = safe_close(t->pidfd);
    }
    t->channel = safe_close(t->channel);
    making_failed(t, strf("its maker cannot be started: %s", strerror(-r)));
}

static void make_next(Keeper *k)
{
    Template *t;

    TAILQ_FOREACH(t, &k->templates, entry)
    {
        if (k->making)
            return;
        if (t->phase == TEMPLATE_QUEUED)
            make(t);
    }
}

/* --- runners ------------------------------------------------------------------------------------------------------------------ */

static Template *find(Keeper *k, const char *key)
{
    Template *t;

    TAILQ_FOREACH(t, &k->templates, entry)
    if (streq(t->shape.key, key))
        return t;
    return NULL;
}

/* Bytes that the host could give without taking them from anybody; 0 when it does not say. */
static uint64_t memory_available(void)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    unsigned long long kib = 0;

    if (file_read_at(AT_FDCWD, "/proc/meminfo", 16 * 1024, &text) < 0 || bytes_terminate(&text) < 0)
        return 0;
    const char *line = strstr((const char *)text.data, "MemAvailable:");
    return line && sscanf(line, "MemAvailable: %llu", &kib) == 1 ? kib * 1024 : 0;
}

/* Our own files, and the key that they give. NULL with *ret_why when it is none that we would make. */
static Template *queue(Keeper *k, const TemplateShape *wanted, const char **ret_why)
{
    /* Its pages are taken one by one while it boots, and where there is none left somebody is killed. */
    if (memory_available() < wanted->memory) {
        *ret_why = "the host has not enough memory left to make one";
        return NULL;
    }
    const TemplateSettings *s = k->settings;
    _cleanup_(freep) char *why = NULL;
    Template *t = make_room(k) ? calloc(1, sizeof *t) : NULL;

    *ret_why = "there are too many others";
    if (!t)
        return NULL;
    *t = (Template){ .keeper = k, .memory = -1, .state = -1, .channel = -1, .pidfd = -1 };
    TAILQ_INSERT_TAIL(&k->templates, t, entry);
    k->n_templates++;
    int r = schema_copy(&template_shape_schema, wanted, &t->shape);
    if (r >= 0 && (r = str_replace(&t->shape.qemu, s->qemu)) >= 0 &&
        (r = str_replace(&t->shape.kernel, s->kernel)) >= 0 &&
        (r = str_replace(&t->shape.initrd, s->initrd)) >= 0)
        r = template_seal_key(&t->shape, NULL, &why);
    if (r >= 0 && streq(t->shape.key, wanted->key))
        return t;
    *ret_why = "its QEMU, kernel or initial file system are not those that templates are made of";
    return template_free(t);
}

/* NULL: it has been handed out. */
static const char *serve(Visitor *v, const TemplateShape *wanted)
{
    Keeper *k = v->keeper;
    const char *why = NULL;

    if (!wanted->key)
        return "it has no key";
    Template *t = find(k, wanted->key);
    if (!t && !(t = queue(k, wanted, &why)))
        return why;
    if (t->phase == TEMPLATE_FAILED)
        return t->failure ?: "it could not be made";
    if (t->phase != TEMPLATE_READY)
        return "it is being made";
    t->used = now();
    if (send_packet(v->socket, TEMPLATE_MEMORY, NULL, t->memory) >= 0)
        (void)send_packet(v->socket, TEMPLATE_STATE, NULL, t->state);
    return NULL;
}

static int on_want(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Visitor *v = userdata;
    Keeper *k = v->keeper;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int passed = -1;
    Message m;

    if (packet_receive(fd, TEMPLATE_PACKET_MAX, &packet, &passed) > 0 &&
        message_from_bytes(&template_protocol, packet.data, packet.size, &m) >= 0) {
        const char *why = m.type == TEMPLATE_WANT ? serve(v, m.body) : "that is no wish";
        if (why)
            (void)send_packet(fd, TEMPLATE_NONE, &(TemplateNone){ .message = (char *)(uintptr_t)why }, -1);
        message_done(&m);
    }
    visitor_free(v);
    /* After the answer: who asks is about to boot, and needs the processors. */
    make_next(k);
    arm(k);
    return 0;
}

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    visitor_free(userdata);
    return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Keeper *k = userdata;

    _cleanup_(closep) int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    Visitor *v = socket < 0 || k->n_visitors >= CONNECTIONS_MAX ? NULL : calloc(1, sizeof *v);
    if (!v)
        return 0;
    *v = (Visitor){ .keeper = k, .socket = take_fd(&socket) };
    TAILQ_INSERT_TAIL(&k->visitors, v, entry);
    k->n_visitors++;
    int r = sd_event_add_io(k->event, &v->heard, v->socket, EPOLLIN, on_want, v);
    if (r >= 0)
        r = sd_event_add_time_relative(k->event, &v->late, CLOCK_MONOTONIC, WANT_TIMEOUT, 1, on_late, v);
    if (r < 0)
        visitor_free(v);
    return 0;
}

int template_keeper_run(const TemplateSettings *settings)
{
    Keeper k = { .settings = settings };

    TAILQ_INIT(&k.templates);
    TAILQ_INIT(&k.visitors);
    int r = sd_event_new(&k.event);
    if (r >= 0)
        r = sd_event_add_io(k.event, NULL, settings->listen, EPOLLIN, on_connection, &k);
    if (r >= 0) {
        arm(&k);
        r = sd_event_loop(k.event);
    }
    while (!TAILQ_EMPTY(&k.visitors))
        visitor_free(TAILQ_FIRST(&k.visitors));
    while (!TAILQ_EMPTY(&k.templates))
        template_free(TAILQ_FIRST(&k.templates));
    sd_event_source_disable_unref(k.tidy);
    sd_event_unref(k.event);
    return MIN(r, 0);
}
