/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/io.h>

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/idle.h"

#define CLOCK_EVENTS "/sys/devices/system/clockevents"
#define PROACTIVENESS "/proc/sys/vm/compaction_proactiveness"

/* Intel 8254: the ports of channel 0 and of the control word; channel 0, both bytes, mode 0, which counts down once. */
enum { PIT_CHANNEL = 0x40, PIT_CONTROL = 0x43, PIT_PORTS = 4, PIT_ONCE = 0x30 };

static bool begins_with(const char *path, const char *word)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[16] = "";

    return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strncmp(text, word, strlen(word)) == 0;
}

/* By a timer of the processor's own alone: there the PIT is nobody's. */
static bool pit_is_idle(void)
{
    return begins_with(CLOCK_EVENTS "/clockevent0/current_device", "lapic") &&
           !begins_with(CLOCK_EVENTS "/broadcast/current_device", "pit");
}

/* In mode 0 the output turns once more, at the end of the count, and then never. */
static int stop_pit(void)
{
    if (!pit_is_idle())
        return 0;
    if (ioperm(PIT_CHANNEL, PIT_PORTS, 1) < 0)
        return -errno;
    outb(PIT_ONCE, PIT_CONTROL);
    outb(0, PIT_CHANNEL);
    outb(0, PIT_CHANNEL);
    return ioperm(PIT_CHANNEL, PIT_PORTS, 0) < 0 ? -errno : 0;
}

static int stop_compaction(void)
{
    _cleanup_(closep) int fd = open(PROACTIVENESS, O_WRONLY | O_CLOEXEC);

    if (fd < 0) /* a kernel that does no such thing */
        return errno == ENOENT ? 0 : -errno;
    return write_all(fd, "0", 1);
}

int idle_prepare(void)
{
    int pit = stop_pit(), compaction = stop_compaction();

    if (pit < 0)
        log_error_errno(pit, "the PIT could not be stopped");
    if (compaction < 0)
        log_error_errno(compaction, "memory is still looked through for pieces");
    return pit < 0 ? pit : compaction;
}
