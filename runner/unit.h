/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A runner as the main process of a unit: what the service manager says to it, and what it is told.
 *
 *     SIGTERM        stop the pod gracefully; podvisord will hold it, since somebody on the host wanted it so
 *     SIGRTMIN+4     the same: `machinectl poweroff`
 *     SIGINT         the pod is to be restarted: `machinectl reboot`. podvisord is told, and does it as for an operator
 *     READY=1        the pod is ready: whoever is ordered after it may start
 *     STATUS=        what it does, for `systemctl status`
 *     EXTEND_TIMEOUT_USEC=   as long as the pod's own stop may take
 *     WATCHDOG=1     the event loop turns
 *     descriptors    images, named by the digits of their digest, kernel and initrd (sd_listen_fds_with_names(3))
 *
 * Nothing of this happens in a runner that podvisord spawned itself: there, each of these signals lets go of the machine.
 */
#include "runner/runner.h"

/* Takes the descriptors that came along. 0 or negative errno. */
int unit_take_images(BackendImage **ret, size_t *ret_n);
void unit_images_free(BackendImage *images, size_t n);

/* SIGTERM, SIGRTMIN+4. When nothing can be stopped (it is in doubt what runs), the runner leaves, and the machine stays. */
void unit_stop(Runner *r);
/* SIGINT. */
void unit_restart(Runner *r);
/* The report has changed. */
void unit_report(Runner *r);
/* The exit status after `bye`: 0 for an end that was wanted. */
int unit_exit_status(const Runner *r);
