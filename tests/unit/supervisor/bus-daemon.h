/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A message bus of a test's own: dbus-daemon at DIR/bus, where everything is allowed. It ends with the test. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/test.h"

typedef struct BusDaemon {
    char config[96];
    char socket[96];
    char address[112];
    pid_t pid; /* 0: does not run */
} BusDaemon;

/* Where it would be; nothing is started. dir need not exist. */
static inline _unused_ void bus_daemon_init(BusDaemon *d, const char *dir)
{
    *d = (BusDaemon){ 0 };
    assert_true(snprintf(d->config, sizeof d->config, "%s/bus.conf", dir) < (int)sizeof d->config);
    assert_true(snprintf(d->socket, sizeof d->socket, "%s/bus", dir) < (int)sizeof d->socket);
    assert_true(snprintf(d->address, sizeof d->address, "unix:path=%s", d->socket) < (int)sizeof d->address);
}

/* Returns when it listens. */
static inline _unused_ void bus_daemon_start(BusDaemon *d)
{
    FILE *f = fopen(d->config, "we");
    char print[32], address[256];
    int ready[2];

    assert_non_null(f);
    assert_true(fprintf(f,
                        "<busconfig><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                        "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow receive_sender=\"*\" "
                        "eavesdrop=\"true\"/><allow own=\"*\"/>"
                        "<allow user=\"*\"/></policy></busconfig>\n",
                        d->address) > 0);
    assert_int_equal(fclose(f), 0);
    assert_success(pipe(ready));
    (void)snprintf(print, sizeof print, "--print-address=%d", ready[1]);
    if ((d->pid = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!freopen("/dev/null", "we", stderr);
        execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nosyslog", "--config-file", d->config, print,
               NULL);
        _exit(127);
    }
    close(ready[1]);
    if (read(ready[0], address, sizeof address) <= 0)
        fail_msg("dbus-daemon does not start");
    close(ready[0]);
}

static inline _unused_ void bus_daemon_stop(BusDaemon *d)
{
    if (d->pid > 0) {
        kill(d->pid, SIGKILL);
        waitpid(d->pid, NULL, 0);
    }
    d->pid = 0;
    (void)unlink(d->socket);
}
