/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the backend tells, turned into the state machine's events; recovery; and the one way to an end or to a doubt. */
#include "runner/runner.h"

void runner_on_backend_event(void *userdata, const BackendEvent *event);

/* Looks at what is there and does what the recovery table says. */
void runner_recover(Runner *r);

/*
 * What is there may be about to begin or to end, and answers nobody: it is looked at again in a moment, and for some seconds. After that, to
 * INDETERMINATE by runner_doubt().
 */
void runner_look_again(Runner *r, const char *message, int error);

/* The machine is gone, as seen: fills the report and goes to ENDED. */
void runner_ended(Runner *r, EndReason seen, int64_t exit_code, uint64_t exit_signal, const char *message);

/* Goes to INDETERMINATE; error: negative errno or 0. */
void runner_doubt(Runner *r, const char *message, int error);

/* Takes over what is known of the containers, and finds out whether the pod is ready. Copies. */
void runner_take_containers(Runner *r, const ContainerReport *containers, size_t n);
