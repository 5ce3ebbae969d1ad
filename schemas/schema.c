/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/schema.h"

DEFINE_ENUM_TABLE(
    field_type, "field type", FIELD_TYPE_MAX, [FIELD_BOOL] = { "boolean", "true or false" },
    [FIELD_UNSIGNED] = { "number", "a whole number, not negative" },
    [FIELD_SIGNED] = { "integer", "a whole number" },
    [FIELD_DOUBLE] = { "decimal", "a number, with a fraction if wanted" },
    [FIELD_SIZE] = { "size", "bytes, with K, M, G or T behind the number: \"64M\"" },
    [FIELD_DURATION] = { "duration", "as systemd writes it: \"500ms\", \"2s\", \"1min 30s\", \"infinity\"" },
    [FIELD_ENUM] = { "word", "one of a list of words" },
    [FIELD_STRING] = { "string", "text in double quotes" },
    [FIELD_STRV] = { "strings", "an array of strings: [ \"a\", \"b\" ]" },
    [FIELD_ENVIRONMENT] = { "environment", "a group of strings: { NAME = \"value\"; }" },
    [FIELD_ID128] = { "identity", "a UUID" }, [FIELD_BYTES] = { "bytes", "binary data" },
    [FIELD_GROUP] = { "group", "a group of settings in braces: { ... }" },
    [FIELD_LIST] = { "list", "a list of groups: ( { ... }, { ... } )" });

DEFINE_ENUM_TABLE(impact, "impact", IMPACT_MAX, [IMPACT_NONE] = { "none", "changes nothing that runs" },
                  [IMPACT_LIVE] = { "live", "is applied to the running pod" },
                  [IMPACT_CONTAINER] = { "container", "restarts the container" },
                  [IMPACT_REBOOT] = { "reboot", "reboots the pod" });

void *field_at(const Field *field, const void *object)
{
    return (void *)((const char *)object + field->offset);
}

static size_t *count_at(const Field *field, const void *object)
{
    return (void *)((const char *)object + field->count_offset);
}

Bytes *schema_extra(const Schema *schema, const void *object)
{
    return schema->has_extra ? (void *)((const char *)object + schema->extra_offset) : NULL;
}

size_t field_count(const Field *field, const void *object)
{
    return *count_at(field, object);
}

void *field_item(const Field *field, const void *object, size_t i)
{
    return *(char **)field_at(field, object) + i * field->schema->size;
}

void *field_append(const Field *field, void *object)
{
    void **items = field_at(field, object);
    size_t *n = count_at(field, object);
    void *longer = reallocarray(*items, *n + 1, field->schema->size);

    if (!longer)
        return NULL;
    *items = longer;
    void *item = field_item(field, object, *n);
    if (schema_init(field->schema, item) < 0)
        return NULL;
    ++*n;
    return item;
}

static int field_init(const Field *field, void *object)
{
    if (field->type == FIELD_GROUP)
        return schema_init(field->schema, field_at(field, object));
    if (!field->fallback)
        return 0;
    int r = field_parse(field, object, field->fallback, NULL);
    assert(r == 0 || r == -ENOMEM);
    return r;
}

int schema_init(const Schema *schema, void *object)
{
    memset(object, 0, schema->size);
    for (size_t i = 0; i < schema->n_fields; i++) {
        int r = field_init(&schema->fields[i], object);
        if (r < 0) {
            schema_done(schema, object);
            return r;
        }
    }
    return 0;
}

static void field_done(const Field *field, void *object)
{
    void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_STRING:
        free(*(char **)at);
        break;
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        strv_free(*(char ***)at);
        break;
    case FIELD_BYTES:
        bytes_done(at);
        break;
    case FIELD_GROUP:
        schema_done(field->schema, at);
        break;
    case FIELD_LIST:
        for (size_t i = 0; i < field_count(field, object); i++)
            schema_done(field->schema, field_item(field, object, i));
        free(*(void **)at);
        break;
    case FIELD_BOOL:
    case FIELD_UNSIGNED:
    case FIELD_SIGNED:
    case FIELD_DOUBLE:
    case FIELD_SIZE:
    case FIELD_DURATION:
    case FIELD_ENUM:
    case FIELD_ID128:
    case FIELD_TYPE_MAX:
        break;
    }
}

void schema_done(const Schema *schema, void *object)
{
    for (size_t i = 0; i < schema->n_fields; i++)
        field_done(&schema->fields[i], object);
    if (schema->has_extra)
        bytes_done(schema_extra(schema, object));
    memset(object, 0, schema->size);
}

const Field *schema_field(const Schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_fields; i++)
        if (streq(schema->fields[i].name, name))
            return &schema->fields[i];
    return NULL;
}

const char *schema_key(const Schema *schema, const void *item)
{
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].flags & FIELD_KEY)
            return *(char **)field_at(&schema->fields[i], item);
    return NULL;
}

int schema_copy(const Schema *schema, const void *from, void *to)
{
    static const PackLimits own = { .size = SIZE_MAX, .depth = 16, .count = SIZE_MAX };
    Bytes bytes = { 0 };

    int r = schema_to_bytes(schema, from, &bytes);
    if (r < 0)
        return r;
    r = schema_from_bytes(schema, to, bytes.data, bytes.size, &own, NULL);
    bytes_done(&bytes);
    assert(r != -EBADMSG);
    return r;
}
