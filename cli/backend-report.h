/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A backend on this host: what the table says it can do, and what its own program finds here. The program is asked with a deadline
 * and a bound; that it is not there, hangs or says nonsense is an answer, too.
 */
#include "backends/abilities.h"
#include "schemas/backend-description.h"
#include "schemas/daemon-config.h"
#include "schemas/schema-json.h"

typedef enum BackendState {
    BACKEND_USABLE,
    BACKEND_UNUSABLE,  /* its program is there, and no pod could be started with it now */
    BACKEND_NOT_THERE, /* its program is not installed */
    BACKEND_SILENT,    /* its program does not say what it finds */
    BACKEND_STATE_MAX,
} BackendState;
extern const EnumTable backend_state_table;

typedef struct BackendReport {
    BackendKind kind;
    AbilitySettings settings;
    BackendState state;
    char *note;                     /* why it is not usable; NULL: nothing is to be said */
    BackendDescription description; /* empty where the program said nothing */
} BackendReport;

/* Asks the runner of the backend in directory `programs`. 0 or -ENOMEM. Blocks for as long as `timeout`. */
int backend_report_make(BackendKind kind, const char *programs, const DaemonConfig *config, usec_t timeout,
                        BackendReport *ret);
void backend_report_done(BackendReport *r);

/* What of the key is so on this host: the table's word, and what its note and this host's accelerators make of it. */
typedef struct KeyReport {
    const char *key;
    Ability ability;
    char *note; /* malloc'ed; NULL: nothing is to be said */
} KeyReport;
/* 0 or -ENOMEM. */
int backend_report_key(const BackendReport *r, const AbilityRow *row, KeyReport *ret);

/* All of it, with every key. NULL: no memory. */
Json *backend_report_to_json(const BackendReport *r);
