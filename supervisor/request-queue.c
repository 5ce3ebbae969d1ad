/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/strings.h"
#include "supervisor/request-queue.h"
#include "supervisor/supervisor.h"

struct QueuedRequest {
    Pod *pod; /* owner */
    RunnerMessageType type;
    ExecRequest request; /* valid when has_request */
    bool has_request;
    int fd;
    usec_t timeout;
    RunnerReplyFunc func;
    void *userdata;
    sd_event_source *deadline;
    TAILQ_ENTRY(QueuedRequest) entry;
};

bool request_possible(const Pod *pod)
{
    return pod->link && pod->observed.reported &&
           (pod->observed.state == RUNNER_RUNNING || pod->observed.state == RUNNER_PAUSED);
}

bool request_may_wait(const Pod *pod)
{
    bool away = !pod->link || !pod->observed.reported || pod->observed.state == RUNNER_ADOPTING ||
                pod->observed.state == RUNNER_STARTING;
    bool up = pod->state == POD_READY || pod->state == POD_RUNNING || pod->state == POD_PAUSED ||
              pod->state == POD_RECOVERING || pod->state == POD_STARTING;

    return away && up && pod->observed.phase == MACHINE_LIVE;
}

static QueuedRequest *request_free(QueuedRequest *q)
{
    if (!q)
        return NULL;
    if (q->has_request)
        schema_done(&exec_request_schema, &q->request);
    sd_event_source_disable_unref(q->deadline);
    safe_close(q->fd);
    free(q);
    return NULL;
}
DEFINE_CLEANUP(QueuedRequest *, request_free)

/* Takes q out of its queue and frees it after its caller was told. */
static void answer(QueuedRequest *q, int error, const char *why)
{
    TAILQ_REMOVE(&q->pod->requests, q, entry);
    q->func(q->userdata, error, why);
    request_free(q);
}

static int on_deadline(sd_event_source *source, usec_t now, void *userdata)
{
    answer(userdata, -EBUSY, "The pod does not run yet; `podvisor status` says what it waits for.");
    return 0;
}

static int request_new(QueuedRequest **ret, Pod *pod, const ExecRequest *request, int fd, usec_t timeout)
{
    _cleanup_(request_freep) QueuedRequest *q = calloc(1, sizeof *q);

    if (!q)
        return -ENOMEM;
    *q = (QueuedRequest){ .pod = pod, .fd = -1, .timeout = timeout };
    int r = request ? schema_copy(&exec_request_schema, request, &q->request) : 0;
    if (r < 0)
        return r;
    q->has_request = request != NULL;
    if (fd >= 0 && (q->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
        return -errno;
    r = sd_event_add_time_relative(pod->supervisor->event, &q->deadline, CLOCK_BOOTTIME, timeout,
                                   USEC_PER_MSEC, on_deadline, q);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(q->deadline, "queued-request");
    *ret = take_ptr(q);
    return 0;
}

int request_submit(Pod *pod, RunnerMessageType type, const ExecRequest *request, int fd, usec_t timeout,
                   RunnerReplyFunc func, void *userdata)
{
    QueuedRequest *q = NULL;

    if (request_possible(pod))
        return runner_link_request(pod->link, type, request, fd, timeout, func, userdata);
    int r = request_new(&q, pod, request, fd, timeout);
    if (r < 0)
        return r;
    assert(q);
    q->type = type;
    q->func = func;
    q->userdata = userdata;
    TAILQ_INSERT_TAIL(&pod->requests, q, entry);
    return 0;
}

/* From now on the link answers. */
static void hand_over(QueuedRequest *q)
{
    Pod *pod = q->pod;
    int r = runner_link_request(pod->link, q->type, q->has_request ? &q->request : NULL, q->fd, q->timeout,
                                q->func, q->userdata);

    if (r < 0) {
        answer(q, r, NULL);
        return;
    }
    TAILQ_REMOVE(&pod->requests, q, entry);
    request_free(q);
}

void request_queue_settle(Pod *pod)
{
    while (!TAILQ_EMPTY(&pod->requests) && request_possible(pod))
        hand_over(TAILQ_FIRST(&pod->requests));
    if (!TAILQ_EMPTY(&pod->requests) && !request_may_wait(pod))
        request_queue_fail(pod, -ENOTCONN, "The pod's machine has ended.");
}

void request_queue_fail(Pod *pod, int error, const char *why)
{
    while (!TAILQ_EMPTY(&pod->requests))
        answer(TAILQ_FIRST(&pod->requests), error, why);
}
