/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The filter of system calls that a container's programs run under (schemas: SECCOMP_DEFAULT). The programs are made from
 * seccomp-profile.c when the agent is built.
 */
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SeccompProgram {
    uint64_t unless; /* capabilities, any of which spares a container this program; 0: nothing does */
    const struct sock_filter *instructions;
    unsigned short n;
} SeccompProgram;
extern const SeccompProgram seccomp_programs[];
extern const size_t n_seccomp_programs;

/*
 * For this process and all that come of it, for ever: the profile as it is for these capabilities. Needs no_new_privs or
 * CAP_SYS_ADMIN. Whatever the caller does afterwards must be allowed by the profile. 0 or negative errno.
 */
int seccomp_confine(uint64_t capabilities);
