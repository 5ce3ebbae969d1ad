/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/file.h"
#include "guest/agent/own-memory.h"

/* Of a process that has no libraries, and no thread but one. What is larger than its memory can be is no such memory but space that somebody
 * has reserved, as sanitizers do, and there may not be so much on the whole machine. */
enum { MAPS_MAX = 16 * 1024, MAPPING_MAX = 4 * 1024 * 1024 };

/* A line of proc_pid_maps(5). */
static int own_line(const char *line)
{
    unsigned long from, to;
    char modes[8];

    if (sscanf(line, "%lx-%lx %7s", &from, &to, modes) != 3)
        return -EBADMSG;
    if (modes[0] != 'r' || modes[1] != 'w' || modes[3] != 'p' || to - from > MAPPING_MAX)
        return 0;
    return madvise((void *)from, to - from, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
}

int memory_own(void)
{
    _cleanup_(bytes_done) Bytes maps = { 0 };

    int r = file_read_at(AT_FDCWD, "/proc/self/maps", MAPS_MAX, &maps);
    if (r >= 0)
        r = bytes_terminate(&maps);
    for (char *rest = r < 0 ? NULL : (char *)maps.data, *line; r >= 0 && (line = strsep(&rest, "\n"));)
        r = *line ? own_line(line) : 0;
    return r;
}
