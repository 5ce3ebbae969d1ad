/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/program.h"
#include "base/strings.h"
#include "supervisor/pull-launch.h"
#include "supervisor/supervisor.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define CALL_TIMEOUT (10 * USEC_PER_SEC)

typedef struct Puller {
    PullLauncher *launcher;
    char id[PULL_ID_SIZE];
    int pidfd;      /* of a child; -1: it has a unit */
    bool abandoned; /* it is only waited for, to be reaped */
    sd_event_source *source;
    sd_bus_slot *call; /* systemd has not answered yet */
    char *job;         /* its answer: the start; NULL: there was none */
    TAILQ_ENTRY(Puller) entry;
} Puller;

struct PullLauncher {
    Supervisor *supervisor;
    PullEnded ended;
    void *userdata;
    SystemBusUser user;
    sd_bus_slot *removed; /* JobRemoved */
    TAILQ_HEAD(, Puller) pullers;
};

static Puller *puller_free(Puller *p)
{
    if (!p)
        return NULL;
    TAILQ_REMOVE(&p->launcher->pullers, p, entry);
    sd_event_source_disable_unref(p->source);
    sd_bus_slot_unref(p->call);
    safe_close(p->pidfd);
    free(p->job);
    free(p);
    return NULL;
}

static Puller *puller_find(PullLauncher *l, const char *id)
{
    Puller *p;

    TAILQ_FOREACH(p, &l->pullers, entry)
    if (streq(p->id, id) && !p->abandoned)
        return p;
    return NULL;
}

/* The puller is forgotten before anybody is told, so that the next one may begin in there. */
static void puller_ended(Puller *p, const char *why)
{
    PullLauncher *l = p->launcher;
    char id[PULL_ID_SIZE];

    memcpy(id, p->id, sizeof id);
    puller_free(p);
    l->ended(l->userdata, id, why);
}

/* --- as a child ----------------------------------------------------------------------------------------------------- */

static int on_child_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Puller *p = userdata;
    siginfo_t info = { 0 };
    _cleanup_(freep) char *why = NULL;

    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
    if (info.si_code != CLD_EXITED)
        why = strf("its puller was killed by signal %d", info.si_status);
    else if (info.si_status != 0)
        why = strf("its puller ended with exit status %d", info.si_status);
    if (p->abandoned)
        puller_free(p);
    else
        puller_ended(p, why);
    return 0;
}

static int spawn(const Paths *paths, const char *id, pid_t *ret)
{
    _cleanup_(freep) char *program = strf("%s/podvisor-puller", paths->programs);
    /* --root goes by the place of the run directory: everything of such an instance is below it. */
    _cleanup_(freep) char *root = paths->mode == PATHS_ROOT ? strf("%s/..", paths->run) : NULL;
    const char *arguments[5] = { program };
    size_t n = 1;

    if (!program || (paths->mode == PATHS_ROOT && !root))
        return -ENOMEM;
    if (paths->mode == PATHS_ROOT) {
        arguments[n++] = "--root";
        arguments[n++] = root;
    } else if (paths->mode == PATHS_USER) {
        arguments[n++] = "--user";
    }
    arguments[n++] = id;
    return program_start_lasting((char **)(uintptr_t)arguments, environ, -1, ret);
}

static int launch_child(Puller *p)
{
    Supervisor *s = p->launcher->supervisor;
    pid_t pid = 0;

    int r = spawn(s->paths, p->id, &pid);
    if (r < 0)
        return r;
    /* Our own child keeps its number until we reap it. */
    p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r = p->pidfd < 0 ? -errno : sd_event_add_io(s->event, &p->source, p->pidfd, EPOLLIN, on_child_end, p);
    if (r < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    return r;
}

/* --- as a unit ------------------------------------------------------------------------------------------------------- */

static char *unit_of(const char *id)
{
    return strf("podvisor-pull@%s.service", id);
}

/* One before it in the same unit may still be stopped, and its stop be done or cancelled. systemd answers before it says what came of a job. */
static bool is_start_of(const Puller *p, const char *job)
{
    return !p->call && (!p->job || streq(p->job, job));
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    PullLauncher *l = userdata;
    const char *path, *unit, *result;
    uint32_t job;

    if (sd_bus_message_read(m, "uoss", &job, &path, &unit, &result) < 0)
        return 0;
    for (Puller *p = TAILQ_FIRST(&l->pullers), *next; p; p = next) {
        next = TAILQ_NEXT(p, entry);
        _cleanup_(freep) char *own = unit_of(p->id);
        if (!own || !streq(own, unit) || !is_start_of(p, path))
            continue;
        _cleanup_(freep) char *why =
            streq(result, "done") ? NULL : strf("%s: %s; `systemctl status` of it says more", unit, result);
        puller_ended(p, why);
        break;
    }
    return 0;
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Puller *p = userdata;
    const sd_bus_error *e = sd_bus_message_get_error(m);
    const char *job;

    p->call = sd_bus_slot_unref(p->call);
    if (!e && sd_bus_message_read(m, "o", &job) >= 0)
        (void)str_replace(&p->job, job);
    /* No answer is no refusal; it is asked again when the bus is back. */
    if (!e ||
        sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED, SD_BUS_ERROR_TIMEOUT))
        return 0;
    _cleanup_(freep) char *why = strf("systemd does not start its puller: %s", e->message ?: e->name);
    puller_ended(p, why);
    return 0;
}

/* While there is no bus, it waits for it. */
static int launch_unit(Puller *p)
{
    sd_bus *bus = system_bus_get(p->launcher->supervisor->system_bus);
    _cleanup_(freep) char *unit = unit_of(p->id);
    sd_bus_message *m = NULL;

    if (!unit)
        return -ENOMEM;
    if (!bus)
        return 0;
    p->call = sd_bus_slot_unref(p->call);
    (void)str_replace(&p->job, NULL);
    int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartUnit");
    if (r >= 0)
        r = sd_bus_message_append(m, "ss", unit, "replace");
    if (r >= 0)
        r = sd_bus_call_async(bus, &p->call, m, on_started, p, CALL_TIMEOUT);
    sd_bus_message_unref(m);
    return r;
}

static void on_connected(void *userdata, sd_bus *bus)
{
    PullLauncher *l = userdata;

    (void)sd_bus_match_signal_async(bus, &l->removed, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                    "JobRemoved", on_job_removed, NULL, l);
    (void)sd_bus_call_method_async(bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", NULL,
                                   NULL, "");
    Puller *p;
    TAILQ_FOREACH(p, &l->pullers, entry)
    (void)launch_unit(p);
}

static void on_lost(void *userdata)
{
    PullLauncher *l = userdata;
    Puller *p;

    TAILQ_FOREACH(p, &l->pullers, entry)
    p->call = sd_bus_slot_unref(p->call);
    l->removed = sd_bus_slot_unref(l->removed);
}

/* --- both ------------------------------------------------------------------------------------------------------------ */

int pull_launch(PullLauncher *l, const char *id)
{
    pull_abandon(l, id);
    Puller *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->launcher = l;
    p->pidfd = -1;
    memcpy(p->id, id, sizeof p->id);
    TAILQ_INSERT_TAIL(&l->pullers, p, entry);
    int r = l->supervisor->units ? launch_unit(p) : launch_child(p);
    if (r < 0)
        puller_free(p);
    return MIN(r, 0);
}

static void stop_unit(const Puller *p)
{
    sd_bus *bus = system_bus_get(p->launcher->supervisor->system_bus);
    _cleanup_(freep) char *unit = unit_of(p->id);

    if (bus && unit)
        (void)sd_bus_call_method_async(bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StopUnit",
                                       NULL, NULL, "ss", unit, "replace");
}

void pull_abandon(PullLauncher *l, const char *id)
{
    Puller *p = puller_find(l, id);

    if (!p)
        return;
    if (p->pidfd >= 0) {
        p->abandoned = true;
        (void)process_signal(p->pidfd, SIGKILL);
        return;
    }
    stop_unit(p);
    puller_free(p);
}

int pull_launcher_new(PullLauncher **ret, Supervisor *supervisor, PullEnded ended, void *userdata)
{
    PullLauncher *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->supervisor = supervisor;
    l->ended = ended;
    l->userdata = userdata;
    l->user = (SystemBusUser){ .connected = on_connected, .lost = on_lost, .userdata = l };
    TAILQ_INIT(&l->pullers);
    if (supervisor->units)
        system_bus_use(supervisor->system_bus, &l->user);
    *ret = l;
    return 0;
}

PullLauncher *pull_launcher_free(PullLauncher *l)
{
    if (!l)
        return NULL;
    if (l->supervisor->units)
        system_bus_leave(l->supervisor->system_bus, &l->user);
    while (!TAILQ_EMPTY(&l->pullers))
        puller_free(TAILQ_FIRST(&l->pullers));
    sd_bus_slot_unref(l->removed);
    free(l);
    return NULL;
}
