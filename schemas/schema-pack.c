/* SPDX-License-Identifier: Apache-2.0 */
/* Fields to msgpack and back. Bytes from disk and from peers are read here, so nothing in here trusts them. */
#include <math.h>

#include "base/strings.h"
#include "schemas/schema.h"

static bool field_is_default_zero(const Field *field, const void *object)
{
    const void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_STRING:
        return !*(char *const *)at;
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        return !*(char **const *)at && !field->fallback;
    case FIELD_BYTES:
        return ((const Bytes *)at)->size == 0;
    case FIELD_LIST:
        return field_count(field, object) == 0;
    case FIELD_BOOL:
    case FIELD_UNSIGNED:
    case FIELD_SIGNED:
    case FIELD_DOUBLE:
    case FIELD_SIZE:
    case FIELD_DURATION:
    case FIELD_ENUM:
    case FIELD_ID128:
    case FIELD_GROUP:
    case FIELD_TYPE_MAX:
        return false;
    }
    return false;
}

static void pack_strv(Packer *p, char **v)
{
    packer_array(p, strv_length(v));
    STRV_FOREACH (s, v)
        packer_string(p, *s);
}

static void pack_list(const Field *field, const void *object, Packer *p)
{
    size_t n = field_count(field, object);

    packer_array(p, n);
    for (size_t i = 0; i < n; i++)
        schema_pack(field->schema, field_item(field, object, i), p);
}

static void field_pack(const Field *field, const void *object, Packer *p)
{
    const void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_BOOL:
        packer_bool(p, *(const bool *)at);
        break;
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
    case FIELD_DURATION:
        packer_unsigned(p, *(const uint64_t *)at);
        break;
    case FIELD_SIGNED:
        packer_signed(p, *(const int64_t *)at);
        break;
    case FIELD_DOUBLE:
        packer_double(p, *(const double *)at);
        break;
    case FIELD_ENUM:
        /* By word: numbers would tie files to the order of an enum. */
        packer_string(p, enum_to_string(field->enum_table, *(const int *)at));
        break;
    case FIELD_STRING:
        packer_string(p, *(char *const *)at);
        break;
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        pack_strv(p, *(char **const *)at);
        break;
    case FIELD_ID128:
        packer_binary(p, ((const Id128 *)at)->bytes, sizeof(Id128));
        break;
    case FIELD_BYTES:
        packer_binary(p, ((const Bytes *)at)->data, ((const Bytes *)at)->size);
        break;
    case FIELD_GROUP:
        schema_pack(field->schema, at, p);
        break;
    case FIELD_LIST:
        pack_list(field, object, p);
        break;
    case FIELD_TYPE_MAX:
        break;
    }
}

/* `extra` holds packed pairs, key and value in turn, so that they can be copied as they are; it begins with their number. */
static uint32_t extra_count(const Bytes *extra)
{
    uint32_t n = 0;
    if (extra && extra->size >= sizeof n)
        memcpy(&n, extra->data, sizeof n);
    return n;
}

void schema_pack(const Schema *schema, const void *object, Packer *p)
{
    const Bytes *extra = schema_extra(schema, object);
    size_t n = extra_count(extra);

    for (size_t i = 0; i < schema->n_fields; i++)
        n += !field_is_default_zero(&schema->fields[i], object);
    packer_map(p, n);
    for (size_t i = 0; i < schema->n_fields; i++) {
        if (field_is_default_zero(&schema->fields[i], object))
            continue;
        packer_string(p, schema->fields[i].name);
        field_pack(&schema->fields[i], object, p);
    }
    if (extra && extra_count(extra) > 0)
        packer_raw(p, extra->data + sizeof(uint32_t), extra->size - sizeof(uint32_t));
}

static int keep_extra(Bytes *extra, const char *key, size_t key_size, const PackValue *value)
{
    _cleanup_(packer_freep) Packer *p = NULL;
    Bytes pair = { 0 };
    uint32_t n = extra_count(extra) + 1;

    if (packer_new(&p) < 0)
        return -ENOMEM;
    packer_string_n(p, key, key_size);
    packer_value(p, value);
    int r = packer_finish(p, &pair);
    if (r >= 0 && extra->size == 0)
        r = bytes_append(extra, &n, sizeof n);
    if (r >= 0)
        r = bytes_append(extra, pair.data, pair.size);
    if (r >= 0)
        memcpy(extra->data, &n, sizeof n);
    bytes_done(&pair);
    return r;
}

/* A C string of a packed one; embedded NULs would make two readers see two strings, so they are refused. */
static int get_text(const PackValue *v, char **ret)
{
    const uint8_t *data;
    size_t size;

    if (pack_get_bytes(v, &data, &size) < 0 || memchr(data, 0, size))
        return -EBADMSG;
    char *text = strndup((const char *)data, size);
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}

static int unpack_number(const Field *field, void *at, const PackValue *v)
{
    uint64_t value;

    if (pack_get_unsigned(v, &value) < 0)
        return -EBADMSG;
    *(uint64_t *)at = value;
    return 0;
}

static int unpack_enum(const Field *field, void *at, const PackValue *v)
{
    _cleanup_(freep) char *text = NULL;
    int r = get_text(v, &text);
    if (r < 0)
        return r;
    int value = enum_from_string(field->enum_table, text);
    if (value < 0)
        return -EBADMSG;
    *(int *)at = value;
    return 0;
}

static int unpack_strv(void *at, const PackValue *v)
{
    _cleanup_(strv_freep) char **result = NULL;

    if (pack_type(v) != PACK_ARRAY)
        return -EBADMSG;
    size_t n = pack_count(v);
    if (n > 0 && !(result = calloc(n + 1, sizeof(char *))))
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int r = get_text(pack_element(v, i), &result[i]);
        if (r < 0)
            return r;
    }
    strv_free(*(char ***)at);
    *(char ***)at = take_ptr(result);
    return 0;
}

static int unpack_bytes(const Field *field, void *at, const PackValue *v)
{
    const uint8_t *data;
    size_t size;

    if (pack_get_bytes(v, &data, &size) < 0)
        return -EBADMSG;
    if (field->type == FIELD_BYTES)
        return bytes_append(at, data, size);
    if (size != sizeof(Id128))
        return -EBADMSG;
    memcpy(at, data, size);
    return 0;
}

static int unpack_into(const Schema *schema, void *object, const PackValue *v, char **ret_where);

static int unpack_list(const Field *field, void *object, const PackValue *v, char **ret_where)
{
    if (pack_type(v) != PACK_ARRAY || (field->max > 0 && pack_count(v) > field->max))
        return -EBADMSG;
    for (size_t i = 0; i < pack_count(v); i++) {
        void *item = field_append(field, object);
        int r = item ? unpack_into(field->schema, item, pack_element(v, i), ret_where) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

static int unpack_string(const Field *field, void *at, const PackValue *v)
{
    char *text;

    if (pack_type(v) == PACK_NIL)
        return str_replace(at, NULL);
    int r = get_text(v, &text);
    if (r < 0)
        return r;
    free(*(char **)at);
    *(char **)at = text;
    return 0;
}

static int field_unpack(const Field *field, void *object, const PackValue *v, char **ret_where)
{
    void *at = field_at(field, object);

    switch (field->type) {
    case FIELD_BOOL:
        return pack_get_bool(v, at) < 0 ? -EBADMSG : 0;
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
    case FIELD_DURATION:
        return unpack_number(field, at, v);
    case FIELD_SIGNED:
        return pack_get_signed(v, at) < 0 ? -EBADMSG : 0;
    case FIELD_DOUBLE:
        return pack_get_double(v, at) < 0 || !isfinite(*(double *)at) ? -EBADMSG : 0;
    case FIELD_ENUM:
        return unpack_enum(field, at, v);
    case FIELD_STRING:
        return unpack_string(field, at, v);
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        return unpack_strv(at, v);
    case FIELD_ID128:
    case FIELD_BYTES:
        return unpack_bytes(field, at, v);
    case FIELD_GROUP:
        return unpack_into(field->schema, at, v, ret_where);
    case FIELD_LIST:
        return unpack_list(field, object, v, ret_where);
    case FIELD_TYPE_MAX:
        break;
    }
    return -EBADMSG;
}

static const Field *field_named(const Schema *schema, const char *name, size_t size)
{
    for (size_t i = 0; i < schema->n_fields; i++)
        if (strlen(schema->fields[i].name) == size && memcmp(schema->fields[i].name, name, size) == 0)
            return &schema->fields[i];
    return NULL;
}

/* Into an object that schema_init() has made. */
static int unpack_into(const Schema *schema, void *object, const PackValue *v, char **ret_where)
{
    Bytes *extra = schema_extra(schema, object);

    if (pack_type(v) != PACK_MAP)
        return -EBADMSG;
    for (size_t i = 0; i < pack_count(v); i++) {
        const char *key;
        size_t key_size;
        const PackValue *value = pack_pair(v, i, &key, &key_size);
        if (!key)
            return -EBADMSG;
        const Field *field = field_named(schema, key, key_size);
        int r = field   ? field_unpack(field, object, value, ret_where)
                : extra ? keep_extra(extra, key, key_size, value)
                        : 0;
        if (r < 0) {
            if (field && ret_where && !*ret_where)
                *ret_where = strf("%s.%s", schema->name, field->name);
            return r;
        }
    }
    return 0;
}

int schema_unpack(const Schema *schema, void *object, const PackValue *v, char **ret_where)
{
    if (ret_where)
        *ret_where = NULL;
    int r = schema_init(schema, object);
    if (r < 0)
        return r;
    r = unpack_into(schema, object, v, ret_where);
    if (r < 0)
        schema_done(schema, object);
    return r;
}

int schema_to_bytes(const Schema *schema, const void *object, Bytes *ret)
{
    _cleanup_(packer_freep) Packer *p = NULL;

    if (packer_new(&p) < 0)
        return -ENOMEM;
    schema_pack(schema, object, p);
    return packer_finish(p, ret);
}

int schema_from_bytes(const Schema *schema, void *object, const void *data, size_t size,
                      const PackLimits *limits, char **ret_where)
{
    _cleanup_(pack_document_freep) PackDocument *d = NULL;

    if (ret_where)
        *ret_where = NULL;
    int r = pack_parse(data, size, limits, &d);
    return r < 0 ? r : schema_unpack(schema, object, pack_root(d), ret_where);
}
