/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The filter of system calls that a container's programs run under (schemas: SECCOMP_DEFAULT). The programs are made from
 * seccomp-profile.c when the agent is built.
 */
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SeccompProgram {
    uint64_t capabilities;
    const struct sock_filter *instructions;
    unsigned short n;
} SeccompProgram;
extern const SeccompProgram seccomp_base[]; /* everybody's, the only one */
extern const SeccompProgram
    seccomp_common_gates[]; /* all that has just these of the capabilities that lift something */
extern const SeccompProgram
    seccomp_single_gates[]; /* for who has none of these; all of them in place of a common one */
extern const size_t n_seccomp_base, n_seccomp_common_gates, n_seccomp_single_gates;
extern const uint64_t seccomp_lifting; /* the capabilities that lift something */

/*
 * For this process and all that come of it, for ever: the profile as it is for these capabilities. Needs no_new_privs or
 * CAP_SYS_ADMIN. Whatever the caller does afterwards must be allowed by the profile. 0 or negative errno.
 */
int seccomp_confine(uint64_t capabilities);
