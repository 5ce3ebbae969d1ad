/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A listening unix socket of podvisord. Only root and podvisord's own user get in, whatever the file's mode says, and whom
 * listener_open() lets in besides. When the process has no descriptor left, a connection is taken and closed rather than left to wake us for ever.
 */
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct Listener Listener;

/* Takes fd. pid is the peer's at the time of its connect(2). */
typedef void (*ListenerFunc)(void *userdata, int fd, pid_t pid);

/* type: SOCK_STREAM or SOCK_SEQPACKET. dir is used during the call only. A socket of this name that came along with the start
 * (sd_listen_fds_with_names(3)) is used in the place of a new one. */
int listener_new(Listener **ret, sd_event *event, int dir, const char *name, int type, ListenerFunc func,
                 void *userdata);
/* Lets in whom admit says, too: the socket's file is open to all from here on, so it is asked about anybody. dir and name: as
 * of listener_new(). 0 or negative errno. */
typedef bool (*ListenerAdmit)(pid_t pid, uid_t uid);
int listener_open(Listener *l, int dir, const char *name, ListenerAdmit admit);
Listener *listener_free(Listener *l);
DEFINE_CLEANUP(Listener *, listener_free)
