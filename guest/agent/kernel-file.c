/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/kernel-file.h"

enum { TEXT_MAX = 1024 * 1024 };

/* They say that they are empty, so they are read until they are. */
static int read_all(int fd, Bytes *text)
{
    enum { STEP = 4096 };

    while (text->size < TEXT_MAX) {
        uint8_t *at = bytes_reserve(text, STEP);
        ssize_t n = at ? read(fd, at, STEP) : -1;
        if (n <= 0)
            return n < 0 ? -EIO : 0;
        text->size += (size_t)n;
    }
    return 0;
}

const char *kernel_file_read(int dir, const char *name, Bytes *text)
{
    _cleanup_(closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

    text->size = 0;
    if (fd < 0 || read_all(fd, text) < 0 || bytes_terminate(text) < 0)
        return "";
    return (const char *)text->data;
}

bool kernel_text_number(const char *text, const char *word, uint64_t *ret)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *rest = str_after(line, word);
        if (!rest || (*rest != ' ' && *rest != '\t' && *rest != ':'))
            continue;
        *ret = strtoull(rest + strspn(rest, ": \t"), NULL, 10);
        return true;
    }
    return false;
}

uint64_t kernel_file_number(int dir, const char *name)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    const char *number = kernel_file_read(dir, name, &text);

    return str_after(number, "max") ? UINT64_MAX : strtoull(number, NULL, 10);
}
