/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The virtual machine as its init sees it. */
#include "guest/agent/platform.h"

extern const PlatformOps guest_platform_ops;

/* The agent's port, by its name, open and non-blocking; -ENODEV when it is not there (yet). */
int guest_open_port(void) _warn_unused_;
