/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/id128.h"

int id128_random(Id128 *ret)
{
    Id128 id;

    if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
        return -errno;
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    *ret = id;
    return 0;
}

int id128_parse(const char *s, Id128 *ret)
{
    Id128 id = { 0 };
    size_t nibbles = 0;

    for (; *s && nibbles < 32; s++) {
        if (*s == '-' && nibbles % 2 == 0)
            continue;
        if (!isxdigit((unsigned char)*s))
            return -EINVAL;
        int value = isdigit((unsigned char)*s) ? *s - '0' : tolower((unsigned char)*s) - 'a' + 10;
        id.bytes[nibbles / 2] = (uint8_t)(id.bytes[nibbles / 2] << 4 | value);
        nibbles++;
    }
    if (nibbles != 32 || (*s && *s != '\n'))
        return -EINVAL;
    *ret = id;
    return 0;
}

const char *id128_format(Id128 id, char text[ID128_TEXT_SIZE])
{
    char *p = text;

    for (size_t i = 0; i < sizeof id.bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        p += snprintf(p, 3, "%02x", id.bytes[i]);
    }
    return text;
}

bool id128_equal(Id128 a, Id128 b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool id128_is_null(Id128 id)
{
    return id128_equal(id, (Id128){ 0 });
}

int id128_boot_open(void)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int id128_boot_read(int fd, Id128 *ret)
{
    char text[64] = { 0 };

    return pread(fd, text, sizeof text - 1, 0) < 0 ? -errno : id128_parse(text, ret);
}

int id128_boot(Id128 *ret)
{
    static Id128 known;

    if (id128_is_null(known)) {
        _cleanup_(closep) int fd = id128_boot_open();
        int r = fd < 0 ? fd : id128_boot_read(fd, &known);
        if (r < 0)
            return r;
    }
    *ret = known;
    return 0;
}
