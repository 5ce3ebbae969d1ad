/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/exit-status.h"

const ExitStatus exit_statuses[] = {
    { STATUS_OK, "What was asked for was done." },
    { STATUS_FAILURE,
      "It was not done, and why was told. Of check: a file is wrong. Of doctor: something is missing "
      "without which no pod runs." },
    { STATUS_USAGE, "The command line is wrong; nothing was done." },
    { STATUS_WRONG_STATE,
      "The pod is not in a state for this: it does not run, is held, or is indeterminate. Of status: a pod "
      "that was "
      "named does not run. Of wait: what is waited for does not come without an operator." },
    { STATUS_NOT_FOUND, "There is no such pod, container, image or key." },
    { STATUS_TIMEOUT, "What was waited for did not happen in time." },
    { STATUS_NO_DAEMON, "podvisord is not running, or does not answer." },
    { STATUS_EXEC_FAILED,
      "For exec and attach: podvisor itself failed, for whatever reason of those above, and "
      "the command was not run, or its end is unknown or not awaited." },
    { STATUS_EXEC_REFUSED, "For exec: the command was found, and could not be run." },
    { STATUS_EXEC_NOT_FOUND, "For exec: the command was not found." },
    { STATUS_SIGNAL,
      "For exec and attach, this and above: the command was ended by the signal of this number less 128." },
};
const size_t n_exit_statuses = ELEMENTSOF(exit_statuses);

static const struct {
    const char *error;
    int status;
} of_errors[] = {
    { "NoSuchPod", STATUS_NOT_FOUND },       { "NoSuchContainer", STATUS_NOT_FOUND },
    { "NotRunning", STATUS_WRONG_STATE },    { "WrongState", STATUS_WRONG_STATE },
    { "Indeterminate", STATUS_WRONG_STATE }, { "Timeout", STATUS_TIMEOUT },
};

int exit_status_of_error(const char *name)
{
    TABLE_FOREACH (row, of_errors)
        if (streq(row->error, name))
            return row->status;
    return STATUS_FAILURE;
}

static const struct {
    int error, status;
} of_images[] = {
    { -ENOENT, STATUS_NOT_FOUND },
    { -EINVAL, STATUS_USAGE },   /* no name of an image */
    { -ENOTUNIQ, STATUS_USAGE }, /* of several: too little was said */
};

int exit_status_of_image(int error)
{
    TABLE_FOREACH (row, of_images)
        if (row->error == error)
            return row->status;
    return STATUS_FAILURE;
}
