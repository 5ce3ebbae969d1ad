/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/ioctl.h>

#include "cli/raw-terminal.h"

static int begin(int fd, void (*change)(struct termios *t, uint8_t key), uint8_t key, RawTerminal *ret)
{
    RawTerminal t = { .fd = fd };

    if (tcgetattr(fd, &t.saved) < 0)
        return -errno;
    struct termios changed = t.saved;
    change(&changed, key);
    if (tcsetattr(fd, TCSADRAIN, &changed) < 0)
        return -errno;
    *ret = t;
    return 0;
}

static void make_raw(struct termios *t, uint8_t key)
{
    cfmakeraw(t);
}

int raw_terminal_begin(int fd, RawTerminal *ret)
{
    return begin(fd, make_raw, 0, ret);
}

static void end_lines_by(struct termios *t, uint8_t key)
{
    t->c_cc[VEOL] = key;
    t->c_iflag &= ~(tcflag_t)IXON;
}

int line_terminal_begin(int fd, uint8_t key, RawTerminal *ret)
{
    return begin(fd, end_lines_by, key, ret);
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
