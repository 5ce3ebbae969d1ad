/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/agent/syscall-filter.h"

static int install(const SeccompProgram *p)
{
    struct sock_fprog program = {
        .len = p->n,
        .filter = (struct sock_filter *)(uintptr_t)p->instructions,
    };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

int seccomp_confine(uint64_t capabilities)
{
    int r = install(&seccomp_base[0]);

    for (size_t i = 0; i < n_seccomp_common_gates && r == 0; i++)
        if (seccomp_common_gates[i].capabilities == (capabilities & seccomp_lifting))
            return install(&seccomp_common_gates[i]);
    for (size_t i = 0; i < n_seccomp_single_gates && r == 0; i++)
        if (!(seccomp_single_gates[i].capabilities & capabilities))
            r = install(&seccomp_single_gates[i]);
    return r;
}
