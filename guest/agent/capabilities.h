/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What of root's power a container's program keeps. */
#include "base/macro.h"

/* A bit per capability. names NULL: the usual set of containers; { "NONE" }: none. -EINVAL with *ret_unknown for a stranger. */
int capabilities_from_names(char *const *names, uint64_t *ret, const char **ret_unknown);

/*
 * In two steps around the change of user: before it nothing outside of mask can be had any more (the bounding set);
 * after it the process has what of mask its user may have: all when it is root or `ambient`, else nothing.
 * 0 or negative errno. The caller sets no_new_privs.
 */
int capabilities_bound(uint64_t mask);
int capabilities_keep(uint64_t mask, bool ambient);
