/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pods whose image is not in the store, or that want to know first whether their registry has a newer one: looked at again whenever the
 * store or a pull changes, and started once all is there. A start that lacks an image is none: nothing is launched, recorded or counted.
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
/* It starts: what its registries have is asked anew for the next time. */
void image_wait_started(Pod *pod);
/* An operator wants it to start: pulls that have failed are tried again at once. */
void image_wait_hurry(Pod *pod);

/* A pull has come to an end, or may be tried again. */
void image_wait_changed(Supervisor *s);
/* Whether a waiting pod wants this to be pulled. */
bool image_wait_wants(Supervisor *s, const char *reference);
