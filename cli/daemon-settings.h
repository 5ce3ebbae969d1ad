/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What podvisord.conf says, for verbs that work without podvisord. */
#include "cli/verb.h"
#include "schemas/daemon-config.h"

/*
 * The file's settings, or the defaults where there is none; what is wrong with it is told as warnings. 0, 1 when something was, or
 * -ENOMEM.
 */
int daemon_settings_load(const Context *c, DaemonConfig *ret);
