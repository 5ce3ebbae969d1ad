/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pods whose image is not in the store: looked at again whenever the store changes, and started once it is there. A start that
 * lacks an image is none: nothing is launched, recorded or counted.
 *
 * Invariant: a pod is in the list exactly while its observed.image_missing is set.
 */
#include "supervisor/pod.h"

typedef struct ImageWait ImageWait;

int image_wait_new(ImageWait **ret, Supervisor *supervisor);
ImageWait *image_wait_free(ImageWait *w);
DEFINE_CLEANUP(ImageWait *, image_wait_free)

/* Looks for the images of the pod's definition; true: one is missing, and the pod waits for it from now on. */
bool image_wait_look(Pod *pod);
/* The pod waits for no image any more. */
void image_wait_forget(Pod *pod);
