/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From the kernel's first program to a place where containers can run: kernel file systems, modules, a root that can be
 * changed, control groups, the loopback interface. Everything is one or two system calls; nothing else is executed.
 */
#include "guest/agent/platform.h"
#include "guest/agent/uevents.h"

#define BOOT_RUN "/run/podvisor"

/* The step that failed is logged; the others are done all the same, so that a runner can still be told. *ret_cgroup is the
 * containers' directory of control groups, or -1. Marks MODULES. */
void boot(Uevents *u, StartTimes *start, int *ret_cgroup);
