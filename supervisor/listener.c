/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/log.h"
#include "base/socket.h"
#include "supervisor/listener.h"

struct Listener {
    int fd;
    int reserve; /* given up for a moment when no descriptor is left */
    sd_event_source *source;
    ListenerFunc func;
    void *userdata;
};

static int reserve_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void refuse_one(Listener *l)
{
    l->reserve = safe_close(l->reserve);
    safe_close(accept4(l->fd, NULL, NULL, SOCK_CLOEXEC));
    l->reserve = reserve_open();
    log_warning("A connection was refused: no file descriptors are left");
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    Listener *l = userdata;
    pid_t pid;
    uid_t uid;

    _cleanup_(closep) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0) {
        if (errno == EMFILE || errno == ENFILE)
            refuse_one(l);
        return 0;
    }
    if (socket_peer(peer, &pid, &uid) < 0)
        return 0;
    if (uid != 0 && uid != geteuid()) {
        log_warning("A connection of user %u (process %d) was refused", uid, (int)pid);
        return 0;
    }
    l->func(l->userdata, take_fd(&peer), pid);
    return 0;
}

int listener_new(Listener **ret, sd_event *event, int dir, const char *name, int type, ListenerFunc func,
                 void *userdata)
{
    _cleanup_(listener_freep) Listener *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->func = func;
    l->userdata = userdata;
    l->reserve = reserve_open();
    if ((l->fd = socket_listen_at(dir, name, type | SOCK_NONBLOCK)) < 0)
        return l->fd;
    int r = sd_event_add_io(event, &l->source, l->fd, EPOLLIN, on_io, l);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(l->source, name);
    *ret = take_ptr(l);
    return 0;
}

Listener *listener_free(Listener *l)
{
    if (!l)
        return NULL;
    sd_event_source_disable_unref(l->source);
    safe_close(l->fd);
    safe_close(l->reserve);
    free(l);
    return NULL;
}
