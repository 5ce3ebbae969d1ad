/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * podvisor-libvirt-proxy: how the runner of a pod that has a unit gets to libvirt.
 *
 * Theory of operation
 * -------------------
 * Whoever may speak with libvirt is as good as root, so a pod's unit does not see libvirt's socket. It sees this one:
 *
 *     runner ──▶ /run/podvisor/libvirt.socket ──▶ systemd ──▶ one process for each connection, which
 *                                                             1. proves whose process its peer is
 *                                                             2. looks whether that pod's machine is libvirt's
 *                                                             3. connects to libvirt, and relays until one side ends
 *
 * Whose process: the kernel noted process and user when the peer connected. The process must be of a pod's unit, by the
 * cgroup that systemd has put it into, and still be that user's. Each pod has a user of its own, so a number that went to
 * another pod's process meanwhile does not pass.
 *
 * Whose machine: by podvisord's own record of the pod (supervisor/pod-record.h), written before the runner is let in, in a
 * place where only root writes. So it does not matter whether podvisord runs, and what a pod's user could change, such as the
 * frozen definition, is not asked. QEMU of a pod with the qemu backend runs as the pod's user in the pod's unit: it gets as far
 * as here, and is sent away since its pod's machine is not libvirt's.
 *
 * Nothing of what is relayed is looked at. Once it relays, it opens and asks nothing any more.
 */
#include "schemas/paths.h"

#define LIBVIRT_PROXY_TIMEOUT (10 * USEC_PER_SEC) /* for libvirt to take the connection */

/* The pod whose runner may be at the other end of this socket: 0 with *ret_pod, or negative errno with *ret_why, a clause (both
 * malloc'ed). *ret_why may be NULL: no memory. */
int libvirt_proxy_admit(const Paths *paths, int socket, char **ret_pod, char **ret_why);

/* To the first of these paths where somebody listens; NULL ends the list. A descriptor, or the negative errno of the last one. */
int libvirt_proxy_connect(const char *const *sockets) _warn_unused_;

/* The whole life of one connection. Says in the log why it comes to nothing. 0 or negative errno. */
int libvirt_proxy_run(const Paths *paths, int client);
