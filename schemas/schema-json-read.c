/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/strings.h"
#include "schemas/schema-json.h"

static int group_from_json(const Schema *schema, void *object, const json_t *json);

static int unsigned_from_json(uint64_t *at, const json_t *json)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return -EBADMSG;
    *at = (uint64_t)json_integer_value(json);
    return 0;
}

static int word_from_json(const Field *field, int *at, const json_t *json)
{
    int value = json_is_string(json) ? enum_from_string(field->enum_table, json_string_value(json)) : -1;

    if (value < 0)
        return -EBADMSG;
    *at = value;
    return 0;
}

static int list_from_json(const Field *field, void *object, const json_t *json)
{
    size_t n = json_array_size(json);

    if (!json_is_array(json) || (field->max > 0 && n > field->max))
        return -EBADMSG;
    for (size_t i = 0; i < n; i++) {
        void *item = field_append(field, object);
        int r = item ? group_from_json(field->schema, item, json_array_get(json, i)) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

static int field_from_json(const Field *field, void *object, const json_t *json)
{
    void *at = field_at(field, object);

    switch ((int)field->type) {
    case FIELD_BOOL:
        *(bool *)at = json_is_true(json);
        return json_is_boolean(json) ? 0 : -EBADMSG;
    case FIELD_UNSIGNED:
        return unsigned_from_json(at, json);
    case FIELD_ENUM:
        return word_from_json(field, at, json);
    case FIELD_STRING:
        return json_is_string(json) ? str_replace(at, json_string_value(json)) : -EBADMSG;
    case FIELD_GROUP:
        return group_from_json(field->schema, at, json);
    case FIELD_LIST:
        return list_from_json(field, object, json);
    default:
        return -EBADMSG;
    }
}

static int group_from_json(const Schema *schema, void *object, const json_t *json)
{
    if (!json_is_object(json))
        return -EBADMSG;
    for (size_t i = 0; i < schema->n_fields; i++) {
        const json_t *value = json_object_get(json, schema->fields[i].name);
        int r = !value || json_is_null(value) ? 0 : field_from_json(&schema->fields[i], object, value);
        if (r < 0)
            return r;
    }
    return 0;
}

int schema_from_json(const Schema *schema, void *object, const void *text, size_t size)
{
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

    if (!json)
        return -EBADMSG;
    int r = schema_init(schema, object);
    if (r >= 0 && (r = group_from_json(schema, object, json)) < 0)
        schema_done(schema, object);
    json_decref(json);
    return r;
}
