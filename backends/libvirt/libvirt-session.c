/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways to the machine, while they last: libvirt's daemon, and the process itself. */
#include <sys/epoll.h>
#include <sys/un.h>

#include "backends/console.h"
#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/domain-xml.h"
#include "backends/libvirt/event-loop.h"
#include "backends/libvirt/libvirt-vm.h"
#include "base/log.h"
#include "base/strings.h"

/* --- jobs -------------------------------------------------------------------------------------------------------------- */

Job *libvirt_job(LibvirtVm *l, int (*run)(Worker *w, virConnectPtr connection, Job *job), usec_t timeout,
                 JobFunc done)
{
    Job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    *job = (Job){ .run = run, .done = done, .userdata = l, .timeout = timeout };
    job->uuid = l->vm.context->definition->uuid;
    job->vm_dir = strdup(l->path);
    return job->vm_dir ? job : job_free(job);
}

int libvirt_call(LibvirtVm *l, Job *job)
{
    return job ? connection_call(l->connection, job) : -ENOMEM;
}

/* --- the process --------------------------------------------------------------------------------------------------------- */

int libvirt_watch_process(LibvirtVm *l)
{
    l->process = sd_event_source_disable_unref(l->process);
    int r = sd_event_add_io(l->vm.context->event, &l->process, l->pidfd, EPOLLIN, libvirt_on_process, l);
    if (r >= 0)
        r = sd_event_source_set_priority(l->process, SD_EVENT_PRIORITY_NORMAL + 2);
    return r;
}

static int on_met(void *userdata, const ProcessId *id)
{
    LibvirtVm *l = userdata;

    if (l->state != LIBVIRT_STARTING && l->state != LIBVIRT_ADOPTING)
        return -EPERM;
    return libvirt_start_met(l, id);
}

/*
 * QEMU waits for libvirt's order to quit when its guest has powered off. Where libvirt is away, or does not know it any more, only the guest's
 * last words tell of that; a guest that only says so ends its own machine.
 */
static void hear_last_words(LibvirtVm *l, const Bytes *text)
{
    static const char words[] = "reboot: Power down";

    if (l->state != LIBVIRT_RUNNING || !memmem(text->data, text->size, words, sizeof words - 1))
        return;
    l->last_words = now_usec(CLOCK_MONOTONIC);
    if (l->away || l->unknown)
        libvirt_end_alone(l);
}

static void on_said(void *userdata, const Bytes *text, bool flood)
{
    LibvirtVm *l = userdata;
    BackendEvent event = {
        .type = BACKEND_OUTPUT,
        .output = { .stream = LOG_STREAM_CONSOLE, .data = text->data, .size = text->size },
    };

    (void)console_keep(l->vm.context->vm_dir, text);
    if (l->state != LIBVIRT_OVER)
        libvirt_tell(l, &event);
    hear_last_words(l, text);
}

static const ChannelHandlers channel_handlers = { .met = on_met, .said = on_said };

/* --- what is told ---------------------------------------------------------------------------------------------------------- */

void libvirt_started(LibvirtVm *l)
{
    BackendEvent event = { .type = BACKEND_STARTED };

    l->state = LIBVIRT_RUNNING;
    libvirt_deadline(l, USEC_INFINITY, NULL);
    oom_watch(&l->oom, (pid_t)l->record.pid);
    event.vmm = (BackendVmm){
        .pid = (pid_t)l->record.pid,
        .started = l->record.started,
        .accelerator = enum_to_string(&accelerator_table, (int)l->record.accelerator),
        .isolated = l->record.accelerator == ACCELERATOR_KVM,
        .paused = l->record.paused,
    };
    libvirt_tell(l, &event);
}

void libvirt_set_paused(LibvirtVm *l, bool paused)
{
    LibvirtOrder wanted = paused ? ORDER_PAUSE : ORDER_RESUME;
    BackendEvent event = { .type = paused ? BACKEND_PAUSED : BACKEND_RESUMED };

    if (l->state != LIBVIRT_RUNNING || l->record.paused == paused)
        return;
    if (l->order != wanted)
        libvirt_log(l, LOG_NOTICE, "the guest was %s through libvirt, not by podvisor",
                    paused ? "paused" : "resumed");
    l->order = ORDER_NONE;
    l->record.paused = paused;
    (void)libvirt_step(l, l->record.step);
    libvirt_tell(l, &event);
}

/* --- the daemon ------------------------------------------------------------------------------------------------------------ */

/* What was missed while it was away. */
static void on_looked(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;

    if (job->error < 0 || l->state == LIBVIRT_OVER)
        return;
    if (job->facts.found && !job->facts.ours)
        libvirt_log(l, LOG_WARNING, "libvirt has given the UUID of the machine to another domain");
    else if (!job->facts.found && !l->unknown && !l->gone)
        libvirt_log(
            l, LOG_WARNING,
            "libvirt does not know the domain any more, but its process lives: the pod goes on, and can "
            "be stopped, but neither paused nor seen by virsh");
    l->unknown = !job->facts.found;
    if (job->facts.ours)
        libvirt_set_paused(l, job->facts.state == VIR_DOMAIN_PAUSED);
}

static void look(LibvirtVm *l)
{
    (void)libvirt_call(l, libvirt_job(l, domain_call_look, DOMAIN_CALL_TIMEOUT, on_looked));
}

static void on_opened(void *userdata)
{
    LibvirtVm *l = userdata;

    if (l->away)
        libvirt_log(l, LOG_NOTICE, "libvirt's daemon is back");
    l->away = false;
    if (l->state == LIBVIRT_STARTING)
        libvirt_start_go_on(l);
    else if (l->state == LIBVIRT_ADOPTING)
        libvirt_adopt_go_on(l);
    else if (l->state != LIBVIRT_OVER)
        look(l);
    if (l->kill_wanted)
        libvirt_kill_go_on(l);
}

static void on_away(void *userdata, int error, const char *why)
{
    LibvirtVm *l = userdata;

    if (!l->away && (l->state == LIBVIRT_RUNNING || l->state == LIBVIRT_ENDING))
        libvirt_log(l, LOG_WARNING, "%s; the machine goes on without it", why);
    l->away |= l->state == LIBVIRT_RUNNING || l->state == LIBVIRT_ENDING;
    /* A daemon that hangs is known to be away only by its silence; the guest may have powered off in it. */
    if (l->state == LIBVIRT_RUNNING && l->last_words > 0 &&
        now_usec(CLOCK_MONOTONIC) - l->last_words < DOMAIN_WORDS_HOLD)
        libvirt_end_alone(l);
    l->kill_asked = false;
    if (l->state == LIBVIRT_STARTING)
        libvirt_start_away(l, error, why);
    else if (l->state == LIBVIRT_ADOPTING)
        libvirt_adopt_away(l, why);
    if (l->kill_wanted && l->state != LIBVIRT_OVER)
        libvirt_kill_away(l);
}

static void on_note(void *userdata, const Note *note)
{
    LibvirtVm *l = userdata;

    if (l->state == LIBVIRT_OVER)
        return;
    if (note->type == NOTE_LIFE)
        libvirt_on_life(l, note->event, note->detail);
    else if (note->type == NOTE_REBOOT)
        libvirt_on_reboot(l);
    else if (note->text)
        libvirt_log(l, LOG_WARNING, "%s", note->text);
}

static const ConnectionHandlers connection_handlers = {
    .opened = on_opened,
    .away = on_away,
    .note = on_note,
};

/* --- the beginning ----------------------------------------------------------------------------------------------------------- */

static char *directory_path(int fd)
{
    char link[40], path[4096];

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    return n > 0 && (size_t)n < sizeof path ? strf("%.*s", (int)n, path) : NULL;
}

static char *uri_of(const RunDefinition *d)
{
    LibvirtUri uri = d->pod.libvirt.uri;

    if (uri == LIBVIRT_URI_AUTO && !d->libvirt_socket)
        uri = geteuid() == 0 ? LIBVIRT_URI_SYSTEM : LIBVIRT_URI_SESSION;
    if (uri != LIBVIRT_URI_SESSION && d->libvirt_socket)
        return strf("qemu+unix:///system?socket=%s", d->libvirt_socket);
    return strf("%s", enum_to_string(&libvirt_uri_table, (int)uri));
}

static int path_find(LibvirtVm *l, char **message)
{
    const size_t room = sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/" DOMAIN_XML_CONSOLE_SOCKET;

    free(l->path);
    l->path = directory_path(l->vm.context->vm_dir);
    if (!l->path)
        return -ENOMEM;
    if (strlen(l->path) <= room)
        return 0;
    *message = strf(
        "the path of its sockets is longer than QEMU can connect to: %s/" DOMAIN_XML_CONSOLE_SOCKET, l->path);
    return -ENAMETOOLONG;
}

static int connect_begin(LibvirtVm *l)
{
    const BackendContext *c = l->vm.context;
    _cleanup_(freep) char *uri = uri_of(c->definition);

    if (!uri)
        return -ENOMEM;
    int r = l->attached ? 0 : event_loop_attach(c->event);
    if (r < 0)
        return r;
    l->attached = true;
    l->connection = connection_free(l->connection);
    if ((r = str_replace(&l->record.uri, uri)) < 0)
        return r;
    return connection_new(c->event, uri, &connection_handlers, l, &l->connection);
}

int libvirt_session_begin(LibvirtVm *l, char **message)
{
    const BackendContext *c = l->vm.context;

    int r = path_find(l, message);
    if (r < 0)
        return r;
    l->channels = channels_free(l->channels);
    r = channels_new(c->event, c->vm_dir, &channel_handlers, l, &l->channels);
    if (r < 0)
        *message = strf("its sockets cannot be made: %s", strerror(-r));
    return r < 0 ? r : connect_begin(l);
}

/* --- pause and resume ---------------------------------------------------------------------------------------------------------- */

static void on_ordered(void *userdata, Job *job)
{
    LibvirtVm *l = userdata;
    bool pause = l->order == ORDER_PAUSE;

    if (l->state != LIBVIRT_RUNNING || l->order == ORDER_NONE)
        return;
    if (job->error >= 0) {
        libvirt_set_paused(l, pause);
        return;
    }
    _cleanup_(freep) char *words = connection_words(job->error, job->why);
    _cleanup_(freep) char *message = strf("libvirt could not %s the guest: %s", pause ? "pause" : "resume",
                                          job->why ?: words ?: strerror(-job->error));
    BackendEvent event = { .type = BACKEND_REFUSED, .message = message };
    l->order = ORDER_NONE;
    libvirt_tell(l, &event);
}

static int order(Vm *vm, LibvirtOrder wanted, int (*run)(Worker *w, virConnectPtr connection, Job *job))
{
    LibvirtVm *l = libvirt_of(vm);

    if (l->state != LIBVIRT_RUNNING)
        return -ESRCH;
    if (l->unknown)
        return -ENODEV;
    int r = libvirt_call(l, libvirt_job(l, run, DOMAIN_CALL_TIMEOUT, on_ordered));
    if (r >= 0)
        l->order = wanted;
    return r;
}

int libvirt_pause(Vm *vm)
{
    return order(vm, ORDER_PAUSE, domain_call_suspend);
}

int libvirt_resume(Vm *vm)
{
    return order(vm, ORDER_RESUME, domain_call_resume);
}
