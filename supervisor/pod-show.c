/* SPDX-License-Identifier: Apache-2.0 */
/* A pod as the API shows it: made anew from the facts whenever they have changed and somebody asks. */
#include <stdio.h>

#include "base/file.h"
#include "base/strings.h"
#include "schemas/user-network.h"
#include "supervisor/networks.h"
#include "supervisor/pod-live.h"
#include "supervisor/pod-order.h"
#include "supervisor/supervisor.h"
#include "supervisor/volume-make.h"

/* Those of init are no part of the number: they are over before the others count. */
static uint64_t count_ready(const RunnerReport *report)
{
    uint64_t n = 0;

    if (report->state != RUNNER_RUNNING && report->state != RUNNER_PAUSED)
        return 0;
    for (size_t i = 0; i < report->n_containers; i++) {
        const ContainerReport *c = &report->containers[i];
        n += c->role != CONTAINER_INIT && container_does_what_it_should(c);
    }
    return n;
}

static usec_t to_realtime(usec_t boottime)
{
    usec_t now = now_usec(CLOCK_BOOTTIME);

    return usec_add(now_usec(CLOCK_REALTIME), usec_sub(boottime, now));
}

static int show_definition(const Pod *pod, PodStatus *s)
{
    s->containers_total = pod->definition.n_containers;
    s->after = strv_copy(pod->definition.after);
    s->requires = strv_copy(pod->definition.requires);
    int r = str_replace(&s->description, pod->definition.description);
    return r < 0
               ? r
               : str_replace(&s->backend, enum_to_string(&backend_kind_table, (int)pod->definition.backend));
}

static int show_report(const Pod *pod, PodStatus *s)
{
    const RunnerReport *report = &pod->report;
    const RunnerReport kept = { .containers = pod->record.containers,
                                .n_containers = pod->record.n_containers };
    bool alive = reconcile_alive(&pod->observed), told = alive || report->n_containers > 0;
    RunnerReport copy;

    /* Containers as they were last, also after the end, and of the last life of podvisord; the machine only while it may live. */
    int r = schema_copy(&runner_report_schema, told ? report : &kept, &copy);
    if (r < 0)
        return r;
    s->containers = take_ptr(copy.containers);
    s->n_containers = copy.n_containers;
    copy.n_containers = 0;
    if (alive) {
        s->containers_ready = count_ready(report);
        s->vmm_pid = report->vmm_pid;
        s->vmm_started = report->vmm_started;
        s->isolated = report->isolated;
        s->phase = take_ptr(copy.phase);
        s->accelerator = take_ptr(copy.accelerator);
        s->kernel = take_ptr(copy.kernel);
        s->started_by = take_ptr(copy.started_by);
        s->network_lost = take_ptr(copy.network_lost);
        s->helpers = take_ptr(copy.helpers);
        s->n_helpers = copy.n_helpers;
        copy.n_helpers = 0;
        s->memory_size = report->vmm_pid > 0 && pod->has_running ? pod->running.memory : 0;
    }
    schema_done(&runner_report_schema, &copy);
    return 0;
}

/* The one that is under way, or was the last. */
static int show_start(const Pod *pod, PodStatus *s)
{
    bool alive = reconcile_alive(&pod->observed);
    StartTimes copy;

    int r = schema_copy(&start_times_schema, alive ? &pod->report.start : &pod->record.start, &copy);
    if (r >= 0)
        s->start = copy;
    return r;
}

static int show_record(const Pod *pod, PodStatus *s)
{
    const PodRecord *record = &pod->record;

    s->since = record->since;
    s->generation = record->generation;
    s->attempt = record->attempt;
    s->restarts = record->restarts;
    s->uuid = record->uuid;
    s->hold = record->hold;
    s->verdict = record->verdict;
    s->reason = record->reason;
    s->exit_code = record->exit_code;
    s->exit_signal = record->exit_signal;
    s->runner_pid = record->runner_pid;
    if (pod->rule == RULE_BACKOFF)
        s->next_start = to_realtime(record->next_start);
    s->console_tail = strv_copy(record->console_tail);
    s->overdue = record->end_rule && record->reason == END_KILLED &&
                 !streq(record->end_rule, enum_to_string(&rule_table, RULE_KILL_ASKED));
    int r = str_replace(&s->file, record->file);
    if (r >= 0)
        r = str_replace(&s->end_cause, rule_words(record->end_rule));
    return r < 0 ? r : str_replace(&s->message, record->message);
}

static int show_bridge(const Pod *pod, PodStatus *s)
{
    const BridgeLink *link = &pod->record.link;
    const LeaseReport *lease = &pod->report.lease;
    bool leased = network_is_leased(&pod->record.network);
    const char *address = (leased ? lease->address : link->address) ?: "";

    s->address = strndup(address, strcspn(address, "/"));
    if (!s->address || str_replace(&s->bridge, link->bridge) < 0 ||
        str_replace(&s->network, link->network) < 0 ||
        str_replace(&s->names_stale, networks_names_stale(pod)) < 0)
        return -ENOMEM;
    if (!leased)
        return 0;
    s->lease_expires = lease->expires;
    int r = str_replace(&s->lease_server, lease->server);
    return r < 0 ? r : str_replace(&s->lease_trouble, lease->trouble);
}

/* Of the machine that runs; its definition may be another by now. */
static int show_network(const Pod *pod, PodStatus *s)
{
    const NetworkDefinition *network = &pod->record.network;

    if (!reconcile_alive(&pod->observed) || network->mode == NETWORK_NONE)
        return 0;
    if (network->mode == NETWORK_BRIDGE)
        return show_bridge(pod, s);
    if (network->publish && !(s->published = strv_copy(network->publish)))
        return -ENOMEM;
    return str_replace(&s->address, USER_NETWORK_ADDRESS);
}

static int show_errors(const Pod *pod, PodStatus *s)
{
    s->errors = strv_copy(pod->errors);
    s->pending = strv_copy(pod->pending);
    if (pod_live_show(pod, &s->pending) < 0)
        return -ENOMEM;
    _cleanup_(freep) char *order = pod_order_error(pod);
    if (order && strv_append(&s->errors, order) < 0)
        return -ENOMEM;
    if (pod->record_error == 0)
        return 0;
    s->unsaved = strf("%s/" PATHS_PODS "/%s: %s", pod->supervisor->paths->run, pod->name,
                      strerror(-pod->record_error));
    return s->unsaved ? 0 : -ENOMEM;
}

static int show_doubt(const Pod *pod, PodStatus *s)
{
    if (pod->state != POD_INDETERMINATE)
        return 0;
    s->verdict = pod->observed.doubt ? VERDICT_INDETERMINATE : pod->report.verdict;
    return str_replace(&s->message, pod->doubt ?: pod->report.message);
}

static int show_order(const Pod *pod, PodStatus *s)
{
    _cleanup_(strv_freep) char **words = NULL;

    int r = pod_order_waits(pod, &s->waits_for, &words);
    if (r < 0 || !words)
        return r;
    free(s->phase);
    s->phase = strv_join(words, "; ");
    return s->phase ? 0 : -ENOMEM;
}

static int show_image_wait(const Pod *pod, PodStatus *s)
{
    if (pod->rule != RULE_NO_IMAGE)
        return 0;
    free(s->phase);
    s->phase = strf("its image: %s", pod->missing_why ?: "it is not in the store");
    if (!s->phase)
        return -ENOMEM;
    /* What is being pulled comes without an operator. */
    return pod->image_pulled ? 0 : str_replace(&s->missing_image, pod->missing_image);
}

static int show_volume_wait(const Pod *pod, PodStatus *s)
{
    if (pod->rule != RULE_MAKING_VOLUME)
        return 0;
    free(s->phase);
    s->phase = strf("its volume %s, which is being made", volume_make_name(pod) ?: "?");
    return s->phase ? 0 : -ENOMEM;
}

static int show_shares(const Pod *pod, PodStatus *s)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && pod->has_running && i < pod->running.n_volumes; i++) {
        const VolumeDefinition *v = &pod->running.volumes[i];
        if (v->type != VOLUME_SHARE || !reconcile_alive(&pod->observed))
            continue;
        r = volume_is_live(v)
                ? strv_appendf(&s->live, "%s is %s itself, %s", v->name, v->source,
                               v->read_only ? "for reading" : "which the pod can write")
                : strv_appendf(&s->copies, "%s of %s, as it was when the pod started", v->name, v->source);
    }
    return r;
}

static int show_files(const Pod *pod, PodStatus *s)
{
    s->stale_files = strv_copy(pod->stale_files);
    return s->stale_files || !pod->stale_files ? 0 : -ENOMEM;
}

/* Rules by which nothing more comes of itself. */
static const bool restful[RULE_MAX] = {
    [RULE_NOT_DEFINED] = true, [RULE_HELD] = true,   [RULE_NO_AUTOSTART] = true, [RULE_SUCCEEDED] = true,
    [RULE_CYCLIC] = true,      [RULE_FAILED] = true, [RULE_DOUBT] = true,        [RULE_RUNNER_DOUBTS] = true,
};

/* While the next decision is due, the last one says nothing any more. */
static int show_rest(const Pod *pod, PodStatus *s)
{
    s->at_rest = !pod->due && pod->rule < RULE_MAX &&
                 (restful[pod->rule] || (pod->rule == RULE_AWAITS && pod_order_awaits_operator(pod)));
    return 0;
}

static int show_wait(const Pod *pod, PodStatus *s)
{
    if (pod->state == POD_QUEUED)
        return str_replace(&s->phase, "its turn to start");
    return pod->state == POD_RECOVERING && !s->phase ? str_replace(&s->phase, "its runner's word") : 0;
}

static int build(Pod *pod, PodStatus *s)
{
    static int (*const parts[])(const Pod *pod, PodStatus *s) = {
        show_definition,  show_report, show_start, show_record, show_network,
        show_errors,      show_doubt,  show_rest,  show_wait,   show_image_wait,
        show_volume_wait, show_order,  show_files, show_shares,
    };

    s->state = pod->state;
    int r = str_replace(&s->name, pod->name);
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++)
        r = parts[i](pod, s);
    return r;
}

const PodStatus *pod_status(Pod *pod)
{
    PodStatus s;

    if (pod->status_built)
        return &pod->status;
    if (schema_init(&pod_status_schema, &s) < 0)
        return NULL;
    if (build(pod, &s) < 0) {
        schema_done(&pod_status_schema, &s);
        return NULL;
    }
    schema_done(&pod_status_schema, &pod->status);
    pod->status = s;
    pod->status_built = true;
    return &pod->status;
}
