/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command line of podvisord, by one table of options. */
#include "base/macro.h"

typedef struct Options {
    const char *root;      /* NULL: none */
    const char *log_level; /* NULL: podvisord.conf says */
    bool user;
} Options;

/* 1: go on; 0: all is done (--help, --version); -EINVAL: told on standard error what is wrong. */
int options_parse(int argc, char **argv, Options *ret);
