/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/log.h"
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
            (int)client->pid, (unsigned)(client->patience / USEC_PER_SEC), (int)client->pid);
    else
        log_error("podvisord does not answer on %s", client->place);
    return STATUS_NO_DAEMON;
}

bool client_is_silence(int error)
{
    return error == -ETIMEDOUT || error == -ETIME;
}

bool client_is_gone(int error)
{
    return error == -ECONNRESET || error == -ENOTCONN || error == -EPIPE || error == -ESHUTDOWN;
}

/* Lost, and that is not to be told: the verb waits for the next podvisord. */
static bool note_loss(Client *client)
{
    client->lost = true;
    return client->lasting;
}

int client_complain_transport(Client *client, int error)
{
    if (client_is_silence(error))
        return complain_silence(client);
    if (client_is_gone(error)) {
        if (note_loss(client))
            return STATUS_NO_DAEMON;
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

static const char *const start_commands[] = {
    [PATHS_SYSTEM] = "systemctl start podvisord",
    [PATHS_USER] = "systemctl --user start podvisord",
    [PATHS_ROOT] = NULL,
};
_Static_assert(ELEMENTSOF(start_commands) == PATHS_MODE_MAX, "every mode");

const char *client_start_command(PathsMode mode)
{
    return start_commands[mode];
}

/* What the message bus says when nobody has the name, and nobody could be started to take it. */
static const char *const absences[] = {
    SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,      "org.freedesktop.DBus.Error.TimedOut",
    "org.freedesktop.systemd1.",  "org.freedesktop.DBus.Error.Spawn.",
};

static bool is_absence(const Client *client, const sd_bus_error *error)
{
    TABLE_FOREACH (row, absences)
        if (client->destination && error->name && str_after(error->name, *row))
            return true;
    return false;
}

static int complain_absence(Client *client, const sd_bus_error *error)
{
    const char *start = client_start_command(client->mode);

    if (note_loss(client))
        return STATUS_NO_DAEMON;
    log_error("podvisord is not on the message bus: %s%s%s", error->message ?: error->name,
              start ? "; start it: " : "", start ?: "");
    return STATUS_NO_DAEMON;
}

int client_complain(Client *client, const char *what, const sd_bus_error *error, int r)
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
    if (is_absence(client, error))
        return complain_absence(client, error);
    if (!sd_bus_error_is_set(error) || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
        client_is_gone(r) || client_is_silence(r))
        return client_complain_transport(client, r < 0 ? r : -ECONNRESET);
    say(what, error->message ?: error->name ?: "podvisord gives no reason");
    return STATUS_FAILURE;
}

int client_complain_reading(int error)
{
    log_error_errno(error, "podvisord's answer cannot be understood; is it of another version?");
    return STATUS_FAILURE;
}

/* --- watching --------------------------------------------------------------------------------------------------- */

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    ((Client *)userdata)->changed = true;
    return 0;
}

int client_watch(Client *client)
{
    client->watching = true;
    int r = sd_bus_match_signal(client->bus, NULL, client->destination, NULL,
                                "org.freedesktop.DBus.Properties", "PropertiesChanged", on_change, client);
    if (r >= 0)
        r = sd_bus_match_signal(client->bus, NULL, client->destination, NULL,
                                "org.freedesktop.DBus.ObjectManager", NULL, on_change, client);
    /* On the private socket its end is seen; on the bus, that the name moves. */
    if (r >= 0 && client->destination)
        r = sd_bus_add_match(client->bus, NULL,
                             "sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_INTERFACE
                             "'",
                             on_change, client);
    return r < 0 ? client_complain_transport(client, r) : STATUS_OK;
}

int client_next_change(Client *client, usec_t deadline)
{
    while (!client->changed) {
        int r = sd_bus_process(client->bus, NULL);
        if (r < 0)
            return client_complain_transport(client, r);
        if (r > 0)
            continue;
        usec_t left =
            deadline == USEC_INFINITY ? USEC_INFINITY : usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        if (left == 0)
            return STATUS_TIMEOUT;
        if ((r = sd_bus_wait(client->bus, left)) < 0 && r != -EINTR)
            return client_complain_transport(client, r);
    }
    client->changed = false;
    return STATUS_OK;
}
