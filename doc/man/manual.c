/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a manual page of its source: every line @NAME@ is replaced by what the table of that name says, as mdoc(7). So what
 * the program knows about itself stands in the manual without being written twice.
 *
 * usage: podvisor-manual PAGE.in > PAGE
 */
#include <errno.h>
#include <stdio.h>

#include "backends/abilities.h"
#include "base/strings.h"
#include "cli/backend-report.h"
#include "cli/exit-status.h"
#include "cli/pod-memory.h"
#include "cli/verb.h"
#include "doc/man/manual.h"
#include "runner/recovery.h"
#include "schemas/daemon-config.h"
#include "schemas/managed-network.h"
#include "schemas/log-fields.h"
#include "schemas/operator-events.h"
#include "schemas/pod-status.h"
#include "schemas/statistics.h"
#include "supervisor/reconcile.h"
#include "supervisor/recovery.h"

/* Text at the beginning of a line or in an argument, without what mdoc(7) would take for its own. */
void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        fputs(*text == '\\' ? "\\e" : *text == '"' ? "\\(dq" : (char[]){ *text, 0 }, stdout);
}

void put_sentence(const char *text)
{
    /* A sentence ends its line, so that the formatter spaces it as it does all others. */
    while (*text) {
        const char *end = strstr(text, ". ");
        _cleanup_(freep) char *sentence = strndup(text, end ? (size_t)(end - text) + 1 : strlen(text));
        put_text(sentence ?: "?");
        putchar('\n');
        text += strlen(sentence ?: "?") + (end ? 1 : 0);
    }
}

static void put_enum(const EnumTable *table)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; i < table->n; i++) {
        printf(".It Cm %s\n", table->rows[i].name);
        put_text(table->rows[i].doc);
        puts(".");
    }
    puts(".El");
}

static void put_option(const Option *option)
{
    if (option->letter)
        printf(".It Fl %c , Fl -%s", option->letter, option->name);
    else
        printf(".It Fl -%s", option->name);
    _cleanup_(freep) char *words =
        option->kind == OPTION_WORD && !option->value ? enum_list(option->words) : NULL;
    if (option->value || words)
        printf(" Ns = Ns Ar \"%s\"", option->value ?: words);
    putchar('\n');
    put_text(option->help);
    puts(".");
}

static void put_options(uint64_t set)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; i < OPTION_MAX; i++)
        if (set & OPTION_BIT(i))
            put_option(&options[i]);
    puts(".El");
}

static void options_everywhere(void)
{
    put_options(OPTIONS_EVERYWHERE);
}

static void options_of_verbs(void)
{
    put_options((OPTION_BIT(OPTION_MAX) - 1) & ~OPTIONS_EVERYWHERE);
}

static void put_verb(const Verb *verb)
{
    const char *separator = "Options: ";

    printf(".It Cm %s", verb->name);
    if (*verb->synopsis)
        printf(" Ar \"%s\"", verb->synopsis);
    putchar('\n');
    put_sentence(verb->description);
    for (int i = 0; i < OPTION_MAX; i++) {
        if (!(verb->options & OPTION_BIT(i)))
            continue;
        printf("%s.Fl -%s", *separator == 'O' ? "Options:\n" : " ,\n", options[i].name);
        separator = ",";
    }
    if (verb->options)
        puts(" .");
}

static void all_verbs(void)
{
    puts(".Bl -tag -width Ds");
    for (const Verb *verb = verbs; verb < verbs + n_verbs; verb++)
        put_verb(verb);
    puts(".El");
}

static void all_exit_statuses(void)
{
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < n_exit_statuses; i++) {
        printf(".It %d\n", exit_statuses[i].number);
        put_sentence(exit_statuses[i].doc);
    }
    puts(".El");
}

static void pod_keys(void)
{
    (void)schema_manual(&pod_schema, stdout);
}

static void daemon_keys(void)
{
    (void)schema_manual(&daemon_config_schema, stdout);
}

static void network_keys(void)
{
    (void)schema_manual(&managed_network_schema, stdout);
}

static void pod_states(void)
{
    put_enum(&pod_state_table);
}

static void runner_states(void)
{
    put_enum(&runner_state_table);
}

static void container_states(void)
{
    put_enum(&container_state_table);
}

static void end_reasons(void)
{
    put_enum(&end_reason_table);
}

static void verdicts(void)
{
    put_enum(&verdict_table);
}

static void recovery(void)
{
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < recovery_table_length; i++) {
        const RecoveryRow *row = &recovery_table[i];
        printf(".It ");
        put_text(row->why);
        printf("\n.Cm %s :\n", enum_to_string(&verdict_table, (int)row->verdict));
        put_text(recovery_action_table.rows[row->action].doc);
        puts(".");
    }
    puts(".El");
}

static void run_paths(void)
{
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < n_run_path_rows; i++) {
        printf(".It ");
        put_text(run_path_rows[i].why);
        printf("\n.Cm %s :\n", enum_to_string(&run_path_verdict_table, (int)run_path_rows[i].verdict));
        put_text(run_path_verdict_table.rows[run_path_rows[i].verdict].doc);
        puts(".");
    }
    puts(".El");
}

static void rules(void)
{
    put_enum(&rule_table);
}

static void all_operator_events(void)
{
    puts(".Bl -tag -width Ds");
    TABLE_FOREACH (row, operator_events) {
        printf(".It Cm %s\n.Li %s\n.br\n", row->name, row->message_id);
        put_text(row->doc);
        puts(".");
        put_sentence(row->advice);
    }
    puts(".El");
}

static void log_fields(void)
{
    puts(".Bl -tag -width Ds");
    TABLE_FOREACH (row, log_field_rows)
        if (row->doc) {
            printf(".It Va %s\n", row->key);
            put_sentence(row->doc);
        }
    puts(".El");
}

static void log_streams(void)
{
    put_enum(&log_stream_table);
}

static void start_parts(void)
{
    put_enum(&start_part_table);
}

/* In the order in which they are done. */
static void start_marks(void)
{
    puts(".Bl -tag -width \"configured\" -compact");
    TABLE_FOREACH (row, start_mark_rows) {
        printf(".It Va %s Pq %s\n", row->word, enum_to_string(&start_part_table, (int)row->part));
        put_sentence(row->doc);
    }
    puts(".El\n.Pp\nEach container:\n.Bl -tag -width \"configured\" -compact");
    TABLE_FOREACH (row, start_step_rows) {
        printf(".It Va %s\n", row->word);
        put_sentence(row->doc);
    }
    puts(".El");
}

/* For journald: what `journalctl -x` shows below a message. */
static void catalog(void)
{
    TABLE_FOREACH (row, operator_events)
        printf("-- %s\nSubject: Pod @PODVISOR_POD@: %s\nDefined-By: podvisor\nSupport: podvisor(7)\n\n%s: "
               "%s.\n%s\n\n",
               row->message_id, row->name, "About pod @PODVISOR_POD@", row->doc, row->advice);
}

static void put_fields(const Schema *schema)
{
    puts(".Bl -tag -width Ds -compact");
    for (size_t i = 0; i < schema->n_fields; i++) {
        printf(".It Va %s\n", schema->fields[i].name);
        put_sentence(schema->fields[i].doc);
    }
    puts(".El");
}

static void status_fields(void)
{
    put_fields(&pod_status_schema);
}

static void cost_fields(void)
{
    put_fields(&pod_memory_schema);
}

static void statistics_fields(void)
{
    put_fields(&statistics_schema);
    puts(".Pp\nand each container with these:");
    put_fields(&container_statistics_schema);
    puts(".Pp\nand each interface with these:");
    put_fields(&interface_statistics_schema);
}

static void process_fields(void)
{
    put_fields(&process_report_schema);
}

static void backend_fields(void)
{
    put_fields(&backend_description_schema);
}

static void backend_states(void)
{
    put_enum(&backend_state_table);
}

static void abilities_row(const AbilityRow *row)
{
    printf(".It Ic %s", row->key);
    for (int b = 0; b < BACKEND_KIND_MAX; b++)
        printf(" Ta %s", enum_to_string(&ability_word_table, (int)row->on[b].ability));
    putchar('\n');
}

/* Notes of keys that do something. */
static void abilities_notes(void)
{
    puts(".Bl -tag -width Ds -compact");
    for (size_t i = 0; i < n_ability_rows; i++)
        for (int b = 0; b < BACKEND_KIND_MAX; b++) {
            const AbilityCell *cell = &ability_rows[i].on[b];
            if (!cell->note || cell->ability == ABILITY_WITHOUT_EFFECT)
                continue;
            printf(".It Ic %s Pq %s\n", ability_rows[i].key, enum_to_string(&backend_kind_table, b));
            put_text(cell->note);
            puts(".");
        }
    puts(".El");
}

static void all_abilities(void)
{
    puts(".Bl -column \"libvirt.security_label\" \"no effect\" \"no effect\" \"no effect\"");
    printf(".It Sy key");
    for (int b = 0; b < BACKEND_KIND_MAX; b++)
        printf(" Ta Sy %s", enum_to_string(&backend_kind_table, b));
    putchar('\n');
    for (size_t i = 0; i < n_ability_rows; i++)
        abilities_row(&ability_rows[i]);
    puts(".El\n.Pp");
    abilities_notes();
}

static const struct {
    const char *name;
    void (*print)(void);
} fragments[] = {
    { "@verbs@", all_verbs },
    { "@options-everywhere@", options_everywhere },
    { "@options-of-verbs@", options_of_verbs },
    { "@exit-statuses@", all_exit_statuses },
    { "@pod-keys@", pod_keys },
    { "@daemon-keys@", daemon_keys },
    { "@network-keys@", network_keys },
    { "@pod-states@", pod_states },
    { "@runner-states@", runner_states },
    { "@container-states@", container_states },
    { "@end-reasons@", end_reasons },
    { "@verdicts@", verdicts },
    { "@recovery@", recovery },
    { "@run-paths@", run_paths },
    { "@rules@", rules },
    { "@operator-events@", all_operator_events },
    { "@catalog@", catalog },
    { "@log-fields@", log_fields },
    { "@log-streams@", log_streams },
    { "@status-fields@", status_fields },
    { "@cost-fields@", cost_fields },
    { "@start-parts@", start_parts },
    { "@start-marks@", start_marks },
    { "@statistics-fields@", statistics_fields },
    { "@process-fields@", process_fields },
    { "@backend-fields@", backend_fields },
    { "@backend-states@", backend_states },
    { "@abilities@", all_abilities },
    { "@api-manager@", api_manager },
    { "@api-pod@", api_pod },
    { "@api-errors@", api_errors },
    { "@api-effects@", api_effects },
};

/* True when the line was the name of a fragment, or an unknown one (*unknown). */
static bool put_fragment(const char *line, bool *unknown)
{
    TABLE_FOREACH (row, fragments)
        if (streq(row->name, line)) {
            row->print();
            return true;
        }
    *unknown |= *line == '@';
    return *line == '@';
}

int main(int argc, char **argv)
{
    _cleanup_(freep) char *line = NULL;
    FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
    bool unknown = false;
    size_t size = 0;
    ssize_t n;

    if (!f) {
        fprintf(stderr, "usage: podvisor-manual PAGE.in > PAGE\n");
        return 2;
    }
    while ((n = getline(&line, &size, f)) > 0) {
        line[n - 1] = 0;
        if (!put_fragment(line, &unknown))
            puts(line);
        else if (unknown)
            fprintf(stderr, "podvisor-manual: there is no fragment %s\n", line);
    }
    (void)fclose(f);
    return unknown || fflush(stdout) == EOF || ferror(stdout);
}
