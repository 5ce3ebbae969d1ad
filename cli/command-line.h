/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The command line as a Context: verb, options and arguments, checked against the rows of cli/verb.h. Options and
 * arguments may stand in any order; `--` ends the options; a verb that runs a command leaves all behind its
 * first argument alone.
 */
#include "cli/verb.h"

/*
 * 0; 1 when nothing but --help or --version was asked for (no verb then); or -EINVAL with *ret_complaint, a sentence
 * (malloc'ed), or -ENOMEM. On 0 and 1 the caller calls context_done(). After an error *ret says only how far the
 * command line was understood: verb and group. Names of pods and containers are checked for their form; whether there are such is
 * not known here. Paths are not looked at here.
 */
int command_line_parse(int argc, char **argv, Context *ret, char **ret_complaint);
void context_done(Context *c);
