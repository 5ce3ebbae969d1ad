/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "backends/backend.h"
#include "base/file.h"
#include "base/strings.h"
#include "runner/console-tail.h"

/*
 * What a kernel that is well says on its console in spite of `quiet`, and that would be taken for the cause of an end since
 * it is the last line there, or the only one.
 */
static const struct {
    const char *text; /* a line begins with it, behind the kernel's time */
    const char *why;
} noise[] = {
    { "PCI: Fatal: No config space access function found",
      "a microvm has no PCI, and Debian's kernel looks for it all the same" },
};

static int tail_read(int vm_dir, Bytes *ret)
{
    enum { TAIL_BYTES = (CONSOLE_TAIL_LINES + 1) * (CONSOLE_TAIL_LINE_MAX + 2) };
    struct stat st;

    /* The VMM may write here: no blocking on what it may have put in the file's place. */
    _cleanup_(closep) int fd = file_open_at(vm_dir, BACKEND_CONSOLE_FILE, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (!bytes_reserve(ret, TAIL_BYTES))
        return -ENOMEM;
    ssize_t n = pread(fd, ret->data, TAIL_BYTES, st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0);
    if (n < 0)
        return -errno;
    ret->size = (size_t)n;
    return 0;
}

static bool line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

/* The line that ends before `end`; *ret_begin is where it begins. False when there is none left. */
static bool line_before(const Bytes *b, size_t *end, size_t *ret_begin)
{
    while (*end > 0 && line_end(b->data[*end - 1]))
        (*end)--;
    size_t begin = *end;
    while (begin > 0 && !line_end(b->data[begin - 1]))
        begin--;
    *ret_begin = begin;
    return *end > 0;
}

/* Behind "[    0.341587] ". */
static size_t time_size(const char *line, size_t size)
{
    size_t n = size > 0 && line[0] == '[' ? 1 : 0;

    while (n > 0 && n < size && strchr(" .0123456789", line[n]) && line[n])
        n++;
    return n > 0 && n + 1 < size && line[n] == ']' && line[n + 1] == ' ' ? n + 2 : 0;
}

static bool is_noise(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;

    if (!line)
        return false;
    size_t time = time_size(line, size);
    TABLE_FOREACH (row, noise)
        if (size - time >= strlen(row->text) && memcmp(line + time, row->text, strlen(row->text)) == 0)
            return true;
    return false;
}

int console_tail(int vm_dir, size_t lines, char ***ret)
{
    struct {
        size_t begin, size;
    } found[CONSOLE_TAIL_LINES];
    _cleanup_(bytes_done) Bytes b = { 0 };
    _cleanup_(strv_freep) char **v = NULL;
    size_t n = 0;

    int r = tail_read(vm_dir, &b);
    if (r < 0)
        return r;
    for (size_t end = b.size, begin; n < MIN(lines, ELEMENTSOF(found)) && line_before(&b, &end, &begin);
         end = begin) {
        if (is_noise(b.data + begin, end - begin))
            continue;
        found[n].begin = begin;
        found[n++].size = MIN(end - begin, (size_t)CONSOLE_TAIL_LINE_MAX);
    }
    while (n-- > 0) {
        _cleanup_(freep) char *line = str_escape(b.data + found[n].begin, found[n].size);
        if (!line || strv_append(&v, line) < 0)
            return -ENOMEM;
    }
    *ret = take_ptr(v);
    return 0;
}
