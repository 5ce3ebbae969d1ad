/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * While an image is made: a line on the terminal that says how far it is, none elsewhere; and SIGINT, SIGTERM and SIGHUP end the work
 * instead of the program, so that nothing is left over. The second of them ends the program.
 */
#include "images/pull.h"

typedef struct ImageProgress {
    const char *name; /* of the image; borrowed */
    bool terminal;
} ImageProgress;

void image_progress_begin(ImageProgress *p, const char *name);
/* Takes the line away. */
void image_progress_end(const ImageProgress *p);

/* For ImportOptions and PullOptions, with the ImageProgress as userdata. */
int image_progress_phase(void *userdata, ImportPhase phase, uint64_t done, uint64_t total);
int image_progress_fetching(void *userdata, const PullState *state);
