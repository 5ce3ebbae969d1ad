/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/file.h"
#include "guest/agent/own-memory.h"

/* Of a process that has no libraries, and no thread but one. */
enum { MAPS_MAX = 16 * 1024 };

/* A line of proc_pid_maps(5); what is no memory of the process's own, such as a device, says so by its name. */
static int own_line(const char *line)
{
    unsigned long from, to;
    char modes[8];

    if (sscanf(line, "%lx-%lx %7s", &from, &to, modes) != 3)
        return -EBADMSG;
    if (modes[0] != 'r' || modes[1] != 'w' || modes[3] != 'p')
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
