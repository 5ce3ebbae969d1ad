/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/file.h"
#include "base/journal-log.h"
#include "base/strings.h"
#include "runner/agent-glue.h"
#include "runner/backend-events.h"
#include "runner/log-writer.h"
#include "runner/pod-files.h"
#include "runner/recovery.h"
#include "runner/runner-state.h"
#include "runner/supervisor-link.h"
#include "runner/unit.h"

#define SAVE_INTERVAL USEC_PER_SEC

#define RUNNER_LOCK_FILE RUN_RUNNER_LOCK_FILE

const LogField *runner_log_fields(const Runner *r)
{
    static LogFields fields;

    log_fields_of_machine(&fields, &r->definition);
    log_fields_set(&fields, LOG_FIELD_REASON,
                   r->record.report.reason != END_NONE
                       ? enum_to_string(&end_reason_table, (int)r->record.report.reason)
                       : NULL);
    return fields.rows;
}

static int on_save_again(sd_event_source *source, uint64_t now, void *userdata)
{
    runner_save(userdata);
    return 0;
}

void runner_save(Runner *r)
{
    int e = checkpoint_write(r->vm_dir, &runner_checkpoint, r->definition.uuid, r->definition.generation,
                             &r->record);

    if (e >= 0) {
        r->saving = sd_event_source_disable_unref(r->saving);
        return;
    }
    if (!r->saving)
        runner_log(r, LOG_WARNING, e, "Pod %s: the runner's checkpoint cannot be written; it is tried again",
                   r->definition.name);
    r->saving = sd_event_source_disable_unref(r->saving);
    (void)sd_event_add_time_relative(r->event, &r->saving, CLOCK_MONOTONIC, SAVE_INTERVAL, SAVE_INTERVAL / 4,
                                     on_save_again, r);
}

void runner_report_changed(Runner *r)
{
    /* In this order: systemd releases whoever waits for the pod, and they may ask podvisord about it at once. */
    supervisor_link_report_changed(r->link);
    unit_report(r);
}

void runner_set_phase(Runner *r, const char *phase)
{
    if (streq_ptr(r->record.report.phase, phase))
        return;
    (void)str_replace(&r->record.report.phase, phase);
    runner_report_changed(r);
}

/*
 * A record lock and not flock(2): it is this process's own. A child that waits at the gate of backends/vmm.h would hold an
 * inherited one for a moment longer than a runner that is killed there.
 */
static int runner_take_lock(Runner *r)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    r->lock = file_open_at(r->vm_dir, RUNNER_LOCK_FILE, O_RDWR | O_CREAT, 0600);
    if (r->lock < 0)
        return log_error_errno(r->lock, "The runner's lock cannot be opened");
    if (fcntl(r->lock, F_SETLK, &lock) == 0)
        return 0;
    int e = errno == EACCES ? -EAGAIN : -errno;
    return e == -EAGAIN ? log_full(LOG_ERR, e, NULL, "Another runner is at work on this run path")
                        : log_error_errno(e, "The runner's lock cannot be taken");
}

static int runner_read_definition(Runner *r)
{
    _cleanup_(freep) char *detail = NULL;
    RunDefinition d;

    CheckpointOutcome outcome = checkpoint_read(r->run_dir, &run_definition_kind, &d, NULL, &detail);
    if (outcome != CHECKPOINT_GOOD)
        return log_full(LOG_ERR, -EBADMSG, NULL, "The frozen definition is %s (%s)",
                        enum_to_string(&checkpoint_outcome_table, (int)outcome), detail ?: "");
    r->definition = d;
    if (str_empty(d.name) || str_empty(d.supervisor_socket) || id128_is_null(d.uuid))
        return log_full(LOG_ERR, -EBADMSG, NULL,
                        "The frozen definition lacks a name, an identity or a socket");
    if (d.pod.backend != r->backend->kind)
        return log_full(LOG_ERR, -EINVAL, NULL, "Pod %s is for the backend %s, and this is %s", d.name,
                        enum_to_string(&backend_kind_table, (int)d.pod.backend), r->backend->name);
    return 0;
}

/* The journal itself, with the fields, where the pod's output goes there too; a person at a terminal reads along. */
static void choose_log(const Runner *r)
{
    static LogFields lost;

    if (r->definition.log_target != LOG_TARGET_JOURNAL || isatty(STDERR_FILENO))
        return;
    log_fields_of_machine(&lost, &r->definition);
    log_fields_set_event(&lost, &operator_events[EVENT_OUTPUT_LOST]);
    journal_log_open(program_invocation_short_name, lost.rows, false);
    journal_log_attach(r->event);
}

static void on_log_safe(void *userdata, uint64_t seq)
{
    agent_glue_log_safe(userdata, seq);
}

static int runner_init(Runner *r)
{
    r->vm_dir = dir_make_at(r->run_dir, RUN_VM_DIR, 0700);
    if (r->vm_dir < 0)
        return log_error_errno(r->vm_dir, "The directory vm of the run path cannot be opened");
    int e = runner_take_lock(r);
    if (e < 0)
        return e;
    if ((e = runner_read_definition(r)) < 0)
        return e;
    if ((e = sd_event_default(&r->event)) < 0)
        return e;
    choose_log(r);
    r->stop_timeout = r->definition.pod.stop_timeout;
    r->context = (BackendContext){
        .event = r->event,
        .run_dir = r->run_dir,
        .vm_dir = r->vm_dir,
        .definition = &r->definition,
        .images = r->images,
        .n_images = r->n_images,
        .start = &r->record.report.start,
        .on_event = runner_on_backend_event,
        .userdata = r,
    };
    if ((e = log_writer_new(r->event, &r->definition, on_log_safe, r, &r->logs)) < 0)
        return e;
    if ((e = pod_files_new(&r->definition.pod, agent_glue_file_refused, r, &r->files)) < 0)
        return e;
    if ((e = r->backend->new (&r->context, &r->vm)) < 0)
        return e;
    return supervisor_link_new(r, &r->link);
}

int runner_new(const Backend *backend, int run_dir, bool unit, Runner **ret)
{
    _cleanup_(runner_freep) Runner *r = calloc(1, sizeof *r);

    if (!r) {
        safe_close(run_dir);
        return -ENOMEM;
    }
    r->born = now_usec(CLOCK_MONOTONIC);
    r->backend = backend;
    r->run_dir = run_dir;
    r->vm_dir = r->lock = -1;
    r->unit = unit;
    int e = unit ? unit_take_images(&r->images, &r->n_images) : 0;
    if (e >= 0)
        e = schema_init(&runner_record_schema, &r->record);
    if (e >= 0)
        e = runner_init(r);
    if (e < 0)
        return e;
    *ret = take_ptr(r);
    return 0;
}

Runner *runner_free(Runner *r)
{
    if (!r)
        return NULL;
    agent_glue_drop(r);
    r->deadline = sd_event_source_disable_unref(r->deadline);
    r->saving = sd_event_source_disable_unref(r->saving);
    r->leaving = sd_event_source_disable_unref(r->leaving);
    r->link = supervisor_link_free(r->link);
    if (r->vm)
        r->vm = r->backend->free(r->vm);
    r->logs = log_writer_free(r->logs);
    r->files = pod_files_free(r->files);
    strv_free(r->peers);
    journal_log_close();
    schema_done(&runner_record_schema, &r->record);
    schema_done(&run_definition_schema, &r->definition);
    unit_images_free(r->images, r->n_images);
    r->event = sd_event_unref(r->event);
    safe_close(r->lock);
    safe_close(r->vm_dir);
    safe_close(r->run_dir);
    free(r);
    return NULL;
}

int runner_begin(Runner *r)
{
    int e = supervisor_link_begin(r->link);
    if (e < 0)
        return e;
    runner_recover(r);
    return 0;
}
