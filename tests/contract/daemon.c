/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that a daemon runs: the daemon dies, hangs, is absent; and others use it, too. */
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "tests/contract/libvirt-host.h"
#include "tests/contract/obligations.h"

static void wait_ended(Harness *h, EndReason reason, const char *message)
{
    harness_wait_state(h, RUNNER_ENDED);
    if (h->report.reason != reason || (message && !strstr(h->report.message ?: "", message)))
        fail_msg("ended as %s: %s", enum_to_string(&end_reason_table, (int)h->report.reason),
                 h->report.message ?: "no message");
}

static void operator_does(const char *what, const char *whom)
{
    free(libvirt_virsh(what, whom, NULL));
}

/* --- it dies ---------------------------------------------------------------------------------------------------------- */

/* The n-th checkpoint of the backend from now on: watched before there is one. */
static int checkpoints_watch(Harness *h)
{
    _cleanup_(freep) char *path = strf("%s/" RUN_VM_DIR, h->run_path);
    int watch = inotify_init1(IN_CLOEXEC);

    assert_true(inotify_add_watch(watch, path, IN_MOVED_TO) >= 0);
    return watch;
}

static void checkpoints_wait(int watch, unsigned n)
{
    _Alignas(struct inotify_event) char buffer[4096];

    while (n > 0) {
        assert_true(poll(&(struct pollfd){ .fd = watch, .events = POLLIN }, 1, HARNESS_TIMEOUT_MSEC) > 0);
        ssize_t size = read(watch, buffer, sizeof buffer);
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            n -= n > 0 && event->len > 0 && streq(event->name, "libvirt.msgpack");
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    safe_close(watch);
}

static bool is_ready_or_ended(const RunnerReport *report)
{
    return is_ready(report) || report->state == RUNNER_ENDED;
}

/* Its process is known, and nothing of its guest has run. Whether libvirt goes on with what it was making is its to decide. */
void a_daemon_that_dies_while_a_machine_starts_is_waited_for(Harness *h)
{
    enum { MET = 2 }; /* the first one is before libvirt is asked */

    harness_freeze(h);
    int watch = checkpoints_watch(h);
    harness_launch(h);
    checkpoints_wait(watch, MET);
    libvirt_host_kill();
    libvirt_host_start();
    harness_wait_report(h, is_ready_or_ended, "the pod is ready, or the start has failed");
    if (is_ready(&h->report)) {
        stop_gently(h);
        return;
    }
    wait_ended(h, END_START_FAILED, "libvirt");
    harness_bye(h);
    start_ready(h);
    stop_gently(h);
}

static void expect_same_machine(Harness *h, uint64_t vmm)
{
    assert_true(harness_machine_runs(h));
    assert_int_equal(h->report.vmm_pid, vmm);
}

static bool has_paused(const RunnerReport *report)
{
    return report->state == RUNNER_PAUSED;
}

void a_daemon_that_dies_leaves_the_machine(Harness *h)
{
    start_ready(h);
    uint64_t vmm = h->report.vmm_pid;
    libvirt_host_kill();
    libvirt_host_start();
    /* The runner has found it again when what only the daemon can do is done, by whoever asks. */
    operator_does("suspend", h->definition.name);
    harness_wait_report(h, has_paused, "the pause is seen after the daemon came back");
    operator_does("resume", h->definition.name);
    harness_wait_report(h, is_ready, "the pod goes on");
    expect_same_machine(h, vmm);
    stop_gently(h);
}

void a_machine_is_adopted_without_its_daemon(Harness *h)
{
    start_ready(h);
    uint64_t vmm = orphan_machine(h);
    libvirt_host_kill();
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    assert_int_equal(h->report.verdict, VERDICT_ADOPTED);
    expect_same_machine(h, vmm);
    libvirt_host_start();
    stop_gently(h);
}

/* The domain is gone behind our back, and its process is not. */
void a_machine_that_its_daemon_has_forgotten_goes_on(Harness *h)
{
    start_ready(h);
    uint64_t vmm = h->report.vmm_pid;
    libvirt_host_kill();
    libvirt_host_forget(h->definition.name);
    libvirt_host_start();
    (void)orphan_machine(h);
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    expect_same_machine(h, vmm);
    stop_gently(h);
}

void a_daemon_that_dies_while_a_machine_stops_changes_nothing(Harness *h)
{
    start_ready(h);
    assert_int_equal(harness_stop(h, 30 * USEC_PER_SEC), 0);
    libvirt_host_kill();
    wait_ended(h, END_STOPPED, NULL);
    libvirt_host_start();
    harness_bye(h);
}

/* --- it is absent, or hangs ------------------------------------------------------------------------------------------- */

void a_start_without_a_daemon_says_so(Harness *h)
{
    libvirt_host_kill();
    harness_freeze(h);
    harness_launch(h);
    wait_ended(h, END_START_FAILED, "libvirt's daemon");
    harness_bye(h);
    libvirt_host_start();
    start_ready(h);
    stop_gently(h);
}

void a_start_with_a_daemon_that_hangs_ends_by_its_deadline(Harness *h)
{
    libvirt_host_hang(true);
    harness_freeze(h);
    harness_launch(h);
    wait_ended(h, END_START_FAILED, "does not answer");
    harness_bye(h);
    libvirt_host_hang(false);
    start_ready(h);
    stop_gently(h);
}

void a_stop_with_a_daemon_that_hangs_ends_the_machine(Harness *h)
{
    start_ready(h);
    libvirt_host_hang(true);
    assert_int_equal(harness_stop(h, USEC_PER_MINUTE), 0);
    wait_ended(h, END_STOPPED, NULL);
    libvirt_host_hang(false);
    harness_bye(h);
}

void a_kill_with_a_daemon_that_hangs_ends_the_machine(Harness *h)
{
    start_ready(h);
    libvirt_host_hang(true);
    assert_int_equal(harness_request(h, RUNNER_KILL, NULL, -1), 0);
    wait_ended(h, END_KILLED, NULL);
    libvirt_host_hang(false);
    harness_bye(h);
}

/* --- strangers -------------------------------------------------------------------------------------------------------- */

/* A machine without anything, that nobody lets go. */
static void stranger_begin(Harness *h, const char *name, const Id128 *uuid, const char *metadata)
{
    char text[ID128_TEXT_SIZE] = "11111111-2222-4333-8444-555555555555";
    _cleanup_(freep) char *path = strf("%s/stranger.xml", h->dir.path);

    if (uuid)
        (void)id128_format(*uuid, text);
    _cleanup_(freep) char *xml =
        strf("<domain type='qemu'><name>%s</name><uuid>%s</uuid>%s<memory unit='MiB'>32</memory>"
             "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
             "<devices><emulator>%s</emulator><controller type='usb' model='none'/><memballoon "
             "model='none'/></devices></domain>",
             name, text, metadata, h->definition.qemu);
    assert_success(file_replace_at(h->dir.fd, "stranger.xml", xml, strlen(xml), 0644));
    free(libvirt_virsh("create", "--paused", path, NULL));
}

static void expect_stranger(const char *name)
{
    _cleanup_(freep) char *state = libvirt_virsh("domstate", name, NULL);

    assert_non_null(strstr(state, "paused"));
    operator_does("destroy", name);
}

static void refused_for_stranger(Harness *h, const char *name, bool same_uuid)
{
    harness_freeze(h);
    stranger_begin(h, name, same_uuid ? &h->definition.uuid : NULL, "");
    harness_launch(h);
    wait_ended(h, END_START_FAILED, "not podvisor's");
    harness_bye(h);
    expect_stranger(name);
}

void a_stranger_of_the_same_name_is_not_touched(Harness *h)
{
    refused_for_stranger(h, h->definition.name, false);
}

void a_stranger_of_the_same_uuid_is_not_touched(Harness *h)
{
    refused_for_stranger(h, "stranger", true);
}

void a_machine_of_other_metadata_is_a_doubt(Harness *h)
{
    _cleanup_(freep) char *before = NULL;

    start_ready(h);
    const char *name = h->definition.name;
    before = libvirt_virsh("metadata", name, "urn:podvisor:pod:1", NULL);
    uint64_t vmm = orphan_machine(h);
    free(libvirt_virsh("metadata", name, "urn:podvisor:pod:1", "--live", "--key", "podvisor", "--set",
                       "<pod name='web' uuid='11111111-2222-4333-8444-555555555555' run='/elsewhere'/>",
                       NULL));
    harness_launch(h);
    harness_wait_state(h, RUNNER_INDETERMINATE);
    assert_int_equal(harness_request(h, RUNNER_KILL, NULL, -1), -EBUSY);
    assert_true(harness_machine_runs(h));
    harness_kill_runner(h);
    free(libvirt_virsh("metadata", name, "urn:podvisor:pod:1", "--live", "--key", "podvisor", "--set", before,
                       NULL));
    harness_launch(h);
    harness_wait_report(h, is_ready, "the pod is ready again");
    expect_same_machine(h, vmm);
    stop_gently(h);
}

/* --- an operator ------------------------------------------------------------------------------------------------------ */

void a_destroy_through_the_daemon_is_told_as_one(Harness *h)
{
    start_ready(h);
    operator_does("destroy", h->definition.name);
    wait_ended(h, END_OPERATOR, "through libvirt, not by podvisor");
    harness_bye(h);
}

void a_power_button_through_the_daemon_stops_in_order(Harness *h)
{
    start_ready(h);
    operator_does("shutdown", h->definition.name);
    wait_ended(h, END_POWER_BUTTON, NULL);
    harness_bye(h);
}

void a_suspend_and_resume_through_the_daemon_are_seen(Harness *h)
{
    start_ready(h);
    operator_does("suspend", h->definition.name);
    harness_wait_state(h, RUNNER_PAUSED);
    operator_does("resume", h->definition.name);
    harness_wait_report(h, is_ready, "the pod goes on");
    stop_gently(h);
}

/* QEMU may be gone before it has told libvirt that it did as it was asked: then virsh fails, and the reset has been all the same. */
static void operator_resets(const char *whom)
{
    _cleanup_(freep) char *output = NULL;

    int status = libvirt_virsh_try(&output, (const char *const[]){ "reset", whom, NULL });
    if (status != 0 && !strstr(output ?: "", "monitor"))
        fail_msg("virsh reset %s: status %d: %s", whom, status, output ?: "");
}

void a_reset_through_the_daemon_is_named(Harness *h)
{
    start_ready(h);
    operator_resets(h->definition.name);
    /* QEMU tells libvirt that it was not the guest, and no more. */
    wait_ended(h, END_VMM_SIGNAL, "or a reset");
    harness_bye(h);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static void owner_of(const char *path, uid_t *ret_user, gid_t *ret_group)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    *ret_user = st.st_uid;
    *ret_group = st.st_gid;
}

void no_file_changes_its_owner(Harness *h)
{
    _cleanup_(freep) char *lock = strf("%s/" RUN_VM_DIR "/" RUN_MACHINE_LOCK_FILE, h->run_path);

    start_ready(h);
    const char *const paths[] = { lock, h->definition.kernel, h->definition.initrd,
                                  h->definition.images[0].path };
    TABLE_FOREACH (path, paths) {
        uid_t user;
        gid_t group;
        owner_of(*path, &user, &group);
        assert_int_equal(user, geteuid());
        assert_int_equal(group, getegid());
    }
    stop_gently(h);
}
