/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What can run a guest's processor on this host. /dev/kvm can lie: it may open where the processor has no
 * virtualisation for us, and a guest then spins in its first instructions. So three things must agree: the device, the
 * processor's flags, and KVM's own word when asked for a machine. What passes them all and still fails is found
 * by its outcome (start.c).
 */
#include "schemas/pod-definition.h"

typedef struct KvmFacts {
    int device;     /* 0, or the negative errno of opening /dev/kvm */
    bool processor; /* the flags have vmx or svm */
    int machine; /* 0, or the negative errno of making an empty machine; looked at only when the two above are good */
} KvmFacts;

/* Asks the host; some microseconds, no side effects. */
KvmFacts kvm_facts(void);

/*
 * Pure. 0 with ACCELERATOR_KVM or ACCELERATOR_TCG; -ENODEV when `wanted` is ACCELERATOR_KVM and the facts are against it.
 * *ret_why (malloc'ed, NULL when out of memory or nothing is to be said) says in words why not KVM.
 */
int accelerator_choose(Accelerator wanted, const KvmFacts *facts, Accelerator *ret, char **ret_why);

/* Does this text of /proc/cpuinfo name a flag? Looks at the first processor's flags only. Pure. */
bool cpuinfo_has_flag(const char *cpuinfo, const char *flag);
/* The same for this host; false also when /proc/cpuinfo cannot be read. */
bool processor_has_flag(const char *flag);
