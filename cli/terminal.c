/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/strings.h"
#include "cli/terminal.h"

bool terminal_has_colours(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && str_empty(no_color) && !str_empty(term) && !streq(term, "dumb");
}

int terminal_width(int fd)
{
    struct winsize size;
    uint64_t columns;

    if (!isatty(fd))
        return 0;
    if (getenv("COLUMNS") && parse_unsigned(getenv("COLUMNS"), &columns) == 0 && columns > 0 &&
        columns < 10000)
        return (int)columns;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static const char *const sequences[COLOUR_MAX] = {
    [COLOUR_NONE] = "",          [COLOUR_GOOD] = "\033[32m", [COLOUR_WARNING] = "\033[33m",
    [COLOUR_BAD] = "\033[1;31m", [COLOUR_FAINT] = "\033[2m", [COLOUR_STRONG] = "\033[1m",
};

const char *colour_begin(Colour colour, bool on)
{
    return on ? sequences[colour] : "";
}

const char *colour_end(Colour colour, bool on)
{
    return on && colour != COLOUR_NONE ? "\033[0m" : "";
}

/* The reader's own settings win; these make less leave short output alone, keep colours, and end at the end of the text. */
static int spawn_pager(const char *program, int input, pid_t *ret)
{
    _cleanup_(strv_freep) char **environment = strv_copy(environ);
    posix_spawn_file_actions_t actions;
    char *arguments[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)program, NULL };

    if (!environment || (!getenv("LESS") && strv_append(&environment, "LESS=FRSXMK") < 0))
        return -ENOMEM;
    int r = -posix_spawn_file_actions_init(&actions);
    if (r < 0)
        return r;
    r = -posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (r == 0)
        r = -posix_spawn(ret, "/bin/sh", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static const char *pager_program(void)
{
    const char *program = getenv("PODVISOR_PAGER") ?: getenv("PAGER");

    /* `cat` where there is no less: not worth a failure. */
    return program ?: "command -v less >/dev/null && exec less || exec cat";
}

Pager pager_open(const Context *c)
{
    Pager p = { .pid = 0, .output = -1 };
    const char *program = pager_program();
    int ends[2];

    if (option_given(c, OPTION_NO_PAGER) || !isatty(STDOUT_FILENO) || str_empty(program) ||
        streq(program, "cat"))
        return p;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return p;
    if (spawn_pager(program, ends[0], &p.pid) == 0) {
        p.output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        (void)dup2(ends[1], STDOUT_FILENO);
        /* The reader may leave early, and decides what Ctrl-C means. */
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN);
    } else
        p.pid = 0;
    safe_close(ends[0]);
    safe_close(ends[1]);
    return p;
}

void pager_close(Pager *p)
{
    if (p->pid == 0)
        return;
    (void)fflush(stdout);
    clearerr(stdout);
    (void)dup2(p->output, STDOUT_FILENO);
    p->output = safe_close(p->output);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}
