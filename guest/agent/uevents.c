/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "guest/agent/uevents.h"

int uevents_init(Uevents *u)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };

    *u = (Uevents){ .fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                 NETLINK_KOBJECT_UEVENT) };
    if (u->fd < 0 || bind(u->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return 0;
}

static void on_event(void *userdata, uint32_t events)
{
    Uevents *u = userdata;
    char discarded[4096];

    /* What came is looked up in /sys, which is right even when an event was lost (ENOBUFS). */
    while (recv(u->fd, discarded, sizeof discarded, 0) >= 0 || errno == ENOBUFS || errno == EINTR)
        continue;
    u->func(u->userdata);
}

int uevents_watch(Uevents *u, Loop *l, void (*func)(void *userdata), void *userdata)
{
    u->func = func;
    u->userdata = userdata;
    u->watch = (Watch){ .func = on_event, .userdata = u };
    return loop_watch(l, &u->watch, u->fd, EPOLLIN);
}
