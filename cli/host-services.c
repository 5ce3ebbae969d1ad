/* SPDX-License-Identifier: Apache-2.0 */
#include <systemd/sd-bus.h>

#include "base/strings.h"
#include "cli/host-services.h"

#define DBUS "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define SYSTEMD "org.freedesktop.systemd1"
#define LOGIND "org.freedesktop.login1"

/* Names that are there, or that the bus can start. 0 or negative errno. */
static int ask_names(sd_bus *bus, const char *method, HostServices *h)
{
    const struct {
        const char *name;
        bool *there;
    } rows[] = {
        { "org.freedesktop.machine1", &h->machined },
        { LOGIND, &h->logind },
        { "org.freedesktop.PolicyKit1", &h->polkit },
    };
    sd_bus_message *reply = NULL;
    const char *name;

    int r = sd_bus_call_method(bus, DBUS, DBUS_PATH, DBUS, method, NULL, &reply, "");
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "s");
    while (r >= 0 && (r = sd_bus_message_read(reply, "s", &name)) > 0)
        TABLE_FOREACH (row, rows)
            *row->there |= streq(row->name, name);
    sd_bus_message_unref(reply);
    return r;
}

void host_services_look(HostServices *ret, usec_t timeout)
{
    sd_bus *bus = NULL;

    *ret = (HostServices){ 0 };
    if (sd_bus_open_system(&bus) >= 0 && sd_bus_set_method_call_timeout(bus, timeout) >= 0 &&
        ask_names(bus, "ListNames", ret) >= 0) {
        ret->bus = true;
        (void)ask_names(bus, "ListActivatableNames", ret);
        (void)sd_bus_get_property_string(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                                         "Version", NULL, &ret->systemd);
        if (ret->logind)
            (void)sd_bus_get_property_trivial(bus, LOGIND, "/org/freedesktop/login1", LOGIND ".Manager",
                                              "InhibitDelayMaxUSec", NULL, 't', &ret->inhibit_delay);
    }
    sd_bus_close_unref(bus);
}

void host_services_done(HostServices *h)
{
    free(h->systemd);
    *h = (HostServices){ 0 };
}
