/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The backend that drives QEMU itself. What it is made of is in qemu-vm.h. */
#include "backends/backend.h"

extern const Backend qemu_backend;
