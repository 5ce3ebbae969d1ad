/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "cli/client-internal.h"
#include "cli/exit-status.h"

#define BUS_ERROR_PREFIX "org.podvisor.Error."

/* --- failures --------------------------------------------------------------------------------------------------- */

static int complain_silence(const Client *client)
{
    if (client->pid > 0)
        log_error(
            "podvisord (process %d) does not answer within %us; `ps -o stat,wchan %d` shows what it is at",
            (int)client->pid, (unsigned)(CLIENT_TIMEOUT / USEC_PER_SEC), (int)client->pid);
    else
        log_error("podvisord does not answer on %s", client->socket);
    return STATUS_NO_DAEMON;
}

static bool is_silence(int error)
{
    return error == -ETIMEDOUT || error == -ETIME;
}

static bool is_gone(int error)
{
    return error == -ECONNRESET || error == -ENOTCONN || error == -EPIPE || error == -ESHUTDOWN;
}

static int complain_transport(const Client *client, int error)
{
    if (is_silence(error))
        return complain_silence(client);
    if (is_gone(error)) {
        log_error("podvisord has closed the connection; its log says why: journalctl -u podvisord");
        return STATUS_NO_DAEMON;
    }
    log_error_errno(error, "podvisord cannot be asked");
    return STATUS_FAILURE;
}

/* podvisord's own words, which may be several lines, and mostly name in quotes what they are about. */
static void say(const char *what, const char *text)
{
    _cleanup_(strv_freep) char **lines = strv_split(text, "\n");
    _cleanup_(freep) char *quoted = what ? strf("\"%s\"", what) : NULL;
    bool named = !quoted || strstr(text, quoted);

    STRV_FOREACH (line, lines)
        log_error("%s%s%s", named ? "" : what, named ? "" : ": ", *line);
}

int client_complain(const Client *client, const char *what, const sd_bus_error *error, int r)
{
    const char *name = error->name ? str_after(error->name, BUS_ERROR_PREFIX) : NULL;

    if (name) {
        say(what, error->message ?: name);
        return exit_status_of_error(name);
    }
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) && what) {
        log_error("%s: there is no such pod; `podvisor list` shows all", what);
        return STATUS_NOT_FOUND;
    }
    if (!sd_bus_error_is_set(error) || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || is_gone(r) ||
        is_silence(r))
        return complain_transport(client, r < 0 ? r : -ECONNRESET);
    say(what, error->message ?: error->name ?: "podvisord gives no reason");
    return STATUS_FAILURE;
}

int client_complain_reading(int error)
{
    log_error_errno(error, "podvisord's answer cannot be understood; is it of another version?");
    return STATUS_FAILURE;
}

static int complain_connect(const Context *c, const Client *client, int error)
{
    const char *start = c->paths.mode == PATHS_SYSTEM ? "systemctl start podvisord"
                        : c->paths.mode == PATHS_USER ? "systemctl --user start podvisord"
                                                      : NULL;

    if (error == -EACCES || error == -EPERM)
        log_error("podvisord's socket %s may not be used by this user; try it as root", client->socket);
    else if (error != -ENOENT && error != -ECONNREFUSED)
        log_error_errno(error, "podvisord's socket %s cannot be connected to", client->socket);
    else if (start)
        log_error("podvisord is not running: nobody listens on %s; start it: %s", client->socket, start);
    else {
        _cleanup_(freep) char *root = strndup(c->paths.run, strlen(c->paths.run) - strlen("/run"));
        log_error("podvisord is not running: nobody listens on %s; start it: podvisord --root %s",
                  client->socket, root ?: "DIR");
    }
    return STATUS_NO_DAEMON;
}

/* --- connecting ------------------------------------------------------------------------------------------------- */

static int connect_socket(const Context *c)
{
    _cleanup_(closep) int run = dir_open_at(AT_FDCWD, c->paths.run);

    return run < 0 ? run : socket_connect_at(run, PATHS_BUS, SOCK_STREAM | SOCK_NONBLOCK);
}

/* sd_bus_call() would wait for the authentication without our deadline, so that is done first. */
static int wait_until_ready(sd_bus *bus, usec_t deadline)
{
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

static int bus_start(sd_bus *bus, int *fd)
{
    int r = sd_bus_set_fd(bus, *fd, *fd);
    if (r < 0)
        return r;
    take_fd(fd);
    if ((r = sd_bus_negotiate_fds(bus, true)) < 0 || (r = sd_bus_start(bus)) < 0)
        return r;
    if ((r = sd_bus_set_method_call_timeout(bus, CLIENT_TIMEOUT)) < 0)
        return r;
    return wait_until_ready(bus, usec_add(now_usec(CLOCK_MONOTONIC), CLIENT_TIMEOUT));
}

int client_open(const Context *c, Client **ret)
{
    _cleanup_(client_freep) Client *client = calloc(1, sizeof *client);
    _cleanup_(closep) int fd = -1;
    uid_t uid;

    if (!client || !(client->socket = strf("%s/" PATHS_BUS, c->paths.run)) || sd_bus_new(&client->bus) < 0) {
        log_error("Out of memory");
        return STATUS_FAILURE;
    }
    fd = connect_socket(c);
    if (fd < 0)
        return complain_connect(c, client, fd);
    (void)socket_peer(fd, &client->pid, &uid);
    int r = bus_start(client->bus, &fd);
    if (r < 0)
        return complain_transport(client, r);
    *ret = take_ptr(client);
    return STATUS_OK;
}

Client *client_free(Client *client)
{
    if (client) {
        sd_bus_close_unref(client->bus);
        free(client->socket);
    }
    free(client);
    return NULL;
}

/* --- watching --------------------------------------------------------------------------------------------------- */

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    ((Client *)userdata)->changed = true;
    return 0;
}

int client_watch(Client *client)
{
    int r = sd_bus_match_signal(client->bus, NULL, NULL, NULL, "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", on_change, client);
    if (r >= 0)
        r = sd_bus_match_signal(client->bus, NULL, NULL, NULL, "org.freedesktop.DBus.ObjectManager", NULL,
                                on_change, client);
    return r < 0 ? complain_transport(client, r) : STATUS_OK;
}

int client_next_change(Client *client, usec_t deadline)
{
    while (!client->changed) {
        int r = sd_bus_process(client->bus, NULL);
        if (r < 0)
            return complain_transport(client, r);
        if (r > 0)
            continue;
        usec_t left =
            deadline == USEC_INFINITY ? USEC_INFINITY : usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        if (left == 0)
            return STATUS_TIMEOUT;
        if ((r = sd_bus_wait(client->bus, left)) < 0 && r != -EINTR)
            return complain_transport(client, r);
    }
    client->changed = false;
    return STATUS_OK;
}
