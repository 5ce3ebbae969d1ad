/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/strings.h"
#include "schemas/schema-bus.h"

static const char *const signatures[] = {
    [FIELD_BOOL] = "b",      [FIELD_UNSIGNED] = "t",     [FIELD_SIGNED] = "x", [FIELD_DOUBLE] = "d",
    [FIELD_SIZE] = "t",      [FIELD_DURATION] = "t",     [FIELD_ENUM] = "s",   [FIELD_STRING] = "s",
    [FIELD_STRV] = "as",     [FIELD_ENVIRONMENT] = "as", [FIELD_ID128] = "s",  [FIELD_BYTES] = "ay",
    [FIELD_GROUP] = "a{sv}", [FIELD_LIST] = "aa{sv}",
};
_Static_assert(ELEMENTSOF(signatures) == FIELD_TYPE_MAX, "every type has a signature");

const char *schema_bus_name(const Field *field, char text[SCHEMA_BUS_NAME_SIZE])
{
    bool upper = true;
    size_t n = 0;

    for (const char *p = field->name; *p && n < SCHEMA_BUS_NAME_SIZE - 1; p++) {
        if (*p != '_')
            text[n++] = (char)(upper ? toupper((unsigned char)*p) : *p);
        upper = *p == '_';
    }
    text[n] = 0;
    return text;
}

const Field *schema_bus_field(const Schema *schema, const char *name)
{
    char text[SCHEMA_BUS_NAME_SIZE];

    for (size_t i = 0; i < schema->n_fields; i++)
        if (streq(schema_bus_name(&schema->fields[i], text), name))
            return &schema->fields[i];
    return NULL;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* What came from a file or a guest need not be UTF-8, which is all that D-Bus carries. */
static int append_text(sd_bus_message *m, const char *text)
{
    if (!text || str_is_utf8(text))
        return sd_bus_message_append(m, "s", text ?: "");
    _cleanup_(freep) char *escaped = str_escape(text, strlen(text));
    return escaped ? sd_bus_message_append(m, "s", escaped) : -ENOMEM;
}

static int append_strv(sd_bus_message *m, char **v)
{
    int r = sd_bus_message_open_container(m, 'a', "s");
    for (char **s = v; r >= 0 && s && *s; s++)
        r = append_text(m, *s);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_id128(sd_bus_message *m, Id128 id)
{
    char text[ID128_TEXT_SIZE];

    return sd_bus_message_append(m, "s", id128_is_null(id) ? "" : id128_format(id, text));
}

static int append_list(sd_bus_message *m, const Field *field, const void *object)
{
    int r = sd_bus_message_open_container(m, 'a', "a{sv}");
    for (size_t i = 0; r >= 0 && i < field_count(field, object); i++)
        r = schema_bus_append(m, field->schema, field_item(field, object, i));
    return r < 0 ? r : sd_bus_message_close_container(m);
}

int schema_bus_append_field(sd_bus_message *m, const Field *field, const void *object)
{
    const void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_BOOL:
        return sd_bus_message_append(m, "b", (int)*(const bool *)at);
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
    case FIELD_DURATION:
    case FIELD_SIGNED:
    case FIELD_DOUBLE:
        return sd_bus_message_append_basic(m, *signatures[field->type], at);
    case FIELD_ENUM:
        return sd_bus_message_append(m, "s", enum_to_string(field->enum_table, *(const int *)at));
    case FIELD_STRING:
        return append_text(m, *(char *const *)at);
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        return append_strv(m, *(char **const *)at);
    case FIELD_ID128:
        return append_id128(m, *(const Id128 *)at);
    case FIELD_BYTES:
        return sd_bus_message_append_array(m, 'y', ((const Bytes *)at)->data, ((const Bytes *)at)->size);
    case FIELD_GROUP:
        return schema_bus_append(m, field->schema, at);
    case FIELD_LIST:
        return append_list(m, field, object);
    case FIELD_TYPE_MAX:
        break;
    }
    return -EINVAL;
}

static int append_entry(sd_bus_message *m, const Field *field, const void *object)
{
    char name[SCHEMA_BUS_NAME_SIZE];

    int r = sd_bus_message_open_container(m, 'e', "sv");
    if (r >= 0)
        r = sd_bus_message_append(m, "s", schema_bus_name(field, name));
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'v', signatures[field->type]);
    if (r >= 0)
        r = schema_bus_append_field(m, field, object);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

int schema_bus_append(sd_bus_message *m, const Schema *schema, const void *object)
{
    int r = sd_bus_message_open_container(m, 'a', "{sv}");
    for (size_t i = 0; r >= 0 && i < schema->n_fields; i++)
        r = append_entry(m, &schema->fields[i], object);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static int read_bool(sd_bus_message *m, bool *at)
{
    int value;
    int r = sd_bus_message_read_basic(m, 'b', &value);
    if (r > 0)
        *at = value;
    return r;
}

/* A word of a newer peer leaves what stood there. */
static int read_enum(sd_bus_message *m, const Field *field, int *at)
{
    const char *word;
    int r = sd_bus_message_read_basic(m, 's', &word);
    if (r <= 0)
        return r;
    int value = enum_from_string(field->enum_table, word);
    if (value >= 0)
        *at = value;
    return r;
}

static int read_string(sd_bus_message *m, char **at)
{
    const char *text;
    int r = sd_bus_message_read_basic(m, 's', &text);
    return r <= 0 ? r : str_replace(at, *text ? text : NULL);
}

static int read_strv(sd_bus_message *m, char ***at)
{
    _cleanup_(strv_freep) char **value = NULL;

    int r = sd_bus_message_read_strv(m, &value);
    if (r < 0)
        return r;
    strv_free(*at);
    *at = take_ptr(value);
    return 0;
}

static int read_id128(sd_bus_message *m, Id128 *at)
{
    const char *text;
    int r = sd_bus_message_read_basic(m, 's', &text);
    if (r > 0 && id128_parse(text, at) < 0)
        *at = (Id128){ 0 };
    return r;
}

static int read_bytes(sd_bus_message *m, Bytes *at)
{
    const void *data;
    size_t size;
    int r = sd_bus_message_read_array(m, 'y', &data, &size);
    if (r < 0)
        return r;
    at->size = 0;
    return bytes_append(at, data, size);
}

static int read_list(sd_bus_message *m, const Field *field, void *object)
{
    int r = sd_bus_message_enter_container(m, 'a', "a{sv}");
    while (r >= 0) {
        if ((r = sd_bus_message_at_end(m, 0)) != 0)
            break;
        void *item = field_append(field, object);
        r = item ? schema_bus_read(m, field->schema, item) : -ENOMEM;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_field(sd_bus_message *m, const Field *field, void *object)
{
    void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_BOOL:
        return read_bool(m, at);
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
    case FIELD_DURATION:
    case FIELD_SIGNED:
    case FIELD_DOUBLE:
        return sd_bus_message_read_basic(m, *signatures[field->type], at);
    case FIELD_ENUM:
        return read_enum(m, field, at);
    case FIELD_STRING:
        return read_string(m, at);
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        return read_strv(m, at);
    case FIELD_ID128:
        return read_id128(m, at);
    case FIELD_BYTES:
        return read_bytes(m, at);
    case FIELD_GROUP:
        return schema_bus_read(m, field->schema, at);
    case FIELD_LIST:
        return read_list(m, field, object);
    case FIELD_TYPE_MAX:
        break;
    }
    return -EINVAL;
}

/* At the value of an entry. */
static int read_variant(sd_bus_message *m, const Field *field, void *object)
{
    const char *contents;
    char type;

    int r = sd_bus_message_peek_type(m, &type, &contents);
    if (r < 0)
        return r;
    if (!field || type != 'v' || !streq(contents, signatures[field->type]))
        return sd_bus_message_skip(m, "v");
    if ((r = sd_bus_message_enter_container(m, 'v', contents)) < 0)
        return r;
    if ((r = read_field(m, field, object)) < 0)
        return r;
    return sd_bus_message_exit_container(m);
}

int schema_bus_read(sd_bus_message *m, const Schema *schema, void *object)
{
    const char *name;

    int r = sd_bus_message_enter_container(m, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        if ((r = sd_bus_message_read_basic(m, 's', &name)) < 0)
            return r;
        if ((r = read_variant(m, schema_bus_field(schema, name), object)) < 0)
            return r;
        if ((r = sd_bus_message_exit_container(m)) < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* --- vtables ---------------------------------------------------------------------------------------------------- */

int schema_bus_vtable(const Schema *schema, const sd_bus_vtable *begin, size_t n_begin,
                      sd_bus_property_get_t get, uint64_t (*flags)(const Field *field), sd_bus_vtable **ret)
{
    static const sd_bus_vtable end = SD_BUS_VTABLE_END;
    size_t n_rows = n_begin + schema->n_fields + 1;
    /* The names stand behind the rows, in the same memory, so that one free() ends both. */
    sd_bus_vtable *rows = calloc(1, n_rows * sizeof *rows + schema->n_fields * SCHEMA_BUS_NAME_SIZE);

    if (!rows)
        return -ENOMEM;
    char *name = (char *)(rows + n_rows);
    memcpy(rows, begin, n_begin * sizeof *rows);
    for (size_t i = 0; i < schema->n_fields; i++, name += SCHEMA_BUS_NAME_SIZE) {
        const Field *field = &schema->fields[i];
        rows[n_begin + i] = (sd_bus_vtable)SD_BUS_PROPERTY(
            schema_bus_name(field, name), signatures[field->type], get, 0, flags ? flags(field) : 0);
    }
    rows[n_rows - 1] = end;
    *ret = rows;
    return 0;
}

sd_bus_vtable *schema_bus_vtable_free(sd_bus_vtable *vtable)
{
    free(vtable);
    return NULL;
}
