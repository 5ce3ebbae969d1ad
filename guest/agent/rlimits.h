/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Limits of a container's processes. */
#include "guest/agent/failure.h"
#include "schemas/confinement.h"

/* Of this process: what is declared, and for the rest what programs expect. 0, or negative errno with f. */
int rlimits_set(const RlimitSettings *settings, Failure *f);
