/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/sweep.h"
#include "tests/contract/table.h"

enum { SENTENCE_WIDTH = 72, COLUMN_WIDTH = 11, LOG_MAX = 1024 * 1024 };

static const char *cell_word(const Suite *s, size_t row, BackendKind backend)
{
    static const char *const words[] = {
        [CELL_WAITING] = "FAIL",
        [CELL_BEGUN] = "FAIL",
        [CELL_OK] = "ok",
        [CELL_FAILED] = "FAIL",
    };
    Exempt exempt = obligations[row].exempt[backend];

    if (exempt != EXEMPT_NOT)
        return enum_to_string(&exempt_table, (int)exempt);
    if (!s->programs[backend])
        return "absent";
    return s->cells[row][backend].state == CELL_EXEMPT ? "-" : words[s->cells[row][backend].state];
}

static void row_print(const Suite *s, size_t row, FILE *out)
{
    const char *name = obligations[row].name;

    for (const char *c = name; *c; c++)
        (void)fputc(*c == '_' ? ' ' : *c, out);
    fprintf(out, "%*s", MAX(SENTENCE_WIDTH - (int)strlen(name), 1), "");
    TABLE_FOREACH (backend, matrix_columns)
        fprintf(out, "%-*s", COLUMN_WIDTH, cell_word(s, row, *backend));
    (void)fputc('\n', out);
}

static void heading_print(FILE *out)
{
    fprintf(out, "%-*s", SENTENCE_WIDTH, "obligation of a backend");
    TABLE_FOREACH (backend, matrix_columns)
        fprintf(out, "%-*s", COLUMN_WIDTH, enum_to_string(&backend_kind_table, (int)*backend));
    (void)fputc('\n', out);
}

static void notes_print(const Suite *s, FILE *out)
{
    TABLE_FOREACH (backend, matrix_columns)
        for (size_t row = 0; row < n_obligations; row++)
            if (*s->cells[row][*backend].note)
                fprintf(out, "%s, %s: %s\n", enum_to_string(&backend_kind_table, (int)*backend),
                        obligations[row].name, s->cells[row][*backend].note);
}

void table_print(const Suite *s, FILE *out)
{
    heading_print(out);
    for (size_t row = 0; row < n_obligations; row++)
        row_print(s, row, out);
    (void)fputc('\n', out);
    for (int exempt = EXEMPT_NOT + 1; exempt < EXEMPT_MAX; exempt++)
        fprintf(out, "%s: %s\n", exempt_table.rows[exempt].name, exempt_table.rows[exempt].doc);
    TABLE_FOREACH (backend, matrix_columns)
        if (!s->programs[*backend])
            fprintf(out, "absent: %s: %s\n", enum_to_string(&backend_kind_table, (int)*backend),
                    s->absent[*backend]);
    notes_print(s, out);
    fprintf(out, "the places of the kills come from PODVISOR_TEST_SEED=%llu\n",
            (unsigned long long)sweep_seed());
}

static void log_print(const Suite *s, size_t row, BackendKind backend)
{
    char name[64];
    Bytes text = { 0 };

    (void)snprintf(name, sizeof name, "%s.%zu", enum_to_string(&backend_kind_table, (int)backend), row);
    printf("\n=== %s: %s\n", enum_to_string(&backend_kind_table, (int)backend), obligations[row].name);
    if (file_read_at(s->dir.fd, name, LOG_MAX, &text) >= 0)
        (void)fwrite(text.data, 1, text.size, stdout);
    bytes_done(&text);
}

void table_print_failures(const Suite *s)
{
    TABLE_FOREACH (backend, matrix_columns)
        for (size_t row = 0; row < n_obligations; row++)
            if (s->cells[row][*backend].state > CELL_EXEMPT && s->cells[row][*backend].state != CELL_OK)
                log_print(s, row, *backend);
}
