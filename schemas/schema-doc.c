/* SPDX-License-Identifier: Apache-2.0 */
/* The rows as text for people: `podvisor explain`, and the field list of a manual page. */
#include "base/strings.h"
#include "schemas/schema.h"

static const char *suggest(const Schema *schema, const char *word)
{
    const char *names[64];
    size_t n = 0;

    for (size_t i = 0; schema && i < schema->n_fields && n < ELEMENTSOF(names); i++)
        if (!(schema->fields[i].flags & FIELD_INTERNAL))
            names[n++] = schema->fields[i].name;
    return str_suggest(word, names, n);
}

/* Without its full stop; "0.5 cores" has none. */
static size_t first_sentence(const char *text)
{
    const char *end = strstr(text, ". ");
    size_t n = strlen(text);

    return end ? (size_t)(end - text) : n - (n > 0 && text[n - 1] == '.');
}

static void explain_fields(const Schema *schema, FILE *f)
{
    int width = 0;

    for (size_t i = 0; i < schema->n_fields; i++)
        width = MAX(width, (int)strlen(schema->fields[i].name));
    fprintf(f, "\nKeys:\n");
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        if (field->flags & FIELD_INTERNAL)
            continue;
        fprintf(f, "  %-*s  %.*s\n", width, field->name, (int)first_sentence(field->doc), field->doc);
    }
}

static void explain_words(const EnumTable *table, FILE *f)
{
    int width = 0;

    for (int i = 0; i < table->n; i++)
        width = MAX(width, (int)strlen(table->rows[i].name));
    fprintf(f, "\nWords:\n");
    for (int i = 0; i < table->n; i++)
        fprintf(f, "  %-*s  %s\n", width, table->rows[i].name, table->rows[i].doc);
}

/* A group of keys has no effect of its own; a list has one by how many it has. */
static void explain_impact(const Field *field, FILE *f)
{
    const char *own = impact_table.rows[field->impact].doc;

    if (!field->schema)
        fprintf(f, "A change: %s\n", own);
    else if (field->type == FIELD_LIST)
        fprintf(f, "A change: does what its keys say; one more or less of them %s\n", own);
    else
        fprintf(f, "A change: does what its keys say\n");
}

static void explain_field(const char *path, const Field *field, FILE *f)
{
    _cleanup_(freep) char *expected = field_expected(field);

    fprintf(f, "%s (%s)\n\n%s\n\n", path, enum_to_string(&field_type_table, (int)field->type), field->doc);
    fprintf(f, "Accepted: %s\n", expected ?: "?");
    if (field->flags & FIELD_REQUIRED)
        fprintf(f, "Required: yes\n");
    else if (field->fallback)
        fprintf(f, "Default:  %s\n", field->fallback);
    explain_impact(field, f);
    if (field->example)
        fprintf(f, "Example:  %s\n", field->example);
    if (field->enum_table)
        explain_words(field->enum_table, f);
    if (field->same_as)
        fprintf(f, "\nKeys: those of %s\n", field->same_as);
    else if (field->schema)
        explain_fields(field->schema, f);
}

int schema_explain(const Schema *schema, const char *path, FILE *f, const char **ret_suggestion)
{
    _cleanup_(strv_freep) char **steps = strv_split(path ?: "", ".");
    const Field *field = NULL;

    *ret_suggestion = NULL;
    if (!steps)
        return -ENOMEM;
    if (!*steps) {
        fprintf(f, "%s\n\n%s\n", schema->name, schema->doc);
        explain_fields(schema, f);
        return 0;
    }
    STRV_FOREACH (step, steps) {
        field = schema ? schema_field(schema, *step) : NULL;
        if (!field || (field->flags & FIELD_INTERNAL)) {
            *ret_suggestion = suggest(schema, *step);
            return -ENOENT;
        }
        schema = field->schema;
    }
    explain_field(path, field, f);
    return 0;
}

/* mdoc(7) takes a line that begins with a dot or an apostrophe for a request, and a backslash for an escape. */
static void manual_text(const char *text, FILE *f)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", f);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", f);
        else if (text[0] == '.' && text[1] == ' ') {
            /* A sentence ends its line, as mdoc(7) wants it. */
            fputs(".\n", f);
            text++;
        } else
            fputc(*text, f);
    fputc('\n', f);
}

static void manual_words(const EnumTable *table, FILE *f)
{
    fprintf(f, ".Bl -tag -width Ds -compact\n");
    for (int i = 0; i < table->n; i++) {
        fprintf(f, ".It Cm %s\n", table->rows[i].name);
        manual_text(table->rows[i].doc, f);
    }
    fprintf(f, ".El\n");
}

/* What a value must be; of a group or a list that is told by the keys in it. */
static int manual_value(const Field *field, FILE *f)
{
    _cleanup_(freep) char *expected = field_expected(field);

    if (!expected)
        return -ENOMEM;
    fprintf(f, ".br\nAccepted: ");
    manual_text(expected, f);
    if (field->flags & FIELD_REQUIRED)
        fprintf(f, "(required).\n");
    else if (field->fallback)
        fprintf(f, "(default:\n.Ql %s ) .\n", field->fallback);
    else
        fprintf(f, "(optional).\n");
    fprintf(f, "Changing it %s.\n", impact_table.rows[field->impact].doc);
    if (field->enum_table)
        manual_words(field->enum_table, f);
    return 0;
}

static int manual_fields(const Schema *schema, const char *prefix, FILE *f)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const Field *field = &schema->fields[i];
        if (field->flags & FIELD_INTERNAL)
            continue;
        _cleanup_(freep) char *path = strf("%s%s%s", prefix, *prefix ? "." : "", field->name);
        if (!path)
            return -ENOMEM;
        fprintf(f, ".It Ic %s\n", path);
        manual_text(field->doc, f);
        if (field->same_as) {
            fprintf(f, "Its keys are those of\n.Ic %s .\n", field->same_as);
            continue;
        }
        int r = field->schema ? manual_fields(field->schema, path, f) : manual_value(field, f);
        if (r < 0)
            return r;
    }
    return 0;
}

int schema_manual(const Schema *schema, FILE *f)
{
    fprintf(f, ".Bl -tag -width Ds\n");
    int r = manual_fields(schema, "", f);
    fprintf(f, ".El\n");
    return r;
}
