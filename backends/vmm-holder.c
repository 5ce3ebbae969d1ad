/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/vmm.h"
#include "base/strings.h"

/* "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF" -> 1234, when it is about this file. */
static pid_t holder_in_line(char *line, const struct stat *st)
{
    _cleanup_(strv_freep) char **words = strv_split(line, " ");
    uint64_t pid;

    if (strv_length(words) < 6 || !streq(words[1], "FLOCK") || !streq(words[3], "WRITE"))
        return 0;
    _cleanup_(freep) char *file =
        strf("%02x:%02x:%llu", major(st->st_dev), minor(st->st_dev), (unsigned long long)st->st_ino);
    if (!file || !streq(words[5], file) || parse_unsigned(words[4], &pid) < 0 || pid > INT32_MAX)
        return 0;
    return (pid_t)pid;
}

pid_t vmm_lock_holder(int dir, const char *file)
{
    struct stat st;
    pid_t pid = 0;
    char *line = NULL;
    size_t size = 0;

    if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    FILE *f = fopen("/proc/locks", "re");
    while (f && pid == 0 && getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = 0;
        pid = holder_in_line(line, &st);
    }
    free(line);
    if (f)
        fclose(f);
    return pid;
}
