/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/console.h"

#define ACTIVE "/sys/class/tty/console/active"
#define FIRST_PORT "ttyS0"

static int port = -1;

/* A port that nobody reads is not waited for: the console has the same words. */
static void log_to_both(int level, const LogField *fields, const char *message)
{
    static char name[] = "podvisor-agent: ", end[] = "\n";
    const struct iovec parts[] = { { .iov_base = name, .iov_len = sizeof name - 1 },
                                   { .iov_base = (char *)(uintptr_t)message, .iov_len = strlen(message) },
                                   { .iov_base = end, .iov_len = sizeof end - 1 } };

    log_to_stderr(level, fields, message);
    (void)!writev(port, parts, (int)ELEMENTSOF(parts));
}

/* Whether the kernel's console is on the first port, or cannot be told. */
static bool console_is_first_port(void)
{
    char active[128];
    _cleanup_(closep) int fd = open(ACTIVE, O_RDONLY | O_CLOEXEC);

    ssize_t n = fd < 0 ? -1 : read(fd, active, sizeof active - 1);
    if (n <= 0)
        return true;
    active[n] = 0;
    for (char *rest = active, *word; (word = strsep(&rest, " \n"));)
        if (strcmp(word, FIRST_PORT) == 0)
            return true;
    return false;
}

void console_open(void)
{
    if (console_is_first_port())
        return;
    port = open("/dev/" FIRST_PORT, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (port >= 0)
        log_set_sink(log_to_both);
}
