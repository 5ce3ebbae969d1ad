/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/vmm.h"
#include "base/digest.h"
#include "base/process.h"
#include "base/socket.h"
#include "base/units.h"
#include "tests/contract/guest.h"
#include "tests/contract/harness.h"
#include "tests/contract/libvirt-host.h"

#define SOCKET_FILE "runners"

static void listen_begin(Harness *h)
{
    h->listener = socket_listen_at(h->dir.fd, SOCKET_FILE, SOCK_SEQPACKET);
    assert_success(h->listener);
}

/* As podvisord does: QEMU is another user's, and finds its sockets and its lock by their path. */
static void open_to_libvirt(Harness *h)
{
    static const char *const names[] = { ".", "pods", "pods/web", ("pods/web/" RUN_VM_DIR) };

    assert_int_equal(mkdirat(h->run_dir, RUN_VM_DIR, 0700), 0);
    TABLE_FOREACH (name, names)
        assert_int_equal(fchmodat(h->dir.fd, *name, 0711, 0), 0);
}

void harness_init(Harness *h, const char *program, BackendKind backend)
{
    *h = (Harness){ .program = program, .pidfd = -1, .link = -1, .dir = test_dir_new(), .next_id = 1 };
    h->run_path = strf("%s/pods/web", h->dir.path);
    assert_success(dir_make_path(h->run_path, 0700));
    h->run_dir = dir_open_at(AT_FDCWD, h->run_path);
    assert_success(h->run_dir);
    listen_begin(h);
    assert_success(schema_init(&run_definition_schema, &h->definition));
    assert_success(schema_init(&runner_report_schema, &h->report));

    RunDefinition *d = &h->definition;
    d->name = strdup("web");
    d->generation = 3;
    d->supervisor_socket = strf("%s/" SOCKET_FILE, h->dir.path);
    d->log_target = LOG_TARGET_FILES;
    d->log_dir = strf("%s/log", h->dir.path);
    d->log_size = 1024 * 1024;
    assert_success(dir_make_path(d->log_dir, 0700));
    d->pod.backend = backend;
    ContainerDefinition *c = field_append(schema_field(&pod_schema, "containers"), &d->pod);
    c->name = strdup("main");
    c->image = strdup("busybox");
    if (backend != BACKEND_NULL)
        guest_fill(d);
    if (backend == BACKEND_LIBVIRT)
        open_to_libvirt(h);
}

void harness_freeze(Harness *h)
{
    RunDefinition *d = &h->definition;

    d->attempt++;
    assert_success(id128_random(&d->uuid));
    assert_success(id128_random(&d->token));
    assert_success(id128_random(&d->agent_token));
    assert_success(checkpoint_write(h->run_dir, &run_definition_kind, d->uuid, d->generation, d));
}

void harness_exec(Harness *h)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/runner.log", h->dir.path);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)dup2(log, STDERR_FILENO);
    execl(h->program, h->program, "--run-path", h->run_path, "--log-level", "debug", NULL);
    _exit(127);
}

void harness_watch_runner(Harness *h, pid_t pid)
{
    assert_true(pid > 0);
    h->runner = pid;
    h->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(h->pidfd >= 0);
}

void harness_spawn(Harness *h)
{
    pid_t pid = fork();
    if (pid == 0)
        harness_exec(h);
    harness_watch_runner(h, pid);
}

enum { SHOW_MAX = 4000 };

void harness_show(Harness *h)
{
    Bytes b = { 0 };

    if (file_read_at(h->dir.fd, "runner.log", 1024 * 1024, &b) >= 0)
        fprintf(stderr, "--- what the runner wrote last:\n%.*s---\n", (int)MIN(b.size, (size_t)SHOW_MAX),
                (const char *)b.data + b.size - MIN(b.size, (size_t)SHOW_MAX));
    bytes_done(&b);
    if (h->definition.pod.backend == BACKEND_LIBVIRT)
        libvirt_host_show();
    print_message("last report: %s, %s, reason %s, phase %s, message %s\n",
                  enum_to_string(&runner_state_table, (int)h->report.state),
                  enum_to_string(&verdict_table, (int)h->report.verdict),
                  enum_to_string(&end_reason_table, (int)h->report.reason), h->report.phase ?: "-",
                  h->report.message ?: "-");
    for (size_t k = 0; k < h->report.n_containers; k++)
        print_message("container %s: %s, restarts %llu, exit code %lld, message %s\n",
                      h->report.containers[k].name,
                      enum_to_string(&container_state_table, (int)h->report.containers[k].state),
                      (unsigned long long)h->report.containers[k].restarts,
                      (long long)h->report.containers[k].exit_code, h->report.containers[k].message ?: "-");
}

static void wait_readable(Harness *h, int fd, const char *what)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n;

    do
        n = poll(&p, 1, HARNESS_TIMEOUT_MSEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        harness_show(h);
        fail_msg("nothing within %d ms: %s", HARNESS_TIMEOUT_MSEC, what);
    }
}

static void send_message(Harness *h, int type, uint64_t id, const void *body, int fd)
{
    Bytes b = { 0 };

    assert_success(message_to_bytes(&runner_protocol, type, id, body, &b));
    assert_success(packet_send(h->link, b.data, b.size, fd));
    bytes_done(&b);
}

/* False when the runner has closed the connection. */
static bool receive(Harness *h, Message *ret, const char *what)
{
    Bytes b = { 0 };

    wait_readable(h, h->link, what);
    ssize_t n = packet_receive(h->link, RUNNER_PACKET_MAX, &b, NULL);
    if (n == 0 || n == -ECONNRESET) {
        bytes_done(&b);
        return false;
    }
    assert_success(n);
    assert_success(message_from_bytes(&runner_protocol, b.data, b.size, ret));
    bytes_done(&b);
    return true;
}

static void take_report(Harness *h, Message *m)
{
    schema_done(&runner_report_schema, &h->report);
    h->report = *(RunnerReport *)m->body;
    free(take_ptr(m->body));
}

static void accept_runner(Harness *h)
{
    h->link = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(h->link >= 0);
    h->greeted = false;
}

/* What the runner says first; welcome is the answer. */
static void take_hello(Harness *h, const Message *m)
{
    const RunnerHello *hello = m->body;

    assert_int_equal(m->type, RUNNER_HELLO);
    assert_string_equal(hello->name, h->definition.name);
    assert_true(id128_equal(hello->token, h->definition.token));
    assert_true(id128_equal(hello->uuid, h->definition.uuid));
    assert_int_equal(hello->attempt, h->definition.attempt);
    h->greeted = true;
    send_message(h, RUNNER_WELCOME, 0, &(RunnerWelcome){ .protocol = RUNNER_PROTOCOL_VERSION }, -1);
}

/* It may also end instead. */
static void wait_connection(Harness *h)
{
    struct pollfd fds[] = { { .fd = h->listener, .events = POLLIN }, { .fd = h->pidfd, .events = POLLIN } };

    if (poll(fds, ELEMENTSOF(fds), HARNESS_TIMEOUT_MSEC) > 0 && fds[0].revents)
        return;
    harness_show(h);
    fail_msg("%s", fds[1].revents ? "the runner ended before it connected" : "the runner does not connect");
}

void harness_accept(Harness *h)
{
    Message m;

    wait_connection(h);
    accept_runner(h);
    assert_true(receive(h, &m, "the runner's hello"));
    take_hello(h, &m);
    message_done(&m);
}

void harness_take_one(Harness *h)
{
    Message m;

    if (h->link < 0) {
        accept_runner(h);
        return;
    }
    if (!receive(h, &m, "a message")) {
        harness_show(h);
        fail_msg("the runner went away");
    }
    if (!h->greeted)
        take_hello(h, &m);
    else if (m.type == RUNNER_REPORT)
        take_report(h, &m);
    message_done(&m);
}

void harness_launch(Harness *h)
{
    harness_spawn(h);
    harness_accept(h);
}

void harness_leave(Harness *h)
{
    h->link = safe_close(h->link);
    h->listener = safe_close(h->listener);
    assert_success(file_remove_at(h->dir.fd, SOCKET_FILE));
}

void harness_return(Harness *h)
{
    listen_begin(h);
    harness_accept(h);
}

/* The next message; a report is taken. Nothing follows an end, so nobody needs to wait for it. */
static void wait_message(Harness *h, const char *what)
{
    Message m;

    if (h->report.state == RUNNER_ENDED || !receive(h, &m, what)) {
        harness_show(h);
        fail_msg("the %s before: %s", h->report.state == RUNNER_ENDED ? "machine ended" : "runner went away",
                 what);
    }
    if (m.type == RUNNER_REPORT)
        take_report(h, &m);
    message_done(&m);
}

void harness_wait_report(Harness *h, bool (*condition)(const RunnerReport *report), const char *what)
{
    while (!condition(&h->report))
        wait_message(h, what);
}

void harness_wait_state(Harness *h, RunnerState state)
{
    while (h->report.state != state)
        wait_message(h, enum_to_string(&runner_state_table, (int)state));
}

int harness_request(Harness *h, int type, const void *body, int fd)
{
    uint64_t id = h->next_id++;

    send_message(h, type, id, body, fd);
    for (;;) {
        Message m;
        assert_true(receive(h, &m, "a reply"));
        if (m.type == RUNNER_REPORT)
            take_report(h, &m);
        bool found = m.type == RUNNER_REPLY && m.id == id;
        int error = found ? -(int)((RunnerReply *)m.body)->error : 0;
        message_done(&m);
        if (found)
            return error;
    }
}

int harness_stop(Harness *h, usec_t timeout)
{
    char why[] = "the test says so";
    return harness_request(h, RUNNER_STOP, &(RunnerStop){ .timeout = timeout, .why = why }, -1);
}

void harness_ask_stop(Harness *h)
{
    char why[] = "the test says so";

    send_message(h, RUNNER_STOP, h->next_id++, &(RunnerStop){ .timeout = USEC_PER_MINUTE, .why = why }, -1);
}

static void runner_forget(Harness *h)
{
    h->runner = 0;
    h->pidfd = safe_close(h->pidfd);
    h->link = safe_close(h->link);
    schema_done(&runner_report_schema, &h->report);
}

void harness_runner_died(Harness *h)
{
    uint64_t vmm = h->report.vmm_pid;

    runner_forget(h);
    h->report.vmm_pid = vmm;
}

void harness_kill_runner(Harness *h)
{
    assert_success(process_signal(h->pidfd, SIGKILL));
    assert_true(waitpid(h->runner, NULL, 0) == h->runner);
    harness_runner_died(h);
}

int harness_wait_exit(Harness *h)
{
    int status;

    wait_readable(h, h->pidfd, "the runner exits");
    assert_true(waitpid(h->runner, &status, 0) == h->runner);
    runner_forget(h);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

char *harness_files(Harness *h)
{
    struct dirent **entries;
    char **names = NULL;
    char *path = strf("%s/" RUN_VM_DIR, h->run_path);

    int n = scandir(path, &entries, NULL, alphasort);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.')
            assert_success(strv_append(&names, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    free(path);
    char *joined = strv_join(names, " ");
    strv_free(names);
    return joined;
}

void harness_bye(Harness *h)
{
    assert_int_equal(h->report.state, RUNNER_ENDED);
    send_message(h, RUNNER_BYE, 0, NULL, -1);
    assert_int_equal(harness_wait_exit(h), 0);
    char *files = harness_files(h);
    assert_string_equal(files, "runner.lock");
    free(files);
    assert_false(harness_machine_runs(h));
}

bool harness_machine_runs(Harness *h)
{
    int vm = dir_open_at(h->run_dir, RUN_VM_DIR);
    int r = vm >= 0 ? vmm_is_locked(vm) : 0;

    safe_close(vm);
    assert_success(r);
    return r > 0;
}

static void machine_end(uint64_t pid)
{
    ProcessId id;

    if (pid == 0 || process_identify((pid_t)pid, &id) < 0)
        return;
    int pidfd = process_open(&id);
    if (pidfd < 0)
        return;
    (void)process_signal(pidfd, SIGKILL);
    (void)poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, HARNESS_TIMEOUT_MSEC);
    safe_close(pidfd);
}

void harness_kill_machine(Harness *h)
{
    assert_true(h->report.vmm_pid > 0);
    machine_end(h->report.vmm_pid);
}

int harness_run_another(Harness *h)
{
    int status;

    pid_t pid = fork();
    if (pid == 0)
        harness_exec(h);
    assert_true(pid > 0);
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void harness_drop_link(Harness *h)
{
    h->link = safe_close(h->link);
}

void harness_drop_connections(Harness *h)
{
    harness_drop_link(h);
    h->listener = safe_close(h->listener);
    listen_begin(h);
}

void harness_send_raw(Harness *h, const void *data, size_t size)
{
    assert_success(packet_send(h->link, data, size, -1));
}

void harness_block_file(Harness *h, const char *file, bool block)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/" RUN_VM_DIR "/%s", h->run_path, file);
    assert_int_equal(block ? mkdir(path, 0700) : rmdir(path), 0);
}

int harness_watch_file(Harness *h, const char *file)
{
    char path[256];
    int watch = inotify_init1(IN_CLOEXEC);

    /* The file itself: it is unlinked by the rename that puts a new one in its place. */
    (void)snprintf(path, sizeof path, "%s/" RUN_VM_DIR "/%s", h->run_path, file);
    assert_true(inotify_add_watch(watch, path, IN_DELETE_SELF | IN_ATTRIB) >= 0);
    return watch;
}

void harness_wait_watch(Harness *h, int watch)
{
    wait_readable(h, watch, "the file is replaced");
    safe_close(watch);
}

/* --- damage --------------------------------------------------------------------------------------------------------- */

static void damage_bytes(HarnessDamage damage, Bytes *b)
{
    if (damage == DAMAGE_TRUNCATE)
        b->size /= 2;
    else if (damage == DAMAGE_EMPTY)
        b->size = 0;
    else
        b->data[b->size / 2] ^= 1;
}

/* The body is a packed map that holds this name and a number; the number is made another. */
static void damage_number(Bytes *body, const char *name)
{
    uint8_t *at = memmem(body->data, body->size, name, strlen(name));

    assert_non_null(at);
    at[strlen(name) + 1] ^= 1;
}

static void damage_envelope(int vm, const char *file, HarnessDamage damage, Bytes *ret)
{
    CheckpointEnvelope e;
    uint8_t digest[SHA256_SIZE];

    assert_int_equal(checkpoint_read_envelope(vm, file, &e, NULL), CHECKPOINT_GOOD);
    if (damage == DAMAGE_NEWER)
        e.version += 1000;
    else if (damage == DAMAGE_OTHER_BOOT)
        e.boot.bytes[0] ^= 1;
    else
        damage_number(&e.body, "start_time");
    sha256(e.body.data, e.body.size, digest);
    memcpy(e.checksum.data, digest, sizeof digest);
    bytes_done(ret);
    assert_success(schema_to_bytes(&checkpoint_envelope_schema, &e, ret));
    schema_done(&checkpoint_envelope_schema, &e);
}

static void damage_file(int vm, const char *file, HarnessDamage damage, const Bytes *before)
{
    Bytes b = { 0 };

    if (damage == DAMAGE_REMOVE) {
        assert_success(file_remove_at(vm, file));
        return;
    }
    if (damage == DAMAGE_NEWER || damage == DAMAGE_OTHER_BOOT || damage == DAMAGE_OTHER_PROCESS) {
        damage_envelope(vm, file, damage, &b);
    } else {
        assert_success(bytes_append(&b, before->data, before->size));
        damage_bytes(damage, &b);
    }
    assert_success(file_replace_at(vm, file, b.data, b.size, 0600));
    bytes_done(&b);
}

void harness_damage(Harness *h, const char *file, HarnessDamage damage, Bytes *ret_before)
{
    Bytes before = { 0 };
    int vm = dir_open_at(h->run_dir, RUN_VM_DIR);

    assert_success(vm);
    assert_success(file_read_at(vm, file, CHECKPOINT_SIZE_MAX, &before));
    damage_file(vm, file, damage, &before);
    safe_close(vm);
    if (ret_before)
        *ret_before = before;
    else
        bytes_done(&before);
}

void harness_repair(Harness *h, const char *file, const Bytes *before)
{
    int vm = dir_open_at(h->run_dir, RUN_VM_DIR);

    assert_success(vm);
    assert_success(file_replace_at(vm, file, before->data, before->size, 0600));
    safe_close(vm);
}

void harness_done(Harness *h)
{
    uint64_t vmm = h->report.vmm_pid;

    if (h->runner > 0)
        harness_kill_runner(h);
    machine_end(vmm);
    runner_forget(h);
    schema_done(&run_definition_schema, &h->definition);
    safe_close(h->listener);
    safe_close(h->run_dir);
    free(h->run_path);
    test_dir_done(&h->dir);
}
