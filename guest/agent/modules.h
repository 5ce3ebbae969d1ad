/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Modules of the kernel, in the initial root that the machine boots from: those of every pod, and those that a pod may ask for later,
 * when that root cannot be reached by a path any more. What is loaded or not wanted is removed, since files there are memory.
 *
 * A kernel that takes no modules has built in what it can do: none is loaded then, and all are there as far as this can tell. Such a kernel
 * may come with modules that are another's, or with none.
 */
#include "base/macro.h"

/* Those of every pod; from the initial root. One that fails is logged, and the others are loaded all the same. 0 or
 * negative errno. */
int modules_load(void);
/* One that is on demand, with what it needs; fine to repeat. -ENOENT: there is none of that name (any more); other negative errno. */
int modules_load_more(const char *name);
/* No more of them is asked for. */
void modules_forget(void);
