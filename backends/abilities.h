/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What each backend can do, key by key of the pod file: one static table, of which `podvisor backends`, `podvisor check` and
 * podvisord tell the same. It knows no backend's code but what decides about a pod file's text, and nothing of this host; what this
 * host adds is said by the backend's own program (podvisor-runner-X --describe).
 *
 * A key stands for all keys below it that have no row of their own. The groups that belong to other backends are without effect, so
 * that one pod file runs on each of them.
 */
#include "base/bytes.h"
#include "schemas/pod-definition.h"

typedef enum Ability {
    ABILITY_NONE,   /* no word: the table's row says nothing about this backend; never seen outside of it */
    ABILITY_WORKS,  /* as the manual says */
    ABILITY_PARTLY, /* works; some of what can be written is refused, as the note says */
    ABILITY_WITHOUT_EFFECT, /* may stand there and does nothing */
    ABILITY_REFUSED,        /* a pod with this backend may not have it */
    ABILITY_MAX,
} Ability;
extern const EnumTable ability_word_table;

/* What decides besides the pod file: of podvisord.conf. All zero: the defaults. */
typedef struct AbilitySettings {
    bool libvirt_xml; /* pod files may add to their domains */
} AbilitySettings;

typedef struct AbilityCell {
    Ability ability;
    const char *note; /* why, or what of it; NULL where nothing is to be said */
    /* Of a pod that has given the key: is it refused? Then true, with a sentence (malloc'ed; NULL: out of memory). NULL: never. */
    bool (*refuses)(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence);
    /* Why no pod of a host with these settings may have the key; static. NULL: it may. */
    const char *(*barred)(const AbilitySettings *settings);
} AbilityCell;

typedef struct AbilityRow {
    const char *key; /* "containers.limits" */
    AbilityCell on[BACKEND_KIND_MAX];
    /* Of a key of groups in a list: the place in there of the one that `refuses` is about. NULL: it is no such key. */
    size_t (*element)(const PodDefinition *pod);
} AbilityRow;
extern const AbilityRow ability_rows[];
extern const size_t n_ability_rows;

/* The row of a key, or of the nearest key above it; NULL: there is no such key. */
const AbilityRow *ability_row(const char *key);

/* Why this build has no such backend; NULL: it has. */
const char *ability_missing(BackendKind backend);

/* Adds a diagnostic for each key that this pod asks of its backend in vain. */
void abilities_check(const PodDefinition *pod, const AbilitySettings *settings, const char *file,
                     const Locations *locations, Diagnostics *diagnostics);

/* pod_definition_read() and abilities_check() in one: what podvisord and `podvisor check` make of a pod file. ret_lines may be NULL. */
int pod_file_read(PodDefinition *pod, const AbilitySettings *settings, const char *file, const Bytes *text,
                  Diagnostics *diagnostics, PodLines *ret_lines);
