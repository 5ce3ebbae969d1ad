/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Images that pods want pulled (`containers.pull`): each reference once, however many pods want it, again after a while that grows with each
 * failure, and never in podvisord's own process (pull-launch.h).
 *
 * Invariant: a reference is under way exactly while its request is on disk and its deadline has not passed; podvisord that is started anew
 * knows nothing of the one before, and removes its requests.
 */
#include "supervisor/pull-launch.h"

typedef struct ImagePulls ImagePulls;

typedef enum PullVerdict {
    PULL_UNDER_WAY,
    PULL_SETTLED, /* it was pulled, or the registry has nothing newer */
    PULL_FAILED,  /* *ret_why says why; it is tried again by itself */
} PullVerdict;

int image_pulls_new(ImagePulls **ret, Supervisor *supervisor);
ImagePulls *image_pulls_free(ImagePulls *p);
DEFINE_CLEANUP(ImagePulls *, image_pulls_free)

/*
 * What became of this reference after `since` (CLOCK_BOOTTIME; of a pull that ended before nothing is known). Begins to pull if that is
 * due; whenever something has changed, image_wait_changed() is called, never from in here. *ret_why is borrowed, for the moment.
 */
PullVerdict image_pulls_want(ImagePulls *p, const char *reference, usec_t since, const char **ret_why);

/* An operator wants it now: earlier failures count no more. */
void image_pulls_hurry(ImagePulls *p, const char *reference);
