/* SPDX-License-Identifier: Apache-2.0 */
#include "base/program.h"
#include "base/strings.h"
#include "cli/backend-report.h"

DEFINE_ENUM_TABLE(backend_state, "state of a backend",
                  BACKEND_STATE_MAX, [BACKEND_USABLE] = { "usable", "a pod can be started with it" },
                  [BACKEND_UNUSABLE] = { "not usable", "no pod can be started with it now" },
                  [BACKEND_NOT_THERE] = { "not installed", "its program is not there" },
                  [BACKEND_SILENT] = { "silent", "its program does not say what it finds here" });

static int judge(BackendReport *r, BackendState state, char *note)
{
    r->state = state;
    r->note = note;
    return note ? 0 : -ENOMEM;
}

static int take_answer(BackendReport *r, const char *program, const Bytes *text)
{
    const char *name = enum_to_string(&backend_kind_table, (int)r->kind);
    BackendDescription d;

    int e = schema_from_json(&backend_description_schema, &d, text->data ?: (const uint8_t *)"", text->size);
    if (e == -ENOMEM)
        return e;
    if (e >= 0 && !streq_ptr(d.name, name)) {
        schema_done(&backend_description_schema, &d);
        e = -EBADMSG;
    }
    if (e < 0)
        return judge(r, BACKEND_SILENT,
                     strf("what %s says of this host is no description of the %s backend", program, name));
    schema_done(&backend_description_schema, &r->description);
    r->description = d;
    if (d.usable)
        return 0;
    return judge(r, BACKEND_UNUSABLE, d.note ? strdup(d.note) : strf("%s does not say why", program));
}

static int ask(BackendReport *r, const char *program, const char *qemu, usec_t timeout)
{
    char *arguments[] = { (char *)(uintptr_t)program, (char *)(uintptr_t) "--describe",
                          (char *)(uintptr_t) "--qemu", (char *)(uintptr_t)qemu, NULL };
    Bytes text = { 0 };

    int e = program_read(arguments, false, timeout, DESCRIPTION_SIZE_MAX, &text);
    if (e == -ENOMEM)
        return e;
    if (e == -ENOENT)
        return judge(r, BACKEND_NOT_THERE, strf("there is no %s", program));
    if (e < 0)
        return judge(r, BACKEND_SILENT, strf("%s: %s", program, strerror(-e)));
    e = take_answer(r, program, &text);
    bytes_done(&text);
    return e;
}

int backend_report_make(BackendKind kind, const char *programs, const DaemonConfig *config, usec_t timeout,
                        BackendReport *ret)
{
    BackendReport r = { .kind = kind, .settings = { .libvirt_xml = config->libvirt_xml } };
    _cleanup_(freep) char *program =
        strf("%s/podvisor-runner-%s", programs, enum_to_string(&backend_kind_table, (int)kind));

    if (!program || schema_init(&backend_description_schema, &r.description) < 0)
        return -ENOMEM;
    int e = ask(&r, program, config->qemu, timeout);
    if (e < 0) {
        backend_report_done(&r);
        return e;
    }
    *ret = r;
    return 0;
}

void backend_report_done(BackendReport *r)
{
    free(r->note);
    schema_done(&backend_description_schema, &r->description);
    *r = (BackendReport){ 0 };
}

/* --- keys ----------------------------------------------------------------------------------------------------------- */

/* "kvm" where this host cannot: what the backend's own accelerator key would be refused for. */
static const AcceleratorDescription *lacking(const BackendReport *r, const AbilityRow *row)
{
    _cleanup_(freep) char *key = strf("%s.accelerator", enum_to_string(&backend_kind_table, (int)r->kind));

    if (!key || !streq(row->key, key))
        return NULL;
    for (size_t i = 0; i < r->description.n_accelerators; i++)
        if (!r->description.accelerators[i].usable)
            return &r->description.accelerators[i];
    return NULL;
}

static const Field *field_of(const char *key)
{
    _cleanup_(strv_freep) char **steps = strv_split(key, ".");
    const Schema *schema = &pod_schema;
    const Field *field = NULL;

    STRV_FOREACH (step, steps) {
        field = schema ? schema_field(schema, *step) : NULL;
        schema = field ? field->schema : NULL;
    }
    return field;
}

/* What can be written there at all, where that has an end; NULL: nothing is to be said, or no memory. */
static char *limits(const char *key)
{
    const Field *field = field_of(key);
    bool bounded = field && (field->max > 0 || field->type == FIELD_ENUM);

    if (!bounded)
        return NULL;
    return field->type == FIELD_LIST || field->type == FIELD_STRV
               ? strf("at most %llu of them", (unsigned long long)field->max)
               : field_expected(field);
}

int backend_report_key(const BackendReport *r, const AbilityRow *row, KeyReport *ret)
{
    const AbilityCell *cell = &row->on[r->kind];
    const AcceleratorDescription *missing = lacking(r, row);
    const char *barred = ability_missing(r->kind) ?: cell->barred ? cell->barred(&r->settings) : NULL;
    KeyReport k = { .key = row->key, .ability = cell->ability };
    const char *words = barred ?: cell->note;

    if (barred || missing)
        k.ability = barred ? ABILITY_REFUSED : ABILITY_PARTLY;
    if (missing && !barred)
        k.note = strf("\"%s\" is refused on this host: %s", missing->name ?: "?",
                      missing->note ?: "it is not usable");
    else
        k.note = words ? strdup(words) : limits(row->key);
    if (!k.note && (words || missing))
        return -ENOMEM;
    *ret = k;
    return 0;
}

static Json *key_to_json(const BackendReport *r, const AbilityRow *row)
{
    _cleanup_(json_releasep) Json *object = json_new_object();
    KeyReport k;

    if (backend_report_key(r, row, &k) < 0)
        return NULL;
    _cleanup_(freep) char *note = k.note;
    if (json_put(object, "key", json_text(k.key)) < 0 ||
        json_put(object, "support", json_text(enum_to_string(&ability_word_table, (int)k.ability))) < 0 ||
        json_put(object, "note", json_text(note)) < 0)
        return NULL;
    return take_ptr(object);
}

static Json *keys_to_json(const BackendReport *r)
{
    Json *array = json_new_array();

    for (size_t i = 0; i < n_ability_rows; i++)
        if (json_append(array, key_to_json(r, &ability_rows[i])) < 0)
            return json_release(array);
    return array;
}

Json *backend_report_to_json(const BackendReport *r)
{
    _cleanup_(json_releasep) Json *object = schema_to_json(&backend_description_schema, &r->description);

    if (json_put(object, "name", json_text(enum_to_string(&backend_kind_table, (int)r->kind))) < 0 ||
        json_put(object, "state", json_text(enum_to_string(&backend_state_table, (int)r->state))) < 0 ||
        json_put(object, "usable", json_truth(r->state == BACKEND_USABLE)) < 0 ||
        json_put(object, "note", json_text(r->note)) < 0 || json_put(object, "keys", keys_to_json(r)) < 0)
        return NULL;
    return take_ptr(object);
}
