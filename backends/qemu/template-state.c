/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "backends/qemu/command-line.h"
#include "backends/qemu/template-state.h"

int template_state_open(int state)
{
    char path[40];

    (void)snprintf(path, sizeof path, COMMAND_LINE_FD, state);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int template_state_apart(Qmp *qmp, QmpReplyFunc func, void *userdata)
{
    return qmp_command(qmp, "migrate-set-capabilities", QMP_COMMAND_TIMEOUT, -1, func, userdata,
                       "{s:[{s:s, s:b}, {s:s, s:b}]}", "capabilities", "capability", "x-ignore-shared",
                       "state", 1, "capability", "events", "state", 1);
}

int template_state_load(Qmp *qmp, int state, QmpReplyFunc func, void *userdata)
{
    char uri[32];

    (void)snprintf(uri, sizeof uri, "fd:%d", state);
    int r = template_state_apart(qmp, func, userdata);
    if (r >= 0)
        /* To the network it is a new machine, and says so itself. */
        r = qmp_command(qmp, "migrate-set-parameters", QMP_COMMAND_TIMEOUT, -1, func, userdata, "{s:i}",
                        "announce-rounds", 0);
    return r < 0 ? r
                 : qmp_command(qmp, "migrate-incoming", QMP_COMMAND_TIMEOUT, -1, func, userdata, "{s:s}",
                               "uri", uri);
}
