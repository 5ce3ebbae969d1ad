/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/guest-clock.h"

static int ask(GuestClock *c, AgentClient *client, int64_t step, bool tell)
{
    c->round++;
    c->asked = now_usec(CLOCK_REALTIME);
    c->sent = now_usec(CLOCK_MONOTONIC);
    const AgentClock question = { .round = c->round, .step = step, .time = tell ? c->asked : 0 };
    return agent_client_send(client, AGENT_CLOCK, &question);
}

int guest_clock_begin(GuestClock *c, AgentClient *client, bool tell)
{
    c->left = GUEST_CLOCK_ROUNDS;
    return ask(c, client, 0, tell);
}

int64_t guest_clock_error(usec_t asked, usec_t answered, usec_t time, bool *ret_right)
{
    usec_t doubt = usec_sub(answered, asked) / 2, should = asked + doubt;
    usec_t off = MIN(MAX(should, time) - MIN(should, time), (usec_t)INT64_MAX);

    *ret_right = off + doubt <= GUEST_CLOCK_TOLERANCE;
    if (off <= doubt + GUEST_CLOCK_TOLERANCE)
        return 0;
    return time > should ? (int64_t)off : -(int64_t)off;
}

bool guest_clock_awaits(const GuestClock *c, const AgentClock *answer)
{
    return c->left > 0 && answer->round == c->round;
}

int guest_clock_take(GuestClock *c, AgentClient *client, const AgentClock *answer)
{
    bool right;

    if (!guest_clock_awaits(c, answer))
        return 0;
    int64_t error = guest_clock_error(c->asked, now_usec(CLOCK_REALTIME), answer->time, &right);
    c->left = right ? 0 : c->left - 1;
    int r = c->left > 0 || error != 0 ? ask(c, client, -error, false) : 0;
    return r < 0 ? r : 1;
}
