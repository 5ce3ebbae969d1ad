/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What --help prints, from the rows of cli/verb.h. */
#include <stdio.h>

#include "cli/verb.h"

/* Of the whole program; with a group, of the verbs in that group. */
void help_program(const char *group, FILE *f);
void help_verb(const Verb *verb, FILE *f);
