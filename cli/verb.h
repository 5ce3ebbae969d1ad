/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Verbs and options, each written once: the parser, --help, the completion and the manual's test walk these rows.
 *
 * Invariants: an option means the same for every verb that takes it; a verb's name is one word, or two where verbs
 * are grouped ("image import"); a verb's function is called only with a number of arguments that its row allows and
 * with options whose values were checked.
 */
#include "base/enum-table.h"
#include "base/units.h"
#include "schemas/paths.h"
#include "schemas/schema-json.h"

typedef enum OptionId {
    /* taken by every verb */
    OPTION_ROOT,
    OPTION_USER,
    OPTION_HELP,
    OPTION_VERSION,
    /* taken by every verb that shows something */
    OPTION_JSON,
    OPTION_NO_LEGEND,
    OPTION_NO_PAGER,
    /* taken by the verbs that name them */
    OPTION_DAEMON,
    OPTION_NO_WAIT,
    OPTION_TIMEOUT,
    OPTION_FOR,
    OPTION_PATIENT,
    OPTION_TERMINAL,
    OPTION_NO_TERMINAL,
    OPTION_ENVIRONMENT,
    OPTION_WORKING_DIR,
    OPTION_AS,
    OPTION_NO_STDIN,
    OPTION_DETACH_KEYS,
    OPTION_KEEP_SETUID,
    OPTION_TAG,
    OPTION_NAME,
    OPTION_TLS_VERIFY,
    OPTION_DRY_RUN,
    OPTION_OLDER_THAN,
    OPTION_CACHED,
    OPTION_FOLLOW,
    OPTION_LINES,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_BOOT,
    OPTION_PRIORITY,
    OPTION_STREAM,
    OPTION_OUTPUT,
    OPTION_MEMORY,
    OPTION_MAX,
} OptionId;

#define OPTION_BIT(id) (UINT64_C(1) << (id))
#define OPTIONS_EVERYWHERE                                                                                   \
    (OPTION_BIT(OPTION_ROOT) | OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))
/* Of the verbs that show what is recorded. */
#define OPTIONS_RECORDS                                                                                      \
    (OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_LINES) | OPTION_BIT(OPTION_SINCE) |                       \
     OPTION_BIT(OPTION_UNTIL) | OPTION_BIT(OPTION_BOOT) | OPTION_BIT(OPTION_PRIORITY) |                      \
     OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_PAGER))
#define OPTIONS_SHOW (OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_NO_LEGEND) | OPTION_BIT(OPTION_NO_PAGER))
#define OPTIONS_WAIT (OPTION_BIT(OPTION_NO_WAIT) | OPTION_BIT(OPTION_TIMEOUT))

typedef enum OptionKind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_LIST, /* may be given again; all are kept */
    OPTION_NUMBER,
    OPTION_DURATION,
    OPTION_WORD, /* of the row's table */
} OptionKind;

typedef struct Option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    OptionKind kind;
    const char *value; /* "DIR": how the help calls the value; NULL for a flag */
    const EnumTable *words;
    const char *help;
} Option;
extern const Option options[OPTION_MAX];

typedef struct OptionValue {
    bool given;
    const char *text;
    uint64_t number; /* OPTION_NUMBER, _DURATION (usec), _WORD (index) */
    char **list;     /* OPTION_LIST */
} OptionValue;

/* What an argument of a verb is, for completion. */
typedef enum ArgumentKind {
    ARGUMENT_NONE,
    ARGUMENT_FILE,
    ARGUMENT_KEY,
    ARGUMENT_POD,
    ARGUMENT_CONTAINER, /* POD or POD/CONTAINER */
    ARGUMENT_IMAGE,
    ARGUMENT_BACKEND,
    ARGUMENT_VERB,
    ARGUMENT_KIND_MAX,
} ArgumentKind;
extern const EnumTable argument_kind_table;

typedef struct Verb Verb;

/* One run of the program. Pointers into argv are kept. */
typedef struct Context {
    const Verb *verb;
    const char *group; /* first word of a grouped verb, also when the second is missing */
    OptionValue options[OPTION_MAX];
    char **arguments; /* NULL-terminated strv, owned */
    Paths paths;
} Context;

enum { ARGUMENTS_ANY = 4096 };

struct Verb {
    const char *name;
    const char *synopsis; /* its arguments: "POD..." */
    unsigned min, max;    /* number of arguments */
    uint64_t options;     /* besides OPTIONS_EVERYWHERE */
    ArgumentKind argument;
    bool of_program; /* its exit status is a program's, so that its own failures are STATUS_EXEC_FAILED */
    bool command;    /* all after the first argument is a command line, whose options are its own */
    /* Returns an exit status; it has said itself what went wrong. */
    int (*run)(Context *c);
    const char *help;        /* a line, lower case, no full stop */
    const char *description; /* full sentences, for `podvisor VERB --help` and the manual */
};
extern const Verb verbs[];
extern const size_t n_verbs;

uint64_t verb_options(const Verb *verb);

static inline bool option_given(const Context *c, OptionId id)
{
    return c->options[id].given;
}
