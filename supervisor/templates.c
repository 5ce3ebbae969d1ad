/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/log.h"
#include "base/program.h"
#include "base/socket.h"
#include "base/strings.h"
#include "supervisor/reap.h"
#include "supervisor/supervisor.h"
#include "supervisor/templates.h"

#define DIRECTORY "templates"

static bool is_wanted(const Pod *pod, const RunDefinition *d)
{
    StartKind kind = d->pod.qemu.start;

    if (d->pod.backend != BACKEND_QEMU)
        return false;
    return (kind == START_AUTO ? pod->supervisor->config->start : kind) == START_TEMPLATE;
}

/* Its process outlives podvisord, so only its socket tells. */
static bool is_there(int run)
{
    _cleanup_(closep) int socket = socket_connect_at(run, PATHS_TEMPLATES, SOCK_SEQPACKET | SOCK_NONBLOCK);
    return socket >= 0 || socket == -EAGAIN;
}

static int start_keeper(const Supervisor *s, int run, const RunDefinition *d)
{
    _cleanup_(freep) char *program = strf("%s/podvisor-templates", s->paths->programs);
    _cleanup_(freep) char *work = strf("%s/" DIRECTORY, s->paths->run);
    const char *arguments[] = { program, d->qemu, d->kernel, d->initrd, work, NULL };
    pid_t pid = 0;

    if (!program || !work)
        return -ENOMEM;
    int r = dir_make_path(work, 0700);
    if (r < 0)
        return r;
    _cleanup_(closep) int socket = socket_listen_at(run, PATHS_TEMPLATES, SOCK_SEQPACKET | SOCK_NONBLOCK);
    r = socket < 0 ? socket : program_start_lasting((char **)(uintptr_t)arguments, environ, socket, &pid);
    if (r < 0)
        return r;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || reap_later(s->event, pidfd) < 0)
        safe_close(pidfd);
    return 0;
}

int templates_describe(const Pod *pod, RunDefinition *d)
{
    const Supervisor *s = pod->supervisor;

    if (!is_wanted(pod, d))
        return 0;
    /* The same would happen again: the template is as it was. */
    if (pod->record.unwoken)
        return (d->boot_why = strdup("the last copy of it did not wake")) ? 0 : -ENOMEM;
    if (!(d->templates_socket = strf("%s/" PATHS_TEMPLATES, s->paths->run)))
        return -ENOMEM;
    if (s->units)
        return 0;
    d->spares = s->config->spares;
    _cleanup_(closep) int run = dir_reach_at(AT_FDCWD, s->paths->run);
    int r = run < 0 ? run : is_there(run) ? 0 : start_keeper(s, run, d);
    if (r < 0)
        log_warning_errno(r, "podvisor-templates cannot be started");
    return r == -ENOMEM ? r : 0;
}

void templates_check(const Supervisor *s)
{
    if (s->units && s->config->spares > 0)
        log_warning(
            "spares = %llu in podvisord.conf has no effect: pods have units here, and the QEMU of each is "
            "born in its own, with its "
            "control group, its user and its confinement, into which one that exists already cannot move",
            (unsigned long long)s->config->spares);
}
