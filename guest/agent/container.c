/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/random.h>

#include "base/process.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/container.h"
#include "guest/agent/files.h"
#include "guest/agent/launch.h"
#include "guest/agent/volumes.h"
#include "schemas/formats.h"

#define MEBIBYTE (UINT64_C(1024) * 1024)

/* Of a terminal to which nobody has attached yet. */
enum { TERMINAL_ROWS = 24, TERMINAL_COLUMNS = 80 };

static void tell(Container *c, LifeEvent event);
static void kill_all(Container *c);
static const char *message_of(const Container *c);

/* The first time counts. */
static void mark(Container *c, StartStep step)
{
    if (c->start.at[step] == 0)
        c->start.at[step] = now_usec(CLOCK_MONOTONIC);
}

/* --- launch --- */

static int enter_container(void *userdata, Failure *f)
{
    const ContainerEntry *entry = userdata;

    /* Only now, when it is in its control group, is that the top of what it sees. */
    if (unshare(CLONE_NEWCGROUP) < 0)
        return failure_set(f, -errno, "the control group namespace could not be made");
    return rootfs_enter(entry->platform, entry->config, f);
}

LaunchSpec container_spec(const AgentContainer *config, const int stdio[3])
{
    return (LaunchSpec){
        .command = config->command,
        .environment = config->environment,
        .working_dir = config->working_dir,
        .user = config->user,
        .definition = &config->definition,
        .terminal = config->definition.terminal,
        .rows = TERMINAL_ROWS,
        .columns = TERMINAL_COLUMNS,
        .stdio = { stdio[0], stdio[1], stdio[2] },
        .cgroup = -1,
        .namespaces = CLONE_NEWNS | CLONE_NEWPID,
        .pid_namespace_of = -1,
    };
}

static void launch_close(Container *c)
{
    loop_unwatch(&c->agent->loop, &c->launch_watch);
    c->launch_status = safe_close(c->launch_status);
}

static void launch_told(Container *c, LaunchNews news)
{
    launch_close(c);
    c->launch_failed = news == LAUNCH_FAILED;
    if (news == LAUNCH_DIED)
        failure_say(&c->failure, -EIO, "its process ended before the program ran");
    if (news == LAUNCH_STARTED) {
        c->started = now_usec(CLOCK_REALTIME);
        mark(c, START_STEP_STARTED);
        c->failure.error = 0;
        tell(c, LIFE_STARTED);
    }
}

/* Takes in what the new process has said of itself. */
static void launch_hear(Container *c)
{
    while (c->launch_status >= 0) {
        int terminal = -1;
        LaunchNews news = launch_news(c->launch_status, &c->launch_ready, &terminal, &c->failure);
        if (news == LAUNCH_NOTHING)
            return;
        if (news != LAUNCH_TERMINAL)
            launch_told(c, news);
        else if (c->outputs[0].fd >= 0)
            safe_close(terminal);
        else if (container_output_take(&c->outputs[0], terminal, true) < 0)
            kill_all(c); /* nobody could hear it, nor read why */
    }
}

static void on_launch_status(void *userdata, uint32_t events)
{
    launch_hear(userdata);
}

static int launch_in(Container *c, const int stdio[3], Launched *ret)
{
    Agent *a = c->agent;
    ContainerEntry entry = { a->platform, c->config };
    LaunchSpec spec = container_spec(c->config, stdio);
    bool shared = a->configure.share_pids;
    int pids = shared ? pid_namespace_get(&a->pids, &a->children, a->platform, &c->failure) : -1;
    if (shared && pids < 0)
        return pids;
    spec.cgroup = c->cgroup;
    spec.enter = enter_container;
    spec.userdata = &entry;
    if (shared) {
        spec.namespaces = CLONE_NEWNS;
        spec.pid_namespace_of = pids;
    }
    return launch(&spec, ret, &c->failure);
}

/* What a run that is over had in memory, it has given back. */
static void limit_again(Container *c)
{
    if (c->limits_failure.error)
        container_limit(c);
}

static int launch_anew(Container *c, Launched *ret)
{
    int theirs[3] = { -1, -1, -1 };

    int r = container_streams_open(c, theirs);
    if (r < 0)
        failure_set(&c->failure, r, "its standard streams could not be set up");
    else
        r = launch_in(c, theirs, ret);
    for (size_t i = 0; i < ELEMENTSOF(theirs); i++)
        safe_close(theirs[i]);
    return r;
}

/* By the process that waits, if there is one, and it is for this container. */
static bool launch_standby(Container *c, Launched *ret)
{
    Agent *a = c->agent;
    int outputs[2];

    if (a->configure.share_pids || c != a->containers ||
        !standby_take(&a->standby, &a->children, c->config, outputs, ret))
        return false;
    if (container_streams_take(c, outputs) < 0)
        kill_all(c); /* nobody could hear it */
    return true;
}

static int launch_container(Container *c)
{
    Launched launched;

    limit_again(c);
    c->failure.error = 0;
    c->launch_ready = c->launch_failed = false;
    /* A group that is new has none. */
    c->oom_kills = c->life.restarts == 0 ? 0 : cgroup_oom_kills(c->cgroup);
    int r = launch_standby(c, &launched) ? 0 : launch_anew(c, &launched);
    if (r < 0)
        return r;
    children_add(&c->agent->children, &c->child, launched.pid, launched.pidfd);
    c->launch_status = launched.status;
    return loop_watch(&c->agent->loop, &c->launch_watch, c->launch_status, EPOLLIN);
}

static void launch_or_refuse(Container *c)
{
    if (launch_container(c) >= 0)
        return;
    container_streams_close(c);
    c->life.failed = true;
    tell(c, failure_temporary(&c->failure) ? LIFE_EXITED : LIFE_REFUSED);
}

/* --- life --- */

static void signal_stop(Container *c)
{
    int signal = signal_from_string(c->config->stop_signal ?: "TERM");

    if (signal < 0)
        signal = SIGTERM;
    if (c->child.pid <= 0)
        return;
    /* The kernel never gives to the first process of a namespace what that does not handle: waiting would be for nothing. */
    if (!c->agent->configure.share_pids && !process_hears(c->child.pid, signal))
        tell(c, LIFE_TIMEOUT);
    else
        (void)pidfd_send_signal(c->child.pidfd, signal, NULL, 0);
}

static void kill_all(Container *c)
{
    (void)cgroup_kill(c->cgroup);
    if (c->child.pid > 0)
        (void)pidfd_send_signal(c->child.pidfd, SIGKILL, NULL, 0);
}

static void act(Container *c, LifeAction action)
{
    switch (action) {
    case LIFE_LAUNCH:
        launch_or_refuse(c);
        break;
    case LIFE_SIGNAL:
        signal_stop(c);
        break;
    case LIFE_KILL:
        kill_all(c);
        break;
    case LIFE_NOTHING:
        break;
    }
}

static void tell(Container *c, LifeEvent event)
{
    LifePhase before = c->life.phase;
    LifeAction action = container_life_tell(&c->life, event, loop_now(&c->agent->loop));

    if (before != c->life.phase && c->life.phase == LIFE_RUNNING)
        probes_begin(c);
    else if (before == LIFE_RUNNING && c->life.phase != LIFE_RUNNING)
        probes_end(c);
    container_readiness_changed(c);
    loop_timer_set(&c->agent->loop, &c->timer, c->life.deadline);
    agent_report_due(c->agent);
    act(c, action);
}

static void on_timer(void *userdata)
{
    Container *c = userdata;

    if (c->life.phase == LIFE_WAITING && c->awaits_volume)
        c->failure.error = -ENODEV;
    else if (c->life.phase == LIFE_WAITING)
        failure_say(&c->failure, -ENODEV, "the disk of its image did not appear (SCSI id %llu)",
                    (unsigned long long)c->config->disk);
    if (c->life.phase == LIFE_STARTING)
        failure_say(&c->failure, -ETIMEDOUT, "its process did not start in time");
    tell(c, LIFE_TIMEOUT);
}

static void explain_oom_kill(Container *c)
{
    uint64_t limit = cgroup_memory_max(c->cgroup), peak = cgroup_memory_peak(c->cgroup);
    _cleanup_(freep) char *most = size_format(limit);
    _cleanup_(freep) char *used = size_format((peak + MEBIBYTE - 1) / MEBIBYTE * MEBIBYTE);
    uint64_t swap = c->config->definition.limits.swap;
    _cleanup_(freep) char *swaps = swap == SIZE_INFINITY ? strdup("all") : size_format(swap);

    /* Without a limit of its own, or well below it, it was the pod's memory that came to its end. */
    if (limit != SIZE_INFINITY && peak >= limit / 100 * 95)
        failure_say(&c->failure, -ENOMEM, "killed for want of memory: its limit is %s%s%s%s, and it used %s",
                    most ?: "?", swap > 0 ? " and " : "", swap > 0 ? swaps ?: "?" : "",
                    swap > 0 ? " of the swap space" : "", used ?: "?");
    else
        failure_say(&c->failure, -ENOMEM,
                    "killed for want of memory: it used %s, and the pod's containers had no more",
                    used ?: "?");
}

/* Its process has ended and its output is in the ring. */
static void finish_run(Container *c)
{
    c->process_ended = false;
    if (c->launch_failed) {
        c->life.failed = true;
        tell(c, failure_temporary(&c->failure) ? LIFE_EXITED : LIFE_REFUSED);
        return;
    }
    c->oom_killed = c->exit_signal == SIGKILL && cgroup_oom_kills(c->cgroup) > c->oom_kills;
    if (c->oom_killed)
        explain_oom_kill(c);
    attach_run_ended(c->agent, c, message_of(c));
    tell(c, LIFE_EXITED);
}

static void on_end(void *userdata, int code, int signal)
{
    Container *c = userdata;

    launch_hear(c);
    launch_close(c);
    /* In a pid namespace of its own all others end with the first process; in a shared one nobody else ends them. */
    if (c->agent->configure.share_pids)
        (void)cgroup_kill(c->cgroup);
    exec_container_ended(c->agent, c);
    probes_end(c);
    c->process_ended = true;
    container_input_end(c);
    container_output_end(&c->outputs[0]);
    container_output_end(&c->outputs[1]);
    if (c->launch_failed)
        return;
    c->ended = now_usec(CLOCK_REALTIME);
    if (c->life.phase != LIFE_UNWELL)
        c->given_up.error = 0;
    c->exit_code = code;
    c->exit_signal = (uint64_t)signal;
    c->life.failed = code != 0;
}

bool container_pump(Container *c)
{
    bool more = false;

    for (size_t i = 0; i < ELEMENTSOF(c->outputs); i++)
        more |= container_output_read(&c->outputs[i]);
    if (c->process_ended && c->outputs[0].fd < 0 && c->outputs[1].fd < 0)
        finish_run(c);
    return more;
}

static uint32_t random_number(void)
{
    uint32_t n;
    return getrandom(&n, sizeof n, GRND_NONBLOCK) == sizeof n ? n : 0;
}

void container_init(Container *c, Agent *a, const AgentContainer *config)
{
    const ContainerDefinition *d = &config->definition;

    *c = (Container){ .agent = a, .config = config, .exit_code = -1, .launch_status = -1, .input = -1 };
    c->start.name = d->name;
    container_life_init(&c->life, &d->restart, d->stop_timeout, random_number);
    c->life.once = config->role == CONTAINER_INIT;
    probes_init(c);
    c->timer = (Timer){ .func = on_timer, .userdata = c };
    c->child = (Child){ .pidfd = -1, .on_end = on_end, .userdata = c };
    c->launch_watch = (Watch){ .func = on_launch_status, .userdata = c };
    container_output_init(&c->outputs[0], a, d->name, STREAM_STDOUT);
    container_output_init(&c->outputs[1], a, d->name, STREAM_STDERR);
    if (container_confine(c) < 0)
        tell(c, LIFE_REFUSED);
}

void container_done(Container *c)
{
    if (c->child.pid > 0)
        kill_all(c);
    probes_done(c);
    children_forget(&c->agent->children, &c->child);
    launch_close(c);
    container_streams_close(c);
    loop_timer_clear(&c->agent->loop, &c->timer);
    c->cgroup = safe_close(c->cgroup);
}

void container_begin(Container *c)
{
    c->failure.error = 0;
    mark(c, START_STEP_CALLED);
    tell(c, LIFE_TURN);
    container_look(c);
}

/* "init container migrate", "sidecar proxy" */
static const char *role_words(const Container *c)
{
    return c->config->role == CONTAINER_INIT ? "init container" : "sidecar";
}

void container_refuse(Container *c, const Container *other)
{
    failure_say(&c->failure, -ECANCELED, "it was not started, since %s %s %s", role_words(other),
                other->config->definition.name,
                other->config->role == CONTAINER_INIT ? "failed" : "ended before it was ready");
    tell(c, LIFE_REFUSED);
}

void container_wait_for(Container *c, const Container *other)
{
    if (c->waits_for == other)
        return;
    c->waits_for = other;
    failure_say(&c->failure, -EAGAIN, "it waits for %s %s", role_words(other),
                other->config->definition.name);
    agent_report_due(c->agent);
}

void container_give_up(Container *c)
{
    c->given_up = c->probe_failure;
    tell(c, LIFE_PROBE);
}

void container_readiness_changed(Container *c)
{
    bool running = c->life.phase == LIFE_RUNNING, ready = running && probes_ready(c);
    bool unready = (running && !ready) || c->life.phase == LIFE_UNWELL;

    c->through |= ready;
    if (container_through(c))
        mark(c, START_STEP_DONE);
    if (unready != c->unready)
        agent_report_due(c->agent);
    c->unready = unready;
}

void container_look(Container *c)
{
    if (c->life.phase != LIFE_WAITING)
        return;
    int r = volumes_mount(c->agent->platform, &c->agent->configure, &c->config->definition, &c->failure);
    if (r >= 0)
        r = volumes_swap(c->agent->platform, &c->agent->configure, &c->config->definition, &c->failure);
    c->awaits_volume = r < 0;
    if (r >= 0)
        r = rootfs_make(c->agent->platform, &c->agent->configure, c->config, &c->failure);
    if (r >= 0)
        r = files_give(c->agent->platform, &c->config->definition, &c->failure);
    if (r >= 0 && (r = container_limit_io(c)) < 0)
        failure_set(&c->failure, r, "its limits of input and output could not be set");
    if (r == -ENODEV) {
        c->failure.error = 0;
        return;
    }
    if (r >= 0)
        mark(c, START_STEP_CREATED);
    tell(c, r < 0 ? LIFE_REFUSED : LIFE_READY);
}

static void explain_limits(Container *c, int error)
{
    Failure *f = &c->limits_failure;
    uint64_t used = cgroup_memory_used(c->cgroup), max = cgroup_memory_max(c->cgroup);
    _cleanup_(freep) char *uses = size_format((used + MEBIBYTE - 1) / MEBIBYTE * MEBIBYTE);
    _cleanup_(freep) char *wanted = size_format(c->config->definition.limits.memory);
    _cleanup_(freep) char *stays = max == SIZE_INFINITY ? strdup("none") : size_format(max);

    if (error == -EBUSY)
        failure_say(f, error, "it uses %s, so its memory limit stays %s until its next start, instead of %s",
                    uses ?: "?", stays ?: "?", wanted ?: "?");
    else
        failure_set(f, error, "its limits could not be set");
}

void container_limit(Container *c)
{
    Agent *a = c->agent;
    const ContainerDefinition *d = &c->config->definition;
    Failure swap = { 0 };
    /* One that was refused for its first limits stays so. */
    int r = c->cgroup < 0 ? 0 : cgroup_limit(c->cgroup, &d->limits, a->pids_share, NULL);

    if (r >= 0 && c->cgroup >= 0)
        r = container_limit_io(c);
    c->limits_failure.error = 0;
    if (r < 0)
        explain_limits(c, r);
    else if (volumes_swap(a->platform, &a->configure, d, &swap) < 0)
        c->limits_failure = swap;
    agent_report_due(c->agent);
}

int container_files_changed(Container *c, Failure *f)
{
    return files_give(c->agent->platform, &c->config->definition, f);
}

void container_stop(Container *c, usec_t deadline)
{
    if (c->life.phase == LIFE_QUEUED)
        failure_say(&c->failure, -ECANCELED, "the pod ended before its turn came");
    c->life.stop_deadline = deadline;
    tell(c, LIFE_STOP);
}

static const char *message_of(const Container *c)
{
    return c->failure.error ? c->failure.text : c->given_up.error ? c->given_up.text : NULL;
}

void container_fill_report(const Container *c, ContainerReport *ret)
{
    *ret = (ContainerReport){
        .name = c->config->definition.name,
        .state = container_life_state(&c->life),
        .restarts = c->life.restarts,
        .exit_code = c->exit_code,
        .exit_signal = c->exit_signal,
        .oom_killed = c->oom_killed,
        .started = c->started,
        .ended = c->ended,
        .message = (char *)(uintptr_t)message_of(c),
        .role = c->config->role,
        .unready = c->unready,
        .probe_failure = c->probe_failure.error ? (char *)(uintptr_t)c->probe_failure.text : NULL,
        .probe_failed = c->probe_failed,
        .limits_failed = c->limits_failure.error ? (char *)(uintptr_t)c->limits_failure.text : NULL,
    };
}

bool container_runs(const Container *c)
{
    return c->life.phase == LIFE_RUNNING && c->child.pid > 0;
}

bool container_through(const Container *c)
{
    if (c->config->role == CONTAINER_INIT)
        return c->life.phase == LIFE_ENDED && c->exit_code == 0;
    return c->through;
}
