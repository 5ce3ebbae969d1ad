/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The last lines of the guest's console, for messages: bounded, escaped, without empty lines and repeated line ends,
 * and without what every kernel of ours says there, well as it may be. */
#include "base/macro.h"

enum {
    CONSOLE_TAIL_LINES = 12,
    CONSOLE_TAIL_LINE_MAX = 400, /* bytes of a line before it is escaped */
};

/* Of vm_dir/console.log; no file, no lines: *ret = NULL. 0 or negative errno. */
int console_tail(int vm_dir, size_t lines, char ***ret);
