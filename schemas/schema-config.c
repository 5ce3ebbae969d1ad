/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <libconfig.h>

#include "base/strings.h"
#include "schemas/daemon-config.h"
#include "schemas/schema-config.h"
#include "schemas/syntax-hint.h"

typedef struct Reader {
    const char *name;
    Diagnostics *diagnostics;
    Locations *locations;
    const char *explain; /* how a reader of the messages looks up a key */
    bool out_of_memory;
} Reader;

unsigned locations_line(const Locations *l, const char *path)
{
    _cleanup_(freep) char *shorter = strdup(path);

    while (shorter && *shorter) {
        for (size_t i = 0; i < l->n_items; i++)
            if (streq(l->items[i].path, shorter))
                return l->items[i].line;
        size_t n = strlen(shorter);
        while (n > 0 && shorter[n - 1] != '.' && shorter[n - 1] != '[')
            n--;
        shorter[n > 0 ? n - 1 : 0] = 0;
    }
    return 0;
}

bool locations_given(const Locations *l, const char *path)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (streq(l->items[i].path, path))
            return true;
    return false;
}

void locations_done(Locations *l)
{
    for (size_t i = 0; i < l->n_items; i++)
        free(l->items[i].path);
    free(l->items);
    *l = (Locations){ 0 };
}

static void locations_add(Reader *r, const char *path, unsigned line)
{
    char *copy = strdup(path);
    Location *items =
        copy ? reallocarray(r->locations->items, r->locations->n_items + 1, sizeof *items) : NULL;

    if (!items) {
        free(copy);
        r->out_of_memory = true;
        return;
    }
    items[r->locations->n_items++] = (Location){ .path = copy, .line = line };
    r->locations->items = items;
}

static unsigned line_of(const config_setting_t *s)
{
    return config_setting_source_line(s);
}

/* The value as the file has it, for messages. */
static char *setting_format(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return strf("%lld", config_setting_get_int64(s));
    case CONFIG_TYPE_FLOAT:
        return strf("%g", config_setting_get_float(s));
    case CONFIG_TYPE_STRING: {
        const char *text = config_setting_get_string(s);
        _cleanup_(freep) char *escaped = str_escape(text, strlen(text));
        return escaped ? strf("\"%s\"", escaped) : NULL;
    }
    case CONFIG_TYPE_BOOL:
        return strdup(config_setting_get_bool(s) ? "true" : "false");
    case CONFIG_TYPE_ARRAY:
        return strdup("an array [ ... ]");
    case CONFIG_TYPE_LIST:
        return strdup("a list ( ... )");
    default:
        return strdup("a group { ... }");
    }
}

static void refuse(Reader *r, const config_setting_t *s, const char *path, const char *expected)
{
    _cleanup_(freep) char *value = setting_format(s);
    diagnostics_add(r->diagnostics, r->name, line_of(s), "%s: %s is not accepted; expected %s", path,
                    value ?: "?", expected ?: "something else");
}

static void read_group(Reader *r, const Schema *schema, void *object, const config_setting_t *s,
                       const char *path);

/* The text of a scalar setting as field_parse() takes it; NULL when the setting's type cannot be meant for the field. */
static char *scalar_text(const Field *field, const config_setting_t *s)
{
    bool text = config_setting_type(s) == CONFIG_TYPE_STRING;
    bool number = config_setting_is_number(s);

    switch ((int)field->type) {
    case FIELD_BOOL:
        return config_setting_type(s) == CONFIG_TYPE_BOOL
                   ? strdup(config_setting_get_bool(s) ? "true" : "false")
                   : NULL;
    case FIELD_UNSIGNED:
    case FIELD_SIGNED:
        return number && config_setting_type(s) != CONFIG_TYPE_FLOAT ? setting_format(s) : NULL;
    case FIELD_DOUBLE:
        return number ? setting_format(s) : NULL;
    case FIELD_SIZE:
    case FIELD_DURATION:
        return number ? setting_format(s) : text ? strdup(config_setting_get_string(s)) : NULL;
    default:
        return text ? strdup(config_setting_get_string(s)) : NULL;
    }
}

static void suggest_word(Reader *r, const Field *field, const config_setting_t *s, char **expected)
{
    const char *names[64];
    const EnumTable *table = field->enum_table;

    if (!table || config_setting_type(s) != CONFIG_TYPE_STRING || !*expected)
        return;
    for (int i = 0; i < table->n && i < (int)ELEMENTSOF(names); i++)
        names[i] = table->rows[i].name;
    const char *meant = str_suggest(config_setting_get_string(s), names, (size_t)table->n);
    char *longer = meant ? strf("%s; did you mean \"%s\"?", *expected, meant) : NULL;
    if (longer) {
        free(*expected);
        *expected = longer;
    }
}

/* What one value of the field must be: of an array, that is an element; and how it is quoted, where that is what is wrong. */
static char *value_expected(const Field *field, const config_setting_t *s)
{
    bool text = config_setting_type(s) == CONFIG_TYPE_STRING;
    bool wants_text = field->type == FIELD_STRING || field->type == FIELD_STRV;
    const char *quotes = wants_text && !text                 ? ", in double quotes"
                         : field->type == FIELD_BOOL && text ? ", without quotes"
                                                             : "";
    _cleanup_(freep) char *expected = field->type == FIELD_STRV
                                          ? strdup(field->format ? field->format->accepted : "a string")
                                          : field_expected(field);
    return expected ? strf("%s%s", expected, quotes) : NULL;
}

static void read_scalar(Reader *r, const Field *field, void *object, const config_setting_t *s,
                        const char *path)
{
    _cleanup_(freep) char *text = scalar_text(field, s), *expected = NULL;
    int error = text ? field_parse(field, object, text, NULL) : -EINVAL;

    if (error == -ENOMEM)
        r->out_of_memory = true;
    else if (error < 0) {
        expected = value_expected(field, s);
        suggest_word(r, field, s, &expected);
        refuse(r, s, path, expected);
    }
}

static bool is_sequence(const config_setting_t *s)
{
    return config_setting_is_array(s) || config_setting_is_list(s);
}

static void read_strv(Reader *r, const Field *field, void *object, const config_setting_t *s,
                      const char *path)
{
    char ***at = field_at(field, object);

    if (!is_sequence(s)) {
        _cleanup_(freep) char *expected = field_expected(field);
        refuse(r, s, path, expected);
        return;
    }
    *at = strv_free(*at);
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *element = config_setting_get_elem(s, (unsigned)i);
        size_t before = strv_length(*at);
        _cleanup_(freep) char *where = strf("%s[%d]", path, i), *taken = strf("%s[%zu]", path, before);
        if (!where || !taken) {
            r->out_of_memory = true;
            return;
        }
        read_scalar(r, field, object, element, where);
        /* By its place among those that were taken: checks across fields see no others. */
        if (strv_length(*at) > before)
            locations_add(r, taken, line_of(element));
    }
    size_t n = strv_length(*at);
    if (field->max > 0 && n > field->max)
        diagnostics_add(r->diagnostics, r->name, line_of(s),
                        "%s: has %zu elements; at most %llu are accepted", path, n,
                        (unsigned long long)field->max);
    if (n < field->min && (int)n == config_setting_length(s))
        diagnostics_add(r->diagnostics, r->name, line_of(s), "%s: is empty; at least %llu element is needed",
                        path, (unsigned long long)field->min);
}

static void read_environment(Reader *r, const Field *field, void *object, const config_setting_t *s,
                             const char *path)
{
    if (!config_setting_is_group(s)) {
        _cleanup_(freep) char *expected = field_expected(field);
        refuse(r, s, path, expected);
        return;
    }
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *entry = config_setting_get_elem(s, (unsigned)i);
        _cleanup_(freep) char *where = strf("%s.%s", path, config_setting_name(entry));
        if (config_setting_type(entry) != CONFIG_TYPE_STRING)
            refuse(r, entry, where ?: path, "a string in double quotes");
        else if (!where || strv_appendf(field_at(field, object), "%s=%s", config_setting_name(entry),
                                        config_setting_get_string(entry)) < 0)
            r->out_of_memory = true;
    }
}

static void check_key_unique(Reader *r, const Field *field, const void *object, const config_setting_t *s,
                             const char *path)
{
    size_t last = field_count(field, object) - 1;
    const char *key = schema_key(field->schema, field_item(field, object, last));

    for (size_t i = 0; key && i < last; i++) {
        const char *other = schema_key(field->schema, field_item(field, object, i));
        if (!other || !streq(key, other))
            continue;
        _cleanup_(freep) char *first = strf("%.*s[%zu]", (int)strcspn(path, "["), path, i);
        diagnostics_add(r->diagnostics, r->name, line_of(s), "%s: the name \"%s\" is taken already (line %u)",
                        path, key, first ? locations_line(r->locations, first) : 0);
        return;
    }
}

static void read_list(Reader *r, const Field *field, void *object, const config_setting_t *s,
                      const char *path)
{
    if (!is_sequence(s)) {
        refuse(r, s, path, "a list of groups ( { ... }, ... ); one alone needs the parentheses too");
        return;
    }
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *element = config_setting_get_elem(s, (unsigned)i);
        _cleanup_(freep) char *where = strf("%s[%d]", path, i);
        if (!where) {
            r->out_of_memory = true;
            return;
        }
        if (field->max > 0 && (uint64_t)i >= field->max) {
            diagnostics_add(r->diagnostics, r->name, line_of(element), "%s: at most %llu are accepted", path,
                            (unsigned long long)field->max);
            return;
        }
        if (!config_setting_is_group(element)) {
            refuse(r, element, where, "a group { ... }");
            continue;
        }
        void *item = field_append(field, object);
        if (!item) {
            r->out_of_memory = true;
            return;
        }
        locations_add(r, where, line_of(element));
        read_group(r, field->schema, item, element, where);
        check_key_unique(r, field, object, element, where);
    }
    if (config_setting_length(s) < (int)field->min)
        diagnostics_add(r->diagnostics, r->name, line_of(s), "%s: is empty; at least %llu is needed", path,
                        (unsigned long long)field->min);
}

static void read_subgroup(Reader *r, const Field *field, void *object, const config_setting_t *s,
                          const char *path)
{
    if (config_setting_is_group(s))
        read_group(r, field->schema, field_at(field, object), s, path);
    else
        refuse(r, s, path, "a group { ... }");
}

typedef void (*ReadFunc)(Reader *r, const Field *field, void *object, const config_setting_t *s,
                         const char *path);

static const ReadFunc read_funcs[FIELD_TYPE_MAX] = {
    [FIELD_BOOL] = read_scalar,
    [FIELD_UNSIGNED] = read_scalar,
    [FIELD_SIGNED] = read_scalar,
    [FIELD_DOUBLE] = read_scalar,
    [FIELD_SIZE] = read_scalar,
    [FIELD_DURATION] = read_scalar,
    [FIELD_ENUM] = read_scalar,
    [FIELD_STRING] = read_scalar,
    [FIELD_STRV] = read_strv,
    [FIELD_ID128] = read_scalar,
    [FIELD_ENVIRONMENT] = read_environment,
    [FIELD_GROUP] = read_subgroup,
    [FIELD_LIST] = read_list,
};

/* "containers[0].mounts[1].pth" -> "containers.mounts": what `podvisor explain` takes for the group of a key. */
static char *explain_path(const char *path)
{
    const char *last = strrchr(path, '.') ?: path;
    char *group = calloc((size_t)(last - path) + 1, 1), *q = group;

    for (const char *p = path; group && p < last; p++) {
        if (*p == '[')
            p += strcspn(p, "]");
        else
            *q++ = *p;
    }
    return group;
}

static void refuse_unknown(Reader *r, const Schema *schema, const config_setting_t *s, const char *path)
{
    const char *names[64], *name = config_setting_name(s);
    size_t n = 0;

    for (size_t i = 0; i < schema->n_fields && n < ELEMENTSOF(names); i++)
        if (!(schema->fields[i].flags & FIELD_INTERNAL))
            names[n++] = schema->fields[i].name;
    const char *meant = str_suggest(name, names, n);
    if (meant)
        diagnostics_add(r->diagnostics, r->name, line_of(s), "%s: unknown key; did you mean \"%s\"?", path,
                        meant);
    else {
        _cleanup_(freep) char *group = explain_path(path);
        diagnostics_add(r->diagnostics, r->name, line_of(s),
                        "%s: unknown key; `%s%s%s` lists the keys that are known here", path, r->explain,
                        str_empty(group) ? "" : " ", group ?: "");
    }
}

static void check_required(Reader *r, const Schema *schema, const config_setting_t *s, const char *path)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        if (!(field->flags & FIELD_REQUIRED) || config_setting_get_member(s, field->name))
            continue;
        _cleanup_(freep) char *expected = field_expected(field);
        diagnostics_add(r->diagnostics, r->name, line_of(s), "%s%s%s: is missing; it takes %s", path,
                        *path ? "." : "", field->name, expected ?: "a value");
    }
}

static void read_group(Reader *r, const Schema *schema, void *object, const config_setting_t *s,
                       const char *path)
{
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *member = config_setting_get_elem(s, (unsigned)i);
        const char *name = config_setting_name(member);
        const Field *field = schema_field(schema, name);
        _cleanup_(freep) char *where = strf("%s%s%s", path, *path ? "." : "", name);
        if (!where)
            r->out_of_memory = true;
        else if (!field || (field->flags & FIELD_INTERNAL) || !read_funcs[field->type])
            refuse_unknown(r, schema, member, where);
        else {
            locations_add(r, where, line_of(member));
            read_funcs[field->type](r, field, object, member, where);
        }
    }
    check_required(r, schema, s, path);
}

/* libconfig would open any file that an @include names; a definition is one file, so the directive is refused before. */
static bool has_include(const char *text, unsigned *ret_line)
{
    unsigned line = 1;

    for (const char *p = text; *p; p++, line++) {
        p += strspn(p, " \t\f\v\r");
        if (str_after(p, "@include")) {
            *ret_line = line;
            return true;
        }
        p += strcspn(p, "\n");
        if (!*p)
            return false;
    }
    return false;
}

static void config_destroyp(config_t *c)
{
    config_destroy(c);
}

static unsigned line_at(const char *text, size_t offset)
{
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static bool text_parse(Reader *r, config_t *config, const char *text, size_t size)
{
    unsigned line;
    size_t good = utf8_prefix(text, size);

    if (good < size) {
        diagnostics_add(r->diagnostics, r->name, line_at(text, good),
                        "the byte \\x%02x is no UTF-8; a definition is a UTF-8 text file",
                        (uint8_t)text[good]);
        return false;
    }
    if (has_include(text, &line)) {
        diagnostics_add(r->diagnostics, r->name, line, "@include is not accepted; a definition is one file");
        return false;
    }
    const char *trap = syntax_trap(text, &line);
    if (trap) {
        diagnostics_add(r->diagnostics, r->name, line, "syntax error: %s", trap);
        return false;
    }
    if (config_read_string(config, text) == CONFIG_TRUE)
        return true;
    line = (unsigned)config_error_line(config);
    _cleanup_(freep) char *hint = syntax_hint(text, line, config_error_text(config));
    diagnostics_add(r->diagnostics, r->name, line, "%s", hint ?: config_error_text(config));
    return false;
}

int schema_read_config(const Schema *schema, void *object, const char *name, const void *text, size_t size,
                       Diagnostics *diagnostics, Locations *locations)
{
    _cleanup_(locations_done) Locations own = { 0 };
    Reader r = {
        .name = name,
        .diagnostics = diagnostics,
        .locations = locations ?: &own,
        .explain = schema == &daemon_config_schema ? "podvisor explain --daemon" : "podvisor explain",
    };
    size_t before = diagnostics->n_items;
    _cleanup_(freep) char *copy = strndup(text, size);
    _cleanup_(config_destroyp) config_t config;

    config_init(&config);
    if (!copy || schema_init(schema, object) < 0)
        return -ENOMEM;
    /* The copy ends at a NUL. */
    const char *nul = memchr(text, 0, size);
    if (nul)
        diagnostics_add(diagnostics, name, line_at(text, (size_t)(nul - (const char *)text)),
                        "holds a NUL byte; a definition is a text file");
    else if (text_parse(&r, &config, copy, strlen(copy)))
        read_group(&r, schema, object, config_root_setting(&config), "");
    if (r.out_of_memory) {
        schema_done(schema, object);
        return -ENOMEM;
    }
    return diagnostics->n_items > before || diagnostics->lost ? 1 : 0;
}
