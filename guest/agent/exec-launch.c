/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "guest/agent/agent.h"
#include "guest/agent/launch.h"
#include "guest/agent/task.h"

/* In the new process: its way into the container is the first process of it. */
static int enter_namespaces(void *userdata, Failure *f)
{
    const Container *c = userdata;

    if (setns(c->child.pidfd, CLONE_NEWNS | CLONE_NEWCGROUP) < 0)
        return failure_set(f, -errno, "the container could not be entered");
    return 0;
}

void exec_close_streams(Exec *e)
{
    Loop *l = &e->agent->loop;

    stream_input_close(&e->input, l);
    for (size_t i = 0; i < ELEMENTSOF(e->outputs); i++)
        stream_output_close(&e->outputs[i], l);
}

/* ours[0] becomes the input's, ours[1] and ours[2] the outputs'; theirs are for the program. */
static int open_pipes(Exec *e, int theirs[3])
{
    Loop *l = &e->agent->loop;

    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
            return -errno;
        theirs[i] = fds[i == 0 ? 0 : 1];
        int r = i == 0 ? stream_input_open(&e->input, l, fds[1])
                       : stream_output_open(&e->outputs[i - 1], l, fds[0]);
        if (r < 0)
            return r;
    }
    return 0;
}

static void on_launch_status(void *userdata, uint32_t events)
{
    exec_hear(userdata);
}

LaunchSpec exec_spec(const Container *c)
{
    return (LaunchSpec){
        .environment = c->config->environment,
        .working_dir = c->config->working_dir,
        .user = c->config->user,
        .definition = &c->config->definition,
        .stdio = { -1, -1, -1 },
        .cgroup = c->cgroup,
        .pid_namespace_of = c->child.pidfd,
        .enter = enter_namespaces,
        .userdata = (void *)(uintptr_t)c,
    };
}

static LaunchSpec program_spec(const Exec *e, const Container *c, const ExecRequest *request)
{
    LaunchSpec spec = exec_spec(c);

    spec.command = request->command;
    spec.more_environment = request->environment;
    spec.working_dir = request->working_dir ?: spec.working_dir;
    spec.user = request->user ?: spec.user;
    spec.terminal = e->terminal;
    spec.rows = e->rows;
    spec.columns = e->columns;
    return spec;
}

static int start_process(Exec *e, const Container *c, const ExecRequest *request, const int stdio[3],
                         Launched *ret, Failure *f)
{
    TaskWork work = { .agent = e->agent, .container = c, .request = request };
    LaunchSpec spec = { 0 };
    int r = 0;

    if (request->task == TASK_PROGRAM)
        spec = program_spec(e, c, request);
    else
        r = task_prepare(&work, &spec, f);
    if (r < 0)
        return r;
    for (int i = 0; i < 3; i++)
        spec.stdio[i] = stdio[i];
    return launch(&spec, ret, f);
}

int exec_launch(Exec *e, const Container *c, const ExecRequest *request, Failure *f)
{
    int theirs[3] = { -1, -1, -1 };
    Launched launched;

    int r = e->terminal ? 0 : open_pipes(e, theirs);
    if (r < 0)
        failure_set(f, r, "its streams could not be set up");
    else
        r = start_process(e, c, request, theirs, &launched, f);
    for (int i = 0; i < 3; i++)
        safe_close(theirs[i]);
    if (r < 0)
        return r;
    children_add(&e->agent->children, &e->child, launched.pid, launched.pidfd);
    e->launch_status = launched.status;
    e->launch_watch = (Watch){ .func = on_launch_status, .userdata = e };
    return loop_watch(&e->agent->loop, &e->launch_watch, e->launch_status, EPOLLIN);
}

/* The terminal's other side is both input and output. */
static int take_terminal(Exec *e, int fd)
{
    Loop *l = &e->agent->loop;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int r = stream_output_open(&e->outputs[0], l, fd);

    if (copy < 0)
        return -EMFILE;
    if (r < 0) {
        safe_close(copy);
        return r;
    }
    /* It may have another size by now. */
    (void)exec_resize(e, e->rows, e->columns);
    return stream_input_open(&e->input, l, copy);
}

static void launched(Exec *e, LaunchNews news, Failure *f)
{
    loop_unwatch(&e->agent->loop, &e->launch_watch);
    e->launch_status = safe_close(e->launch_status);
    if (news == LAUNCH_DIED)
        failure_say(f, -EIO, "its process ended before the program ran");
    e->failed = news != LAUNCH_STARTED;
    if (e->failed)
        exec_close_streams(e);
    agent_reply(e->agent, e->request, f->error, f->error ? f->text : NULL);
    e->request = 0;
}

void exec_hear(Exec *e)
{
    while (e->launch_status >= 0) {
        Failure f = { 0 };
        int terminal = -1;
        LaunchNews news = launch_news(e->launch_status, &e->launch_ready, &terminal, &f);
        if (news == LAUNCH_NOTHING)
            return;
        if (news != LAUNCH_TERMINAL)
            launched(e, news, &f);
        else if (e->hung_up)
            safe_close(terminal);
        else if (take_terminal(e, terminal) < 0)
            exec_hangup(e);
    }
}
