/* SPDX-License-Identifier: Apache-2.0 */
/* What can go wrong with a real VMM and a real kernel. */
#include <signal.h>

#include "base/process.h"
#include "tests/contract/obligations.h"
#include "tests/unit/qemu/tiny-guest.h"

static void wait_end(Harness *h, EndReason reason, const char *message)
{
    harness_wait_state(h, RUNNER_ENDED);
    if (h->report.reason != reason || !h->report.message || !strstr(h->report.message, message))
        fail_msg("ended as %s: %s", enum_to_string(&end_reason_table, (int)h->report.reason),
                 h->report.message ?: "no message");
}

static bool console_says(Harness *h, const char *part)
{
    STRV_FOREACH (line, h->report.console_tail)
        if (strstr(*line, part))
            return true;
    return false;
}

static void kernel_replace(Harness *h, TinyGuest guest)
{
    tiny_guest_write(h->dir.fd, "kernel", guest);
    free(h->definition.kernel);
    h->definition.kernel = strf("%s/kernel", h->dir.path);
}

void a_guest_that_hangs_ends_by_its_deadline_with_its_last_lines(Harness *h)
{
    kernel_replace(h, TINY_IDLE);
    /* It must have had the time to say something, on a busy host, too. */
    h->definition.pod.start_timeout = 8 * USEC_PER_SEC;
    harness_freeze(h);
    harness_launch(h);
    wait_end(h, END_BOOT_TIMEOUT, "");
    assert_true(console_says(h, "hello"));
    harness_bye(h);
}

void a_guest_that_powers_off_by_itself_is_told_so(Harness *h)
{
    kernel_replace(h, TINY_SHUTDOWN);
    harness_freeze(h);
    harness_launch(h);
    wait_end(h, END_GUEST_SHUTDOWN, "powered off");
    assert_true(console_says(h, "bye"));
    harness_bye(h);
}

void a_kernel_that_panics_is_told_with_its_words(Harness *h)
{
    assert_success(file_replace_at(h->dir.fd, "initrd", "none", 4, 0644));
    free(h->definition.initrd);
    h->definition.initrd = strf("%s/initrd", h->dir.path);
    harness_freeze(h);
    harness_launch(h);
    wait_end(h, END_GUEST_PANIC, "Unable to mount root");
    assert_non_null(h->report.console_tail);
    harness_bye(h);
}

void a_missing_vmm_says_what_to_install(Harness *h)
{
    assert_success(str_replace(&h->definition.qemu, "/nonexistent/qemu"));
    harness_freeze(h);
    harness_launch(h);
    wait_end(h, END_START_FAILED, "install the package");
    harness_bye(h);
}

void a_vmm_that_is_none_ends_the_start(Harness *h)
{
    assert_success(str_replace(&h->definition.qemu, "/bin/false"));
    harness_freeze(h);
    harness_launch(h);
    wait_end(h, END_START_FAILED,
             h->definition.pod.backend == BACKEND_LIBVIRT ? "/bin/false" : "exited with status 1");
    harness_bye(h);
}

void a_missing_image_is_told_with_its_container(Harness *h)
{
    assert_success(str_replace(&h->definition.images[0].path, "/nonexistent/image"));
    harness_freeze(h);
    harness_launch(h);
    wait_end(h, END_START_FAILED, "the image of container main");
    harness_bye(h);
}

void a_vmm_that_hangs_can_be_killed(Harness *h)
{
    start_ready(h);
    assert_int_equal(kill((pid_t)h->report.vmm_pid, SIGSTOP), 0);
    assert_int_equal(harness_request(h, RUNNER_KILL, NULL, -1), 0);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_KILLED);
    harness_bye(h);
}
