/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/ioctl.h>

#include "cli/raw-terminal.h"

int raw_terminal_begin(int fd, RawTerminal *ret)
{
    RawTerminal t = { .fd = fd };

    if (tcgetattr(fd, &t.saved) < 0)
        return -errno;
    struct termios raw = t.saved;
    cfmakeraw(&raw);
    if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
        return -errno;
    *ret = t;
    return 0;
}

void raw_terminal_end(RawTerminal *t)
{
    if (t->fd >= 0)
        (void)tcsetattr(t->fd, TCSADRAIN, &t->saved);
    t->fd = -1;
}

void terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns)
{
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;

    *ret_rows = known ? size.ws_row : 24;
    *ret_columns = known ? size.ws_col : 80;
}
