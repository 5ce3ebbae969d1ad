/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Devices of this host, asked with a deadline. */
#include "base/units.h"

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
