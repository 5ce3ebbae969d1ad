/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Are the ports that a pod publishes to be had? passt says of one that is taken that it could not be bound, and of a range with
 * one that is taken nothing at all; so each is tried before.
 */
#include "base/macro.h"

/* 0, or negative errno with *ret_why, a clause that names address, port and, where this process may see it, who has it
 * (malloc'ed; NULL: out of memory). */
int ports_check(char *const *publish, char **ret_why);

/* Is one of them below what users may take? */
bool ports_any_privileged(char *const *publish);
