/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guest's console: bytes that a guest wrote, on their way from QEMU's ring to console.log. The ring is read as it
 * fills (words.h) and when the machine ends; reading empties it, so what is read is appended, and the newest BACKEND_CONSOLE_MAX bytes stay.
 */
#include "base/bytes.h"

/* Appends to console.log in vm_dir: 0 or negative errno. */
int console_keep(int vm_dir, const Bytes *text);

/* The guest kernel's last word before it gave up, escaped (malloc'ed), from console.log; NULL when there is none. */
char *console_panic(int vm_dir);

/* Pure: appends to ret. */
int base64_decode(const char *text, Bytes *ret);
