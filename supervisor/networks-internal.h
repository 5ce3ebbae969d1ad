/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the networks share; supervisor/networks.h tells how they work together. */
#include "supervisor/networks.h"

/* Its record: 0 or negative errno. */
int network_save(Network *network) _warn_unused_;

/* As it is while pods are on it, or else will be. Empty: its file was never right. */
const ManagedNetwork *network_present(const Network *network);
/* Pods are on it, and its file says something else by now. */
bool network_is_changed(const Network *network);
/* 0, or negative errno with *ret_error, a sentence: why it and another one cannot be both, and the other one is. */
int network_check_others(const Network *network, char **ret_error);
Supervisor *network_supervisor(const Network *network);
/* A member has come or gone: the others are to be told, in their turns. */
void network_names_changed(Network *network, const Pod *by);
