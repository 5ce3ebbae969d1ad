/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A second wall around programs that unpack what strangers packed. */

/*
 * From now on this process and its children gain no privileges by exec and, where the kernel has Landlock, make, change and remove files
 * beneath `directory` only. 0, also on kernels without Landlock; negative errno. Async-signal-safe.
 */
int confine_writes(int directory);
