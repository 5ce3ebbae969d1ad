/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "archive/tar-header.h"

enum { BINARY = 0x80, NEGATIVE = 0x40 };

/* GNU's numbers: the highest bit says so, the rest is big-endian, in two's complement. */
static int binary_read(const uint8_t *field, size_t size, int64_t *ret)
{
    bool negative = field[0] & NEGATIVE;
    uint64_t value = negative ? UINT64_MAX : 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = i > 0 ? field[i] : negative ? field[i] | BINARY : field[i] & (uint8_t)~BINARY;
        if (value >> 55 != (negative ? UINT64_MAX >> 55 : 0))
            return -EBADMSG;
        value = value << 8 | byte;
    }
    if (negative != (value >> 63 != 0))
        return -EBADMSG;
    *ret = (int64_t)value;
    return 0;
}

int tar_number_read(const char *field, size_t size, int64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;

    if ((uint8_t)field[0] & BINARY)
        return binary_read((const uint8_t *)field, size, ret);
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    if (i < size && field[i] != ' ' && field[i] != 0)
        return -EBADMSG;
    *ret = (int64_t)value;
    return 0;
}

bool tar_number_write(char *field, size_t size, uint64_t value)
{
    bool fits = value >> 3 * (size - 1) == 0;

    field[size - 1] = 0;
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        field[i] = fits ? (char)('0' + (value & 7)) : '0';
    return fits;
}

uint32_t tar_checksum(const TarHeader *h)
{
    const uint8_t *bytes = (const uint8_t *)h;
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof *h; i++) {
        bool own = i >= offsetof(TarHeader, checksum) && i < offsetof(TarHeader, type);
        sum += own ? ' ' : bytes[i];
    }
    return sum;
}

bool tar_checksum_right(const TarHeader *h)
{
    int64_t said;

    return tar_number_read(h->checksum, sizeof h->checksum, &said) >= 0 && said == tar_checksum(h);
}

void tar_checksum_write(TarHeader *h)
{
    /* Six digits, a NUL and a blank, as everybody has it. */
    (void)tar_number_write(h->checksum, sizeof h->checksum - 1, tar_checksum(h));
    h->checksum[sizeof h->checksum - 1] = ' ';
}
