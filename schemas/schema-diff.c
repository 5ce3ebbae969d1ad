/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two objects, and what the difference costs. */
#include "base/strings.h"
#include "schemas/schema.h"

typedef struct Diff {
    SchemaDiffFunc func;
    void *userdata;
    Impact highest;
    size_t n;
} Diff;

static int diff_objects(Diff *d, const char *prefix, const Schema *schema, const void *before,
                        const void *after);

static void diff_tell(Diff *d, const char *path, const Field *field, const char *before, const char *after)
{
    d->n++;
    d->highest = MAX(d->highest, field->impact);
    if (d->func)
        d->func(d->userdata, path, field, before, after);
}

static int diff_scalar(Diff *d, const char *path, const Field *field, const void *before, const void *after)
{
    _cleanup_(freep) char *a = field_format(field, before, true), *b = field_format(field, after, true);

    if (!a || !b)
        return -ENOMEM;
    if (!streq(a, b))
        diff_tell(d, path, field, a, b);
    return 0;
}

static int diff_environment(Diff *d, const char *path, const Field *field, char **before, char **after,
                            bool gone_only)
{
    /* Entry by entry, so that one changed variable is one line. */
    STRV_FOREACH (entry, before) {
        size_t name = strcspn(*entry, "=");
        const char *other = NULL;
        STRV_FOREACH (s, after)
            if (strncmp(*s, *entry, name + 1) == 0)
                other = *s + name + 1;
        if ((gone_only && other) || (other && streq(other, *entry + name + 1)))
            continue;

        _cleanup_(freep) char *where = strf("%s.%.*s", path, (int)name, *entry);
        _cleanup_(freep) char *a = strf("\"%s\"", *entry + name + 1);
        _cleanup_(freep) char *b = other ? strf("\"%s\"", other) : NULL;
        if (!where || !a || (other && !b))
            return -ENOMEM;
        if (gone_only)
            diff_tell(d, where, field, NULL, a);
        else
            diff_tell(d, where, field, a, b);
    }
    return 0;
}

/* The item of the list that has this item's key; without keys, the one at its position. */
static void *item_match(const Field *field, const void *object, const char *key, size_t position)
{
    for (size_t i = 0; i < field_count(field, object); i++) {
        void *item = field_item(field, object, i);
        const char *other = schema_key(field->schema, item);
        if (key ? other && streq(key, other) : i == position)
            return item;
    }
    return NULL;
}

static int diff_items(Diff *d, const char *path, const Field *field, const void *from, const void *in,
                      bool came)
{
    for (size_t i = 0; i < field_count(field, from); i++) {
        void *item = field_item(field, from, i);
        const char *key = schema_key(field->schema, item);
        void *other = item_match(field, in, key, i);
        _cleanup_(freep) char *where = key ? strf("%s.%s", path, key) : strf("%s[%zu]", path, i);
        if (!where)
            return -ENOMEM;
        if (!other)
            diff_tell(d, where, field, came ? NULL : "{ ... }", came ? "{ ... }" : NULL);
        else if (!came) {
            int r = diff_objects(d, where, field->schema, item, other);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int diff_field(Diff *d, const char *path, const Field *field, const void *before, const void *after)
{
    int r;

    switch ((int)field->type) {
    case FIELD_GROUP:
        return diff_objects(d, path, field->schema, field_at(field, before), field_at(field, after));
    case FIELD_LIST:
        r = diff_items(d, path, field, before, after, false);
        return r < 0 ? r : diff_items(d, path, field, after, before, true);
    case FIELD_ENVIRONMENT: {
        char **a = *(char ***)field_at(field, before), **b = *(char ***)field_at(field, after);
        r = diff_environment(d, path, field, a, b, false);
        return r < 0 ? r : diff_environment(d, path, field, b, a, true);
    }
    default:
        return diff_scalar(d, path, field, before, after);
    }
}

static int diff_objects(Diff *d, const char *prefix, const Schema *schema, const void *before,
                        const void *after)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        _cleanup_(freep) char *path = strf("%s%s%s", prefix, *prefix ? "." : "", field->name);
        int r = path ? diff_field(d, path, field, before, after) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

int schema_diff(const Schema *schema, const void *before, const void *after, SchemaDiffFunc func,
                void *userdata, size_t *ret_n)
{
    Diff d = { .func = func, .userdata = userdata };

    int r = diff_objects(&d, "", schema, before, after);
    if (r < 0)
        return r;
    if (ret_n)
        *ret_n = d.n;
    return (int)d.highest;
}

/* --- taking over ------------------------------------------------------------------------------------------------- */

static int take_scalar(const Field *field, const void *from, void *to)
{
    _cleanup_(freep) char *text = field_format(field, from, false);

    return text ? field_parse(field, to, text, NULL) : -ENOMEM;
}

static int take_items(const Field *field, const void *from, void *to)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < field_count(field, from); i++) {
        void *item = field_item(field, from, i);
        void *other = item_match(field, to, schema_key(field->schema, item), i);
        r = other ? schema_take_live(field->schema, item, other) : 0;
    }
    return r;
}

int schema_take_live(const Schema *schema, const void *from, void *to)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        if (field->type == FIELD_GROUP)
            r = schema_take_live(field->schema, field_at(field, from), field_at(field, to));
        else if (field->type == FIELD_LIST)
            r = take_items(field, from, to);
        else if (field->impact == IMPACT_LIVE)
            r = take_scalar(field, from, to);
    }
    return r;
}
