/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/socket.h"
#include "base/strings.h"
#include "schemas/log-fields.h"
#include "supervisor/libvirt-proxy.h"
#include "supervisor/pod-record.h"
#include "supervisor/relay.h"
#include "supervisor/unit.h"

/* Of the daemon that is for QEMU alone, and of the one that is for everything; a host has one of them. */
static const char *const libvirt_sockets[] = {
    "/run/libvirt/virtqemud-sock",
    "/run/libvirt/libvirt-sock",
    NULL,
};

/* --- whose machine ----------------------------------------------------------------------------------------------------- */

static char *why_no_record(CheckpointOutcome outcome, const char *detail)
{
    if (outcome == CHECKPOINT_ABSENT)
        return strdup("podvisord knows of no machine of it");
    return strf("podvisord's record of it cannot be used: %s",
                detail ?: enum_to_string(&checkpoint_outcome_table, (int)outcome));
}

/* 0, or negative errno with *ret_why. */
static int check_backend(const Paths *paths, const char *pod, char **ret_why)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS "/%s", paths->run, pod);
    _cleanup_(freep) char *detail = NULL;
    PodRecord record;

    if (!path)
        return -ENOMEM;
    _cleanup_(closep) int run_path = dir_open_at(AT_FDCWD, path);
    if (run_path < 0) {
        *ret_why = strf("%s cannot be opened: %s", path, strerror(-run_path));
        return run_path;
    }
    CheckpointOutcome outcome = checkpoint_read(run_path, &pod_record_kind, &record, NULL, &detail);
    if (outcome != CHECKPOINT_GOOD) {
        *ret_why = why_no_record(outcome, detail);
        return -EACCES;
    }
    BackendKind backend = record.backend;
    schema_done(&pod_record_schema, &record);
    if (backend == BACKEND_LIBVIRT)
        return 0;
    *ret_why = strf("its machine is not libvirt's: its backend is %s",
                    enum_to_string(&backend_kind_table, (int)backend));
    return -EACCES;
}

int libvirt_proxy_admit(const Paths *paths, int socket, char **ret_pod, char **ret_why)
{
    pid_t pid = 0;
    _cleanup_(freep) char *pod = unit_pod_of_peer(socket, &pid);
    _cleanup_(freep) char *why = NULL;

    if (!pod) {
        *ret_why = strf("process %d is not of a pod's unit", (int)pid);
        return -EACCES;
    }
    int r = check_backend(paths, pod, &why);
    if (r < 0) {
        *ret_why = strf("process %d is of the pod %s; %s", (int)pid, pod, why ?: "out of memory");
        return r;
    }
    *ret_pod = take_ptr(pod);
    return 0;
}

/* --- libvirt ----------------------------------------------------------------------------------------------------------- */

/* A daemon that has more connections waiting than it takes makes connect(2) wait: no longer than this. */
static int connect_to(const char *path)
{
    struct timeval patience = { .tv_sec = LIBVIRT_PROXY_TIMEOUT / USEC_PER_SEC };
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return take_fd(&fd);
}

int libvirt_proxy_connect(const char *const *sockets)
{
    int r = -ENOENT;

    for (; *sockets; sockets++) {
        r = connect_to(*sockets);
        if (r != -ENOENT && r != -ECONNREFUSED)
            break;
    }
    return r;
}

/* --- one connection ---------------------------------------------------------------------------------------------------- */

int libvirt_proxy_run(const Paths *paths, int client)
{
    _cleanup_(freep) char *pod = NULL, *why = NULL;
    LogFields fields;

    int r = libvirt_proxy_admit(paths, client, &pod, &why);
    if (r < 0) {
        log_warning("A way to libvirt is refused: %s", why ?: "out of memory");
        return r;
    }
    log_fields_init(&fields);
    log_fields_set(&fields, LOG_FIELD_POD, pod);
    log_fields_set_unit(&fields, pod, paths->mode);
    _cleanup_(closep) int server = libvirt_proxy_connect(libvirt_sockets);
    if (server < 0)
        return log_full(LOG_WARNING, server, fields.rows, "%s: its runner does not get to libvirt", pod);
    log_full(LOG_DEBUG, 0, fields.rows, "%s: its runner has got to libvirt", pod);
    r = relay(client, server);
    if (r < 0)
        log_full(LOG_WARNING, r, fields.rows, "%s: the connection of its runner with libvirt is cut off",
                 pod);
    return r;
}
