/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/pod-view.h"
#include "cli/pod-wait.h"

#define ENDED (STATE_BIT(POD_INACTIVE) | STATE_BIT(POD_SUCCEEDED) | STATE_BIT(POD_FAILED))
/* Out of these a pod comes only by an operator. */
#define STUCK (STATE_BIT(POD_FAILED) | STATE_BIT(POD_INDETERMINATE))

typedef enum GoalIndex {
    GOAL_STOPPED = POD_STATE_MAX,
    GOAL_GONE,
    GOAL_MAX,
} GoalIndex;

DEFINE_ENUM_TABLE(
    wait_goal, "state to wait for", GOAL_MAX, [POD_INACTIVE] = { "inactive", "nothing runs, nothing is to" },
    [POD_RECOVERING] = { "recovering", "podvisord looks for what runs" },
    [POD_WAITING] = { "waiting", "something that it needs is not there" },
    [POD_QUEUED] = { "queued", "it waits for its turn" },
    [POD_STARTING] = { "starting", "its machine starts" },
    [POD_RUNNING] = { "running", "its containers are started" },
    [POD_READY] = { "ready", "every container does what it should" },
    [POD_PAUSED] = { "paused", "it is paused" }, [POD_STOPPING] = { "stopping", "it is being stopped" },
    [POD_BACKOFF] = { "backoff", "it failed and is started again" },
    [POD_SUCCEEDED] = { "succeeded", "it ended as it should" },
    [POD_FAILED] = { "failed", "it ended as it should not" },
    [POD_INDETERMINATE] = { "indeterminate", "nobody knows" },
    [GOAL_STOPPED] = { "stopped", "nothing runs: inactive, succeeded, failed or gone" },
    [GOAL_GONE] = { "gone", "podvisord does not know the pod any more" });

WaitGoal wait_goal(uint64_t index)
{
    WaitGoal goal = {
        .name = wait_goal_table.rows[index].name,
        .doc = wait_goal_table.rows[index].doc,
        /* The file of a pod may be on its way out already. */
        .ends_at_rest = index != GOAL_GONE,
        .failure = STATUS_WRONG_STATE,
    };

    switch (index) {
    case GOAL_GONE:
        goal.reached = STATE_GONE;
        goal.failed = STATE_BIT(POD_INDETERMINATE);
        break;
    case GOAL_STOPPED:
        goal.reached = ENDED | STATE_GONE;
        goal.failed = STATE_BIT(POD_INDETERMINATE);
        break;
    case POD_RUNNING:
        goal.reached = STATE_BIT(POD_RUNNING) | STATE_BIT(POD_READY);
        goal.failed = STUCK;
        break;
    default:
        goal.reached = STATE_BIT(index);
        goal.failed = STUCK & ~goal.reached;
    }
    return goal;
}

WaitGoal wait_goal_patient(WaitGoal goal)
{
    goal.failed = 0;
    goal.ends_at_rest = false;
    return goal;
}

/* A container that will never do what it should in this machine, which others keep running. */
static bool is_stuck(const WaitGoal *goal, const PodStatus *status)
{
    bool needs_all = goal->reached & STATE_BIT(POD_READY) && !(goal->reached & STATE_BIT(POD_RUNNING));

    if (!needs_all || !goal->failed || !status || status->state != POD_RUNNING)
        return false;
    bool lost = false, goes_on = false;
    for (size_t i = 0; i < status->n_containers; i++) {
        const ContainerReport *c = &status->containers[i];
        lost |= container_is_lost(c);
        goes_on |= c->state != CONTAINER_ENDED && c->state != CONTAINER_FAILED;
    }
    return lost && goes_on;
}

/*
 * Like a back-off: it may go on one day, by an image or a pod that only an operator brings. That is no news of before, since a verb
 * has it looked for anew.
 */
static bool awaits_operator(const PodStatus *status)
{
    return status && status->state == POD_WAITING && (status->at_rest || !str_empty(status->missing_image));
}

WaitOutcome wait_judge(const WaitGoal *goal, const WaitSince *since, const PodStatus *status)
{
    uint64_t state = status ? STATE_BIT(status->state) : STATE_GONE;
    bool same_machine = since->given && status && status->attempt == since->attempt;
    bool unchanged = same_machine && status->since == since->since;

    if (goal->reached & state && !(since->new_attempt && same_machine))
        return WAIT_REACHED;
    if (goal->failed & state && !unchanged)
        return WAIT_FAILED;
    if (awaits_operator(status) && goal->failed & STATE_BIT(POD_BACKOFF))
        return WAIT_FAILED;
    if (goal->ends_at_rest && status && status->at_rest)
        return WAIT_FAILED;
    if (is_stuck(goal, status) && !(since->new_attempt && same_machine))
        return WAIT_FAILED;
    return WAIT_GOES_ON;
}

static int complain_timeout(const char *pod, const PodStatus *status, const char *what)
{
    _cleanup_(freep) char *text = strf("%s in time", what);

    if (status)
        pod_failure_print(status, text ?: what, now_usec(CLOCK_REALTIME), stderr);
    else
        log_error("%s %s: there is no such pod", pod, text ?: what);
    return STATUS_TIMEOUT;
}

typedef struct Waiting {
    Client *client;
    const char *pod;
    const WaitGoal *goal;
    const WaitSince *since;
    usec_t deadline;
    const char *what;
    bool told_absent;
    bool refreshed;
} Waiting;

/* What to do with one observation: the exit status, or -1 when the waiting goes on and there is something new. */
static int wait_step(Waiting *w, const PodStatus *status)
{
    switch (wait_judge(w->goal, w->since, status)) {
    case WAIT_REACHED:
        return STATUS_OK;
    case WAIT_FAILED:
        /* Its file may just have been mended. */
        if (w->goal->ends_at_rest && !w->refreshed) {
            client_refresh(w->client);
            w->refreshed = true;
            return -1;
        }
        pod_failure_print(status, w->what, now_usec(CLOCK_REALTIME), stderr);
        return w->goal->failure;
    case WAIT_GOES_ON:
        break;
    }
    int r = client_next_change(w->client, w->deadline);
    return r == STATUS_TIMEOUT ? complain_timeout(w->pod, status, w->what) : r != STATUS_OK ? r : -1;
}

static int wait_once(Waiting *w)
{
    PodStatus status = { 0 };
    bool absent;

    int r = client_get(w->client, w->pod, &status, &absent);
    if (r != STATUS_OK)
        return r;
    /* For people who have misspelt it; a script hears of it at its deadline. */
    if (absent && !w->told_absent && !(w->goal->reached & STATE_GONE) && isatty(STDERR_FILENO)) {
        log_info("There is no pod %s yet; waiting for it", w->pod);
        w->told_absent = true;
    }
    r = wait_step(w, absent ? NULL : &status);
    schema_done(&pod_status_schema, &status);
    return r;
}

int pod_wait(Client *client, const char *pod, const WaitGoal *goal, const WaitSince *since, usec_t deadline,
             const char *what)
{
    Waiting w = {
        .client = client, .pod = pod, .goal = goal, .since = since, .deadline = deadline, .what = what
    };
    int r = -1;

    client_last(client);
    while (r < 0) {
        r = wait_once(&w);
        if (r == STATUS_NO_DAEMON && client_lost(client)) {
            r = client_reconnect(client, deadline);
            r = r == STATUS_OK ? -1 : r;
        }
    }
    return r;
}
