/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/strings.h"
#include "supervisor/system-bus.h"

#define DELAY_FIRST (100 * USEC_PER_MSEC)
#define DELAY_MAX (30 * USEC_PER_SEC)
#define STEADY (10 * USEC_PER_SEC) /* a connection that lasted so long was a good one */

#define LOCAL "org.freedesktop.DBus.Local"
#define LOCAL_PATH "/org/freedesktop/DBus/Local"

TAILQ_HEAD(SystemBusUsers, SystemBusUser);

struct SystemBus {
    sd_event *event;
    char *address;
    sd_bus *bus;            /* NULL between a loss and the next try */
    usec_t connected_since; /* 0: not connected */
    usec_t delay;           /* before the next try */
    sd_event_source *retry;
    struct SystemBusUsers users;
};

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void try_again(SystemBus *b)
{
    int r = sd_event_source_set_time_relative(b->retry, b->delay);
    if (r >= 0)
        r = sd_event_source_set_enabled(b->retry, SD_EVENT_ONESHOT);
    if (r < 0)
        log_error_errno(r, "The message bus %s is given up", b->address);
    b->delay = MIN(2 * b->delay, DELAY_MAX);
}

static void tell_lost(SystemBus *b)
{
    SystemBusUser *user, *next;

    for (user = TAILQ_FIRST(&b->users); user; user = next) {
        next = TAILQ_NEXT(user, entry);
        if (user->lost)
            user->lost(user->userdata);
    }
}

static void drop(SystemBus *b)
{
    usec_t since = b->connected_since;

    b->connected_since = 0;
    if (since > 0)
        tell_lost(b);
    b->bus = sd_bus_close_unref(b->bus);
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    SystemBus *b = userdata;
    SystemBusUser *user, *next;

    b->connected_since = now_usec(CLOCK_MONOTONIC);
    log_debug("Connected with the message bus %s", b->address);
    for (user = TAILQ_FIRST(&b->users); user; user = next) {
        next = TAILQ_NEXT(user, entry);
        user->connected(user->userdata, b->bus);
    }
    return 0;
}

void system_bus_reset(SystemBus *b)
{
    if (!b || !b->bus)
        return;
    drop(b);
    try_again(b);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    SystemBus *b = userdata;

    if (b->connected_since > 0) {
        log_notice("The message bus %s is gone; podvisord goes on, and connects again when it is back",
                   b->address);
        if (usec_sub(now_usec(CLOCK_MONOTONIC), b->connected_since) > STEADY)
            b->delay = DELAY_FIRST;
    }
    system_bus_reset(b);
    return 0;
}

static int match_local(SystemBus *b, const char *member, sd_bus_message_handler_t func)
{
    return sd_bus_match_signal_async(b->bus, NULL, LOCAL, LOCAL_PATH, LOCAL, member, func, NULL, b);
}

static int set_up(SystemBus *b)
{
    int r = sd_bus_set_address(b->bus, b->address);
    if (r >= 0)
        r = sd_bus_set_description(b->bus, "message-bus");
    if (r >= 0)
        r = sd_bus_set_bus_client(b->bus, true);
    if (r >= 0)
        r = sd_bus_negotiate_fds(b->bus, true);
    if (r >= 0)
        r = sd_bus_set_watch_bind(b->bus, true);
    if (r >= 0)
        r = sd_bus_set_connected_signal(b->bus, true);
    if (r >= 0)
        r = sd_bus_start(b->bus);
    if (r >= 0)
        r = match_local(b, "Connected", on_connected);
    if (r >= 0)
        r = match_local(b, "Disconnected", on_disconnected);
    return r < 0 ? r : sd_bus_attach_event(b->bus, b->event, SD_EVENT_PRIORITY_NORMAL);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
    SystemBus *b = userdata;

    int r = sd_bus_new(&b->bus);
    if (r >= 0)
        r = set_up(b);
    if (r >= 0)
        return 0;
    drop(b);
    if (r == -EINVAL) {
        log_error("\"%s\" is no address of a message bus; podvisord works without one", b->address);
        return 0;
    }
    log_full(LOG_DEBUG, r, NULL, "The message bus %s cannot be connected to", b->address);
    try_again(b);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int system_bus_new(SystemBus **ret, sd_event *event, const char *address)
{
    _cleanup_(system_bus_freep) SystemBus *b = NULL;

    if (!address) {
        *ret = NULL;
        return 0;
    }
    if (!(b = calloc(1, sizeof *b)))
        return -ENOMEM;
    TAILQ_INIT(&b->users);
    b->event = sd_event_ref(event);
    b->delay = DELAY_FIRST;
    if (!(b->address = strdup(address)))
        return -ENOMEM;
    int r = sd_event_add_time(event, &b->retry, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_retry, b);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(b->retry, "message-bus-retry");
    *ret = take_ptr(b);
    return 0;
}

SystemBus *system_bus_free(SystemBus *b)
{
    if (!b)
        return NULL;
    drop(b);
    sd_event_source_disable_unref(b->retry);
    sd_event_unref(b->event);
    free(b->address);
    free(b);
    return NULL;
}

sd_bus *system_bus_get(const SystemBus *b)
{
    return b && b->connected_since > 0 ? b->bus : NULL;
}

void system_bus_use(SystemBus *b, SystemBusUser *user)
{
    if (!b)
        return;
    TAILQ_INSERT_TAIL(&b->users, user, entry);
    if (b->connected_since > 0)
        user->connected(user->userdata, b->bus);
}

void system_bus_leave(SystemBus *b, SystemBusUser *user)
{
    SystemBusUser *other;

    if (!b)
        return;
    TAILQ_FOREACH(other, &b->users, entry)
    {
        if (other != user)
            continue;
        TAILQ_REMOVE(&b->users, user, entry);
        return;
    }
}
