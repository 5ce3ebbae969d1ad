/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A libvirt of the tests' own: a real libvirtd with its QEMU driver, that no other libvirt on this machine knows of.
 *
 * For root it is qemu:///system, in a mount namespace in which /run, /var/lib/libvirt, /var/log/libvirt and /etc/libvirt are new and empty:
 * machines run as the user that the distribution made for them, and libvirt's configuration is the one that it has without a
 * file, but for what needs the host's cgroups and security modules. For others it is qemu:///session, with an XDG_RUNTIME_DIR and an
 * XDG_CONFIG_HOME of the test's own. What libvirt finds out about QEMU takes it seconds: PODVISOR_TEST_LIBVIRT_CACHE
 * names a directory that keeps it from run to run.
 *
 * One for each worker: entered before its first cell with libvirt, left at its end. A cell may do to the daemon whatever it likes; the next
 * enter makes it good again. Its process number is in shared memory, so that the cells' processes know it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Can there be one on this machine? If not, why. */
bool libvirt_host_find(char *why, size_t size);
/* 0, or negative errno and why. The daemon runs then, and no domain is left. */
int libvirt_host_enter(char *why, size_t size);
void libvirt_host_leave(void);

/* --- for the cells; each fails the test when it does not work --- */

/* The daemon dies as by kill -9; returns when it is dead. */
void libvirt_host_kill(void);
/* A new one; returns when clients can connect. */
void libvirt_host_start(void);
/* What it has written down of a domain, for the daemon that comes after it, is lost. */
void libvirt_host_forget(const char *domain);
/* It neither answers nor accepts until it is let go on. */
void libvirt_host_hang(bool hang);

/* `virsh WORD ...` as an operator: what it prints; the caller frees. NULL ends the words. */
char *libvirt_virsh(const char *word, ...) __attribute__((sentinel));
/* The same, and its exit status is returned; *ret_output may be NULL. */
int libvirt_virsh_try(char **ret_output, const char *const *words);

/* What the daemon wrote last. */
void libvirt_host_show(void);
