/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Bytes between two stream sockets, in both directions, until one side has ended.
 *
 * Theory of operation
 * -------------------
 * Each direction has one buffer. It is filled when it is empty, and emptied before it is filled again: a side that does not
 * take what it is sent is not asked for more, and the other side is not read from, so what is under way is bounded by the
 * buffer and the kernel's own. A side that is waited for in neither direction is not watched at all, for its hang-up would
 * wake us for ever.
 *
 * The end of one side is the end of all: what it had said before is delivered, in RELAY_LINGER at most. Descriptors that are
 * sent along are dropped.
 */
#include "base/units.h"

#define RELAY_LINGER (10 * USEC_PER_SEC)

/* Returns at the end of either side: 0, or negative errno. The sockets become non-blocking and stay the caller's. */
int relay(int a, int b);
