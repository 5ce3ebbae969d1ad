/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "backends/backend.h"

/* The slot of the vtable. */
int libvirt_describe(const char *program, BackendDescription *ret);
