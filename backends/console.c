/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"
#include "backends/console.h"
#include "base/file.h"
#include "base/strings.h"

static int digit_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -EBADMSG;
}

int base64_decode(const char *text, Bytes *ret)
{
    size_t size = strcspn(text, "="), padding = strlen(text) - size;
    uint32_t bits = 0;

    if ((size + padding) % 4 != 0 || padding > 2 || strspn(text + size, "=") != padding)
        return -EBADMSG;
    if (!bytes_reserve(ret, size))
        return -ENOMEM;
    for (size_t i = 0; i < size; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return value;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            ret->data[ret->size++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return 0;
}

int console_keep(int vm_dir, const Bytes *text)
{
    _cleanup_(bytes_done) Bytes b = { 0 };

    int r = file_read_at(vm_dir, BACKEND_CONSOLE_FILE, BACKEND_CONSOLE_MAX, &b);
    if (r < 0 && r != -ENOENT)
        return r;
    if (text->size > 0 && (r = bytes_append(&b, text->data, text->size)) < 0)
        return r;
    if (b.size > BACKEND_CONSOLE_MAX)
        bytes_consume(&b, b.size - BACKEND_CONSOLE_MAX);
    return file_replace_at(vm_dir, BACKEND_CONSOLE_FILE, b.data, b.size, 0600);
}

char *console_panic(int vm_dir)
{
    static const char word[] = "Kernel panic - not syncing: ";
    enum { PANIC_MAX = 200 };
    char *panic = NULL;
    Bytes b = { 0 };

    if (file_read_at(vm_dir, BACKEND_CONSOLE_FILE, BACKEND_CONSOLE_MAX, &b) < 0)
        return NULL;
    const char *found = NULL, *end = (const char *)b.data + b.size, *p = (const char *)b.data;
    while (p && (p = memmem(p, (size_t)(end - p), word, sizeof word - 1)))
        found = p += sizeof word - 1;
    if (found) {
        size_t n = 0;
        while (found + n < end && n < PANIC_MAX && found[n] != '\n' && found[n] != '\r')
            n++;
        panic = str_escape(found, n);
    }
    bytes_done(&b);
    return panic;
}
