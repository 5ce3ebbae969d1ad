/* SPDX-License-Identifier: Apache-2.0 */
/* The end of all pods, for a host that shuts down: no hold, nothing that is remembered. */
#include "supervisor/supervisor.h"

static void set_all(Supervisor *s, bool all_end)
{
    s->all_end = all_end;
    for (size_t i = 0; i < s->n_pods; i++) {
        s->pods[i]->wanted.all_end = all_end;
        pod_due(s->pods[i]);
    }
}

void supervisor_stop_all(Supervisor *s, SupervisorEndedFunc func, void *userdata)
{
    s->ended_func = func;
    s->ended_userdata = userdata;
    set_all(s, true);
    /* Also when nothing is due, so that the answer comes from the loop. */
    (void)sd_event_source_set_enabled(s->due_source, SD_EVENT_ON);
}

void supervisor_stop_all_cancel(Supervisor *s)
{
    s->ended_func = NULL;
    set_all(s, false);
}

void supervisor_look_for_end(Supervisor *s)
{
    SupervisorEndedFunc func = s->ended_func;

    if (!func || s->n_busy > 0)
        return;
    s->ended_func = NULL;
    func(s->ended_userdata);
}
