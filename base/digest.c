/* SPDX-License-Identifier: Apache-2.0 */
#include <sha2.h>
#include <stdio.h>
#include <sys/types.h>
#include <zlib.h>

#include "base/digest.h"

_Static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "libmd's SHA-256 is as long as ours");

static void hex(const uint8_t digest[SHA256_SIZE], char ret[SHA256_TEXT_SIZE])
{
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

void sha256(const void *data, size_t size, uint8_t ret[SHA256_SIZE])
{
    SHA2_CTX context;

    SHA256Init(&context);
    SHA256Update(&context, data, size);
    SHA256Final(ret, &context);
}

void sha256_text(const void *data, size_t size, char ret[SHA256_TEXT_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256(data, size, digest);
    hex(digest, ret);
}

int sha256_text_fd(int fd, char ret[SHA256_TEXT_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    SHA2_CTX context;
    enum { CHUNK = 65536 };
    _cleanup_(freep) uint8_t *chunk = malloc(CHUNK);

    if (!chunk)
        return -ENOMEM;
    SHA256Init(&context);
    for (;;) {
        ssize_t n = read(fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        SHA256Update(&context, chunk, (size_t)n);
    }
    SHA256Final(digest, &context);
    hex(digest, ret);
    return 0;
}

uint32_t crc32_of(const void *data, size_t size)
{
    return (uint32_t)crc32_z(0, data, size);
}
