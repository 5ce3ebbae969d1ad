/* SPDX-License-Identifier: Apache-2.0 */
/* The only program of the image that the tests of containers run: what a container's program may do, by name. Linked statically. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/strings.h"
#include "guest/agent/rehearsal.h"

static int do_rehearse(char **argv)
{
    puts(REHEARSAL_WORD);
    return 0;
}

static int do_exit(char **argv)
{
    return (int)strtol(argv[0], NULL, 10);
}

static int do_say(char **argv)
{
    printf("%s\n", argv[0]);
    if (argv[1])
        fprintf(stderr, "%s\n", argv[1]);
    return 0;
}

/* Until TERM or USR1, whose number is then the exit status. */
static int do_wait(char **argv)
{
    sigset_t set;
    int signal;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("waiting\n");
    fflush(stdout);
    return sigwait(&set, &signal) == 0 ? signal : 1;
}

/* Until it is killed: as process 1 it has no handler for anything. */
static int do_stubborn(char **argv)
{
    (void)signal(SIGHUP, SIG_IGN);
    printf("stubborn\n");
    fflush(stdout);
    while (pause() < 0)
        continue;
    return 0;
}

/* As wait, without standard input. */
static int do_deaf(char **argv)
{
    close(STDIN_FILENO);
    return do_wait(argv);
}

/* Its terminal's size, whenever it hears of one. */
static int do_sizes(char **argv)
{
    struct winsize size;
    sigset_t set;
    int signal;

    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("waiting\n");
    while (fflush(stdout) == 0 && sigwait(&set, &signal) == 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
        printf("size %u %u\n", size.ws_row, size.ws_col);
    return 1;
}

/* Without a stream for a while, as programs that let go of their terminal. */
static int do_return(char **argv)
{
    (void)signal(SIGHUP, SIG_DFL);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (open("/dev/tty", O_RDWR) < 0 || dup(0) < 0)
        return 1;
    return do_wait(argv);
}

static int do_cat(char **argv)
{
    char buffer[65536];

    for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;)
        for (ssize_t done = 0, m; done < n; done += m)
            if ((m = write(1, buffer + done, (size_t)(n - done))) < 0)
                return 1;
    return 0;
}

static int do_lines(char **argv)
{
    long n = strtol(argv[0], NULL, 10);

    for (long i = 1; i <= n; i++)
        printf("%ld\n", i);
    return 0;
}

static int do_zeroes(char **argv)
{
    char buffer[4096] = { 0 };

    for (long left = strtol(argv[0], NULL, 10); left > 0; left -= (long)sizeof buffer)
        (void)!write(1, buffer, (size_t)MIN(left, (long)sizeof buffer));
    return 0;
}

static int do_status(char **argv)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, argv[0], strlen(argv[0])) == 0)
            fputs(line, stdout);
    printf("uid %u gid %u pid %d cwd %s home %s term %s\n", getuid(), getgid(), getpid(),
           getcwd(line, sizeof line) ?: "?", getenv("HOME") ?: "", getenv("TERM") ?: "");
    return 0;
}

static int do_show(char **argv)
{
    char line[256];
    FILE *f = fopen(argv[0], "re");

    while (f && fgets(line, sizeof line, f))
        fputs(line, stdout);
    if (!f)
        printf("%s: %s\n", argv[0], strerror(errno));
    return 0;
}

static int do_write(char **argv)
{
    int fd = open(argv[0], O_WRONLY | O_CREAT, 0644);
    printf("%s: %s\n", argv[0], fd < 0 || write(fd, "x", 1) != 1 ? strerror(errno) : "written");
    return 0;
}

static int do_terminal(char **argv)
{
    struct winsize size = { 0 };

    (void)ioctl(0, TIOCGWINSZ, &size);
    printf("%s %u %u\n", isatty(0) ? ttyname(0) ?: "nameless" : "none", size.ws_row, size.ws_col);
    return 0;
}

/* Whether the system call of the number, with nothing but zeroes, is refused, and how. */
static int do_call(char **argv)
{
    long number = strtol(argv[0], NULL, 10);
    printf("call %ld: %s\n", number,
           syscall(number, 0, 0, 0, 0, 0, 0) < 0 ? strerrorname_np(errno) : "works");
    return 0;
}

static int do_limit(char **argv)
{
    struct rlimit limit = { 0 };

    (void)getrlimit((__rlimit_resource_t)strtol(argv[0], NULL, 10), &limit);
    printf("limit %llu %llu\n", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    return 0;
}

/* A child that outlives it, and says so for as long as it does. */
static int do_leave(char **argv)
{
    if (fork() == 0)
        for (;;)
            pause();
    printf("left behind by %d\n", getpid());
    return 0;
}

/* Once 1, then 0: the first run leaves a file behind. */
static int do_once(char **argv)
{
    return access("/tried", F_OK) == 0 ? 0 : (close(open("/tried", O_CREAT | O_WRONLY, 0600)), 1);
}

/* To both streams, if wanted at length; then fails. */
static int do_complain(char **argv)
{
    fprintf(stderr, "left\n");
    printf("right\n");
    for (long n = argv[0] ? strtol(argv[0], NULL, 10) : 0; n > 0; n--)
        fputc('x', stderr);
    return 1;
}

static const struct {
    const char *name;
    int (*func)(char **argv);
    int n_arguments;
} commands[] = {
    { "exit", do_exit, 1 },     { "say", do_say, 1 },
    { "wait", do_wait },        { "stubborn", do_stubborn },
    { "cat", do_cat },          { "lines", do_lines, 1 },
    { "zeroes", do_zeroes, 1 }, { "status", do_status, 1 },
    { "write", do_write, 1 },   { "terminal", do_terminal },
    { "once", do_once },        { "call", do_call, 1 },
    { "limit", do_limit, 1 },   { "leave", do_leave },
    { "show", do_show, 1 },     { "complain", do_complain },
    { "deaf", do_deaf },        { "sizes", do_sizes },
    { "return", do_return },    { REHEARSAL_WORD, do_rehearse },
};

int main(int argc, char **argv)
{
    TABLE_FOREACH (command, commands)
        if (argc > 1 && streq(command->name, argv[1]) && argc - 2 >= command->n_arguments)
            return command->func(argv + 2);
    return 99;
}
