/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/socket.h"

static int address_at(int dir, const char *name, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", dir, name);
    return n < 0 || (size_t)n >= sizeof ret->sun_path ? -ENAMETOOLONG : 0;
}

int socket_listen_at(int dir, const char *name, int type)
{
    struct sockaddr_un address;
    int r = address_at(dir, name, &address);
    if (r < 0)
        return r;

    _cleanup_(closep) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if ((r = file_remove_at(dir, name)) < 0)
        return r;
    /* fchmod() before bind() sets the mode that the file is born with, so that it is never wider. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    /* Last, so that whoever watches the directory hears of it once more when there is somebody who listens. */
    if (listen(fd, SOMAXCONN) < 0 || fchmodat(dir, name, 0600, 0) < 0)
        return -errno;
    return take_fd(&fd);
}

int socket_connect_at(int dir, const char *name, int type)
{
    struct sockaddr_un address;
    int r = address_at(dir, name, &address);
    if (r < 0)
        return r;

    _cleanup_(closep) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return take_fd(&fd);
}

int packet_send(int socket, const void *data, size_t size, int fd)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    for (;;) {
        if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

/* The first descriptor of the control data; any further one is closed, since nobody asked for it. */
static int descriptors_take(struct msghdr *message)
{
    int found = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t offset = 0; offset + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); offset += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + offset, sizeof fd);
            if (found < 0)
                found = fd;
            else
                safe_close(fd);
        }
    }
    return found;
}

ssize_t packet_receive(int socket, size_t max_size, Bytes *ret, int *ret_fd)
{
    enum { DESCRIPTORS_MAX = 16 };
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;

    ret->size = 0;
    uint8_t *p = bytes_reserve(ret, max_size);
    if (!p)
        return -ENOMEM;
    struct iovec iov = { .iov_base = p, .iov_len = max_size };
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;

    _cleanup_(closep) int fd = descriptors_take(&message);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return -EMSGSIZE;
    ret->size = (size_t)n;
    if (ret_fd)
        *ret_fd = take_fd(&fd);
    return n;
}

int socket_peer(int socket, pid_t *ret_pid, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    *ret_pid = peer.pid;
    *ret_uid = peer.uid;
    return 0;
}
