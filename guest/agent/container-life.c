/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/container-life.h"

DEFINE_ENUM_TABLE(
    life_phase, "phase", LIFE_PHASE_MAX, [LIFE_QUEUED] = { "queued", "others come before it" },
    [LIFE_WAITING] = { "waiting", "its image is not there yet" },
    [LIFE_STARTING] = { "starting", "its program does not run yet" },
    [LIFE_RUNNING] = { "running", "its program runs" },
    [LIFE_UNWELL] = { "unwell", "its program failed its probe, and was asked to end" },
    [LIFE_STOPPING] = { "stopping", "its program was asked to end" },
    [LIFE_KILLING] = { "killing", "its processes were killed" },
    [LIFE_BACKOFF] = { "backoff", "it waits to be started again" },
    [LIFE_ENDED] = { "ended", "it ended for good" }, [LIFE_FAILED] = { "failed", "it has failed for good" });

static const ContainerState states[] = {
    [LIFE_QUEUED] = CONTAINER_WAITING,  [LIFE_UNWELL] = CONTAINER_RUNNING,
    [LIFE_WAITING] = CONTAINER_WAITING, [LIFE_STARTING] = CONTAINER_WAITING,
    [LIFE_RUNNING] = CONTAINER_RUNNING, [LIFE_STOPPING] = CONTAINER_RUNNING,
    [LIFE_KILLING] = CONTAINER_RUNNING, [LIFE_BACKOFF] = CONTAINER_BACKOFF,
    [LIFE_ENDED] = CONTAINER_ENDED,     [LIFE_FAILED] = CONTAINER_FAILED,
};
_Static_assert(ELEMENTSOF(states) == LIFE_PHASE_MAX, "every phase is reported as a state");

typedef LifeAction (*Transition)(ContainerLife *l, usec_t now);

static LifeAction enter(ContainerLife *l, LifePhase phase, usec_t deadline, LifeAction action)
{
    l->phase = phase;
    l->deadline = deadline;
    return action;
}

static LifeAction await_image(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_WAITING, usec_add(now, LIFE_IMAGE_TIMEOUT), LIFE_NOTHING);
}

static LifeAction launch(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_STARTING, usec_add(now, LIFE_START_TIMEOUT), LIFE_LAUNCH);
}

static LifeAction relaunch(ContainerLife *l, usec_t now)
{
    l->restarts++;
    return launch(l, now);
}

static LifeAction run(ContainerLife *l, usec_t now)
{
    l->started = now;
    return enter(l, LIFE_RUNNING, USEC_INFINITY, LIFE_NOTHING);
}

static LifeAction fail(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_FAILED, USEC_INFINITY, LIFE_NOTHING);
}

static LifeAction end(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_ENDED, USEC_INFINITY, LIFE_NOTHING);
}

static LifeAction ask(ContainerLife *l, usec_t now)
{
    usec_t deadline = MIN(l->stop_deadline, usec_add(now, l->stop_timeout));
    return enter(l, LIFE_STOPPING, deadline, LIFE_SIGNAL);
}

static LifeAction hasten(ContainerLife *l, usec_t now)
{
    l->deadline = MIN(l->deadline, l->stop_deadline);
    return LIFE_NOTHING;
}

static LifeAction kill_now(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_KILLING, USEC_INFINITY, LIFE_KILL);
}

static LifeAction give_up(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_UNWELL, usec_add(now, l->stop_timeout), LIFE_SIGNAL);
}

/* It has had its signal; now its end is for good. */
static LifeAction stop_unwell(ContainerLife *l, usec_t now)
{
    return enter(l, LIFE_STOPPING, MIN(l->deadline, l->stop_deadline), LIFE_NOTHING);
}

/* What takes too long to start, or to end before it is started again, is killed; its end is told. */
static LifeAction kill_here(ContainerLife *l, usec_t now)
{
    l->deadline = USEC_INFINITY;
    return LIFE_KILL;
}

static usec_t backoff(const ContainerLife *l)
{
    usec_t delay = l->restart->delay;

    for (unsigned i = 0; i < l->failures && delay < l->restart->max_delay; i++)
        delay = usec_add(delay, delay);
    delay = MIN(delay, MAX(l->restart->max_delay, l->restart->delay));
    /* A tenth is random, so that many do not come back at once. */
    usec_t tenth = delay / 10;
    return delay - tenth + (usec_t)((double)tenth * l->random() / UINT32_MAX);
}

static LifeAction exited(ContainerLife *l, usec_t now)
{
    RestartPolicy policy = l->restart->policy;
    bool ran = l->phase == LIFE_RUNNING || l->phase == LIFE_UNWELL;

    if (policy == RESTART_NEVER || ((policy == RESTART_ON_FAILURE || l->once) && !l->failed))
        return end(l, now);
    if (ran && usec_sub(now, l->started) >= l->restart->reset_after)
        l->failures = 0;
    usec_t delay = backoff(l);
    l->failures++;
    return enter(l, LIFE_BACKOFF, usec_add(now, delay), LIFE_NOTHING);
}

/* It was made to end, so its exit status says nothing. */
static LifeAction exited_unwell(ContainerLife *l, usec_t now)
{
    l->failed = true;
    return l->restart->policy == RESTART_NEVER ? fail(l, now) : exited(l, now);
}

/* What is not here cannot happen in that phase, or changes nothing. */
static const Transition transitions[LIFE_PHASE_MAX][LIFE_EVENT_MAX] = {
    [LIFE_QUEUED] = { [LIFE_TURN] = await_image, [LIFE_REFUSED] = fail, [LIFE_STOP] = end },
    [LIFE_WAITING] = { [LIFE_READY] = launch,
                       [LIFE_REFUSED] = fail,
                       [LIFE_TIMEOUT] = fail,
                       [LIFE_STOP] = end },
    [LIFE_STARTING] = { [LIFE_STARTED] = run,
                        [LIFE_REFUSED] = fail,
                        [LIFE_EXITED] = exited,
                        [LIFE_TIMEOUT] = kill_here,
                        [LIFE_STOP] = kill_now },
    [LIFE_RUNNING] = { [LIFE_EXITED] = exited, [LIFE_PROBE] = give_up, [LIFE_STOP] = ask },
    [LIFE_UNWELL] = { [LIFE_EXITED] = exited_unwell, [LIFE_TIMEOUT] = kill_here, [LIFE_STOP] = stop_unwell },
    [LIFE_STOPPING] = { [LIFE_EXITED] = end, [LIFE_TIMEOUT] = kill_now, [LIFE_STOP] = hasten },
    [LIFE_KILLING] = { [LIFE_REFUSED] = end, [LIFE_EXITED] = end },
    [LIFE_BACKOFF] = { [LIFE_TIMEOUT] = relaunch, [LIFE_STOP] = end },
    [LIFE_ENDED] = { 0 },
    [LIFE_FAILED] = { 0 },
};
_Static_assert(ELEMENTSOF(transitions) == LIFE_PHASE_MAX, "every phase has a row");

void container_life_init(ContainerLife *l, const RestartSettings *restart, usec_t stop_timeout,
                         uint32_t (*random)(void))
{
    *l = (ContainerLife){
        .restart = restart, .stop_timeout = stop_timeout, .random = random, .deadline = USEC_INFINITY
    };
}

LifeAction container_life_tell(ContainerLife *l, LifeEvent event, usec_t now)
{
    Transition transition = transitions[l->phase][event];
    return transition ? transition(l, now) : LIFE_NOTHING;
}

bool container_life_over(const ContainerLife *l)
{
    return l->phase == LIFE_ENDED || l->phase == LIFE_FAILED;
}

ContainerState container_life_state(const ContainerLife *l)
{
    return states[l->phase];
}
