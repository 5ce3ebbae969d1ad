/* SPDX-License-Identifier: Apache-2.0 */
/* The main process of podvisor-libvirt@.service: one connection of a pod's runner with libvirt, at standard input. */
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "base/journal-log.h"
#include "schemas/log-fields.h"
#include "supervisor/libvirt-proxy.h"

int main(int argc, char **argv)
{
    static LogFields lost;
    Paths paths;

    if (argc != 1 || sd_is_socket(STDIN_FILENO, AF_UNIX, SOCK_STREAM, 0) <= 0) {
        fprintf(stderr, "Usage: %s\n\nStarted by systemd for a connection to podvisor-libvirt.socket.\n",
                argv[0]);
        return 2;
    }
    log_open("podvisor-libvirt-proxy", LOG_INFO);
    log_fields_init(&lost);
    log_fields_set_event(&lost, &operator_events[EVENT_OUTPUT_LOST]);
    if (journal_is_there())
        journal_log_open("podvisor-libvirt-proxy", lost.rows, false);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    int r = paths_init(&paths, NULL, false);
    if (r < 0) {
        log_error_errno(r, "The paths cannot be determined");
        return 1;
    }
    r = libvirt_proxy_run(&paths, STDIN_FILENO);
    paths_done(&paths);
    journal_log_close();
    return r < 0;
}
