/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a fuzz target is: one function that takes any bytes, and crashes only if there is a bug. */
#include "base/bytes.h"

void fuzz_one(const uint8_t *data, size_t size);
