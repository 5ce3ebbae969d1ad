/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The main of every runner program: podvisor-runner-X --run-path DIR [--unit]. With --describe [--qemu PROGRAM] it tells what its backend
 * finds on this host (schemas/backend-description.h) and does nothing else; it may take 15 s.
 *
 * Exit status: 0 after `bye`; 1 when it could not work at all (the cause is on standard error); 2 for a wrong call; 10 after
 * `bye` in a unit, when the pod did not end as it should; 75 after SIGTERM, SIGINT or SIGRTMIN+4
 * that does not mean something else (runner/unit.h): the machine lives on, and another runner may take over.
 */
#include "backends/backend.h"

enum {
    RUNNER_EXIT_FAILURE = 1,
    RUNNER_EXIT_USAGE = 2,
    RUNNER_EXIT_POD_FAILED = 10,
    RUNNER_EXIT_INTERRUPTED = 75,
};

int runner_main(const Backend *backend, int argc, char **argv);
