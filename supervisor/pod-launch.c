/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod's machine is told of itself and of the host, and the runner that makes it. */
#include <limits.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/introduction.h"
#include "supervisor/libvirt-access.h"
#include "supervisor/pod-files.h"
#include "supervisor/pod-images.h"
#include "supervisor/pod-launch.h"
#include "supervisor/pod-network.h"
#include "supervisor/run-path.h"
#include "supervisor/supervisor.h"
#include "supervisor/templates.h"
#include "supervisor/unit.h"
#include "supervisor/volumes.h"

#define MEBIBYTE (UINT64_C(1024) * 1024)

static char *run_path_of(const Pod *pod)
{
    return strf("%s/" PATHS_PODS "/%s", pod->supervisor->paths->run, pod->name);
}

int pod_spawn_runner(Pod *pod, const PodDefinition *definition)
{
    Supervisor *s = pod->supervisor;
    _cleanup_(freep) char *run_path = run_path_of(pod);
    _cleanup_(freep) char *program = strf("%s/podvisor-runner-%s", s->paths->programs,
                                          enum_to_string(&backend_kind_table, (int)definition->backend));
    ProcessId id;
    int pidfd;

    if (!run_path || !program)
        return -ENOMEM;
    pod->observed.alone_since = now_usec(CLOCK_BOOTTIME);
    if (pod->visitor)
        return pod_admit(pod);
    const LaunchRequest request = { pod->name, program, run_path, s->config->log_level, definition };
    int r = s->launcher->ops->launch(s->launcher, &request, &id, &pidfd);
    if (r < 0)
        return pod_log(pod, LOG_ERR, r, "%s: its runner cannot be launched", pod->name);
    pod->observed.launching = r == 0;
    return r == 0 ? 0 : pod_watch_runner(pod, &id, pidfd);
}

static int set_path(char **to, const char *configured, const char *directory, const char *name)
{
    free(*to);
    *to = configured ? strdup(configured) : strf("%s/%s", directory, name);
    return *to ? 0 : -ENOMEM;
}

/* All that does not come from the pod file. */
static int describe_host(Pod *pod, RunDefinition *d)
{
    const Supervisor *s = pod->supervisor;
    int r = str_replace(&d->name, pod->name);

    if (r >= 0)
        r = str_replace(&d->supervisor_socket, s->runners_path);
    if (r >= 0)
        r = set_path(&d->kernel, s->config->kernel, s->paths->guest, "vmlinux");
    if (r >= 0)
        r = set_path(&d->initrd, s->config->initrd, s->paths->guest, "initrd");
    if (r >= 0)
        r = str_replace(&d->qemu, s->config->qemu);
    d->libvirt_xml = s->config->libvirt_xml;
    if (r >= 0)
        r = str_replace(&d->log_dir, s->log_dir);
    d->mode = s->paths->mode;
    d->log_target = s->log_target;
    d->log_size = s->config->log_size;
    d->uuid = pod->record.uuid;
    d->token = pod->record.token;
    d->generation = pod->record.generation;
    d->attempt = pod->record.attempt;
    return r < 0 ? r : id128_random(&d->agent_token);
}

/* A deep copy of a definition and its images into d, which schema_init() has made. */
static int describe(Pod *pod, RunDefinition *d, char **ret_error)
{
    PodDefinition copy;

    int r = describe_host(pod, d);
    if (r >= 0)
        r = schema_copy(&pod_schema, &pod->definition, &copy);
    if (r < 0)
        return r;
    pod_definition_done(&d->pod);
    d->pod = copy;
    if (pod->supervisor->units && copy.backend == BACKEND_LIBVIRT &&
        !(d->libvirt_socket = strf("%s/" PATHS_LIBVIRT, pod->supervisor->paths->run)))
        return -ENOMEM;
    if ((r = volumes_resolve(pod->supervisor, d, ret_error)) < 0)
        return r;
    if (templates_describe(pod, d) < 0 || pod_network_describe(pod, d) < 0)
        return -ENOMEM;
    return pod_images_resolve(pod->supervisor->state_dir, pod->supervisor->paths->state, d, ret_error);
}

/*
 * A pod takes two descriptors for as long as it runs. The last ones are not for starting pods: they keep the API and the
 * runners of those that run served. Descriptors are given out from below, so the limit's last few tell.
 */
static int check_descriptors(void)
{
    enum { DESCRIPTORS_KEPT = 24 };
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur <= DESCRIPTORS_KEPT)
        return 0;
    int lowest = (int)MIN(limit.rlim_cur, (rlim_t)INT_MAX) - DESCRIPTORS_KEPT;
    _cleanup_(closep) int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, lowest);
    return fd == lowest ? 0 : -EMFILE;
}

/* A machine that can never have its memory; whether it gets what others use now is the host's business. */
static int check_memory(const PodDefinition *d, char **ret_error)
{
    struct sysinfo host;

    if (d->backend == BACKEND_NULL || sysinfo(&host) < 0)
        return 0;
    uint64_t all = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
    if (d->memory <= all)
        return 0;
    _cleanup_(freep) char *wanted = size_format(d->memory), *there = size_format(all & ~(MEBIBYTE - 1));
    *ret_error = strf("its memory is %s, and this host has %s in all, its swap space among it",
                      wanted ?: "more", there ?: "less");
    return -ENOMEM;
}

/* The runners of some backends are packages of their own. */
static int check_program(const Pod *pod, BackendKind backend, char **ret_error)
{
    const char *name = enum_to_string(&backend_kind_table, (int)backend);
    _cleanup_(freep) char *program = strf("%s/podvisor-runner-%s", pod->supervisor->paths->programs, name);

    if (!program)
        return -ENOMEM;
    if (access(program, X_OK) == 0)
        return 0;
    int r = -errno;
    *ret_error = strf("the backend %s is not installed on this host: %s: %s", name, program, strerror(-r));
    return r;
}

int pod_launch(Pod *pod, RunDefinition *d, char **ret_error)
{
    if (pod->supervisor->units && strlen(pod->name) > UNIT_POD_NAME_MAX) {
        *ret_error = strf(
            "its name has %zu characters, and that of a pod with a unit of systemd has at most %d, since the "
            "unit's user is called pod-NAME",
            strlen(pod->name), UNIT_POD_NAME_MAX);
        return -ENAMETOOLONG;
    }
    int r = check_descriptors();
    if (r < 0) {
        *ret_error =
            strf("podvisord has no file descriptors left for another pod (LimitNOFILE= of its unit)");
        return r;
    }
    if ((r = pod_network_check(pod, ret_error)) < 0 ||
        (r = check_program(pod, pod->definition.backend, ret_error)) < 0 ||
        (r = check_memory(&pod->definition, ret_error)) < 0 || (r = describe(pod, d, ret_error)) < 0 ||
        (r = volumes_check(pod, d, ret_error)) < 0 ||
        (r = pod_files_check(pod->supervisor, &d->pod, ret_error)) < 0)
        return r;
    start_mark(&pod->start, START_FROZEN);
    d->start = pod->start;
    if ((r = run_path_freeze(pod->supervisor->pods_dir, d)) < 0) {
        *ret_error = strf("its definition cannot be written to its run path: %s", strerror(-r));
        return r;
    }
    if ((r = libvirt_access_give(pod->supervisor, d, ret_error)) < 0)
        return r;
    if ((r = pod_spawn_runner(pod, &d->pod)) < 0)
        *ret_error = strf("podvisor-runner-%s cannot be launched: %s",
                          enum_to_string(&backend_kind_table, (int)d->pod.backend), strerror(-r));
    return r;
}
