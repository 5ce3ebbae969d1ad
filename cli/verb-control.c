/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that tell a pod to change, and wait until it has. */
#include <time.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/pod-wait.h"
#include "cli/verbs.h"
#include "schemas/order.h"

#define START_TIMEOUT (5 * USEC_PER_MINUTE)

#define STOPPED (STATE_BIT(POD_INACTIVE) | STATE_BIT(POD_SUCCEEDED) | STATE_BIT(POD_FAILED) | STATE_GONE)
#define STARTED (STATE_BIT(POD_READY) | STATE_BIT(POD_SUCCEEDED))
#define NOT_STARTED                                                                                          \
    (STATE_BIT(POD_FAILED) | STATE_BIT(POD_BACKOFF) | STATE_BIT(POD_INDETERMINATE) | STATE_BIT(POD_INACTIVE))
#define ENDED_OR_DOUBTFUL (STOPPED | STATE_BIT(POD_BACKOFF) | STATE_BIT(POD_INDETERMINATE))

typedef struct Control {
    const char *verb;
    const char *method;
    WaitGoal goal;
    const char *what; /* "did not start" */
    bool new_attempt; /* the goal counts only for a new machine */
    bool backwards;   /* whoever comes after another one is told before it */
} Control;

static const Control controls[] = {
    { "start", "Start", { .reached = STARTED, .failed = NOT_STARTED }, .what = "did not start" },
    { "stop",
      "Stop",
      { .reached = STOPPED, .failed = STATE_BIT(POD_INDETERMINATE) },
      .what = "did not stop",
      .backwards = true },
    { "restart",
      "Restart",
      { .reached = STARTED, .failed = NOT_STARTED },
      .what = "did not start again",
      .new_attempt = true },
    { "kill",
      "Kill",
      { .reached = STOPPED, .failed = STATE_BIT(POD_INDETERMINATE) },
      .what = "was not killed" },
    { "pause",
      "Pause",
      { .reached = STATE_BIT(POD_PAUSED), .failed = ENDED_OR_DOUBTFUL },
      .what = "was not paused" },
    { "resume",
      "Resume",
      { .reached = STATE_BIT(POD_RUNNING) | STATE_BIT(POD_READY), .failed = ENDED_OR_DOUBTFUL },
      .what = "was not resumed" },
    { "adopt",
      "Adopt",
      { .reached = STATE_BIT(POD_RUNNING) | STATE_BIT(POD_READY) | STATE_BIT(POD_PAUSED),
        .failed = STATE_BIT(POD_INDETERMINATE) | STATE_BIT(POD_FAILED) },
      .what = "was not adopted" },
    { "forget", "Forget", { .reached = ~STATE_BIT(POD_INDETERMINATE) }, .what = "was not forgotten" },
};

static const Control *control_find(const char *verb)
{
    TABLE_FOREACH (row, controls)
        if (streq(row->verb, verb))
            return row;
    return NULL;
}

/* They are told to change: what they are before says nothing, and that it came to nothing is a failure. */
static WaitGoal goal_of(const Control *control)
{
    WaitGoal goal = control->goal;

    goal.failure = STATUS_FAILURE;
    return goal;
}

static usec_t wait_deadline(const Context *c, usec_t timeout)
{
    const OptionValue *given = &c->options[OPTION_TIMEOUT];
    return usec_add(now_usec(CLOCK_MONOTONIC), given->given ? given->number : timeout);
}

/* Tells the pod; *ret_since is what it was before. */
static int tell(Client *client, const Control *control, const char *pod, WaitSince *ret_since)
{
    PodStatus before;

    int r = client_get(client, pod, &before, NULL);
    if (r != STATUS_OK)
        return r;
    *ret_since = (WaitSince){
        .given = true, .since = before.since, .attempt = before.attempt, .new_attempt = control->new_attempt
    };
    schema_done(&pod_status_schema, &before);
    return client_call(client, pod, control->method);
}

/* So that podvisord knows of all that are to end before the first one does: see podvisor.pod(5) about `after`. */
static int order_to_stop(Client *client, char **pods)
{
    _cleanup_(order_freep) Order *order = NULL;
    int r = order_new(&order, NULL, NULL);

    STRV_FOREACH (pod, pods) {
        PodStatus status;
        bool absent;
        if (r < 0)
            break;
        if (client_get(client, *pod, &status, &absent) != STATUS_OK || absent)
            continue;
        const OrderRule rule = { .after = status.after, .requires = status.requires };
        r = order_set(order, *pod, &rule);
        schema_done(&pod_status_schema, &status);
    }
    return r < 0 ? r : order_sort_to_stop(order, pods);
}

/* All are told first, so that they change side by side; then each is waited for. A status of -1: not told, not waited for. */
static int control_all(Client *client, const Control *control, const Context *c)
{
    size_t n = strv_length(c->arguments);
    _cleanup_(freep) WaitSince *since = calloc(n, sizeof *since);
    usec_t deadline = wait_deadline(c, START_TIMEOUT);
    WaitGoal goal = goal_of(control);
    int status = STATUS_OK;

    if (!since || (control->backwards && n > 1 && order_to_stop(client, c->arguments) < 0)) {
        log_error("Out of memory");
        return STATUS_FAILURE;
    }
    for (size_t i = 0; i < n; i++) {
        int r = tell(client, control, c->arguments[i], &since[i]);
        since[i].given = r == STATUS_OK;
        status = status == STATUS_OK ? r : status;
    }
    for (size_t i = 0; i < n && !option_given(c, OPTION_NO_WAIT); i++) {
        int r = since[i].given ? pod_wait(client, c->arguments[i], &goal, &since[i], deadline, control->what)
                               : STATUS_OK;
        status = status == STATUS_OK ? r : status;
    }
    return status;
}

int verb_control(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;

    int status = client_open(c, &client);
    if (status == STATUS_OK)
        status = client_watch(client);
    return status == STATUS_OK ? control_all(client, control_find(c->verb->name), c) : status;
}

int verb_reload(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;

    int status = client_open(c, &client);
    return status == STATUS_OK ? client_call(client, NULL, "Reload") : status;
}

int verb_wait(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    const OptionValue *given = &c->options[OPTION_FOR];
    WaitGoal named = wait_goal(given->given ? given->number : POD_READY);
    WaitGoal goal = option_given(c, OPTION_PATIENT) ? wait_goal_patient(named) : named;
    WaitSince since = { 0 };
    usec_t deadline = wait_deadline(c, USEC_INFINITY);
    _cleanup_(freep) char *what = strf("did not become %s", goal.name);

    int status = client_open(c, &client);
    if (status == STATUS_OK)
        status = client_watch(client);
    STRV_FOREACH (pod, c->arguments)
        if (status == STATUS_OK)
            status = pod_wait(client, *pod, &goal, &since, deadline, what ?: "failed");
    return status;
}
