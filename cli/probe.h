/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Programs and devices of this host, asked with a deadline. */
#include "base/units.h"

/*
 * Runs program (absolute path) with one argument and gives the first line that it prints (malloc'ed): 0, -ENOENT, -ETIMEDOUT,
 * -ENODATA when it printed nothing, or negative errno.
 */
int probe_first_line(const char *program, const char *argument, usec_t timeout, char **ret);

typedef enum KvmOutcome {
    KVM_WORKS,
    KVM_ABSENT,       /* no /dev/kvm */
    KVM_FORBIDDEN,    /* it may not be opened by this user */
    KVM_NO_PROCESSOR, /* it opens, and the processor has neither vmx nor svm: guests would spin */
    KVM_BROKEN, /* it opens, and cannot make a machine, or the machine does not run its first instruction */
    KVM_HANGS,  /* the machine runs for ever in its first instruction */
} KvmOutcome;

/* Makes a machine of one page, whose program is `hlt`, and lets it run: an open /dev/kvm alone proves nothing. */
KvmOutcome probe_kvm(usec_t timeout);
