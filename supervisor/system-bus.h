/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * podvisord's one connection to the message bus of the system (of the user, for a user's own podvisord), for all who need it:
 * the API, the launcher of units, machined, logind.
 *
 * Theory of operation
 * -------------------
 * Nothing here blocks. A bus that is not there is awaited: sd-bus watches for its socket by inotify, so an absent bus costs
 * no wake-ups. A connection that is lost is made anew, at once the first time, then after a growing while, so that a bus
 * which takes connections and drops them is not hammered.
 *
 * A user is told by connected() of each new connection and by lost() that it is gone. Between the two system_bus_get() gives the
 * connection; before and after, NULL. In lost() the connection is still an object, so that slots can be released; all calls
 * that were under way have failed by then, each by its own callback. Slots that a user keeps are released in lost().
 * A callback may make its own user leave, not another one.
 *
 * Whoever uses it: no sd_bus_call(), no sd_bus_flush(), no sd_bus_track, no sd_bus_query_sender_*(): they wait for the bus.
 *
 * Calls that arrive are the API's; it refuses those that it does not know.
 *
 * All functions accept a NULL SystemBus, which is an instance without a bus.
 */
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "base/units.h"

typedef struct SystemBus SystemBus;
typedef struct SystemBusUser SystemBusUser;

/* Belongs to the user, and stays where it is until system_bus_leave(). */
struct SystemBusUser {
    void (*connected)(void *userdata, sd_bus *bus);
    void (*lost)(void *userdata); /* may be NULL */
    void *userdata;
    TAILQ_ENTRY(SystemBusUser) entry;
};

/* Begins to connect. address NULL: *ret is NULL. A bus that cannot be reached is no failure. */
int system_bus_new(SystemBus **ret, sd_event *event, const char *address);
/* Users that are still there are told that it is lost. */
SystemBus *system_bus_free(SystemBus *b);
DEFINE_CLEANUP(SystemBus *, system_bus_free)

/* The connection, borrowed; NULL while there is none. */
sd_bus *system_bus_get(const SystemBus *b);

/* Leaves the bus, and connects again later. */
void system_bus_reset(SystemBus *b);

/* Calls connected() at once if there is a connection. */
void system_bus_use(SystemBus *b, SystemBusUser *user);
/* Does not call lost(). Harmless for one that does not use it. */
void system_bus_leave(SystemBus *b, SystemBusUser *user);
