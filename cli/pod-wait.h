/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Waiting until a pod is what it should be, by podvisord's signals and never by asking again and again. */
#include "cli/client.h"

/* A set of pod states, and the one thing that is none. */
#define STATE_BIT(state) (UINT64_C(1) << (state))
#define STATE_GONE STATE_BIT(POD_STATE_MAX)

typedef struct WaitGoal {
    const char *name;
    uint64_t reached;  /* states in which the waiting is over and all is well */
    uint64_t failed;   /* states from which it does not get there by itself */
    bool ends_at_rest; /* a pod at rest does not get there either */
    int failure;       /* the exit status then */
    const char *doc;
} WaitGoal;

/* The words of `podvisor wait --for`: each pod state, and some sets of them. Words in wait_goal_table, by index. */
extern const EnumTable wait_goal_table;
WaitGoal wait_goal(uint64_t index);
/* The same goal, but what does not come by itself is waited for, too. */
WaitGoal wait_goal_patient(WaitGoal goal);

/* What the pod was before it was told to change: a failure counts only when it came after. */
typedef struct WaitSince {
    bool given;
    usec_t since;
    uint64_t attempt;
    bool new_attempt; /* the goal counts only for another machine than the one before */
} WaitSince;

typedef enum WaitOutcome {
    WAIT_REACHED,
    WAIT_FAILED,
    WAIT_GOES_ON,
} WaitOutcome;

/* Pure: what an observation means. status NULL: there is no such pod. */
WaitOutcome wait_judge(const WaitGoal *goal, const WaitSince *since, const PodStatus *status);

/*
 * Waits for one pod, over restarts of podvisord. client_watch() was called before the pod was told to change. deadline is of CLOCK_MONOTONIC. what: "did not
 * start", for the message. Returns an exit status and has said what went wrong.
 */
int pod_wait(Client *client, const char *pod, const WaitGoal *goal, const WaitSince *since, usec_t deadline,
             const char *what);
