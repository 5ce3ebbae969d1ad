/* SPDX-License-Identifier: Apache-2.0 */
/* Fields as text: how people write a value, and how they are told what is accepted. */
#include <math.h>

#include "base/strings.h"
#include "schemas/schema.h"

static char *number_format(const Field *field, uint64_t value)
{
    switch ((int)field->type) {
    case FIELD_SIZE:
        return size_format(value);
    case FIELD_DURATION:
        return duration_format(value);
    default:
        return strf("%llu", (unsigned long long)value);
    }
}

/* The limits show the form as well, so an example is only given where there is no limit. */
static char *range_format(const Field *field, const char *what, const char *example)
{
    _cleanup_(freep) char *min = number_format(field, field->min), *max = number_format(field, field->max);
    const char *quote = field->type == FIELD_UNSIGNED ? "" : "\"";

    if (!min || !max)
        return NULL;
    if (field->min > 0 && field->max > 0)
        return strf("%s from %s%s%s to %s%s%s", what, quote, min, quote, quote, max, quote);
    if (field->min > 0)
        return strf("%s of at least %s%s%s", what, quote, min, quote);
    return field->max > 0 ? strf("%s of at most %s%s%s", what, quote, max, quote)
                          : strf("%s%s", what, example);
}

char *field_expected(const Field *field)
{
    switch (field->type) {
    case FIELD_BOOL:
        return strdup("true or false");
    case FIELD_UNSIGNED:
        return range_format(field, "a whole number", "");
    case FIELD_SIGNED:
        return strdup("a whole number");
    case FIELD_DOUBLE:
        return field->double_max > 0 ? strf("a number from 0 to %g", field->double_max) : strdup("a number");
    case FIELD_SIZE:
        return range_format(field, "a size", " such as \"64M\"");
    case FIELD_DURATION:
        return range_format(field, "a duration", " such as \"10s\"");
    case FIELD_ENUM:
        return enum_list(field->enum_table);
    case FIELD_STRING:
        return strdup(field->format ? field->format->accepted : "a string");
    case FIELD_STRV:
        return field->format ? strf("an array of strings, each %s", field->format->accepted)
                             : strdup("an array of strings such as [ \"a\", \"b\" ]");
    case FIELD_ENVIRONMENT:
        return strdup("a group of strings such as { LANG = \"C.UTF-8\"; }");
    case FIELD_ID128:
        return strdup("a UUID");
    case FIELD_BYTES:
        return strdup("binary data");
    case FIELD_GROUP:
        return strdup("a group { ... }");
    case FIELD_LIST:
        return strdup("a list of groups ( { ... }, ... )");
    case FIELD_TYPE_MAX:
        break;
    }
    return NULL;
}

static int refuse(const Field *field, int error, char **ret_expected)
{
    if (ret_expected)
        *ret_expected = field_expected(field);
    return error;
}

/* The limits of a numeric field; results as of field_parse(). */
static int check_range(const Field *field, uint64_t value, char **ret_expected)
{
    bool infinite = field->type != FIELD_UNSIGNED && value == UINT64_MAX;
    bool fits = infinite ? field->max == 0 : value >= field->min && (field->max == 0 || value <= field->max);
    return fits ? 0 : refuse(field, -ERANGE, ret_expected);
}

static int parse_number(const Field *field, void *at, const char *text, char **ret_expected)
{
    uint64_t value;
    int r = field->type == FIELD_SIZE       ? size_parse(text, &value)
            : field->type == FIELD_DURATION ? duration_parse(text, &value)
                                            : parse_unsigned(text, &value);
    if (r < 0)
        return refuse(field, r, ret_expected);
    if ((r = check_range(field, value, ret_expected)) < 0)
        return r;
    *(uint64_t *)at = value;
    return 0;
}

static int parse_bool(const Field *field, void *at, const char *text, char **ret_expected)
{
    if (!streq(text, "true") && !streq(text, "false"))
        return refuse(field, -EINVAL, ret_expected);
    *(bool *)at = streq(text, "true");
    return 0;
}

static int parse_double(const Field *field, void *at, const char *text, char **ret_expected)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);

    if (end == text || *end || errno != 0 || !isfinite(value))
        return refuse(field, -EINVAL, ret_expected);
    if (value < 0 || (field->double_max > 0 && value > field->double_max))
        return refuse(field, -ERANGE, ret_expected);
    *(double *)at = value;
    return 0;
}

static int parse_signed(const Field *field, void *at, const char *text, char **ret_expected)
{
    uint64_t magnitude;
    bool negative = *text == '-';

    if (parse_unsigned(text + negative, &magnitude) < 0 || magnitude > INT64_MAX)
        return refuse(field, -EINVAL, ret_expected);
    *(int64_t *)at = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return 0;
}

static int parse_enum(const Field *field, void *at, const char *text, char **ret_expected)
{
    int value = enum_from_string(field->enum_table, text);

    if (value < 0)
        return refuse(field, -EINVAL, ret_expected);
    *(int *)at = value;
    return 0;
}

static int parse_string(const Field *field, void *at, const char *text, char **ret_expected)
{
    if (field->format && !field->format->valid(text))
        return refuse(field, -EINVAL, ret_expected);
    return str_replace(at, text);
}

static int parse_strv(const Field *field, void *at, const char *text, char **ret_expected)
{
    if (field->format && !field->format->valid(text))
        return refuse(field, -EINVAL, ret_expected);
    return strv_append(at, text);
}

static int parse_id128(const Field *field, void *at, const char *text, char **ret_expected)
{
    return id128_parse(text, at) < 0 ? refuse(field, -EINVAL, ret_expected) : 0;
}

typedef int (*ParseFunc)(const Field *field, void *at, const char *text, char **ret_expected);

/* Types without a row (groups, lists, bytes) cannot be written as one text. */
static const ParseFunc parse_funcs[FIELD_TYPE_MAX] = {
    [FIELD_BOOL] = parse_bool,        [FIELD_UNSIGNED] = parse_number, [FIELD_SIGNED] = parse_signed,
    [FIELD_DOUBLE] = parse_double,    [FIELD_SIZE] = parse_number,     [FIELD_DURATION] = parse_number,
    [FIELD_ENUM] = parse_enum,        [FIELD_STRING] = parse_string,   [FIELD_STRV] = parse_strv,
    [FIELD_ENVIRONMENT] = parse_strv, [FIELD_ID128] = parse_id128,
};

int field_parse(const Field *field, void *object, const char *text, char **ret_expected)
{
    ParseFunc parse = parse_funcs[field->type];
    return parse ? parse(field, field_at(field, object), text, ret_expected)
                 : refuse(field, -EINVAL, ret_expected);
}

static char *strv_format(char **v)
{
    _cleanup_(freep) char *joined = strv_join(v, "\", \"");
    return !joined ? NULL : *joined || v ? strf("[ \"%s\" ]", joined) : strdup("[ ]");
}

char *field_format(const Field *field, const void *object, bool quoted)
{
    const void *at = field_at(field, object);
    _cleanup_(freep) char *text = NULL;
    bool word = true; /* in quotes, in a file */

    switch (field->type) {
    case FIELD_BOOL:
        return strdup(*(const bool *)at ? "true" : "false");
    case FIELD_UNSIGNED:
        return number_format(field, *(const uint64_t *)at);
    case FIELD_SIGNED:
        return strf("%lld", (long long)*(const int64_t *)at);
    case FIELD_DOUBLE:
        return strf("%g", *(const double *)at);
    case FIELD_STRV:
    case FIELD_ENVIRONMENT:
        return strv_format(*(char **const *)at);
    case FIELD_SIZE:
    case FIELD_DURATION:
        text = number_format(field, *(const uint64_t *)at);
        break;
    case FIELD_ENUM:
        text = strdup(enum_to_string(field->enum_table, *(const int *)at));
        break;
    case FIELD_STRING:
        text = strdup(*(char *const *)at ?: "");
        break;
    case FIELD_ID128: {
        char id[ID128_TEXT_SIZE];
        text = strdup(id128_format(*(const Id128 *)at, id));
        break;
    }
    case FIELD_BYTES:
        return strf("%zu bytes", ((const Bytes *)at)->size);
    case FIELD_GROUP:
        return strdup("{ ... }");
    case FIELD_LIST:
        return strf("%zu items", field_count(field, object));
    case FIELD_TYPE_MAX:
        word = false;
        break;
    }
    if (!text)
        return NULL;
    return quoted && word ? strf("\"%s\"", text) : take_ptr(text);
}
