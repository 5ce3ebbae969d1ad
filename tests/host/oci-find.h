/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the parts of oci-rules share. Each find_...() writes what it has found into SIZE bytes at `out`. */

#define SIZE 4096
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* "EPERM"; 0: "works". */
const char *errno_name(int number);
/* What becomes of a system call, by its name here. oci-calls.c */
void find_call(const char *name, char *out);
