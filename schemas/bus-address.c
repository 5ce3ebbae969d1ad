/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/strings.h"
#include "schemas/bus-address.h"

static char *address_of_system(void)
{
    return strdup(secure_getenv("DBUS_SYSTEM_BUS_ADDRESS") ?: "unix:path=/run/dbus/system_bus_socket");
}

/* The characters of a path that stand for themselves in an address (D-Bus specification, "Server Addresses"). */
static char *address_of_path(const char *path)
{
    _cleanup_(freep) char *text = malloc(3 * strlen(path) + 1);
    char *to = text;

    for (const char *p = path; text && *p; p++)
        if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
            strchr("-_/.*", *p))
            *to++ = *p;
        else
            to += snprintf(to, 4, "%%%02x", (unsigned char)*p);
    if (!text)
        return NULL;
    *to = 0;
    return strf("unix:path=%s", text);
}

static char *address_of_user(void)
{
    const char *address = secure_getenv("DBUS_SESSION_BUS_ADDRESS"), *run = secure_getenv("XDG_RUNTIME_DIR");

    if (address)
        return strdup(address);
    _cleanup_(freep) char *path = strf("%s/bus", run ?: "/nonexistent");
    return path ? address_of_path(path) : NULL;
}

static char *(*const address_of[])(void) = {
    [PATHS_SYSTEM] = address_of_system,
    [PATHS_USER] = address_of_user,
    [PATHS_ROOT] = NULL, /* any number of instances, none of which is the system's */
};
_Static_assert(ELEMENTSOF(address_of) == PATHS_MODE_MAX, "every mode has its bus");

int bus_address(const Paths *paths, const DaemonConfig *config, char **ret)
{
    bool is_auto = streq(config->bus, "auto");
    char *address;

    if (streq(config->bus, "no") || (is_auto && !address_of[paths->mode])) {
        *ret = NULL;
        return 0;
    }
    address = is_auto ? address_of[paths->mode]() : strdup(config->bus);
    if (!address)
        return -ENOMEM;
    *ret = address;
    return 0;
}
