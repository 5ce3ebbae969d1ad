/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Checksums: SHA-256 (libmd) where content is identity, CRC-32 (zlib) where only accidents are to be found. */
#include "base/macro.h"

enum { SHA256_SIZE = 32, SHA256_TEXT_SIZE = 65 };

void sha256(const void *data, size_t size, uint8_t ret[SHA256_SIZE]);
/* Lower-case hexadecimal of the SHA-256 of data. */
void sha256_text(const void *data, size_t size, char ret[SHA256_TEXT_SIZE]);
/* Of all that fd holds from its current offset on: 0 or negative errno. */
int sha256_text_fd(int fd, char ret[SHA256_TEXT_SIZE]);
uint32_t crc32_of(const void *data, size_t size);
