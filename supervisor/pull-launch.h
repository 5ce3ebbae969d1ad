/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a puller comes to be (images/pull-request.h): a unit podvisor-pull@ID.service where pods have units, since podvisord has no
 * network there; else a child. Nothing here waits. A puller goes on when podvisord ends.
 */
#include "images/pull-request.h"

typedef struct Supervisor Supervisor;
typedef struct PullLauncher PullLauncher;

/* The puller of this request has ended, or never came; why: what is known of that, NULL when only its files tell. */
typedef void (*PullEnded)(void *userdata, const char *id, const char *why);

int pull_launcher_new(PullLauncher **ret, Supervisor *supervisor, PullEnded ended, void *userdata);
PullLauncher *pull_launcher_free(PullLauncher *l);
DEFINE_CLEANUP(PullLauncher *, pull_launcher_free)

/* The request is written. 0: ended() will be called, never from in here; negative errno: nothing was started. */
int pull_launch(PullLauncher *l, const char *id);
/* It takes too long: what can be ended of it is. ended() is not called any more. */
void pull_abandon(PullLauncher *l, const char *id);
