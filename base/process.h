/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Processes by identity, never by number alone. A ProcessId can be stored and believed later only through
 * process_open(), which gives a pidfd of exactly that process or says that it is gone.
 */
#include <sys/types.h>

#include "base/id128.h"

typedef struct ProcessId {
    pid_t pid;           /* 0: no process */
    uint64_t start_time; /* clock ticks after boot, field 22 of /proc/PID/stat; 0: it is hidden from us */
    Id128 boot;          /* the boot in which pid and start_time mean something */
} ProcessId;

/*
 * The identity of a running process: 0, -ESRCH when there is none of this number. A process of another user, which /proc may
 * hide from us (hidepid= of proc(5)), has its number alone for an identity, and who stores that must have another proof.
 */
int process_identify(pid_t pid, ProcessId *ret);

/* A pidfd of exactly this process; -ESRCH when it is gone, a zombie, or its number belongs to another now. */
int process_open(const ProcessId *id) _warn_unused_;

/* pidfd_send_signal(2): 0, -ESRCH when it has ended. */
int process_signal(int pidfd, int signal);

/* True when the process handles the signal, holds it back, or waits for signals; also when that cannot be told. */
bool process_hears(pid_t pid, int signal);

/* True when the process of the pidfd has ended. Does not reap. */
bool process_ended(int pidfd);
