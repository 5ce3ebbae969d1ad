/* SPDX-License-Identifier: Apache-2.0 */
#include <systemd/sd-daemon.h>

#include "base/file.h"
#include "base/strings.h"
#include "runner/runner-main.h"
#include "runner/unit.h"

/* On top of what the machine has: for the record, the report, and podvisord's answer. */
#define STOP_GRACE (15 * USEC_PER_SEC)
/* How long an end waits for podvisord to record it. It is on disk; whoever comes next reports it. */
#define BYE_TIMEOUT (5 * USEC_PER_SEC)

/* --- descriptors -------------------------------------------------------------------------------------------------- */

void unit_images_free(BackendImage *images, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(images[i].name);
        safe_close(images[i].fd);
    }
    free(images);
}

int unit_take_images(BackendImage **ret, size_t *ret_n)
{
    char **names = NULL;

    int n = sd_listen_fds_with_names(true, &names);
    if (n <= 0)
        return n;
    BackendImage *images = calloc((size_t)n, sizeof *images);
    for (int i = 0; images && i < n; i++)
        images[i] = (BackendImage){ .name = take_ptr(names[i]), .fd = SD_LISTEN_FDS_START + i };
    if (!images)
        strv_free(names);
    else
        free(names);
    if (!images)
        return -ENOMEM;
    *ret = images;
    *ret_n = (size_t)n;
    return 0;
}

/* --- what it is told ------------------------------------------------------------------------------------------------ */

static bool ended_well(const RunnerReport *report)
{
    return report->reason == END_STOPPED || runner_report_succeeded(report);
}

static char *status_words(const RunnerReport *report)
{
    const char *state = enum_to_string(&runner_state_table, (int)report->state);

    if (report->state == RUNNER_ENDED)
        return strf("Ended: %s%s%s", enum_to_string(&end_reason_table, (int)report->reason),
                    report->message ? ": " : "", report->message ?: "");
    if (report->state == RUNNER_INDETERMINATE)
        return strf("Indeterminate: %s", report->message ?: "it cannot be told what runs");
    if (report->phase)
        return strf("%s: waits for %s", state, report->phase);
    return report->ready ? strf("Ready, machine in process %llu", (unsigned long long)report->vmm_pid)
                         : strdup(state);
}

/* A line end in a status would begin another assignment; words of a guest may be in there. */
static void one_line(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

static int on_no_bye(sd_event_source *source, uint64_t now, void *userdata)
{
    Runner *r = userdata;

    runner_log(r, LOG_NOTICE, 0, "Pod %s: podvisord is away; the end is on record, and the runner leaves",
               r->definition.name);
    return sd_event_exit(r->event, unit_exit_status(r));
}

/* A unit that is stopped must end, with or without podvisord. */
static void leave_soon(Runner *r)
{
    if (r->leaving)
        return;
    int e = sd_event_add_time_relative(r->event, &r->leaving, CLOCK_MONOTONIC, BYE_TIMEOUT, USEC_PER_SEC,
                                       on_no_bye, r);
    if (e < 0)
        (void)sd_event_exit(r->event, unit_exit_status(r));
}

void unit_report(Runner *r)
{
    const RunnerReport *report = &r->record.report;
    _cleanup_(freep) char *status = NULL;

    if (!r->unit)
        return;
    status = status_words(report);
    if (status) {
        one_line(status);
        (void)sd_notifyf(false, "STATUS=%s", status);
    }
    /* A job that has done its work has been ready, too: whoever waits for it may go on. */
    bool done = report->state == RUNNER_ENDED && ended_well(report);
    if ((report->ready || done) && !r->told_ready) {
        r->told_ready = true;
        (void)sd_notify(false, "READY=1");
    }
    if (report->state == RUNNER_ENDED && report->by_host)
        leave_soon(r);
}

int unit_exit_status(const Runner *r)
{
    return !r->unit || ended_well(&r->record.report) ? 0 : RUNNER_EXIT_POD_FAILED;
}

/* --- what it says --------------------------------------------------------------------------------------------------- */

void unit_stop(Runner *r)
{
    usec_t timeout = r->definition.pod.stop_timeout;
    RunnerReport *report = &r->record.report;

    if (report->state == RUNNER_ENDED) {
        leave_soon(r);
        return;
    }
    (void)sd_notifyf(false, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
                     (unsigned long long)usec_add(timeout, STOP_GRACE));
    report->by_host = true;
    if (runner_stop(r, timeout, "its unit is stopped") >= 0)
        return;
    runner_log(r, LOG_ERR, 0,
               "Pod %s: its unit is stopped, but it cannot be told what runs: nothing is stopped",
               r->definition.name);
    (void)sd_event_exit(r->event, RUNNER_EXIT_INTERRUPTED);
}

void unit_restart(Runner *r)
{
    RunnerReport *report = &r->record.report;

    if (report->restart_asked || report->state == RUNNER_ENDED)
        return;
    runner_log(r, LOG_NOTICE, 0, "Pod %s: to be restarted, as its runner was asked by SIGINT",
               r->definition.name);
    report->restart_asked = true;
    runner_report_changed(r);
}
