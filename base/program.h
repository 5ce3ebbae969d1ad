/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Programs of this host that are asked something, with a deadline and a bound on what they may answer. */
#include "base/bytes.h"
#include "base/units.h"

/*
 * Runs arguments[0] (absolute path) with nothing on its standard input and an environment that says only LC_ALL, and takes what it
 * prints on standard output, and on standard error too if `errors`, until it closes both. Then it is killed and reaped, whatever
 * it does. 0; -ENOENT, -EACCES: it cannot be run; -ETIMEDOUT; -EFBIG when it said more than max bytes; or another negative errno.
 * Blocks for as long as `timeout`.
 */
int program_read(char *const *arguments, bool errors, usec_t timeout, size_t max, Bytes *ret) _warn_unused_;

/* The first line of all that `program argument` prints (malloc'ed). As above, and -ENODATA when it printed nothing. */
int program_first_line(const char *program, const char *argument, usec_t timeout, char **ret) _warn_unused_;

/*
 * Starts a program (arguments[0], an absolute path) that is to outlive us: in a session of its own, with no signal blocked or ignored;
 * `input` (-1: nothing) is its standard input, our standard error takes all that it prints, and it has no other descriptor.
 * It is our child: whoever calls reaps it. 0 with its number, or negative errno.
 */
int program_start_lasting(char *const *arguments, char *const *environment, int input,
                          pid_t *ret) _warn_unused_;
