/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the agent's own words go: to the kernel's console, and to the machine's first serial port where that is another one.
 * The kernel has one serial console only; a machine with two ports has podvisor at the second, and people at the first.
 */

/* Once /dev and /sys are there. */
void console_open(void);
