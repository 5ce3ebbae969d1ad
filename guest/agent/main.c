/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/log.h"
#include "guest/agent/agent.h"
#include "guest/agent/boot.h"
#include "guest/agent/guest-platform.h"

/* A device came: the port, or a disk that a container waits for. */
static void on_devices(void *userdata)
{
    Agent *a = userdata;

    if (a->port.fd < 0) {
        int fd = guest_open_port();
        int r = fd < 0 ? 0 : port_open(&a->port, fd);
        if (r < 0)
            log_error_errno(r, "the port to the host could not be opened");
    }
    agent_disks_changed(a);
}

static int run(void)
{
    Platform platform = { .ops = &guest_platform_ops, .run = BOOT_RUN, .cgroup = -1 };
    Uevents uevents;
    Agent *a;

    boot(&uevents, &platform.cgroup);
    int r = agent_new(&a, &platform, NULL);
    if (r >= 0)
        r = uevents_watch(&uevents, &a->loop, on_devices, a);
    if (r < 0)
        return log_error_errno(r, "the agent could not start");
    on_devices(a);
    while ((r = agent_round(a)) >= 0)
        continue;
    return log_error_errno(r, "the agent cannot go on");
}

int main(int argc, char **argv)
{
    log_open("podvisor-agent", LOG_INFO);
    if (getpid() != 1) {
        fprintf(stderr,
                "podvisor-agent is the first program of a podvisor guest; it does nothing anywhere else.\n");
        return 2;
    }
    /* The kernel panics when its first program ends, and the host then says so. */
    return run() < 0;
}
