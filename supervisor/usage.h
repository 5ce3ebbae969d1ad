/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a process uses, by /proc. Both are 0 for one that is gone. */
#include <sys/types.h>

#include "base/units.h"

uint64_t process_memory(pid_t pid); /* resident bytes */
usec_t process_cpu_time(pid_t pid); /* user and system time so far */
