/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The runner's end of a pod's network: starts podvisor-uplink, and hears how it does. For all backends.
 *
 * Theory of operation
 * -------------------
 *     uplink_begin() --- lock taken, machine's socket connected, podvisor-uplink told --> UP --> DOWN
 *          |                                                                                     ^
 *          +-- the lock is held still: asked again, UPLINK_LOCK_TIMEOUT long --------------------+
 *
 * The uplink outlives the runner, as the machine does. Whether one is there tells a flock(2) of vm/, which it holds for as long as
 * it lives: so there is never a second one, and a new runner knows without asking it. It cannot be spoken with again, though: that runner
 * hears of its end from the machine, whose connection closes.
 *
 * It is no part of the machine: it may end and be begun again while that goes on, and ends by itself when that does.
 */
#include "backends/backend.h"

#define UPLINK_LOCK_TIMEOUT (10 * USEC_PER_SEC)
#define UPLINK_LOCK_INTERVAL (50 * USEC_PER_MSEC)
#define UPLINK_READY_TIMEOUT (30 * USEC_PER_SEC)

typedef struct Uplink Uplink;

/* up: it is there; else message says why not, escaped, valid during the call, in which the Uplink may be freed. After
 * a DOWN nothing follows until it is begun again. */
typedef void (*UplinkFunc)(void *userdata, bool up, const char *message);

/* machine: name of the machine's listening socket in vm/; NULL: the machine is on a bridge. 0 or -ENOMEM. */
int uplink_new(Uplink **ret, const BackendContext *context, const char *machine, UplinkFunc func,
               void *userdata);
/* Lets go of it; what runs stays as it is. Returns NULL. */
Uplink *uplink_free(Uplink *u);

/* Begins; what comes of it is told later, from the event loop. 0, -EALREADY, or negative errno. */
int uplink_begin(Uplink *u);
/* Between begin and DOWN: its end will be told. */
bool uplink_is_watched(const Uplink *u);
/* The tap, which has just come up: whoever asks has it. -1: there is none. Of such an uplink nothing remains but the tap, and nothing is
 * told after it has come. */
int uplink_take_tap(Uplink *u) _warn_unused_;
/* Does one live, whoever began it? Negative errno when it cannot be told. */
int uplink_lives(const BackendContext *context);
