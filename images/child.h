/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runs a program that works for an import (tar, umoci, mkfs.erofs, skopeo) and waits for it.
 *
 * The child has: standard input as given, standard output as given or none, its standard error in our hands, descriptor 3 as given,
 * nothing else; a process group of its own; a fixed environment and what is added to it; no new privileges; and, where the kernel has
 * Landlock, no way to write outside of one directory. It is killed when we die, when it makes no progress, and when the caller says so;
 * with it its children.
 */
#include "base/units.h"

#define CHILD_INPUT_PATH "/proc/self/fd/0" /* standard input, as the child can name it: from its beginning */
#define CHILD_KEPT_PATH "/proc/self/fd/3"  /* descriptor 3 */

typedef struct ChildProgram {
    const char *name;    /* "mkfs.erofs" */
    const char *package; /* Debian's package that has it */
} ChildProgram;

/* Words of a program that tell what is wrong, and what to do about it. */
typedef struct ChildFailure {
    const char *words; /* in any case of letters */
    int error;
    const char *advice;
} ChildFailure;

typedef struct Child {
    const ChildProgram *program;
    char **arguments; /* argv[0] included */
    char **
        environment; /* "KEY=value", besides PATH and LC_ALL, and HOME=/ if it is not among them; may be NULL */
    const char *path;  /* directories to look in, as in PATH; NULL: the system's */
    int input;         /* -1: /dev/null */
    int output;        /* standard output; -1: /dev/null */
    int directory;     /* where it starts */
    int kept;          /* becomes descriptor 3: the directory that it may write in */
    uint64_t file_max; /* bytes of the largest file that it may make; 0: no limit */
    int failure;       /* errno (negative) for a failure that nothing explains better */
    usec_t
        stall_timeout; /* of no progress: neither time of the processor, nor input or output; USEC_INFINITY: none */
    const ChildFailure *failures; /* what this program says, looked at before what all say; may be NULL */
    size_t n_failures;
    int (*tick)(
        void *userdata); /* a few times a second; negative kills the child and is returned. May be NULL. */
    void *userdata;
} Child;

/*
 * 0 when it ended with exit status 0. -ENOENT-like outcomes have a sentence in *ret_error: -ENOPKG (the program is not installed),
 * -ENOSPC, -EDQUOT, -EACCES (as the child said), -ETIMEDOUT (no progress), what tick said (no sentence), else child->failure.
 */
int child_run(const Child *child, char **ret_error);

/* Whether the program is there: 0, or -ENOPKG with the sentence. *ret_path is where (malloc'ed; may be NULL). */
int child_find(const ChildProgram *program, const char *path, char **ret_path, char **ret_error);
