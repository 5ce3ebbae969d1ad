/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Unix sockets by directory descriptor and name, so that the 108 bytes of sockaddr_un never matter, and packets with
 * descriptors. All descriptors made or received here are close-on-exec.
 */
#include <sys/socket.h>

#include "base/bytes.h"

/*
 * Listens at dir/name with mode 0600, replacing what stands there. type: SOCK_STREAM or SOCK_SEQPACKET, | SOCK_NONBLOCK. The
 * last inotify(7) event of it, IN_ATTRIB, comes when a connection is taken.
 */
int socket_listen_at(int dir, const char *name, int type) _warn_unused_;

/* Connects to dir/name: the descriptor or negative errno (-ENOENT, -ECONNREFUSED: nobody is there; -EAGAIN: queue full). */
int socket_connect_at(int dir, const char *name, int type) _warn_unused_;

/* One packet, with one descriptor when fd >= 0. 0, -EAGAIN (not sent), or negative errno. Raises no SIGPIPE. */
int packet_send(int socket, const void *data, size_t size, int fd);

/*
 * One packet into ret (emptied first), and the descriptor that came with it or -1. At most max_size bytes.
 * Returns its size, 0 at the end of the stream, -EAGAIN, -EMSGSIZE for a longer packet, or negative errno.
 */
ssize_t packet_receive(int socket, size_t max_size, Bytes *ret, int *ret_fd);

/* The user at the other end: 0 or negative errno. */
int socket_peer(int socket, pid_t *ret_pid, uid_t *ret_uid);
