/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "backends/backend.h"

/* The slot of the vtable. */
int qemu_describe(const char *program, BackendDescription *ret);
