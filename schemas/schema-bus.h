/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Structs on D-Bus, by their field tables: each field is a property or a dictionary entry, its name in PascalCase.
 *
 *     bool b · number, size and duration t · integer x · decimal d · word and string s · strings as · identity s (its
 *     text; "" when null) · bytes ay · group a{sv} · list aa{sv}
 *
 * Reading trusts nothing: unknown entries and entries of another type than the row's are passed over, so that a newer
 * peer's struct can be read; "" and an unset string are the same. Errors are negative errno of sd-bus.
 */
#include <systemd/sd-bus.h>

#include "schemas/schema.h"

enum { SCHEMA_BUS_NAME_SIZE = 64 };

/* "containers_ready" -> "ContainersReady". Fills and returns text. */
const char *schema_bus_name(const Field *field, char text[SCHEMA_BUS_NAME_SIZE]);
/* The field of a property's name; NULL when there is none. */
const Field *schema_bus_field(const Schema *schema, const char *name);

/* Appends the bare value, as a property's getter does. */
int schema_bus_append_field(sd_bus_message *m, const Field *field, const void *object);

/* Appends an a{sv} with an entry for each field. */
int schema_bus_append(sd_bus_message *m, const Schema *schema, const void *object);

/* Reads an a{sv} at the message's position into an object that schema_init() has made. */
int schema_bus_read(sd_bus_message *m, const Schema *schema, void *object);

/*
 * A row for each field, between `begin` (from SD_BUS_VTABLE_START on, n_begin rows) and the end of the table. get is called
 * with the object that the find function told; flags (may be NULL) says each property's flags. The caller frees; the rows refer to
 * names in the same memory, so it must outlive the slots that use it.
 */
int schema_bus_vtable(const Schema *schema, const sd_bus_vtable *begin, size_t n_begin,
                      sd_bus_property_get_t get, uint64_t (*flags)(const Field *field), sd_bus_vtable **ret);
/* Frees what schema_bus_vtable() made, names included. */
sd_bus_vtable *schema_bus_vtable_free(sd_bus_vtable *vtable);
