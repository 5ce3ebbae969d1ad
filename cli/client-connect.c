/* SPDX-License-Identifier: Apache-2.0 */
/* The way to podvisord: its private socket for those who may use it, else the message bus, where polkit decides. */
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "cli/client-internal.h"
#include "cli/daemon-settings.h"
#include "cli/exit-status.h"
#include "schemas/bus-address.h"

/* podvisord, and polkit, may have to be started first. */
#define BUS_TIMEOUT (30 * USEC_PER_SEC)

/* --- failures --------------------------------------------------------------------------------------------------- */

static int complain_socket(const Context *c, const Client *client, int error)
{
    const char *start = client_start_command(c->paths.mode);

    if (error == -EACCES || error == -EPERM)
        log_error("podvisord's socket %s may not be used by this user; try it as root", client->place);
    else if (error != -ENOENT && error != -ECONNREFUSED)
        log_error_errno(error, "podvisord's socket %s cannot be connected to", client->place);
    else if (start)
        log_error("podvisord is not running: nobody listens on %s; start it: %s", client->place, start);
    else {
        _cleanup_(freep) char *root = strndup(c->paths.run, strlen(c->paths.run) - strlen("/run"));
        log_error("podvisord is not running: nobody listens on %s; start it: podvisord --root %s",
                  client->place, root ?: "DIR");
    }
    return STATUS_NO_DAEMON;
}

static int complain_bus(const Context *c, const char *address, int error)
{
    log_error_errno(error,
                    "podvisord's socket %s/" PATHS_BUS
                    " may not be used by this user, and the message bus %s cannot be connected to",
                    c->paths.run, address);
    return STATUS_NO_DAEMON;
}

/* --- connecting ------------------------------------------------------------------------------------------------- */

/* sd_bus_call() would wait for the authentication without our deadline, so that is done first. */
static int wait_until_ready(sd_bus *bus)
{
    usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), CLIENT_TIMEOUT);

    for (;;) {
        int r = sd_bus_is_ready(bus);
        if (r != 0)
            return r;
        if ((r = sd_bus_process(bus, NULL)) < 0)
            return r;
        if (r > 0)
            continue;
        usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        if (left == 0)
            return -ETIMEDOUT;
        if ((r = sd_bus_wait(bus, left)) < 0 && r != -EINTR)
            return r;
    }
}

static int bus_start(sd_bus *bus, usec_t timeout)
{
    int r = sd_bus_negotiate_fds(bus, true);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r >= 0)
        r = sd_bus_set_method_call_timeout(bus, timeout);
    return r < 0 ? r : wait_until_ready(bus);
}

static int connect_socket(const Context *c)
{
    _cleanup_(closep) int run = dir_open_at(AT_FDCWD, c->paths.run);

    return run < 0 ? run : socket_connect_at(run, PATHS_BUS, SOCK_STREAM | SOCK_NONBLOCK);
}

/* Takes fd. */
static int start_socket(Client *client, int fd)
{
    uid_t uid;

    (void)socket_peer(fd, &client->pid, &uid);
    int r = sd_bus_set_fd(client->bus, fd, fd);
    if (r < 0)
        safe_close(fd);
    client->patience = CLIENT_TIMEOUT;
    if (r >= 0 && (r = bus_start(client->bus, CLIENT_CALL_TIMEOUT)) >= 0)
        client->patience = CLIENT_CALL_TIMEOUT;
    return r;
}

/* Takes fd. */
static int open_socket(Client *client, int fd)
{
    int r = start_socket(client, fd);
    return r < 0 ? client_complain_transport(client, r) : STATUS_OK;
}

static int open_bus(const Context *c, Client *client, const char *address)
{
    client->destination = BUS_NAME;
    client->mode = c->paths.mode;
    if (str_replace(&client->place, "the message bus") < 0)
        return client_complain_transport(client, -ENOMEM);
    int r = sd_bus_set_address(client->bus, address);
    if (r >= 0)
        r = sd_bus_set_bus_client(client->bus, true);
    if (r >= 0)
        r = bus_start(client->bus, BUS_TIMEOUT);
    return r < 0 ? complain_bus(c, address, r) : STATUS_OK;
}

/* NULL: there is no bus to try instead of the socket, which could not be connected to. */
static char *bus_instead(const Context *c, int error)
{
    DaemonConfig config = { 0 };
    char *address = NULL;

    /* To who may not look into the directory, a socket that is not there is one that is closed. */
    if (geteuid() == 0 || (error != -EACCES && error != -EPERM && error != -ENOENT && error != -ECONNREFUSED))
        return NULL;
    if (daemon_settings_load(c, &config) < 0)
        return NULL;
    (void)bus_address(&c->paths, &config, &address);
    schema_done(&daemon_config_schema, &config);
    return address;
}

int client_open(const Context *c, Client **ret)
{
    _cleanup_(client_freep) Client *client = calloc(1, sizeof *client);
    _cleanup_(freep) char *address = NULL;

    if (!client || !(client->place = strf("%s/" PATHS_BUS, c->paths.run)) || sd_bus_new(&client->bus) < 0) {
        log_error("Out of memory");
        return STATUS_FAILURE;
    }
    client->context = c;
    int fd = connect_socket(c);
    if (fd < 0)
        address = bus_instead(c, fd);
    int status = fd >= 0   ? open_socket(client, fd)
                 : address ? open_bus(c, client, address)
                           : complain_socket(c, client, fd);
    if (status == STATUS_OK)
        *ret = take_ptr(client);
    return status;
}

Client *client_free(Client *client)
{
    if (client) {
        sd_bus_close_unref(client->bus);
        free(client->place);
    }
    free(client);
    return NULL;
}

/* --- connecting again ------------------------------------------------------------------------------------------- */

void client_last(Client *client)
{
    client->lasting = true;
}

bool client_lost(const Client *client)
{
    return client->lost;
}

/* Blocks until something happens in the directory of the socket: 0, -ETIMEDOUT, or negative errno. */
static int await_event(int watch, usec_t deadline)
{
    struct pollfd p = { .fd = watch, .events = POLLIN };
    char events[4096];

    usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
    struct timespec time = { .tv_sec = (time_t)(left / USEC_PER_SEC),
                             .tv_nsec = (long)(left % USEC_PER_SEC) * 1000 };
    ssize_t n = ppoll(&p, 1, &time, NULL);
    if (n == 0)
        return -ETIMEDOUT;
    if (n > 0)
        n = read(watch, events, sizeof events);
    return n < 0 && errno != EINTR ? -errno : 0;
}

/* A bus has but one connection in its life. */
static int start_again(Client *client, int fd)
{
    sd_bus_close_unref(client->bus);
    client->bus = NULL;
    int r = sd_bus_new(&client->bus);
    if (r < 0)
        safe_close(fd);
    return r < 0 ? r : start_socket(client, fd);
}

/*
 * The next podvisord that answers. Where nobody listens, the directory tells when somebody does; one that ends or is silent while it
 * is being connected to was not it.
 */
static int connect_again(Client *client, int watch, usec_t deadline)
{
    while (now_usec(CLOCK_MONOTONIC) < deadline) {
        int fd = connect_socket(client->context);
        int r = fd < 0 ? fd : start_again(client, fd);
        if (r == -ENOENT || r == -ECONNREFUSED)
            r = await_event(watch, deadline);
        else if (!client_is_gone(r) && !client_is_silence(r))
            return r;
        if (r < 0 && !client_is_gone(r) && !client_is_silence(r))
            return r;
    }
    return -ETIMEDOUT;
}

static int await_socket(Client *client, usec_t deadline)
{
    _cleanup_(closep) int watch = inotify_init1(IN_CLOEXEC);

    if (watch < 0 ||
        inotify_add_watch(watch, client->context->paths.run, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0)
        return -errno;
    return connect_again(client, watch, deadline);
}

/* On the message bus the connection stays, and tells that the name has an owner again. */
static int await_name(Client *client, usec_t deadline)
{
    int status = client_next_change(client, deadline);
    return status == STATUS_OK ? 0 : status == STATUS_TIMEOUT ? -ETIMEDOUT : -ENOTCONN;
}

int client_reconnect(Client *client, usec_t deadline)
{
    usec_t begin = now_usec(CLOCK_MONOTONIC), end = MIN(deadline, usec_add(begin, CLIENT_PATIENCE));

    if (isatty(STDERR_FILENO))
        log_info("podvisord has ended; waiting for the next one");
    int r = client->destination ? await_name(client, end) : await_socket(client, end);
    if (r < 0) {
        log_error_errno(r, "podvisord has ended, and no other one answers on %s within %us", client->place,
                        (unsigned)((end - begin) / USEC_PER_SEC));
        return STATUS_NO_DAEMON;
    }
    client->lost = false;
    return client->watching && !client->destination ? client_watch(client) : STATUS_OK;
}
