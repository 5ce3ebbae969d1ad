/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runs a program that works for an import (tar, umoci, mkfs.erofs) and waits for it.
 *
 * The child has: standard input as given, no standard output, its standard error in our hands, descriptor 3 as given,
 * nothing else; a process group of its own; a fixed environment; no new privileges; and, where the kernel has Landlock, no way to write
 * outside of one directory. It is killed when we die, when it makes no progress, and when the caller says so; with it its
 * children.
 */
#include "base/units.h"

#define CHILD_KEPT_PATH "/proc/self/fd/3" /* descriptor 3, as the child can name it */

typedef struct ChildProgram {
    const char *name;    /* "mkfs.erofs" */
    const char *package; /* Debian's package that has it */
} ChildProgram;

typedef struct Child {
    const ChildProgram *program;
    char **arguments;     /* argv[0] included */
    char **environment;   /* "KEY=value", besides PATH, HOME and LC_ALL; may be NULL */
    const char *path;     /* directories to look in, as in PATH; NULL: the system's */
    int input;            /* -1: /dev/null */
    int directory;        /* where it starts */
    int kept;             /* becomes descriptor 3: the directory that it may write in */
    int failure;          /* errno (negative) for a failure that nothing explains better */
    usec_t stall_timeout; /* of no progress: neither time of the processor, nor input or output */
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
