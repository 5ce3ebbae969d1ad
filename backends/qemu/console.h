/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guest's console: bytes that a guest wrote, on their way from QEMU's ring to console.log. The ring is read when the
 * machine ends or is given up; reading empties it, so what is read is appended, and the newest BACKEND_CONSOLE_MAX bytes stay.
 */
#include "base/bytes.h"

/* Appends the decoded text to console.log in vm_dir: 0, -EBADMSG for what is no base64, or negative errno. */
int console_append(int vm_dir, const char *base64);

/* The guest kernel's last word before it gave up, escaped (malloc'ed), from console.log; NULL when there is none. */
char *console_panic(int vm_dir);

/* Pure: appends to ret. */
int base64_decode(const char *text, Bytes *ret);
