/* SPDX-License-Identifier: Apache-2.0 */
/* The API on the message bus: its name there, and the gate that every call goes through. */
#include "base/log.h"
#include "base/strings.h"
#include "schemas/runner-protocol.h"
#include "supervisor/bus-internal.h"

enum {
    HELD_MAX = RUNNER_PACKET_MAX, /* bytes of arguments: more could not be handed on to a runner */
};

/* --- the gate ------------------------------------------------------------------------------------------------------- */

static int refuse(sd_bus_message *m, const char *name, const char *text)
{
    (void)sd_bus_reply_method_errorf(m, name, "%s", text);
    return 1;
}

static const struct {
    const char *name;
    const char *text;
} refusals[] = {
    [AUTHORITY_DENIED] = { SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow this to you." },
    [AUTHORITY_CHALLENGE] = { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                              "polkit allows this only after asking for a password, and there is nobody to "
                              "be "
                              "asked." },
    [AUTHORITY_ABSENT] = { SD_BUS_ERROR_ACCESS_DENIED, "polkit is not there to be asked, so only root may." },
    [AUTHORITY_TIMEOUT] = { "org.podvisor.Error.Timeout", "The bus or polkit did not answer in time." },
    [AUTHORITY_BUSY] = { SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many calls are waiting for their permission." },
};
_Static_assert(ELEMENTSOF(refusals) == AUTHORITY_VERDICT_MAX, "every verdict has its words");

static void on_verdict(void *userdata, sd_bus_message *m, AuthorityVerdict verdict)
{
    Bus *b = userdata;

    if (verdict == AUTHORITY_ALLOWED)
        bus_dispatch(b, bus_find_method(sd_bus_message_get_interface(m), sd_bus_message_get_member(m)), m);
    else
        (void)refuse(m, refusals[verdict].name, refusals[verdict].text);
}

static int ask(Bus *b, const BusMethod *method, sd_bus_message *m)
{
    _cleanup_(freep) char *pod = NULL;
    size_t weight;

    if (!sd_bus_message_has_signature(m, method->signature))
        return refuse(m, SD_BUS_ERROR_INVALID_ARGS, "The arguments have other types than the method's.");
    int r = bus_measure(m, method->signature, HELD_MAX, &weight);
    if (r == -E2BIG)
        return refuse(m, SD_BUS_ERROR_LIMITS_EXCEEDED, "The arguments are too long.");
    /* Of a pod that there is not, too: the object is looked for when the call is made. */
    if (r >= 0)
        r = sd_bus_path_decode(sd_bus_message_get_path(m), BUS_PODS_PATH, &pod);
    if (r >= 0)
        r = authority_ask(b->authority, m, method->effect, pod, weight);
    if (r < 0)
        (void)sd_bus_reply_method_errno(m, r, NULL);
    return 1;
}

/* Everything that arrives comes by here before sd-bus looks at it. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    if (!sd_bus_message_is_method_call(m, NULL, NULL))
        return 0;
    const BusMethod *method = bus_find_method(sd_bus_message_get_interface(m), sd_bus_message_get_member(m));
    if (!method)
        return refuse(m, SD_BUS_ERROR_ACCESS_DENIED, "There is no such method, or nobody may call it.");
    return method->effect == EFFECT_MAX ? 0 : ask(userdata, method, m);
}

/* --- the name ------------------------------------------------------------------------------------------------------- */

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    Bus *b = userdata;
    uint32_t outcome = 0;

    if (sd_bus_message_is_method_error(reply, NULL))
        log_error("The name " BUS_NAME " on the message bus cannot be had: %s",
                  sd_bus_message_get_error(reply)->message);
    else if (sd_bus_message_read(reply, "u", &outcome) < 0 || outcome != 1)
        log_warning("The name " BUS_NAME " on the message bus belongs to another process; it is waited for");
    b->name_owned |= outcome == 1;
    return 0;
}

static int on_acquired(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Bus *b = userdata;
    const char *name;

    if (sd_bus_message_read(m, "s", &name) >= 0 && streq(name, BUS_NAME))
        b->name_owned = true;
    return 0;
}

/* Queued, never taken from another: only the one that goes on can hand it over. */
static int request_name(Bus *b, sd_bus *bus)
{
    int r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                      "org.freedesktop.DBus", "NameAcquired", on_acquired, NULL, b);
    return r < 0 ? r : sd_bus_request_name_async(bus, &b->name_slot, BUS_NAME, SD_BUS_NAME_QUEUE, on_name, b);
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

static void on_lost(void *userdata)
{
    Bus *b = userdata;

    b->name_owned = false;
    b->name_slot = sd_bus_slot_unref(b->name_slot);
    b->filter_slot = sd_bus_slot_unref(b->filter_slot);
    bus_objects_done(&b->objects);
    authority_forget(b->authority);
}

static void on_connected(void *userdata, sd_bus *bus)
{
    Bus *b = userdata;

    int r = sd_bus_add_filter(bus, &b->filter_slot, on_message, b);
    if (r >= 0)
        r = bus_add_objects(b, bus, &b->objects);
    if (r >= 0)
        r = request_name(b, bus);
    if (r < 0)
        log_error_errno(r, "The API cannot be served on the message bus");
}

int bus_public_start(Bus *b)
{
    int r = authority_new(&b->authority, b->supervisor->system_bus, on_verdict, b);
    if (r < 0)
        return r;
    b->user = (SystemBusUser){ .connected = on_connected, .lost = on_lost, .userdata = b };
    system_bus_use(b->supervisor->system_bus, &b->user);
    return 0;
}

void bus_public_stop(Bus *b)
{
    system_bus_leave(b->supervisor->system_bus, &b->user);
    if (b->authority)
        on_lost(b);
    b->authority = authority_free(b->authority);
}

sd_bus *bus_public_get(Bus *b)
{
    return b->name_owned ? system_bus_get(b->supervisor->system_bus) : NULL;
}
