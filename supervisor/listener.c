/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "supervisor/listener.h"

struct Listener {
    int fd;
    int reserve; /* given up for a moment when no descriptor is left */
    sd_event_source *source;
    ListenerFunc func;
    ListenerAdmit admit; /* NULL: nobody but root and our own user */
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
    if (uid != 0 && uid != geteuid() && !(l->admit && l->admit(pid, uid))) {
        log_warning("A connection of user %u (process %d) was refused", uid, (int)pid);
        return 0;
    }
    l->func(l->userdata, take_fd(&peer), pid);
    return 0;
}

/* The one of this name that a service manager holds for us, so that nobody finds the door closed while we are away. */
static int passed_descriptor(const char *name, int type)
{
    char **names = NULL;
    int found = -ENOENT;

    int n = sd_listen_fds_with_names(false, &names);
    for (int i = 0; i < n; i++)
        if (streq(names[i], name) && sd_is_socket(SD_LISTEN_FDS_START + i, AF_UNIX, type, 1) > 0)
            found = SD_LISTEN_FDS_START + i;
    strv_free(names);
    return found;
}

static int listener_socket(int dir, const char *name, int type)
{
    int fd = passed_descriptor(name, type);

    if (fd < 0)
        return socket_listen_at(dir, name, type | SOCK_NONBLOCK);
    /* The number may be wanted again, by an instance that is made after this one was freed. */
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : fcntl(fd, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START);
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
    if ((l->fd = listener_socket(dir, name, type)) < 0)
        return l->fd;
    int r = sd_event_add_io(event, &l->source, l->fd, EPOLLIN, on_io, l);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(l->source, name);
    *ret = take_ptr(l);
    return 0;
}

int listener_open(Listener *l, int dir, const char *name, ListenerAdmit admit)
{
    l->admit = admit;
    return fchmodat(dir, name, 0666, 0) < 0 ? -errno : 0;
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
