/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/boot.h"
#include "guest/agent/console.h"
#include "guest/agent/guest-platform.h"
#include "guest/agent/power-button.h"
#include "guest/agent/rehearsal.h"

/* A device came: the port, or a disk that a container waits for. */
static void on_devices(void *userdata)
{
    Agent *a = userdata;

    if (a->port.fd < 0) {
        int fd = guest_open_port();
        int r = fd < 0 ? 0 : port_open(&a->port, fd);
        if (r < 0)
            log_error_errno(r, "the port to the host could not be opened");
        else if (a->port.fd >= 0)
            start_mark_once(&a->start, START_PORT);
    }
    agent_disks_changed(a);
}

static void on_power_button(void *userdata)
{
    Agent *a = userdata;

    if (a->ending.phase == ENDING_NOT)
        log_notice("the power button of the machine was pressed: the containers are asked to end, then the "
                   "power goes");
    ending_power_button(a);
}

/* A machine without one is none the worse for it. */
static void listen_to_power_button(PowerButton *b, Agent *a)
{
    int r = power_button_init(b);
    if (r >= 0)
        r = power_button_watch(b, &a->loop, on_power_button, a);
    if (r < 0)
        log_error_errno(r, "the power button cannot be heard");
}

static int run(void)
{
    Platform platform = { .ops = &guest_platform_ops, .run = BOOT_RUN, .cgroup = -1 };
    Uevents uevents;
    StartTimes start = { 0 };
    PowerButton button;
    Agent *a;

    start_mark(&start, START_INIT);
    boot(&uevents, &start, &platform.cgroup);
    console_open();
    int r = agent_new(&a, &platform, NULL);
    if (r >= 0)
        a->start = start;
    if (r >= 0)
        r = uevents_watch(&uevents, &a->loop, on_devices, a);
    if (r < 0)
        return log_error_errno(r, "the agent could not start");
    listen_to_power_button(&button, a);
    on_devices(a);
    while ((r = agent_round(a)) >= 0)
        continue;
    return log_error_errno(r, "the agent cannot go on");
}

int main(int argc, char **argv)
{
    if (argc > 1 && streq(argv[1], REHEARSAL_WORD))
        return rehearsal_program();
    log_open("podvisor-agent", LOG_INFO);
    if (getpid() != 1) {
        fprintf(stderr,
                "podvisor-agent is the first program of a podvisor guest; it does nothing anywhere else.\n");
        return 2;
    }
    /* The kernel panics when its first program ends, and the host then says so. */
    return run() < 0;
}
