/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A container is started and ended, once, in a machine that will be copied, by an agent of its own beside the one that waits: the kernel then
 * has found, allocated and set up what it does so for the first container only, from names of files to a pool of pages. Nothing of it is
 * left but that.
 */
#include "guest/agent/platform.h"

/* The program of that container: this one, with this word. */
#define REHEARSAL_WORD "rehearsal"
int rehearsal_program(void);

/* program: the file of the program, which needs no other. 0, or negative errno, logged: copies are slower then, and that is all. */
int rehearse(const Platform *platform, const char *program);
