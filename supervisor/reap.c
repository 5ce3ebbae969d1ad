/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/macro.h"
#include "supervisor/reap.h"

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)waitid(P_PIDFD, (id_t)fd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
    sd_event_source_disable_unref(source);
    return 0;
}

int reap_later(sd_event *event, int pidfd)
{
    sd_event_source *source = NULL;

    int r = sd_event_add_io(event, &source, pidfd, EPOLLIN, on_end, NULL);
    if (r < 0)
        return r;
    (void)sd_event_source_set_io_fd_own(source, true);
    /* The event loop has it from here on. */
    (void)sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return 0;
}
