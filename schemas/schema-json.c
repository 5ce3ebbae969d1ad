/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/strings.h"
#include "schemas/schema-json.h"

DEFINE_ENUM_TABLE(
    json_style, "JSON style",
    JSON_STYLE_MAX, [JSON_SHORT] = { "short", "on one line" }, [JSON_PRETTY] = { "pretty", "indented" });

static Json *json_hexadecimal(const uint8_t *data, size_t size)
{
    _cleanup_(freep) char *text = calloc(size * 2 + 1, 1);

    for (size_t i = 0; text && i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    return text ? json_string(text) : NULL;
}

static Json *json_id(const uint8_t *data)
{
    char text[ID128_TEXT_SIZE];
    Id128 id;

    memcpy(id.bytes, data, sizeof id.bytes);
    return json_string(id128_format(id, text));
}

/* JSON integers are signed 64 bit at most, and "unlimited" is no number. */
static Json *json_number(uint64_t value)
{
    return value == UINT64_MAX ? json_null() : json_integer((json_int_t)MIN(value, (uint64_t)INT64_MAX));
}

/* Text of strangers may be no UTF-8, which jansson refuses. */
static Json *json_bytes_as_text(const char *s, size_t size)
{
    Json *json = json_stringn(s, size);
    if (json)
        return json;
    _cleanup_(freep) char *escaped = str_escape(s, size);
    return escaped ? json_string(escaped) : NULL;
}

Json *json_text(const char *s)
{
    return s ? json_bytes_as_text(s, strlen(s)) : json_null();
}

static Json *json_strv(char **v)
{
    Json *array = json_array();

    STRV_FOREACH (s, v)
        if (json_append(array, json_text(*s)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static Json *json_list(const Field *field, const void *object)
{
    Json *array = json_array();

    for (size_t i = 0; array && i < field_count(field, object); i++)
        if (json_append(array, schema_to_json(field->schema, field_item(field, object, i))) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static Json *field_to_json(const Field *field, const void *object)
{
    const void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
    case FIELD_DURATION:
        return json_number(*(const uint64_t *)at);
    case FIELD_SIGNED:
        return json_integer(*(const int64_t *)at);
    case FIELD_DOUBLE:
        return json_real(*(const double *)at);
    case FIELD_ENUM:
        return json_string(enum_to_string(field->enum_table, *(const int *)at));
    case FIELD_STRING:
        return json_text(*(char *const *)at);
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        return json_strv(*(char **const *)at);
    case FIELD_ID128:
        return json_id(at);
    case FIELD_BYTES:
        return json_hexadecimal(((const Bytes *)at)->data, ((const Bytes *)at)->size);
    case FIELD_GROUP:
        return schema_to_json(field->schema, at);
    case FIELD_LIST:
        return json_list(field, object);
    case FIELD_TYPE_MAX:
        break;
    }
    return NULL;
}

Json *schema_to_json(const Schema *schema, const void *object)
{
    Json *json = json_object();

    for (size_t i = 0; json && i < schema->n_fields; i++)
        if (json_put(json, schema->fields[i].name, field_to_json(&schema->fields[i], object)) < 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

static Json *pack_array_to_json(const PackValue *v)
{
    Json *array = json_array();

    for (size_t i = 0; array && i < pack_count(v); i++)
        if (json_append(array, json_from_pack(pack_element(v, i))) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static Json *pack_map_to_json(const PackValue *v)
{
    Json *object = json_object();

    for (size_t i = 0; object && i < pack_count(v); i++) {
        const char *key;
        size_t size;
        const PackValue *value = pack_pair(v, i, &key, &size);
        _cleanup_(freep) char *name = key ? str_escape(key, size) : strdup("?");
        if (!name || json_put(object, name, json_from_pack(value)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static Json *pack_integer_to_json(const PackValue *v)
{
    uint64_t positive;
    int64_t negative;

    if (pack_get_unsigned(v, &positive) == 0)
        return json_number(positive);
    return pack_get_signed(v, &negative) == 0 ? json_integer(negative) : json_null();
}

Json *json_from_pack(const PackValue *v)
{
    const uint8_t *data = NULL;
    size_t size = 0;
    double real = 0;
    bool yes = false;

    switch (pack_type(v)) {
    case PACK_BOOL:
        pack_get_bool(v, &yes);
        return json_boolean(yes);
    case PACK_INTEGER:
        return pack_integer_to_json(v);
    case PACK_FLOAT:
        pack_get_double(v, &real);
        return json_real(real);
    case PACK_STRING:
        pack_get_bytes(v, &data, &size);
        return json_bytes_as_text((const char *)data, size);
    case PACK_BINARY:
        pack_get_bytes(v, &data, &size);
        return size == sizeof(Id128) ? json_id(data) : json_hexadecimal(data, size);
    case PACK_ARRAY:
        return pack_array_to_json(v);
    case PACK_MAP:
        return pack_map_to_json(v);
    case PACK_NIL:
    case PACK_EXTENSION:
        return json_null();
    }
    return NULL;
}

Json *json_new_array(void)
{
    return json_array();
}

Json *json_new_object(void)
{
    return json_object();
}

Json *json_whole(uint64_t value)
{
    return json_number(value);
}

Json *json_truth(bool value)
{
    return json_boolean(value);
}

int json_append(Json *array, Json *item)
{
    if (!item || !array) {
        json_decref(item);
        return -ENOMEM;
    }
    return json_array_append_new(array, item) < 0 ? -ENOMEM : 0;
}

int json_put(Json *object, const char *key, Json *item)
{
    if (!item || !object) {
        json_decref(item);
        return -ENOMEM;
    }
    return json_object_set_new(object, key, item) < 0 ? -ENOMEM : 0;
}

int json_print(const Json *json, JsonStyle style, FILE *f)
{
    size_t flags = JSON_ENCODE_ANY | (style == JSON_PRETTY ? JSON_INDENT(2) : JSON_COMPACT);

    if (!json)
        return -ENOMEM;
    return json_dumpf(json, f, flags) < 0 || fputc('\n', f) == EOF ? -EIO : 0;
}

Json *json_release(Json *json)
{
    json_decref(json);
    return NULL;
}
