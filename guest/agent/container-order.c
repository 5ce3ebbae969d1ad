/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/container-order.h"

static bool precedes(const OrderFacts *facts, size_t other, size_t i)
{
    static const unsigned ranks[] = { [CONTAINER_INIT] = 0, [CONTAINER_SIDECAR] = 1, [CONTAINER_MAIN] = 2 };
    _Static_assert(ELEMENTSOF(ranks) == CONTAINER_ROLE_MAX, "every role has its place");
    unsigned first = ranks[facts[other].role], then = ranks[facts[i].role];

    return first < then || (facts[i].role == CONTAINER_INIT && first == then && other < i);
}

Turn container_order_start(const OrderFacts *facts, size_t n, size_t i, size_t *ret_other)
{
    Turn turn = TURN_NOW;

    for (size_t other = 0; other < n; other++) {
        if (!precedes(facts, other, i) || facts[other].through)
            continue;
        if (turn == TURN_NOW || facts[other].over)
            *ret_other = other;
        turn = facts[other].over ? TURN_NEVER : TURN_LATER;
        if (turn == TURN_NEVER)
            break;
    }
    return turn;
}

bool container_order_end(const OrderFacts *facts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (facts[i].role != CONTAINER_SIDECAR && !facts[i].over)
            return false;
    return true;
}
