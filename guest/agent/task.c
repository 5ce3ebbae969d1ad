/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>

#include "guest/agent/agent.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/task.h"

static const struct {
    int (*run)(void *work);
    bool enters; /* sees the container's files as it does; else it has its control group, or all of them */
} tasks[TASK_MAX] = {
    [TASK_COPY_IN] = { task_copy_in, true },      [TASK_COPY_OUT] = { task_copy_out, true },
    [TASK_PROCESSES] = { task_processes, false }, [TASK_STATISTICS] = { task_statistics, false },
    [TASK_PING] = { task_ping, false },
};

static int enter_files(void *userdata, Failure *f)
{
    const TaskWork *w = userdata;

    if (setns(w->container->child.pidfd, CLONE_NEWNS) < 0)
        return failure_set(f, -errno, "the container could not be entered");
    return 0;
}

/* NUL would end it before its end. */
static int check_path(const ExecRequest *r, Failure *f)
{
    enum { PATH_SIZE_MAX = 4096 };

    if (r->path.size == 0)
        return failure_say(f, -ENOENT, "there is no path");
    if (r->path.size >= PATH_SIZE_MAX)
        return failure_say(f, -ENAMETOOLONG, "the path is too long");
    return memchr(r->path.data, 0, r->path.size) ? failure_say(f, -EINVAL, "the path has a NUL in it") : 0;
}

int task_prepare(TaskWork *work, LaunchSpec *spec, Failure *f)
{
    Agent *a = work->agent;
    Task task = work->request->task;

    int r = tasks[task].enters ? check_path(work->request, f) : 0;
    if (r < 0)
        return r;
    if (a->task_cgroup < 0)
        a->task_cgroup = cgroup_make(a->platform->cgroup, TASK_CGROUP);
    /* Where no groups can be made, no container runs either; a question can be answered all the same. */
    spec->cgroup = MAX(a->task_cgroup, -1);
    spec->pid_namespace_of = -1;
    spec->task = tasks[task].run;
    spec->userdata = work;
    spec->enter = tasks[task].enters ? enter_files : NULL;
    spec->kept = tasks[task].enters ? -1 : work->container ? work->container->cgroup : a->platform->cgroup;
    return 0;
}
