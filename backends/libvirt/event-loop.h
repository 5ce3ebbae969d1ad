/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libvirt's event loop, on the sd_event of the runner.
 *
 * Theory of operation
 * -------------------
 * libvirt has one event loop for a process, and adds and removes what it waits for from any thread, also from one that is in
 * the middle of a call. sd_event belongs to one thread. So all that libvirt waits for stands behind one descriptor of an epoll(7), which any
 * thread may change, and the sd_event only watches that one: when it is readable, the thread of the sd_event calls
 * libvirt's functions, without holding the lock, so that they may add and remove in turn.
 *
 * A handle watches a duplicate of libvirt's descriptor, so it cannot be mistaken for one that was closed and opened anew in the
 * meantime. What is removed is freed from the loop, as libvirt demands, and never inside of the call that removes it.
 */
#include <systemd/sd-event.h>

/*
 * Registers with libvirt (once, for ever) and lets this sd_event run it; one at a time, others are refused with -EBUSY. Call it before any
 * connection is opened. 0 or negative errno.
 */
int event_loop_attach(sd_event *event);

/* Calls what is due no more, until somebody attaches anew; frees what was removed. */
void event_loop_detach(void);
