/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A guest that has nothing to do does not wake its host. Two things do so again and again in a machine as it comes, for nobody's good:
 *
 *   the PIT     counts from the reset on, and QEMU wakes 36 times a second to turn its output. The kernel stops it when it takes
 *               another timer, but on a machine whose ACPI is of the reduced kind (microvm) it does not look whether there is one.
 *   kcompactd   looks twice a second whether memory is so much in pieces that large pages would be hard to find.
 *
 * What is left are the kernel's own works that come once in a second or less.
 */

/* Ends both. What cannot be ended goes on as before, and is logged. */
int idle_prepare(void);
