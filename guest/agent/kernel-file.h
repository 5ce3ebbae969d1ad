/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Numbers in the small text files of the kernel: control groups, /proc. What is not there is 0. Pure but for reading. */
#include "base/bytes.h"

/* The whole text, terminated; "" when it cannot be read. The caller frees text->data. */
const char *kernel_file_read(int dir, const char *name, Bytes *text);
/* The number behind the word at the beginning of a line ("usage_usec 123"); false: there is no such line. */
bool kernel_text_number(const char *text, const char *word, uint64_t *ret);
/* A file that is one number; "max" is SIZE_INFINITY. */
uint64_t kernel_file_number(int dir, const char *name);
