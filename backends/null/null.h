/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The reference backend, and a cheap pod for tests: everything is as with a virtual machine (a process that outlives the
 * runner, holds the machine lock, proves its identity over a socket, ends by itself or by force), but no guest.
 *
 * The machine is this very program with the verb NULL_MACHINE_VERB (see null-machine.h).
 */
#include "backends/backend.h"

extern const Backend null_backend;
