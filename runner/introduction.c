/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "base/units.h"
#include "runner/introduction.h"
#include "runner/runner-main.h"
#include "schemas/runner-protocol.h"

typedef struct Visit {
    const Paths *paths;
    const char *pod;
    int socket;
    int fds[RUN_FILES_MAX];
    char *names[RUN_FILES_MAX];
    size_t n_fds;
} Visit;

/* --- becoming the runner -------------------------------------------------------------------------------------------- */

/* The descriptors go to 3, 4, ...; from the highest number down nothing is overwritten that is still needed. */
static int place_descriptors(Visit *v)
{
    for (size_t i = 0; i < v->n_fds; i++) {
        int high = fcntl(v->fds[i], F_DUPFD, SD_LISTEN_FDS_START + RUN_FILES_MAX);
        if (high < 0)
            return -errno;
        safe_close(v->fds[i]);
        v->fds[i] = high;
    }
    v->socket = safe_close(v->socket);
    for (size_t i = 0; i < v->n_fds; i++)
        if (dup2(v->fds[i], SD_LISTEN_FDS_START + (int)i) < 0)
            return -errno;
    for (size_t i = 0; i < v->n_fds; i++)
        safe_close(v->fds[i]);
    return 0;
}

static int set_number(const char *name, long number)
{
    _cleanup_(freep) char *text = strf("%ld", number);

    return text && setenv(name, text, 1) == 0 ? 0 : -ENOMEM;
}

static int describe_descriptors(Visit *v)
{
    _cleanup_(freep) char *names = strdup("");

    for (size_t i = 0; names && i < v->n_fds; i++) {
        char *longer = strf("%s%s%s", names, i > 0 ? ":" : "", v->names[i]);
        free(names);
        names = longer;
    }
    if (!names || setenv("LISTEN_FDNAMES", names, 1) < 0)
        return -ENOMEM;
    int r = set_number("LISTEN_FDS", (long)v->n_fds);
    return r < 0 ? r : set_number("LISTEN_PID", (long)getpid());
}

static int become(Visit *v, const char *backend, const char *log_level)
{
    _cleanup_(freep) char *program = strf("%s/podvisor-runner-%s", v->paths->programs, backend);
    _cleanup_(freep) char *run_path = strf("%s/" PATHS_PODS "/%s", v->paths->run, v->pod);

    if (!program || !run_path)
        return -ENOMEM;
    int r = v->n_fds > 0 ? place_descriptors(v) : 0;
    if (r >= 0 && v->n_fds > 0)
        r = describe_descriptors(v);
    if (r < 0)
        return r;
    execl(program, program, "--unit", "--run-path", run_path, "--log-level", log_level ?: "info", NULL);
    return log_error_errno(-errno, "%s cannot be run", program);
}

/* --- a machine that runs ---------------------------------------------------------------------------------------------- */

static bool machine_runs(int run_path)
{
    _cleanup_(closep) int vm = dir_open_at(run_path, RUN_VM_DIR);
    _cleanup_(closep) int lock = vm < 0 ? vm : file_open_at(vm, RUN_MACHINE_LOCK_FILE, O_RDONLY, 0);

    if (lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    return lock >= 0 && file_has_record_lock(lock) > 0;
}

/* Returns when there is no machine to go on with. */
static void go_on(Visit *v)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS "/%s", v->paths->run, v->pod);
    _cleanup_(closep) int run_path = path ? dir_reach_at(AT_FDCWD, path) : -ENOMEM;
    RunDefinition d;

    if (run_path < 0 || !machine_runs(run_path))
        return;
    if (checkpoint_read(run_path, &run_definition_kind, &d, NULL, NULL) != CHECKPOINT_GOOD)
        return;
    log_info("Pod %s: its machine runs; a new runner goes on with it", v->pod);
    (void)become(v, enum_to_string(&backend_kind_table, (int)d.pod.backend), NULL);
    schema_done(&run_definition_schema, &d);
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

/* A colon is what the names of descriptors are kept apart by. */
static int take_image(Visit *v, const RunnerImage *image, int *fd)
{
    const char *name = image->digest ? str_after(image->digest, "sha256:") ?: image->digest : NULL;

    if (!name || strchr(name, ':') || *fd < 0 || v->n_fds == RUN_FILES_MAX)
        return -EPROTO;
    if (!(v->names[v->n_fds] = strdup(name)))
        return -ENOMEM;
    v->fds[v->n_fds++] = take_fd(fd);
    return 0;
}

enum {
    VISIT_GOES_ON = 1, /* another packet is awaited */
    VISIT_REFUSED,     /* and why is logged */
};

/* One of these, or negative errno. */
static int take(Visit *v, const Message *m, int *fd)
{
    const RunnerAdmission *admission = m->body;
    const RunnerRefusal *refusal = m->body;

    if (m->type == RUNNER_IMAGE) {
        int r = take_image(v, m->body, fd);
        return r < 0 ? r : VISIT_GOES_ON;
    }
    if (m->type == RUNNER_REFUSE) {
        log_error("Pod %s is not started: %s", v->pod, refusal->message ?: "podvisord does not say why");
        (void)sd_notifyf(false, "STATUS=Not started: %s", refusal->message ?: "podvisord does not say why");
        return VISIT_REFUSED;
    }
    if (m->type != RUNNER_ADMIT || !admission->backend)
        return -EPROTO;
    return become(v, admission->backend, admission->log_level);
}

static int receive(Visit *v)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;
    Message m;

    ssize_t n = packet_receive(v->socket, RUNNER_PACKET_MAX, &packet, &fd);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    int r = message_from_bytes(&runner_protocol, packet.data, packet.size, &m);
    if (r < 0)
        return r == -ENOTSUP ? VISIT_GOES_ON : r;
    r = take(v, &m, &fd);
    message_done(&m);
    return r;
}

static int introduce(Visit *v)
{
    _cleanup_(bytes_done) Bytes b = { 0 };
    RunnerIntroduction introduction = {
        .protocol = RUNNER_PROTOCOL_VERSION,
        .name = (char *)(uintptr_t)v->pod,
        .version = (char *)(uintptr_t)PODVISOR_VERSION,
    };

    _cleanup_(closep) int run = dir_reach_at(AT_FDCWD, v->paths->run);
    if (run < 0)
        return run;
    v->socket = socket_connect_at(run, PATHS_RUNNERS, SOCK_SEQPACKET);
    if (v->socket < 0)
        return v->socket;
    int r = message_to_bytes(&runner_protocol, RUNNER_INTRODUCE, 0, &introduction, &b);
    return r < 0 ? r : packet_send(v->socket, b.data, b.size, -1);
}

/* Until the socket of a podvisord that comes up is there; where the directory cannot be watched, in a moment. */
static void await_socket(const Visit *v, usec_t timeout)
{
    _cleanup_(closep) int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd p = { .fd = watch, .events = POLLIN };

    if (watch >= 0)
        (void)inotify_add_watch(watch, v->paths->run, IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
    (void)poll(&p, watch >= 0, (int)(MIN(timeout, USEC_PER_SEC) / USEC_PER_MSEC));
}

static const char *error_words(int error)
{
    if (error == -ECONNRESET)
        return "podvisord hangs up without a word";
    return error == -ENOENT || error == -ECONNREFUSED ? "podvisord does not run" : strerror(-error);
}

/* An attempt that ends without an answer is made again: podvisord may be on its way up, or was restarted. */
static int ask(Visit *v)
{
    usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), INTRODUCTION_TIMEOUT);

    for (;;) {
        usec_t asked = now_usec(CLOCK_MONOTONIC);
        int r = introduce(v);
        (void)sd_notifyf(false, "STATUS=Waits for podvisord%s",
                         r < 0 ? ", which is not there" : " to let it start");
        for (r = r < 0 ? r : VISIT_GOES_ON; r == VISIT_GOES_ON;)
            r = receive(v);
        v->socket = safe_close(v->socket);
        if (r != -ECONNRESET && r != -ENOENT && r != -ECONNREFUSED)
            return r;
        usec_t now = now_usec(CLOCK_MONOTONIC);
        /* One that has let us wait for long was there all the time. */
        if (usec_sub(now, asked) > INTRODUCTION_TIMEOUT)
            end = usec_add(now, INTRODUCTION_TIMEOUT);
        usec_t left = usec_sub(end, now);
        if (left == 0) {
            log_error("Pod %s is not started: %s", v->pod, error_words(r));
            return VISIT_REFUSED;
        }
        await_socket(v, left);
    }
}

int introduction_run(const Paths *paths, const char *pod)
{
    Visit v = { .paths = paths, .pod = pod, .socket = -1 };

    go_on(&v);
    int r = ask(&v);
    if (r < 0)
        log_error_errno(r, "Pod %s: its runner cannot begin", pod);
    for (size_t i = 0; i < v.n_fds; i++)
        free(v.names[i]);
    return RUNNER_EXIT_FAILURE;
}
