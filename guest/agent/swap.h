/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Swap space on a disk of the host. What containers have in memory, secrets among it, would lie on that disk, so it is encrypted by the
 * guest's kernel (dm-crypt), with a key that is made here, is nowhere else, and is gone with the machine.
 */
#include "guest/agent/failure.h"

/* Loads what swap_start() needs. */
void swap_bring(void);
/* The block device at the path, the whole of it. Once. 0 or negative errno with f. */
int swap_start(const char *path, Failure *f);
