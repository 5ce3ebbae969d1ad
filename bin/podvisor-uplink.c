/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of one pod's machine. Its standard input is a unix socket to the pod's runner, by which that was started: by the
 * runner itself (--direct), or by systemd as podvisor-uplink@.service.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/strings.h"
#include "supervisor/uplink-door.h"
#include "uplink/uplink.h"

static int usage(const char *program)
{
    fprintf(stderr,
            "Usage: %s [--direct]\n\nStarted for a pod with a network, by systemd or by the pod's runner.\n",
            program);
    return 2;
}

/* The peer's pod decides about the network, before anything that it says is looked at. */
static int admit(UplinkBegin *ret)
{
    _cleanup_(freep) char *pod = NULL, *why = NULL;
    Paths paths;

    int r = paths_init(&paths, NULL, false);
    if (r < 0)
        return log_error_errno(r, "The paths cannot be determined");
    r = uplink_door_admit(&paths, STDIN_FILENO, ret, &pod, &why);
    paths_done(&paths);
    if (r < 0) {
        log_warning("A network is refused: %s", why ?: "out of memory");
        uplink_refuse(STDIN_FILENO, take_ptr(why));
    }
    return r;
}

static int take_sweep(UplinkOrder *order)
{
    int r = uplink_order_receive(STDIN_FILENO, order);

    if (r < 0 || order->sweep)
        return r;
    uplink_refuse(STDIN_FILENO, strdup("a pod's runner is never root's process"));
    return -EACCES;
}

/* Of what the runner says only its descriptors are taken, where there is a record of its pod. */
static int take_order(bool direct, UplinkOrder *order)
{
    UplinkBegin recorded;

    if (!direct && uplink_door_is_host(STDIN_FILENO))
        return take_sweep(order);
    int r = direct ? 0 : admit(&recorded);
    if (r < 0)
        return r;
    r = uplink_order_receive(STDIN_FILENO, order);
    if (direct)
        return r;
    if (r >= 0 && order->sweep) {
        uplink_refuse(STDIN_FILENO, strdup("only podvisord says which bridges are gone"));
        r = -EACCES;
    }
    schema_done(&uplink_begin_schema, &order->begin);
    order->begin = recorded;
    return r;
}

int main(int argc, char **argv)
{
    bool direct = argc == 2 && streq(argv[1], "--direct");
    UplinkOrder order = { .lock = -1, .guest = -1 };

    if ((argc != 1 && !direct) || sd_is_socket(STDIN_FILENO, AF_UNIX, SOCK_SEQPACKET, 0) <= 0)
        return usage(argv[0]);
    log_open("podvisor-uplink", LOG_INFO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    int r = take_order(direct, &order);
    if (r >= 0)
        r = uplink_run(STDIN_FILENO, &order);
    uplink_order_done(&order);
    /* What it may still call is not enough for what a library may do at an exit. */
    _exit(r < 0);
}
