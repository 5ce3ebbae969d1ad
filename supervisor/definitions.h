/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is declared on this host: the pod files of the definition directories, each with its last good content.
 *
 * Theory of operation
 * -------------------
 * For each name the directories are asked in their order; the first that has NAME.pod decides, and a symbolic link to
 * /dev/null decides that there is none. The content's hash tells whether anything has changed, never its times.
 *
 *     file there, right             declared, defined; the new content counts from now on
 *     file there, wrong, unreadable,
 *       being written, not trusted  declared; the last good content goes on, `errors` say what is wrong
 *     file gone                     not declared any more
 *     its directory gone, unreadable: nothing can be said about its files: as declared as they were, with an error
 *                                   (doc/decisions/: a directory that is gone says nothing)
 *
 * A definition that was never right is declared and not defined: it is shown, with its errors.
 *
 * Networks that podvisor manages are declared in the same directories, as NAME.network, and by the same rules.
 */
#include "backends/abilities.h"
#include "base/digest.h"
#include "schemas/managed-network.h"
#include "schemas/pod-definition.h"

typedef enum DefinitionKind {
    DEFINITION_POD,
    DEFINITION_NETWORK,
    DEFINITION_KIND_MAX,
} DefinitionKind;

typedef union DefinitionContent {
    PodDefinition pod;
    ManagedNetwork network;
} DefinitionContent;

typedef struct Definition {
    char *name;
    char *file;    /* absolute path; of the one that decides */
    bool declared; /* false only in the last call about it */
    bool defined;  /* pod and digest are valid */
    union {
        DefinitionContent content; /* last good */
        PodDefinition pod;
        ManagedNetwork network;
    };
    char digest[SHA256_TEXT_SIZE]; /* of that, packed */
    PodLines lines;                /* of pod, in file */
    char **errors;                 /* "FILE:LINE: what is wrong" */
} Definition;

typedef struct Definitions Definitions;

/* Told for each definition that has changed in any field; it is valid during the call. May not call back. */
typedef void (*DefinitionsFunc)(void *userdata, const Definition *definition);

/*
 * Of one kind. directories: absolute, first wins; copied. trusted_only: files and directories must belong to root or to us, and be
 * writable by nobody else.
 */
int definitions_new(Definitions **ret, DefinitionKind kind, char *const *directories, bool trusted_only,
                    DefinitionsFunc func, void *userdata);
/* Before the first scan: what podvisord.conf allows pod files; without it, nothing that must be allowed. */
void definitions_allow(Definitions *d, AbilitySettings settings);
Definitions *definitions_free(Definitions *d);
DEFINE_CLEANUP(Definitions *, definitions_free)

/* Before the first scan: a pod that runs, with the definition that it runs. pod may be NULL. 0 or -ENOMEM. */
int definitions_know(Definitions *d, const char *name, const char *file, const PodDefinition *pod);

/* Looks at all files. 0 or -ENOMEM. */
int definitions_scan(Definitions *d);
/* Looks at one file name in all directories ("web.pod"; names of another kind are passed over). 0 or -ENOMEM. */
int definitions_scan_file(Definitions *d, const char *file_name);

/* What is wrong now, with files that are no pod's too: one line each. The caller frees; NULL: nothing, or no memory. */
char **definitions_errors(const Definitions *d);

/* SHA-256 of a definition's content as it is packed; of two equal definitions the same. 0 or -ENOMEM. */
int definition_digest(const PodDefinition *pod, char ret[SHA256_TEXT_SIZE]);
