/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/agent/syscall-filter.h"

int seccomp_confine(uint64_t capabilities)
{
    for (size_t i = 0; i < n_seccomp_programs; i++) {
        const SeccompProgram *p = &seccomp_programs[i];
        struct sock_fprog program = {
            .len = p->n,
            .filter = (struct sock_filter *)(uintptr_t)p->instructions,
        };
        if (!(p->unless & capabilities) && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
            return -errno;
    }
    return 0;
}
