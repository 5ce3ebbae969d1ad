/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backends/qemu/vmm-log.h"
#include "backends/vmm.h"
#include "base/file.h"
#include "base/strings.h"

int vmm_log_new(void)
{
    _cleanup_(closep) int fd = memfd_create("qemu-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, VMM_LOG_SIZE) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -errno;
    return take_fd(&fd);
}

int vmm_log_of(pid_t pid)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/fd/2", (int)pid);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) && st.st_size == VMM_LOG_SIZE ? take_fd(&fd) : -EINVAL;
}

/* The file has its full size from the beginning; what was not written yet is zero. */
static size_t log_read(int log, char text[VMM_LOG_SIZE + 1])
{
    ssize_t n = log >= 0 ? pread(log, text, VMM_LOG_SIZE, 0) : 0;

    text[MAX(n, 0)] = 0;
    return strlen(text);
}

int vmm_log_store(int log, int vm_dir)
{
    char text[VMM_LOG_SIZE + 1];
    size_t size = log_read(log, text);

    return size > 0 ? file_replace_at(vm_dir, VMM_LOG_FILE, text, size, 0600) : 0;
}

int vmm_log_read_from(int log, size_t offset, Bytes *ret)
{
    char text[VMM_LOG_SIZE + 1];
    size_t size = log_read(log, text);

    return size > offset ? bytes_append(ret, text + offset, size - offset) : 0;
}

char *vmm_log_last_line(int log)
{
    enum { LINE_MAX_SIZE = 300 };
    char text[VMM_LOG_SIZE + 1];
    size_t size = log_read(log, text);

    while (size > 0 && text[size - 1] == '\n')
        text[--size] = 0;
    if (size == 0)
        return NULL;
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    const char *after = str_after(line, "qemu-system-x86_64: ") ?: line;
    return str_escape(after, strnlen(after, LINE_MAX_SIZE));
}

char *vmm_log_end(int pidfd, int log)
{
    int64_t code = -1;
    uint64_t signal = 0;

    (void)vmm_reap(pidfd, &code, &signal);
    if (signal > 0)
        return strf("QEMU was killed by signal %llu", (unsigned long long)signal);
    _cleanup_(freep) char *line = vmm_log_last_line(log);
    return strf("QEMU exited with status %lld%s%s", (long long)code, line ? ": " : "", line ?: "");
}
