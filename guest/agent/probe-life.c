/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/probe-life.h"

DEFINE_ENUM_TABLE(probe_phase, "phase of a probe",
                  PROBE_PHASE_MAX, [PROBE_OFF] = { "off", "it is not tried" },
                  [PROBE_PENDING] = { "pending", "it waits for its next try" },
                  [PROBE_TRYING] = { "trying", "a try is under way" },
                  [PROBE_SETTLED] = { "settled", "it has passed once and for all" });

typedef ProbeAction (*Transition)(ProbeLife *l, usec_t now);

static ProbeAction enter(ProbeLife *l, ProbePhase phase, usec_t deadline, ProbeAction action)
{
    l->phase = phase;
    l->deadline = deadline;
    return action;
}

static ProbeAction begin(ProbeLife *l, usec_t now)
{
    l->failures = l->successes = 0;
    l->passing = l->failing = false;
    return enter(l, PROBE_PENDING, usec_add(now, l->definition->delay), PROBE_NOTHING);
}

static ProbeAction begin_try(ProbeLife *l, usec_t now)
{
    l->tried = now;
    return enter(l, PROBE_TRYING, usec_add(now, l->definition->timeout), PROBE_TRY);
}

static ProbeAction try_later(ProbeLife *l, usec_t now, ProbeAction action)
{
    usec_t next = MAX(usec_add(l->tried, l->definition->period), now);
    return enter(l, PROBE_PENDING, next, action);
}

static ProbeAction passed(ProbeLife *l, usec_t now)
{
    l->failures = 0;
    l->successes++;
    if (l->successes >= l->definition->successes) {
        l->passing = true;
        l->failing = false;
    }
    if (l->kind == PROBE_STARTUP && l->passing)
        return enter(l, PROBE_SETTLED, USEC_INFINITY, PROBE_NOTHING);
    return try_later(l, now, PROBE_NOTHING);
}

static ProbeAction count_failure(ProbeLife *l, usec_t now, ProbeAction action)
{
    l->successes = 0;
    l->failures++;
    if (l->failures >= l->definition->failures) {
        l->passing = false;
        l->failing = true;
    }
    return try_later(l, now, action);
}

static ProbeAction failed(ProbeLife *l, usec_t now)
{
    return count_failure(l, now, PROBE_NOTHING);
}

static ProbeAction hung(ProbeLife *l, usec_t now)
{
    return count_failure(l, now, PROBE_ABORT);
}

static ProbeAction end(ProbeLife *l, usec_t now)
{
    ProbeAction action = l->phase == PROBE_TRYING ? PROBE_ABORT : PROBE_NOTHING;

    l->passing = l->failing = false;
    return enter(l, PROBE_OFF, USEC_INFINITY, action);
}

/* What is not here cannot happen in that phase, or changes nothing. */
static const Transition transitions[PROBE_PHASE_MAX][PROBE_EVENT_MAX] = {
    [PROBE_OFF] = { [PROBE_BEGIN] = begin },
    [PROBE_PENDING] = { [PROBE_TIMEOUT] = begin_try, [PROBE_END] = end },
    [PROBE_TRYING] = { [PROBE_PASSED] = passed,
                       [PROBE_FAILED] = failed,
                       [PROBE_TIMEOUT] = hung,
                       [PROBE_END] = end },
    [PROBE_SETTLED] = { [PROBE_END] = end },
};
_Static_assert(ELEMENTSOF(transitions) == PROBE_PHASE_MAX, "every phase has a row");

void probe_life_init(ProbeLife *l, ProbeKind kind, const ProbeDefinition *definition)
{
    *l = (ProbeLife){ .kind = kind, .definition = definition, .deadline = USEC_INFINITY };
}

ProbeAction probe_life_tell(ProbeLife *l, ProbeEvent event, usec_t now)
{
    Transition transition = transitions[l->phase][event];
    return transition && probe_given(l->definition) ? transition(l, now) : PROBE_NOTHING;
}
