/* SPDX-License-Identifier: Apache-2.0 */
/* The API, from the tables that serve it. */
#include <stdio.h>

#include "base/strings.h"
#include "doc/man/manual.h"
#include "schemas/schema-bus.h"
#include "supervisor/bus-internal.h"

/* How many characters the first complete type of a signature has. */
static size_t type_length(const char *signature)
{
    size_t n = strspn(signature, "a"), depth = 0;

    do
        depth += strchr("{(", signature[n]) ? 1 : 0;
    while ((depth -= strchr("})", signature[n++]) ? 1 : 0) > 0);
    return n;
}

/* Returns the names behind those of this signature. */
static const char *put_arguments(const char *signature, const char *names)
{
    for (const char *p = signature ?: ""; *p; p += type_length(p), names += strlen(names) + 1)
        printf(" \"%.*s %s\"", (int)type_length(p), p, names);
    return names;
}

static void put_method(const char *interface, const sd_bus_vtable *row)
{
    const BusMethod *method = bus_find_method(interface, row->x.method.member);

    printf(".It Fn %s", row->x.method.member);
    const char *results = put_arguments(row->x.method.signature, row->x.method.names);
    putchar('\n');
    put_sentence(method->doc);
    if (!str_empty(row->x.method.result)) {
        printf("Returns\n.Fa");
        put_arguments(row->x.method.result, results);
        puts(" .");
    }
    printf("Needs\n.Sy org.podvisor.%s .\n", enum_to_string(&effect_table, (int)method->effect));
}

static const struct {
    uint64_t flag;
    const char *text;
} tellings[] = {
    { SD_BUS_VTABLE_PROPERTY_CONST, "never changes" },
    { SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, "changes are told" },
};

static void put_property(const sd_bus_vtable *row, const char *doc)
{
    const char *telling = "told only when asked for";

    TABLE_FOREACH (t, tellings)
        if (row->flags & t->flag)
            telling = t->text;
    printf(".It Va %s Pq Vt %s , No %s\n", row->x.property.member, row->x.property.signature, telling);
    put_sentence(doc);
}

static void put_methods(const char *interface, const sd_bus_vtable *vtable)
{
    puts(".Ss Methods\n.Bl -tag -width Ds");
    VTABLE_FOREACH (row, vtable)
        if (row->type == _SD_BUS_VTABLE_METHOD)
            put_method(interface, row);
    puts(".El\n.Ss Properties\n.Bl -tag -width Ds");
}

void api_manager(void)
{
    put_methods(BUS_NAME, bus_manager_vtable);
    VTABLE_FOREACH (row, bus_manager_vtable)
        if (row->type == _SD_BUS_VTABLE_PROPERTY)
            put_property(row, bus_manager_property_doc(row->x.property.member));
    puts(".El");
}

void api_pod(void)
{
    sd_bus_vtable *vtable;

    if (bus_pod_vtable(&vtable) < 0)
        abort();
    put_methods(BUS_POD_INTERFACE, vtable);
    VTABLE_FOREACH (row, vtable)
        if (row->type == _SD_BUS_VTABLE_PROPERTY)
            put_property(row, schema_bus_field(&pod_status_schema, row->x.property.member)->doc);
    puts(".El");
    schema_bus_vtable_free(vtable);
}

void api_errors(void)
{
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < n_bus_errors; i++) {
        printf(".It Er %s\n", bus_errors[i].name);
        put_sentence(bus_errors[i].doc);
    }
    puts(".El");
}

void api_effects(void)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; i < effect_table.n; i++) {
        printf(".It Sy org.podvisor.%s\n", effect_table.rows[i].name);
        put_text(effect_table.rows[i].doc);
        puts(".");
    }
    puts(".El");
}
