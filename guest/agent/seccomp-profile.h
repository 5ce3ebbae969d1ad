/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The default profile of system calls: what a container's program may ask the guest's kernel for.
 *
 * - What is `allowed` is left to the kernel.
 * - What is `gated` is refused to a container that has none of the row's capabilities; otherwise it is left to the kernel.
 * - What is `refused` is dangerous whatever a container may: EPERM.
 * - Everything else, above all what a later kernel brings, is not there: ENOSYS, so that programs do without.
 *
 * Read on the machine that builds the agent (seccomp-compile.c), never in the guest.
 */
#include <stdint.h>

/* Names of system calls, with a blank between them. */
typedef struct SyscallGroup {
    const char *what, *names;
} SyscallGroup;

/* A comparison of one argument: (argument & mask) == value. mask 0: whatever the arguments are. */
typedef struct SyscallGate {
    const char *name;
    uint64_t unless; /* capabilities, any of which lifts the gate; 0: nothing does */
    int error;
    unsigned argument;
    uint64_t mask, value;
} SyscallGate;

/* Allowed only with this value of the first argument. */
typedef struct SyscallValue {
    const char *name;
    uint64_t value;
} SyscallValue;

extern const SyscallGroup seccomp_allowed[], seccomp_refused[];
extern const SyscallValue seccomp_allowed_values[];
extern const SyscallGate seccomp_gates[];
/* Capabilities, of those that lift gates, that most containers have: each set gets a program of its own. */
extern const uint64_t seccomp_common[];
extern const unsigned n_seccomp_common, n_seccomp_allowed, n_seccomp_refused, n_seccomp_allowed_values,
    n_seccomp_gates;
