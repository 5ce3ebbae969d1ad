/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/template-state.h"
#include "backends/qemu/template.h"
#include "backends/qemu/vmm-log.h"
#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"

static void ask_done(QemuTemplate *t)
{
    t->heard = sd_event_source_disable_unref(t->heard);
    t->late = sd_event_source_disable_unref(t->late);
    t->socket = safe_close(t->socket);
    if (t->shape)
        schema_done(&template_shape_schema, t->shape);
    free(t->shape);
    t->shape = NULL;
}

void qemu_template_done(QemuTemplate *t)
{
    ask_done(t);
    t->memory = safe_close(t->memory);
    t->state = safe_close(t->state);
}

/* --- asking ---------------------------------------------------------------------------------------------------------------- */

/* why: a clause; NULL: no template was wanted. */
static void boot_instead(QemuVm *q, char *why)
{
    QemuTemplate *t = &q->template;

    qemu_template_done(t);
    t->decided = true;
    free(q->record.boot_why);
    q->record.boot_why = why;
}

static void decided(QemuVm *q)
{
    if (q->state != QEMU_STARTING)
        return;
    start_mark(q->vm.context->start, START_CHOSEN);
    qemu_start_go_on(q);
}

static void take_template(QemuVm *q)
{
    QemuTemplate *t = &q->template;

    if (!template_files_good(t->shape, t->memory, t->state)) {
        boot_instead(q, strdup("what podvisor-templates hands out is no template"));
        return;
    }
    int state = template_state_open(t->state);
    if (state < 0) {
        boot_instead(q, strf("its state cannot be opened: %s", strerror(-state)));
        return;
    }
    safe_close(t->state);
    t->state = state;
    ask_done(t);
    t->decided = true;
}

/* 1: it has answered; 0: more comes; negative errno: it has gone. */
static int receive(QemuVm *q)
{
    QemuTemplate *t = &q->template;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;
    Message m;

    ssize_t n = packet_receive(t->socket, TEMPLATE_PACKET_MAX, &packet, &fd);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    int r = message_from_bytes(&template_protocol, packet.data, packet.size, &m);
    if (r < 0)
        return r;
    const TemplateNone *none = m.body;
    if (m.type == TEMPLATE_NONE)
        boot_instead(q, none->message ? str_escape(none->message, strlen(none->message)) : NULL);
    else if (m.type == TEMPLATE_MEMORY && t->memory < 0)
        t->memory = take_fd(&fd);
    else if (m.type == TEMPLATE_STATE && t->state < 0)
        t->state = take_fd(&fd);
    else
        qemu_spare_hear(&q->spare, &m, &fd);
    message_done(&m);
    if (!t->decided && t->memory >= 0 && t->state >= 0)
        take_template(q);
    return t->decided;
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    QemuVm *q = userdata;

    int r = receive(q);
    if (r == 0 || r == -EAGAIN)
        return 0;
    if (r < 0)
        boot_instead(q, strf("podvisor-templates does not answer: %s", strerror(-r)));
    decided(q);
    return 0;
}

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    QemuVm *q = userdata;

    boot_instead(q, strdup("podvisor-templates does not answer"));
    decided(q);
    return 0;
}

static int connect_keeper(const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_(freep) char *directory = slash ? strndup(path, (size_t)(slash - path)) : NULL;
    _cleanup_(closep) int dir = directory ? dir_reach_at(AT_FDCWD, directory) : -EINVAL;

    return dir < 0 ? dir : socket_connect_at(dir, slash + 1, SOCK_SEQPACKET | SOCK_NONBLOCK);
}

static int ask(QemuVm *q, char **why)
{
    const RunDefinition *d = q->vm.context->definition;
    QemuTemplate *t = &q->template;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    sd_event *event = q->vm.context->event;

    if (!(t->shape = calloc(1, sizeof *t->shape)))
        return -ENOMEM;
    int r = template_shape(q->vm.context, q->record.accelerator, t->shape, why);
    if (r < 0)
        return r;
    t->shape->spares = d->spares;
    if ((r = t->socket = connect_keeper(d->templates_socket)) < 0) {
        *why = strf("podvisor-templates cannot be asked: %s", strerror(-r));
        return r;
    }
    r = message_to_bytes(&template_protocol, TEMPLATE_WANT, 0, t->shape, &packet);
    if (r >= 0)
        r = packet_send(t->socket, packet.data, packet.size, -1);
    if (r >= 0)
        r = sd_event_add_io(event, &t->heard, t->socket, EPOLLIN, on_answer, q);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &t->late, CLOCK_MONOTONIC, TEMPLATE_ASK_TIMEOUT, 1, on_late, q);
    return r;
}

bool qemu_template_decide(QemuVm *q)
{
    QemuTemplate *t = &q->template;
    char *why = NULL;

    const RunDefinition *d = q->vm.context->definition;
    if (!t->decided && !d->templates_socket)
        boot_instead(q, d->boot_why ? strdup(d->boot_why) : NULL);
    if (t->decided || t->socket >= 0)
        return t->decided;
    int r = ask(q, &why);
    if (r < 0)
        boot_instead(q, why ?: strdup(strerror(-r)));
    return t->decided;
}

/* --- waking ------------------------------------------------------------------------------------------------------------------- */

static int on_load_late(sd_event_source *source, uint64_t when, void *userdata)
{
    QemuVm *q = userdata;

    q->record.boot_why = (free(q->record.boot_why), strdup("QEMU did not load the template in time"));
    (void)process_signal(q->pidfd, SIGKILL);
    return 0;
}

static void on_refused(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;

    if (error >= 0 || error == -ECONNRESET || !q->record.copy || q->state == QEMU_OVER)
        return;
    q->record.boot_why =
        (free(q->record.boot_why), strf("QEMU refuses the template: %s", description ?: strerror(-error)));
    if (q->ours && q->pidfd >= 0)
        (void)process_signal(q->pidfd, SIGKILL);
}

static void on_continued(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;

    on_refused(error, value, description, q);
    if (error < 0 || !(q->state == QEMU_STARTING || q->state == QEMU_ADOPTING))
        return;
    (void)qemu_deadline(q, USEC_INFINITY, NULL);
    qemu_spare_done(&q->spare);
    qemu_template_done(&q->template);
    qemu_proved(q, "running");
}

static int load(QemuVm *q)
{
    if (q->record.state_fd == 0)
        return -EPROTO; /* a spare had done so long ago */
    int r = template_state_load(q->qmp, (int)q->record.state_fd, on_refused, q);
    return r < 0 ? r : qemu_deadline(q, TEMPLATE_LOAD_TIMEOUT, on_load_late);
}

static int go_on(QemuVm *q)
{
    int r = qemu_spare_commit(q);

    return r < 0 ? r : qmp_command(q->qmp, "cont", TEMPLATE_LOAD_TIMEOUT, -1, on_continued, q, NULL);
}

static const struct {
    const char *status;
    int (*next)(QemuVm *q);
} waking[] = {
    { "inmigrate", load },
    { "paused", go_on }, /* nobody can have asked for that before it ran */
    { "prelaunch", go_on },
};

bool qemu_template_wake(QemuVm *q, const char *status)
{
    if (!q->record.copy || q->record.step != QEMU_STEP_SPAWNED || !status)
        return false;
    TABLE_FOREACH (row, waking) {
        if (!streq(row->status, status))
            continue;
        int r = row->next(q);
        if (r < 0)
            on_refused(r, NULL, NULL, q);
        return true;
    }
    return false;
}

void qemu_template_loading(QemuVm *q, const char *status)
{
    if (!q->record.copy || q->record.step != QEMU_STEP_SPAWNED || !streq(status, "completed"))
        return;
    start_mark(q->vm.context->start, START_RESTORED);
    if (go_on(q) < 0)
        on_refused(-EIO, NULL, NULL, q);
}

bool qemu_template_give_up(QemuVm *q)
{
    if (!q->record.copy || q->kill_wanted)
        return false;
    _cleanup_(freep) char *line = vmm_log_last_line(q->log);
    if (!q->record.boot_why)
        q->record.boot_why = strf("QEMU could not load the template: %s", line ?: "it gave no reason");
    q->record.copy = false;
    q->vm.context->start->at[START_RESTORED] = 0;
    qemu_template_done(&q->template);
    q->template.decided = true;
    return true;
}
