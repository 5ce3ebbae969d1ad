/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/pod-state.h"

DEFINE_ENUM_TABLE(pod_event, "event", POD_EVENT_MAX, [POD_EVENT_FOUND] = { "found", "its machine may live" },
                  [POD_EVENT_IDLE] = { "idle", "nothing is to run" },
                  [POD_EVENT_WAITING] = { "waiting", "something that it needs is not there" },
                  [POD_EVENT_QUEUED] = { "queued", "it waits for its turn" },
                  [POD_EVENT_LAUNCHED] = { "launched", "a new machine was launched" },
                  [POD_EVENT_STARTING] = { "starting", "its machine starts" },
                  [POD_EVENT_RUNNING] = { "running", "its containers run" },
                  [POD_EVENT_READY] = { "ready", "all its containers do what they should" },
                  [POD_EVENT_PAUSED] = { "paused", "its machine's processors are stopped" },
                  [POD_EVENT_ENDING] = { "ending", "its machine ends" },
                  [POD_EVENT_BACKOFF] = { "backoff", "it waits before its next start" },
                  [POD_EVENT_SUCCEEDED] = { "succeeded", "it ended as it should" },
                  [POD_EVENT_FAILED] = { "failed", "it ended as it should not" },
                  [POD_EVENT_DOUBT] = { "doubt", "it cannot be told what runs" });

/* Names of one letter less than the widest column, so that the table can be read as one. 0 stands for "cannot happen". */
enum {
    none = 0,
    INAC = POD_INACTIVE + 1,
    RECO = POD_RECOVERING + 1,
    WAIT = POD_WAITING + 1,
    QUEU = POD_QUEUED + 1,
    STAR = POD_STARTING + 1,
    RUNN = POD_RUNNING + 1,
    REDY = POD_READY + 1,
    PAUS = POD_PAUSED + 1,
    STOP = POD_STOPPING + 1,
    BACK = POD_BACKOFF + 1,
    SUCC = POD_SUCCEEDED + 1,
    FAIL = POD_FAILED + 1,
    INDE = POD_INDETERMINATE + 1,
};

/*
 * A runner that takes over from another one hears from the agent anew: the machine that ran goes on running. While a machine ends, what its runner still reports of its life does not count any more: STOPPING stays. A doubt ends by a
 * runner's report or by an operator's word, after which anything can be found.
 */
/* clang-format off */
static const uint8_t next[][POD_EVENT_MAX] = {
    /*                       FOUND IDLE  WAIT  QUEU  LAUN  STAR  RUNN  REDY  PAUS  ENDI  BACK  SUCC  FAIL  DOUBT */
    [POD_INACTIVE]      = {  RECO, INAC, WAIT, QUEU, STAR, none, none, none, none, none, BACK, SUCC, FAIL, INDE },
    [POD_RECOVERING]    = {  RECO, INAC, WAIT, QUEU, STAR, RECO, RUNN, REDY, PAUS, STOP, BACK, SUCC, FAIL, INDE },
    [POD_WAITING]       = {  none, INAC, WAIT, QUEU, STAR, none, none, none, none, none, BACK, SUCC, FAIL, INDE },
    [POD_QUEUED]        = {  none, INAC, WAIT, QUEU, STAR, none, none, none, none, none, BACK, SUCC, FAIL, INDE },
    [POD_STARTING]      = {  none, INAC, WAIT, QUEU, STAR, STAR, RUNN, REDY, PAUS, STOP, BACK, SUCC, FAIL, INDE },
    [POD_RUNNING]       = {  none, INAC, WAIT, QUEU, none, RUNN, RUNN, REDY, PAUS, STOP, BACK, SUCC, FAIL, INDE },
    [POD_READY]         = {  none, INAC, WAIT, QUEU, none, REDY, RUNN, REDY, PAUS, STOP, BACK, SUCC, FAIL, INDE },
    [POD_PAUSED]        = {  none, INAC, WAIT, QUEU, none, PAUS, RUNN, REDY, PAUS, STOP, BACK, SUCC, FAIL, INDE },
    [POD_STOPPING]      = {  none, INAC, WAIT, QUEU, STAR, STOP, STOP, STOP, STOP, STOP, BACK, SUCC, FAIL, INDE },
    [POD_BACKOFF]       = {  none, INAC, WAIT, QUEU, STAR, none, none, none, none, none, BACK, SUCC, FAIL, INDE },
    [POD_SUCCEEDED]     = {  none, INAC, WAIT, QUEU, STAR, none, none, none, none, none, BACK, SUCC, FAIL, INDE },
    [POD_FAILED]        = {  none, INAC, WAIT, QUEU, STAR, none, none, none, none, none, BACK, SUCC, FAIL, INDE },
    [POD_INDETERMINATE] = {  RECO, INAC, WAIT, QUEU, STAR, STAR, RUNN, REDY, PAUS, STOP, BACK, SUCC, FAIL, INDE },
};
/* clang-format on */
_Static_assert(ELEMENTSOF(next) == POD_STATE_MAX, "every state has a row");

int pod_state_next(PodState state, PodEvent event)
{
    uint8_t to = next[state][event];
    return to == none ? -EINVAL : to - 1;
}
