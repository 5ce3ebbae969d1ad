/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/strings.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor.h"

struct Notify {
    sd_event *event;
    struct PodQueue pods[POD_STATE_MAX];
    unsigned counts[POD_STATE_MAX], total, adopting;
    sd_event_source *teller;   /* the line may have changed */
    sd_event_source *patience; /* adopting takes too long */
    sd_event_source *extender; /* while an end is under way */
    char *told;
    usec_t told_at;
    bool heard; /* somebody listens */
    bool started, ready, ending;
};

/* --- the line ------------------------------------------------------------------------------------------------------ */

/* What is told beside the ready ones, the most urgent first. */
static const struct {
    PodState state;
    const char *words;
} told_states[] = {
    { POD_INDETERMINATE, "indeterminate" },
    { POD_FAILED, "failed" },
    { POD_BACKOFF, "in back-off" },
    { POD_STOPPING, "stopping" },
    { POD_RECOVERING, "being adopted" },
    { POD_STARTING, "starting" },
    { POD_WAITING, "waiting" },
    { POD_QUEUED, "queued" },
    { POD_RUNNING, "not ready yet" },
    { POD_PAUSED, "paused" },
    { POD_SUCCEEDED, "succeeded" },
    { POD_INACTIVE, "inactive" },
};
_Static_assert(ELEMENTSOF(told_states) + 1 == POD_STATE_MAX, "every state but ready is told");

/* States in which there is, or may be, a machine. */
static const bool alive[POD_STATE_MAX] = {
    [POD_RECOVERING] = true, [POD_STARTING] = true, [POD_RUNNING] = true,
    [POD_READY] = true,      [POD_PAUSED] = true,   [POD_STOPPING] = true,
};

static void print_wait(FILE *f, const Pod *pod)
{
    usec_t left = usec_sub(pod->observed.next_start, now_usec(CLOCK_BOOTTIME));
    usec_t seconds = usec_add(left, USEC_PER_SEC - 1) / USEC_PER_SEC;

    if (seconds < 120)
        fprintf(f, " %" PRIu64 " s", seconds);
    else
        fprintf(f, " %" PRIu64 " min", (seconds + 59) / 60);
}

static void print_states(FILE *f, const Notify *n)
{
    TABLE_FOREACH (row, told_states) {
        const Pod *pod = TAILQ_FIRST(&n->pods[row->state]);
        if (n->counts[row->state] > 1)
            fprintf(f, ", %u %s", n->counts[row->state], row->words);
        else if (pod)
            fprintf(f, ", %s %s", pod->name, row->words);
        if (n->counts[row->state] == 1 && row->state == POD_BACKOFF)
            print_wait(f, pod);
    }
}

static void print_line(FILE *f, const Notify *n)
{
    unsigned living = 0;

    for (int i = 0; i < POD_STATE_MAX; i++)
        living += alive[i] ? n->counts[i] : 0;
    if (n->ending)
        fprintf(f, "Ending all pods, %u of %u still run", living, n->total);
    else if (n->started && !n->ready)
        fprintf(f, "Adopting what runs, %u of %u pods to go", n->adopting, n->total);
    else if (n->total == 0)
        fputs("No pods are declared", f);
    else
        fprintf(f, "%u of %u pods ready", n->counts[POD_READY], n->total);
    if (!n->ending && n->ready)
        print_states(f, n);
}

/* The caller frees; NULL: no memory. */
static char *line(const Notify *n)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    print_line(f, n);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* --- telling ------------------------------------------------------------------------------------------------------- */

/* With "STATUS=" behind what is told, if it differs from what was told last. */
static void tell(Notify *n, const char *what)
{
    _cleanup_(freep) char *now = line(n);
    bool same = !now || streq_ptr(now, n->told);

    if (!n->heard || (same && str_empty(what)))
        return;
    (void)sd_notifyf(false, "%s%s%s", what, same ? "" : "STATUS=", same ? "" : now);
    n->told_at = now_usec(CLOCK_MONOTONIC);
    if (same)
        return;
    free(n->told);
    n->told = take_ptr(now);
}

static int on_tell(sd_event_source *source, uint64_t usec, void *userdata)
{
    tell(userdata, "");
    return 0;
}

static void tell_soon(Notify *n)
{
    int enabled = SD_EVENT_OFF;

    if (!n->heard || sd_event_source_get_enabled(n->teller, &enabled) < 0 || enabled != SD_EVENT_OFF)
        return;
    (void)sd_event_source_set_time(n->teller, usec_add(n->told_at, NOTIFY_INTERVAL));
    (void)sd_event_source_set_enabled(n->teller, SD_EVENT_ONESHOT);
}

static int on_extend(sd_event_source *source, uint64_t usec, void *userdata)
{
    _cleanup_(freep) char *more = strf("EXTEND_TIMEOUT_USEC=%" PRIu64 "\n", NOTIFY_EXTEND_BY);

    tell(userdata, more ?: "");
    (void)sd_event_source_set_time_relative(source, NOTIFY_EXTEND_EVERY);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- ready --------------------------------------------------------------------------------------------------------- */

static void become_ready(Notify *n)
{
    n->ready = true;
    (void)sd_event_source_set_enabled(n->patience, SD_EVENT_OFF);
    tell(n, "READY=1\n");
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    Notify *n = userdata;

    log_warning("%u pods are not adopted yet, because their runners say nothing; podvisord works meanwhile",
                n->adopting);
    become_ready(n);
    return 0;
}

void notify_started(Notify *n)
{
    _cleanup_(freep) char *more =
        strf("EXTEND_TIMEOUT_USEC=%" PRIu64 "\n", NOTIFY_PATIENCE + NOTIFY_EXTEND_BY);

    if (!n || n->started)
        return;
    n->started = true;
    if (n->adopting == 0) {
        become_ready(n);
        return;
    }
    tell(n, more ?: "");
    (void)sd_event_source_set_time_relative(n->patience, NOTIFY_PATIENCE);
    (void)sd_event_source_set_enabled(n->patience, SD_EVENT_ONESHOT);
}

/* --- the pods ------------------------------------------------------------------------------------------------------ */

static void unlist(Notify *n, Pod *pod)
{
    PodNotice *notice = &pod->notice;

    if (!notice->listed)
        return;
    TAILQ_REMOVE(&n->pods[notice->state], pod, notice.entry);
    n->counts[notice->state]--;
    n->total--;
    n->adopting -= notice->adopting;
    *notice = (PodNotice){ 0 };
}

static void list(Notify *n, Pod *pod)
{
    bool adopting = pod->state == POD_RECOVERING && pod->observed.runner;

    pod->notice = (PodNotice){ .listed = true, .state = pod->state, .adopting = adopting };
    TAILQ_INSERT_TAIL(&n->pods[pod->state], pod, notice.entry);
    n->counts[pod->state]++;
    n->total++;
    n->adopting += adopting;
}

static void changed(Notify *n)
{
    if (n->started && !n->ready && n->adopting == 0)
        become_ready(n);
    else
        tell_soon(n);
}

void notify_pod(Notify *n, Pod *pod)
{
    bool adopting = pod->state == POD_RECOVERING && pod->observed.runner;

    if (!n || (pod->notice.listed && pod->notice.state == pod->state && pod->notice.adopting == adopting))
        return;
    unlist(n, pod);
    list(n, pod);
    changed(n);
}

void notify_pod_gone(Notify *n, Pod *pod)
{
    if (!n || !pod->notice.listed)
        return;
    unlist(n, pod);
    changed(n);
}

/* --- the other words ----------------------------------------------------------------------------------------------- */

void notify_reloading(Notify *n)
{
    if (n && n->heard && n->ready)
        (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_usec(CLOCK_MONOTONIC));
}

void notify_reloaded(Notify *n)
{
    if (n && n->ready)
        tell(n, "READY=1\n");
}

void notify_ending(Notify *n, bool ending)
{
    if (!n || n->ending == ending)
        return;
    n->ending = ending;
    (void)sd_event_source_set_enabled(n->extender, ending && n->heard ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
    if (ending && n->heard)
        (void)on_extend(n->extender, 0, n);
    else
        tell_soon(n);
}

void notify_stopping(Notify *n, const char *status)
{
    if (!n || !n->heard)
        return;
    (void)sd_notifyf(false, "STOPPING=1\nSTATUS=%s", status);
    n->heard = false;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static int add_timer(Notify *n, sd_event_source **ret, const char *name, sd_event_time_handler_t handler)
{
    int r = sd_event_add_time(n->event, ret, CLOCK_MONOTONIC, 0, 100 * USEC_PER_MSEC, handler, n);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(*ret, name);
    return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int notify_new(Notify **ret, sd_event *event)
{
    _cleanup_(notify_freep) Notify *n = calloc(1, sizeof *n);

    if (!n)
        return -ENOMEM;
    n->event = sd_event_ref(event);
    n->heard = getenv("NOTIFY_SOCKET") != NULL;
    for (int i = 0; i < POD_STATE_MAX; i++)
        TAILQ_INIT(&n->pods[i]);
    int r = add_timer(n, &n->teller, "notify-status", on_tell);
    if (r >= 0)
        r = add_timer(n, &n->patience, "notify-ready", on_patience);
    if (r >= 0)
        r = add_timer(n, &n->extender, "notify-extend", on_extend);
    if (r >= 0)
        r = sd_event_set_watchdog(event, true);
    if (r < 0)
        return r;
    *ret = take_ptr(n);
    return 0;
}

Notify *notify_free(Notify *n)
{
    if (!n)
        return NULL;
    sd_event_source_disable_unref(n->teller);
    sd_event_source_disable_unref(n->patience);
    sd_event_source_disable_unref(n->extender);
    sd_event_unref(n->event);
    free(n->told);
    free(n);
    return NULL;
}
