/* SPDX-License-Identifier: Apache-2.0 */
/* The main process of podvisor-pod@POD.service, until it has become the runner of the pod's backend. */
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "runner/introduction.h"
#include "runner/runner-main.h"
#include "schemas/formats.h"

int main(int argc, char **argv)
{
    Paths paths;

    if (argc != 2 || !format_name.valid(argv[1])) {
        fprintf(stderr,
                "Usage: %s POD\n\nStarted by systemd as the main process of podvisor-pod@POD.service.\n",
                argv[0]);
        return RUNNER_EXIT_USAGE;
    }
    log_open("podvisor-runner", LOG_INFO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    int r = paths_init(&paths, NULL, false);
    if (r < 0) {
        log_error_errno(r, "The paths cannot be determined");
        return RUNNER_EXIT_FAILURE;
    }
    int status = introduction_run(&paths, argv[1]);
    paths_done(&paths);
    return status;
}
