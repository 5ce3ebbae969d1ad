/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exit-status.h"

const ExitStatus exit_statuses[] = {
    { STATUS_OK, "What was asked for was done." },
    { STATUS_FAILURE, "It was not done; for check: a file is wrong." },
    { STATUS_USAGE, "The command line is wrong; nothing was done." },
    { STATUS_NOT_RUNNING, "The pod is known, and does not run; status says so of what was named." },
    { STATUS_NO_SUCH_POD, "There is no such pod, container, image or file to import." },
    { STATUS_TIMEOUT, "What was waited for did not happen in time." },
    { STATUS_NO_DAEMON, "podvisord is not running, or does not answer." },
    { STATUS_EXEC_FAILED,
      "For exec: podvisor itself failed, and the command was not run or its end is unknown." },
    { STATUS_EXEC_REFUSED, "For exec: the command was found, and could not be run." },
    { STATUS_EXEC_NOT_FOUND, "For exec: the command was not found." },
    { STATUS_SIGNAL,
      "For exec, this and above: the command was ended by the signal of this number less 128." },
};
const size_t n_exit_statuses = ELEMENTSOF(exit_statuses);
