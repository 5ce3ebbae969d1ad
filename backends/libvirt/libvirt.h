/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The machine is a transient domain of libvirt; the guest in it is the same as that of the qemu backend. */
#include "backends/backend.h"

extern const Backend libvirt_backend;
