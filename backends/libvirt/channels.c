/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>
#include <sys/stat.h>

#include "backends/libvirt/channels.h"
#include "backends/libvirt/domain-xml.h"
#include "base/file.h"
#include "base/socket.h"

enum {
    SOCKET_MODE = 0666, /* of a directory that others cannot enter */
    USERS_MAX = 4,
};

typedef enum ChannelId {
    CHANNEL_AGENT,
    CHANNEL_CONSOLE,
    CHANNEL_MAX,
} ChannelId;

static const char *const names[CHANNEL_MAX] = {
    [CHANNEL_AGENT] = DOMAIN_XML_AGENT_SOCKET,
    [CHANNEL_CONSOLE] = DOMAIN_XML_CONSOLE_SOCKET,
};

struct Channels {
    sd_event *event;
    const ChannelHandlers *handlers;
    void *userdata;
    uid_t users[USERS_MAX];
    size_t n_users;
    ProcessId process; /* pid 0: none came yet */
    int listening[CHANNEL_MAX];
    int connected[CHANNEL_MAX];
    sd_event_source *arrivals[CHANNEL_MAX];
    sd_event_source *words, *later; /* of the console */
};

/* --- the console ------------------------------------------------------------------------------------------------------ */

static int on_words(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static void console_close(Channels *c)
{
    c->words = sd_event_source_disable_unref(c->words);
    c->later = sd_event_source_disable_unref(c->later);
    c->connected[CHANNEL_CONSOLE] = safe_close(c->connected[CHANNEL_CONSOLE]);
}

/* How much was read; the connection is closed when it has ended. */
static size_t console_read(Channels *c)
{
    _cleanup_(bytes_done) Bytes b = { 0 };
    int fd = c->connected[CHANNEL_CONSOLE];
    ssize_t n = fd >= 0 ? 1 : 0;

    if (!bytes_reserve(&b, CHANNEL_CONSOLE_AT_ONCE))
        return 0;
    while (n > 0 && b.size < CHANNEL_CONSOLE_AT_ONCE) {
        n = read(fd, b.data + b.size, CHANNEL_CONSOLE_AT_ONCE - b.size);
        b.size += (size_t)MAX(n, 0);
    }
    bool over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (b.size > 0)
        c->handlers->said(c->userdata, &b, b.size == CHANNEL_CONSOLE_AT_ONCE);
    if (over)
        console_close(c);
    return b.size;
}

static int on_later(sd_event_source *source, uint64_t when, void *userdata)
{
    Channels *c = userdata;

    c->later = sd_event_source_disable_unref(c->later);
    size_t n = console_read(c);
    if (n == CHANNEL_CONSOLE_AT_ONCE)
        (void)sd_event_add_time_relative(c->event, &c->later, CLOCK_MONOTONIC, CHANNEL_CONSOLE_FLOOD_INTERVAL,
                                         0, on_later, c);
    else if (c->words)
        (void)sd_event_source_set_enabled(c->words, SD_EVENT_ONESHOT);
    return 0;
}

/* A burst of lines is one reading, a moment later. */
static int on_words(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Channels *c = userdata;

    if (!c->later)
        (void)sd_event_add_time_relative(c->event, &c->later, CLOCK_MONOTONIC, CHANNEL_CONSOLE_INTERVAL,
                                         CHANNEL_CONSOLE_INTERVAL / 4, on_later, c);
    return 0;
}

static void console_begin(Channels *c)
{
    if (sd_event_add_io(c->event, &c->words, c->connected[CHANNEL_CONSOLE], EPOLLIN, on_words, c) >= 0)
        (void)sd_event_source_set_enabled(c->words, SD_EVENT_ONESHOT);
}

void channels_drain(Channels *c)
{
    enum { ROUNDS = 16 }; /* what is in the socket, and no more */

    for (int i = 0; c && i < ROUNDS && console_read(c) > 0; i++)
        ;
}

/* --- who comes -------------------------------------------------------------------------------------------------------- */

static bool user_allowed(const Channels *c, uid_t uid)
{
    if (uid == 0 || uid == geteuid())
        return true;
    for (size_t i = 0; i < c->n_users; i++)
        if (c->users[i] == uid)
            return true;
    return false;
}

static bool is_same(const ProcessId *a, const ProcessId *b)
{
    return a->pid == b->pid && a->start_time == b->start_time && id128_equal(a->boot, b->boot);
}

static int peer_check(Channels *c, int fd)
{
    ProcessId id;
    pid_t pid;
    uid_t uid;

    int r = socket_peer(fd, &pid, &uid);
    if (r >= 0)
        r = process_identify(pid, &id);
    if (r < 0)
        return r;
    if (c->process.pid > 0)
        return is_same(&c->process, &id) ? 0 : -EPERM;
    if (!user_allowed(c, uid))
        return -EPERM;
    if ((r = c->handlers->met(c->userdata, &id)) >= 0)
        c->process = id;
    return r;
}

static void take(Channels *c, ChannelId channel, int fd)
{
    if (channel == CHANNEL_CONSOLE)
        console_close(c);
    c->connected[channel] = (safe_close(c->connected[channel]), fd);
    if (channel == CHANNEL_CONSOLE)
        console_begin(c);
}

static int on_arrival(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Channels *c = userdata;
    ChannelId channel = fd == c->listening[CHANNEL_AGENT] ? CHANNEL_AGENT : CHANNEL_CONSOLE;

    _cleanup_(closep) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer >= 0 && peer_check(c, peer) >= 0)
        take(c, channel, take_fd(&peer));
    return 0;
}

void channels_allow(Channels *c, uid_t uid)
{
    if (c->n_users < USERS_MAX)
        c->users[c->n_users++] = uid;
}

void channels_expect(Channels *c, const ProcessId *id)
{
    c->process = *id;
}

int channels_agent(Channels *c)
{
    if (!c || c->connected[CHANNEL_AGENT] < 0)
        return -EAGAIN;
    return take_fd(&c->connected[CHANNEL_AGENT]);
}

/* --- the object ------------------------------------------------------------------------------------------------------- */

static int listen_on(Channels *c, int vm_dir, ChannelId channel)
{
    int fd = c->listening[channel] = socket_listen_at(vm_dir, names[channel], SOCK_STREAM | SOCK_NONBLOCK);

    if (fd < 0)
        return fd;
    if (fchmodat(vm_dir, names[channel], SOCKET_MODE, 0) < 0)
        return -errno;
    return sd_event_add_io(c->event, &c->arrivals[channel], fd, EPOLLIN, on_arrival, c);
}

int channels_new(sd_event *event, int vm_dir, const ChannelHandlers *handlers, void *userdata, Channels **ret)
{
    Channels *c = calloc(1, sizeof *c);
    int r = 0;

    if (!c)
        return -ENOMEM;
    *c = (Channels){ .event = sd_event_ref(event), .handlers = handlers, .userdata = userdata };
    for (ChannelId i = 0; i < CHANNEL_MAX; i++)
        c->listening[i] = c->connected[i] = -1;
    for (ChannelId i = 0; i < CHANNEL_MAX && r >= 0; i++)
        r = listen_on(c, vm_dir, i);
    if (r < 0) {
        channels_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

Channels *channels_free(Channels *c)
{
    if (!c)
        return NULL;
    console_close(c);
    for (ChannelId i = 0; i < CHANNEL_MAX; i++) {
        sd_event_source_disable_unref(c->arrivals[i]);
        safe_close(c->listening[i]);
        safe_close(c->connected[i]);
    }
    sd_event_unref(c->event);
    free(c);
    return NULL;
}
