/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "base/process-memory.h"
#include "base/strings.h"

/* Longer ones are the heads of mappings, of which the rest of the path says nothing. */
enum { LINE_SIZE = 256 };

typedef struct Parse {
    ProcessMemory sums;
    MemorySums mapping; /* the one that is being read */
    bool guest;         /* it is the guest's */
    bool shared;        /* what is written to it, others see */
    bool begun;
    bool any;
} Parse;

/* The lines that count, and which sums. What lies on huge pages of a pool of its own is in none of the others. */
static const struct {
    const char *key;
    size_t offsets[3];
    size_t n;
} rows[] = {
    { "Size:", { offsetof(MemorySums, size) }, 1 },
    { "Rss:", { offsetof(MemorySums, resident) }, 1 },
    { "Pss:", { offsetof(MemorySums, proportional) }, 1 },
    { "Anonymous:", { offsetof(MemorySums, own) }, 1 },
    { "SwapPss:", { offsetof(MemorySums, swapped) }, 1 },
    { "Shared_Hugetlb:", { offsetof(MemorySums, resident), offsetof(MemorySums, proportional) }, 2 },
    { "Private_Hugetlb:",
      { offsetof(MemorySums, resident), offsetof(MemorySums, proportional), offsetof(MemorySums, own) },
      3 },
};

static uint64_t *sum_at(MemorySums *sums, size_t offset)
{
    return (uint64_t *)(void *)((char *)sums + offset);
}

/* Of a sum that would not fit, nothing is believed. */
static int add(uint64_t *sum, uint64_t bytes)
{
    return __builtin_add_overflow(*sum, bytes, sum) ? -EBADMSG : 0;
}

static int sums_add(MemorySums *to, const MemorySums *more)
{
    int r = add(&to->size, more->size);

    if (r >= 0)
        r = add(&to->resident, more->resident);
    if (r >= 0)
        r = add(&to->proportional, more->proportional);
    if (r >= 0)
        r = add(&to->own, more->own);
    return r < 0 ? r : add(&to->swapped, more->swapped);
}

static int mapping_end(Parse *p)
{
    if (p->shared)
        p->mapping.own = p->mapping.resident;
    int r = p->begun ? sums_add(&p->sums.all, &p->mapping) : 0;
    if (r >= 0 && p->begun && p->guest)
        r = sums_add(&p->sums.guest, &p->mapping);
    p->mapping = (MemorySums){ 0 };
    p->guest = p->begun = false;
    return r;
}

/* "7f1a9bfff000-7f1aa7fff000 rw-p 00000000 00:01 40272   /memfd:template-memory (deleted)" */
static bool is_head(const char *line)
{
    size_t n = strspn(line, "0123456789abcdef");

    return n > 0 && line[n] == '-';
}

static bool is_memory_file(const char *head)
{
    const char *path = strchr(head, '/');

    return path && strncmp(path, "/memfd:", strlen("/memfd:")) == 0;
}

/* The fourth of its rights. */
static bool is_shared(const char *head)
{
    const char *rights = strchr(head, ' ');

    return rights && strlen(rights) > 4 && rights[4] == 's';
}

/* "                  28 kB" */
static int parse_kib(const char *text, uint64_t *ret)
{
    char digits[24] = { 0 };

    text += strspn(text, " \t");
    size_t n = strspn(text, "0123456789");
    if (n >= sizeof digits || !streq(text + n, " kB"))
        return -EBADMSG;
    memcpy(digits, text, n);
    if (parse_unsigned(digits, ret) < 0 || __builtin_mul_overflow(*ret, 1024, ret))
        return -EBADMSG;
    return 0;
}

/* "Rss:                  28 kB" */
static int take_number(Parse *p, const char *line)
{
    uint64_t bytes;

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        size_t n = strlen(rows[i].key);
        if (strncmp(line, rows[i].key, n) != 0)
            continue;
        int r = parse_kib(line + n, &bytes);
        for (size_t k = 0; r >= 0 && k < rows[i].n; k++)
            r = add(sum_at(&p->mapping, rows[i].offsets[k]), bytes);
        return r;
    }
    return 0;
}

static int take_line(Parse *p, const char *line)
{
    if (is_head(line)) {
        int r = mapping_end(p);
        p->begun = p->any = true;
        p->guest = is_memory_file(line);
        p->shared = is_shared(line);
        return r;
    }
    if (!p->begun)
        return -EBADMSG;
    /* The flag's two letters stand for themselves, between blanks. */
    if (strncmp(line, "VmFlags:", strlen("VmFlags:")) == 0)
        p->guest |= strstr(line, " dc") != NULL;
    return take_number(p, line);
}

int process_memory_parse(const char *text, size_t size, ProcessMemory *ret)
{
    Parse p = { 0 };
    char line[LINE_SIZE];
    int r = 0;

    while (r >= 0 && size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size, kept = MIN(length, sizeof line - 1);
        memcpy(line, text, kept);
        line[kept] = 0;
        r = take_line(&p, line);
        text += length + (end != NULL);
        size -= length + (end != NULL);
    }
    if (r >= 0)
        r = mapping_end(&p);
    if (r >= 0 && !p.any)
        r = -ENODATA;
    if (r >= 0)
        *ret = p.sums;
    return r;
}

int process_memory_read(int proc, ProcessMemoryDetail detail, ProcessMemory *ret)
{
    _cleanup_(bytes_done) Bytes text = { 0 };

    int r = file_read_at(proc, detail == PROCESS_MEMORY_MAPS ? "smaps" : "smaps_rollup",
                         PROCESS_MEMORY_TEXT_MAX, &text);
    if (r >= 0)
        r = process_memory_parse((const char *)text.data, text.size, ret);
    /* Of a process that has ended, the kernel says so, or that there are no mappings. */
    return r == -ENOENT || r == -ENODATA ? -ESRCH : r;
}
