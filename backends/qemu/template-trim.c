/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/qemu/template-trim.h"
#include "base/macro.h"

static bool is_zero(const char *page, size_t size)
{
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

/* from and to: offsets in the file, whose bytes begin at data. */
static void trim_range(int memory, const char *data, size_t from, size_t to, size_t page)
{
    while (from < to) {
        size_t end = from;
        while (end < to && is_zero(data + end, page))
            end += page;
        if (end > from)
            (void)fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                            (off_t)(end - from));
        from = end + page;
    }
}

void template_trim(int memory)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct stat st;

    /* Of whole pages alone; QEMU has no other memory. */
    if (fstat(memory, &st) < 0 || st.st_size <= 0 || (size_t)st.st_size % page != 0)
        return;
    char *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, memory, 0);
    if (data == MAP_FAILED)
        return;
    off_t from, to = 0;
    /* What is not there already is not looked at: that would make it be. */
    while ((from = lseek(memory, to, SEEK_DATA)) >= 0 && (to = lseek(memory, from, SEEK_HOLE)) > from)
        trim_range(memory, data, (size_t)from, (size_t)to, page);
    (void)munmap(data, (size_t)st.st_size);
}
