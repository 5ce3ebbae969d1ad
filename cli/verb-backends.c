/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor backends: what each backend can do on this host, and what of a pod file it takes. */
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/backend-report.h"
#include "cli/daemon-settings.h"
#include "cli/exit-status.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

/* A backend's program takes 15 s at most; the rest is for a host under load. */
#define DESCRIBE_TIMEOUT (20 * USEC_PER_SEC)
enum { LABEL_WIDTH = 12 };

static const Colour state_colours[BACKEND_STATE_MAX] = { COLOUR_GOOD, COLOUR_WARNING, COLOUR_FAINT,
                                                         COLOUR_BAD };
static const Colour ability_colours[ABILITY_MAX] = {
    [ABILITY_WORKS] = COLOUR_GOOD,
    [ABILITY_PARTLY] = COLOUR_WARNING,
    [ABILITY_WITHOUT_EFFECT] = COLOUR_FAINT,
    [ABILITY_REFUSED] = COLOUR_BAD,
};

/* --- all of them ----------------------------------------------------------------------------------------------------- */

static const Column list_columns[] = {
    { "BACKEND" },  { "STATE" },        { "VERSION", .drop = 1 },
    { "MACHINES" }, { "ACCELERATORS" }, { "NOTE", .shrink = true },
};

/* "kvm, tcg": those that this host can run a guest with; "-" for none. */
static char *accelerators_text(const BackendDescription *d)
{
    _cleanup_(strv_freep) char **names = NULL;

    for (size_t i = 0; i < d->n_accelerators; i++)
        if (d->accelerators[i].usable && strv_append(&names, d->accelerators[i].name ?: "?") < 0)
            return NULL;
    _cleanup_(freep) char *list = names ? strv_join(names, ", ") : strdup("-");
    return list ? text_safe(list) : NULL;
}

static char *or_dash(const char *text)
{
    return text_safe(text ?: "-");
}

static void list_row(Table *table, const BackendReport *r)
{
    table_add(table, strdup(enum_to_string(&backend_kind_table, (int)r->kind)), COLOUR_STRONG);
    table_add(table, strdup(enum_to_string(&backend_state_table, (int)r->state)), state_colours[r->state]);
    table_add(table, or_dash(r->description.version), COLOUR_NONE);
    table_add(table, or_dash(r->description.vmm), COLOUR_NONE);
    table_add(table, accelerators_text(&r->description), COLOUR_NONE);
    table_add(table, or_dash(r->note), COLOUR_NONE);
}

static int print_list(const Context *c, const BackendReport *reports, size_t n)
{
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    int r = table_new(list_columns, ELEMENTSOF(list_columns), &table);
    for (size_t i = 0; r >= 0 && i < n; i++)
        list_row(table, &reports[i]);
    return r < 0 ? r : table_print(table, &style, stdout);
}

/* --- one ------------------------------------------------------------------------------------------------------------- */

static const Column key_columns[] = { { "KEY" }, { "SUPPORT" }, { "NOTE" } };

/* Takes text (malloc'ed). */
static void line(const char *label, char *text)
{
    printf("%*s%s %s\n", LABEL_WIDTH, label, *label ? ":" : " ", text ?: "?");
    free(text);
}

static void print_daemon(const DaemonDescription *m, const char *label, const char *said)
{
    _cleanup_(freep) char *uri = text_safe(m->uri), *version = text_safe(m->version),
                          *note = text_safe(m->note);
    bool news = !str_empty(note) && !streq_ptr(m->note, said);

    line(label,
         strf("%s: %s%s%s%s%s", uri ?: "?", m->reachable ? "reachable" : "not reachable",
              str_empty(version) ? "" : ", version ", version ?: "", news ? "; " : "", news ? note : ""));
}

/* said: what stands above already. */
static void print_means(const BackendDescription *d, const char *said)
{
    for (size_t i = 0; i < d->n_daemons; i++)
        print_daemon(&d->daemons[i], i == 0 ? "Daemon" : "", said);
    for (size_t i = 0; i < d->n_accelerators; i++) {
        const AcceleratorDescription *a = &d->accelerators[i];
        _cleanup_(freep) char *name = text_safe(a->name), *note = text_safe(a->note);
        line(i == 0 ? "Accelerators" : "", strf("%s: %s%s%s", name ?: "?", a->usable ? "yes" : "no",
                                                str_empty(note) ? "" : "; ", note ?: ""));
    }
}

static int print_keys(const Context *c, const BackendReport *report)
{
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    /* Why something is refused is what one wants to read; it is not cut. */
    style.width = 0;
    int r = table_new(key_columns, ELEMENTSOF(key_columns), &table);
    for (size_t i = 0; r >= 0 && i < n_ability_rows; i++) {
        KeyReport k;
        if ((r = backend_report_key(report, &ability_rows[i], &k)) < 0)
            return r;
        table_add(table, strdup(k.key), COLOUR_NONE);
        table_add(table, strdup(enum_to_string(&ability_word_table, (int)k.ability)),
                  ability_colours[k.ability]);
        table_add(table, or_dash(k.note), COLOUR_NONE);
        free(k.note);
    }
    return r < 0 ? r : table_print(table, &style, stdout);
}

static int print_page(const Context *c, const BackendReport *r)
{
    const EnumRow *words = &backend_kind_table.rows[r->kind];
    bool colours = terminal_has_colours(STDOUT_FILENO);

    printf("%s - %s\n", words->name, words->doc);
    line("State", strf("%s%s%s", colour_begin(state_colours[r->state], colours),
                       enum_to_string(&backend_state_table, (int)r->state),
                       colour_end(state_colours[r->state], colours)));
    if (r->note)
        line("", text_safe(r->note));
    line("Version", or_dash(r->description.version));
    line("Machines", or_dash(r->description.vmm));
    print_means(&r->description, r->note);
    putchar('\n');
    return print_keys(c, r);
}

/* --- the verb -------------------------------------------------------------------------------------------------------- */

static int print_json(const Context *c, const BackendReport *reports, size_t n)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < n; i++) {
        int r = json_append(array, backend_report_to_json(&reports[i]));
        if (r < 0)
            return r;
    }
    return json_print(array, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

static int print(const Context *c, const BackendReport *reports, size_t n, bool page)
{
    if (option_given(c, OPTION_JSON))
        return print_json(c, reports, n);
    Pager pager = pager_open(c);
    int r = page ? print_page(c, reports) : print_list(c, reports, n);
    pager_close(&pager);
    return r;
}

static int refuse_name(const char *name)
{
    const char *names[BACKEND_KIND_MAX];

    for (int i = 0; i < BACKEND_KIND_MAX; i++)
        names[i] = enum_to_string(&backend_kind_table, i);
    const char *meant = str_suggest(name, names, ELEMENTSOF(names));
    _cleanup_(freep) char *list = enum_list(&backend_kind_table), *safe = text_safe(name);
    if (meant)
        log_error("there is no backend \"%s\"; did you mean \"%s\"?", safe ?: "?", meant);
    else
        log_error("there is no backend \"%s\"; expected %s", safe ?: "?", list ?: "another");
    return STATUS_NOT_FOUND;
}

/* Of one kind, or of all from `first` on. */
static int show(const Context *c, const DaemonConfig *config, int first, size_t n)
{
    BackendReport reports[BACKEND_KIND_MAX];
    size_t made = 0;
    int r = 0;

    for (; r >= 0 && made < n; made += r >= 0)
        r = backend_report_make((BackendKind)(first + (int)made), c->paths.programs, config, DESCRIBE_TIMEOUT,
                                &reports[made]);
    bool page = c->arguments, usable = made > 0 && reports[0].state == BACKEND_USABLE;
    if (r >= 0)
        r = print(c, reports, made, page);
    for (size_t i = 0; i < made; i++)
        backend_report_done(&reports[i]);
    if (r < 0) {
        log_error_errno(r, "The backends cannot be shown");
        return STATUS_FAILURE;
    }
    return page && !usable ? STATUS_WRONG_STATE : STATUS_OK;
}

int verb_backends(Context *c)
{
    DaemonConfig config;
    int kind = c->arguments ? enum_from_string(&backend_kind_table, c->arguments[0]) : 0;

    if (kind < 0)
        return refuse_name(c->arguments[0]);
    int r = daemon_settings_load(c, &config);
    if (r < 0) {
        log_error_errno(r, "The backends cannot be asked");
        return STATUS_FAILURE;
    }
    int status = show(c, &config, kind, c->arguments ? 1 : BACKEND_KIND_MAX);
    schema_done(&daemon_config_schema, &config);
    return status;
}
