/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "supervisor/host-sleep.h"
#include "supervisor/supervisor.h"

/* logind waits for 5 seconds where nobody has set it otherwise. */
#define PAUSE_TIMEOUT (4 * USEC_PER_SEC)
#define RESUME_TIMEOUT (60 * USEC_PER_SEC)

struct HostSleep {
    Supervisor *supervisor;
    unsigned pending; /* pods that have not answered yet */
    sd_event_source *deadline;
    void (*done)(void *userdata);
    void *userdata;
};

typedef struct Wish {
    HostSleep *owner;
    char *name;
    bool pause;
} Wish;

static void finish(HostSleep *h)
{
    void (*done)(void *userdata) = h->done;

    (void)sd_event_source_set_enabled(h->deadline, SD_EVENT_OFF);
    h->done = NULL;
    if (done)
        done(h->userdata);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    HostSleep *h = userdata;

    log_warning("The host goes to sleep although %u pods do not say that they are paused", h->pending);
    finish(h);
    return 0;
}

static Wish *wish_free(Wish *w)
{
    free(w->name);
    free(w);
    return NULL;
}

static void on_answer(void *userdata, int error, const char *message)
{
    Wish *w = userdata;
    HostSleep *h = w->owner;
    bool pause = w->pause;

    if (error < 0)
        log_warning("%s: cannot %s with the host: %s", w->name, pause ? "be paused" : "go on",
                    message ?: strerror(-error));
    wish_free(w);
    if (pause && --h->pending == 0)
        finish(h);
}

static void ask(HostSleep *h, Pod *pod, bool pause)
{
    Wish *w = calloc(1, sizeof *w);

    if (w)
        *w = (Wish){ .owner = h, .name = strdup(pod->name), .pause = pause };
    if (!w || !w->name) {
        log_error("%s: cannot sleep or wake with the host: out of memory", pod->name);
        free(w);
        return;
    }
    int r = request_submit(pod, pause ? RUNNER_PAUSE : RUNNER_RESUME, NULL, -1,
                           pause ? PAUSE_TIMEOUT : RESUME_TIMEOUT, on_answer, w);
    if (r >= 0) {
        h->pending += pause;
        return;
    }
    log_warning("%s: cannot %s with the host: %s", pod->name, pause ? "be paused" : "go on", strerror(-r));
    wish_free(w);
}

/* Also when it could not be written: then only the next podvisord does not know. */
static void note(Pod *pod, bool asleep)
{
    pod->record.asleep = asleep;
    (void)pod_save(pod);
}

void host_sleep_begins(HostSleep *h, void (*done)(void *userdata), void *userdata)
{
    Supervisor *s = h->supervisor;

    h->done = done;
    h->userdata = userdata;
    h->pending++; /* for this function, since an answer may come at once */
    for (size_t i = 0; i < s->n_pods; i++) {
        Pod *pod = s->pods[i];
        if (!pod->observed.linked || !pod->observed.reported || pod->observed.state != RUNNER_RUNNING)
            continue;
        note(pod, true);
        ask(h, pod, true);
    }
    (void)sd_event_source_set_time_relative(h->deadline, PAUSE_TIMEOUT);
    (void)sd_event_source_set_enabled(h->deadline, SD_EVENT_ONESHOT);
    if (--h->pending == 0)
        finish(h);
}

void host_sleep_over(HostSleep *h)
{
    Supervisor *s = h->supervisor;

    for (size_t i = 0; i < s->n_pods; i++) {
        Pod *pod = s->pods[i];
        if (!pod->record.asleep)
            continue;
        note(pod, false);
        ask(h, pod, false);
    }
}

int host_sleep_new(HostSleep **ret, Supervisor *supervisor)
{
    _cleanup_(host_sleep_freep) HostSleep *h = calloc(1, sizeof *h);

    if (!h)
        return -ENOMEM;
    h->supervisor = supervisor;
    int r = sd_event_add_time(supervisor->event, &h->deadline, CLOCK_MONOTONIC, 0, 0, on_deadline, h);
    if (r >= 0)
        r = sd_event_source_set_enabled(h->deadline, SD_EVENT_OFF);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(h->deadline, "host-sleep");
    *ret = take_ptr(h);
    return 0;
}

HostSleep *host_sleep_free(HostSleep *h)
{
    if (!h)
        return NULL;
    sd_event_source_disable_unref(h->deadline);
    free(h);
    return NULL;
}
