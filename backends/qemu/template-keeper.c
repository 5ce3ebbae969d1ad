/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/qemu/template-keeper-internal.h"
#include "backends/qemu/template-make.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/program.h"
#include "base/socket.h"
#include "base/strings.h"

Template *template_free(Template *t)
{
    Keeper *k = t->keeper;

    spares_done(t);
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
        if (expires(t) <= keeper_now())
            template_free(t);
    }
    arm(k);
    return 0;
}

/* The next moment at which there is something to do: none of them is looked for by waking up. */
static void arm(Keeper *k)
{
    usec_t due = k->n_templates == 0 ? usec_add(keeper_now(), TEMPLATE_IDLE) : USEC_INFINITY;
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

/* message is taken over. */
static void making_failed(Template *t, char *message)
{
    Keeper *k = t->keeper;

    t->phase = TEMPLATE_FAILED;
    t->used = keeper_now();
    t->failure = message;
    t->memory = safe_close(t->memory);
    t->state = safe_close(t->state);
    log_warning("A template of %s with %llu MiB could not be made: %s",
                enum_to_string(&machine_table, (int)t->shape.machine),
                (unsigned long long)(t->shape.memory >> 20), message ?: "out of memory");
    desk_tell(t);
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
    t->used = keeper_now();
    log_info("A template of %s with %llu MiB is ready: %llu MiB, made in %llu ms",
             enum_to_string(&machine_table, (int)t->shape.machine),
             (unsigned long long)(t->shape.memory >> 20), (unsigned long long)st.st_blocks / 2048,
             (unsigned long long)(usec_sub(keeper_now(), t->began) / USEC_PER_MSEC));
    desk_tell(t);
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

/* What makers that were killed have left: one that works now there is none. */
static void sweep(const Keeper *k)
{
    _cleanup_(closedirp) DIR *d = opendir(k->settings->work);

    for (struct dirent *e; d && (e = readdir(d));)
        if (str_after(e->d_name, TEMPLATE_WORK_PREFIX))
            (void)tree_remove_at(dirfd(d), e->d_name);
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
    if (!t->made)
        sweep(k);
    if (t->made)
        making_succeeded(t);
    else if (info.si_code != CLD_EXITED)
        making_failed(t, strf("its maker was killed by signal %d", info.si_status));
    else
        making_failed(t, words ?: strf("its maker ended with status %d", info.si_status));
    keeper_go_on(k);
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
        (r = desk_send(t->channel, TEMPLATE_WANT, &t->shape, -1)) >= 0 &&
        (r = desk_send(t->channel, TEMPLATE_MEMORY, NULL, t->memory)) >= 0)
        r = desk_send(t->channel, TEMPLATE_STATE, NULL, t->state);
    return r < 0 ? r : sd_event_add_io(t->keeper->event, &t->process, t->pidfd, EPOLLIN, on_maker_end, t);
}

static void make(Template *t)
{
    t->began = keeper_now();
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

void keeper_go_on(Keeper *k)
{
    make_next(k);
    spares_go_on(k);
    arm(k);
}

/* --- wishes ------------------------------------------------------------------------------------------------------------------ */

Template *template_find(Keeper *k, const char *key)
{
    Template *t;

    TAILQ_FOREACH(t, &k->templates, entry)
    if (streq(t->shape.key, key))
        return t;
    return NULL;
}

uint64_t keeper_memory_available(void)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    unsigned long long kib = 0;

    if (file_read_at(AT_FDCWD, "/proc/meminfo", 16 * 1024, &text) < 0 || bytes_terminate(&text) < 0)
        return 0;
    const char *line = strstr((const char *)text.data, "MemAvailable:");
    return line && sscanf(line, "MemAvailable: %llu", &kib) == 1 ? kib * 1024 : 0;
}

Template *template_queue(Keeper *k, TemplateShape *shape, const char **ret_why)
{
    /* Its pages are taken one by one while it boots, and where there is none left somebody is killed. */
    bool fits = keeper_memory_available() >= shape->memory;
    Template *t = fits && make_room(k) ? calloc(1, sizeof *t) : NULL;

    *ret_why = fits ? "there are too many others" : "the host has not enough memory left to make one";
    if (!t) {
        schema_done(&template_shape_schema, shape);
        return NULL;
    }
    *t = (Template){ .keeper = k, .shape = *shape, .memory = -1, .state = -1, .channel = -1, .pidfd = -1 };
    TAILQ_INIT(&t->spares);
    TAILQ_INSERT_TAIL(&k->templates, t, entry);
    k->n_templates++;
    return t;
}

int template_keeper_run(const TemplateSettings *settings)
{
    Keeper k = { .settings = settings };

    TAILQ_INIT(&k.templates);
    TAILQ_INIT(&k.visitors);
    spares_init(&k);
    int r = sd_event_new(&k.event);
    if (r >= 0)
        r = desk_open(&k);
    sweep(&k);
    if (r >= 0) {
        keeper_go_on(&k);
        r = sd_event_loop(k.event);
    }
    desk_close(&k);
    while (!TAILQ_EMPTY(&k.templates))
        template_free(TAILQ_FIRST(&k.templates));
    spares_close(&k);
    sd_event_source_disable_unref(k.tidy);
    sd_event_unref(k.event);
    return MIN(r, 0);
}
