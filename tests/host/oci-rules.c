/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the public rules of OCI runtimes and the usual defaults of container engines promise a program, looked at from inside of a
 * container: one row each, which finds something and compares it with what the container was declared to have.
 *
 * usage: oci-rules usual|tight|free [stay]      the columns are the containers of test-oci.py; stay: goes on until TERM
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "oci-find.h"

const char *errno_name(int number)
{
    return number == 0 ? "works" : strerrorname_np(number);
}

/* --- what a file says --- */

static void first_line(const char *path, char *out)
{
    FILE *f = fopen(path, "re");

    if (!f || !fgets(out, SIZE, f))
        snprintf(out, SIZE, "%s", f ? "" : errno_name(errno));
    out[strcspn(out, "\n")] = 0;
    if (f)
        fclose(f);
}

/* Disks get their numbers in the order in which they come. */
static void find_io_limits(const char *path, char *out)
{
    first_line(path, out);
    const char *limits = strchr(out, ' ');
    if (limits)
        memmove(out, limits + 1, strlen(limits));
}

/* The value of a key in /proc/self/status, blanks as one. */
static void find_status(const char *key, char *out)
{
    char line[SIZE];
    size_t n = strlen(key);
    FILE *f = fopen("/proc/self/status", "re");

    snprintf(out, SIZE, "no such key");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) != 0 || line[n] != ':')
            continue;
        char *to = out;
        for (const char *p = line + n + 1; *p; p++)
            if (!isspace((unsigned char)*p))
                *to++ = *p;
            else if (to > out && to[-1] != ' ')
                *to++ = ' ';
        while (to > out && to[-1] == ' ')
            to--;
        *to = 0;
    }
    if (f)
        fclose(f);
}

/* --- mounts --- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "proc nodev,noexec,nosuid,rw": those of the options that keep something from happening. */
static void find_mount(const char *path, char *out)
{
    char line[SIZE], target[SIZE], options[SIZE], rest[SIZE];
    FILE *f = fopen("/proc/self/mountinfo", "re");

    snprintf(out, SIZE, "nothing is mounted");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%*s %*s %*s %*s %4095s %4095s %4095[^\n]", target, options, rest) != 3 ||
            strcmp(target, path) != 0)
            continue;
        bool private = rest[0] == '-';
        char *type = strstr(rest, "- ") + 2, *words[64];
        size_t n = 0;
        type[strcspn(type, " ")] = 0;
        for (char *p = strtok(options, ","); p && n < COUNT(words); p = strtok(NULL, ","))
            if (strcmp(p, "relatime") != 0)
                words[n++] = p;
        qsort(words, n, sizeof *words, compare_words);
        size_t used = (size_t)snprintf(out, SIZE, "%s%s ", private ? "" : "shared ", type);
        for (size_t i = 0; i < n; i++)
            used += (size_t)snprintf(out + used, SIZE - used, "%s%s", i ? "," : "", words[i]);
    }
    if (f)
        fclose(f);
}

/* A directory with nothing in it, or a file with nothing in it. */
static void find_masked(const char *path, char *out)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int n = 0;

    if (fd < 0 && errno == ENOENT) {
        snprintf(out, SIZE, "hidden");
        return;
    }
    if (d)
        for (struct dirent *e; (e = readdir(d));)
            n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    else if (fd >= 0)
        n = (int)read(fd, &byte, 1);
    snprintf(out, SIZE, fd >= 0 && n != 0 ? "shows something" : "hidden");
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
}

static void find_read_only(const char *path, char *out)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        snprintf(out, SIZE, "%s", errno == ENOENT ? "read-only" : errno_name(errno));
    else
        snprintf(out, SIZE, "%s", st.f_flag & ST_RDONLY ? "read-only" : "writable");
}

static void find_room(const char *path, char *out)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        snprintf(out, SIZE, "%s", errno_name(errno));
    else
        snprintf(out, SIZE, "%llu", (unsigned long long)st.f_blocks * st.f_frsize);
}

static void find_written(const char *path, char *out)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    snprintf(out, SIZE, "%s", fd < 0 ? errno_name(errno) : "works");
    if (fd >= 0)
        close(fd);
}

/* --- devices --- */

static void find_device(const char *path, char *out)
{
    struct stat st;

    if (stat(path, &st) < 0)
        snprintf(out, SIZE, "%s", errno_name(errno));
    else
        snprintf(out, SIZE, "%c %u:%u %04o", S_ISCHR(st.st_mode) ? 'c' : '?', major(st.st_rdev),
                 minor(st.st_rdev), st.st_mode & 07777);
}

/* "r /dev/x": opens it so. */
static void find_opened(const char *how, char *out)
{
    int flags = *how == 'r' ? O_RDONLY : *how == 'w' ? O_WRONLY : O_RDWR;
    int fd = open(how + 2, flags | O_CLOEXEC | O_NONBLOCK);
    snprintf(out, SIZE, "%s", fd < 0 ? errno_name(errno) : "works");
    if (fd >= 0)
        close(fd);
}

static void find_link(const char *path, char *out)
{
    ssize_t n = readlink(path, out, SIZE - 1);
    if (n < 0)
        snprintf(out, SIZE, "%s", errno_name(errno));
    else
        out[n] = 0;
}

/* All names in it, in order. */
static void find_names(const char *path, char *out)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    size_t used = 0;

    out[0] = 0;
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.')
            used += (size_t)snprintf(out + used, SIZE - used, "%s%s", used ? " " : "", entries[i]->d_name);
        free(entries[i]);
    }
}

static void find_mknod(const char *path, char *out)
{
    snprintf(out, SIZE, "%s", mknod(path, S_IFBLK | 0600, makedev(8, 0)) < 0 ? errno_name(errno) : "works");
}

static void find_changed_mode(const char *path, char *out)
{
    snprintf(out, SIZE, "%s", chmod(path, 0600) < 0 ? errno_name(errno) : "works");
}

/* --- the process --- */

static void find_rlimit(const char *number, char *out)
{
    struct rlimit limit;
    char words[2][24];

    if (getrlimit((__rlimit_resource_t)atoi(number), &limit) < 0) {
        snprintf(out, SIZE, "%s", errno_name(errno));
        return;
    }
    for (int i = 0; i < 2; i++) {
        rlim_t value = i == 0 ? limit.rlim_cur : limit.rlim_max;
        if (value == RLIM_INFINITY)
            snprintf(words[i], sizeof words[i], "infinity");
        else
            snprintf(words[i], sizeof words[i], "%llu", (unsigned long long)value);
    }
    snprintf(out, SIZE, "%s:%s", words[0], words[1]);
}

static void find_umask(const char *unused, char *out)
{
    mode_t mask = umask(0);
    umask(mask);
    snprintf(out, SIZE, "%04o", mask);
}

static void find_hostname(const char *unused, char *out)
{
    if (gethostname(out, SIZE) < 0)
        snprintf(out, SIZE, "%s", errno_name(errno));
}

/* Besides the one that looks. */
static void find_descriptors(const char *unused, char *out)
{
    size_t used = 0;

    out[0] = 0;
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            used += (size_t)snprintf(out + used, SIZE - used, "%s%d", used ? " " : "", fd);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_environment(const char *unused, char *out)
{
    size_t n = 0, used = 0;

    while (environ[n])
        n++;
    qsort(environ, n, sizeof *environ, compare_strings);
    out[0] = 0;
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, SIZE - used, "%s%s", i ? " " : "", environ[i]);
}

static void find_terminal(const char *unused, char *out)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    snprintf(out, SIZE, "%s%s", fd < 0 ? errno_name(errno) : "has one",
             getsid(0) == getpid() ? ", own session" : "");
}

static void find_prctl(const char *number, char *out)
{
    snprintf(out, SIZE, "%d", prctl(atoi(number), 0, 0, 0, 0));
}

static void find_parent_signal(const char *unused, char *out)
{
    int number = -1;
    (void)prctl(PR_GET_PDEATHSIG, &number);
    snprintf(out, SIZE, "%d", number);
}

static void find_priority(const char *unused, char *out)
{
    snprintf(out, SIZE, "%d %d", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
}

static void find_directory(const char *unused, char *out)
{
    if (!getcwd(out, SIZE))
        snprintf(out, SIZE, "%s", errno_name(errno));
}

/* --- the rules --- */

enum { USUAL, TIGHT, FREE, COLUMNS };
static const char *const columns[COLUMNS] = { "usual", "tight", "free" };

#define ALL(text)                                                                                            \
    {                                                                                                        \
        text, text, text                                                                                     \
    }
/* Who may not write anyway is told that first. */
#define NOT_WRITABLE                                                                                         \
    {                                                                                                        \
        "EROFS", "EACCES", "EACCES"                                                                          \
    }
#define USUAL_CAPS "00000000800405fb"
#define MOUNT_ROW(path, text)                                                                                \
    {                                                                                                        \
        "mount " path, find_mount, path, ALL(text)                                                           \
    }
#define MASKED(path)                                                                                         \
    {                                                                                                        \
        "masked " path, find_masked, path, ALL("hidden")                                                     \
    }
#define READ_ONLY(path)                                                                                      \
    {                                                                                                        \
        "read-only " path, find_read_only, path, ALL("read-only")                                            \
    }
#define NODE(name, number)                                                                                   \
    {                                                                                                        \
        "device /dev/" name, find_device, "/dev/" name, ALL("c " number " 0666")                             \
    }
#define LINK(name, to)                                                                                       \
    {                                                                                                        \
        "link /dev/" name, find_link, "/dev/" name, ALL(to)                                                  \
    }
#define CALL(name, confined, free)                                                                           \
    {                                                                                                        \
        "system call " name, find_call, name,                                                                \
        {                                                                                                    \
            confined, confined, free                                                                         \
        }                                                                                                    \
    }
#define STRING_OF(x) #x
#define RLIMIT(name, number, usual, tight)                                                                   \
    {                                                                                                        \
        "rlimit " name, find_rlimit, STRING_OF(number),                                                      \
        {                                                                                                    \
            usual, tight, usual                                                                              \
        }                                                                                                    \
    }

/* An expected NULL: whatever it is. */
static const struct {
    const char *name;
    void (*find)(const char *argument, char *out);
    const char *argument;
    const char *expected[COLUMNS];
} rules[] = {
    MOUNT_ROW("/proc", "proc nodev,noexec,nosuid,rw"),
    MOUNT_ROW("/sys", "sysfs nodev,noexec,nosuid,ro"),
    MOUNT_ROW("/sys/fs/cgroup", "cgroup2 nodev,noexec,nosuid,ro"),
    MOUNT_ROW("/dev", "tmpfs nosuid,rw"),
    MOUNT_ROW("/dev/pts", "devpts noexec,nosuid,rw"),
    MOUNT_ROW("/dev/shm", "tmpfs nodev,noexec,nosuid,rw"),
    MOUNT_ROW("/dev/mqueue", "mqueue nodev,noexec,nosuid,rw"),
    { "mount /", find_mount, "/", { "overlay nodev,rw", "overlay nodev,ro", "overlay nodev,rw" } },
    { "size of /dev/shm", find_room, "/dev/shm", ALL("8388608") },
    { "size of what can be written", find_room, "/", { NULL, NULL, "4194304" } },
    { "write to /", find_written, "/x", { "works", "EROFS", "EACCES" } },
    { "write to /etc/hosts", find_written, "/etc/hosts", NOT_WRITABLE },

    MASKED("/proc/kcore"),
    MASKED("/proc/keys"),
    MASKED("/proc/latency_stats"),
    MASKED("/proc/timer_list"),
    MASKED("/proc/sched_debug"),
    MASKED("/proc/acpi"),
    MASKED("/proc/asound"),
    MASKED("/proc/scsi"),
    MASKED("/sys/firmware"),
    MASKED("/sys/devices/virtual/powercap"),
    READ_ONLY("/proc/bus"),
    READ_ONLY("/proc/fs"),
    READ_ONLY("/proc/irq"),
    READ_ONLY("/proc/sys"),
    READ_ONLY("/proc/sysrq-trigger"),
    { "write to a setting of the kernel", find_written, "/proc/sys/kernel/panic", NOT_WRITABLE },
    { "write to a control group", find_written, "/sys/fs/cgroup/pids.max", NOT_WRITABLE },

    { "names in /dev",
      find_names,
      "/dev",
      { "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero",
        "fd full fuse mqueue net null ptmx pts random shm stderr stdin stdout tty urandom zero",
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero" } },
    NODE("null", "1:3"),
    NODE("zero", "1:5"),
    NODE("full", "1:7"),
    NODE("random", "1:8"),
    NODE("urandom", "1:9"),
    NODE("tty", "5:0"),
    { "device /dev/ptmx", find_device, "/dev/pts/ptmx", ALL("c 5:2 0666") },
    LINK("ptmx", "pts/ptmx"),
    LINK("fd", "/proc/self/fd"),
    LINK("stdin", "/proc/self/fd/0"),
    LINK("stdout", "/proc/self/fd/1"),
    LINK("stderr", "/proc/self/fd/2"),
    { "device /dev/fuse", find_device, "/dev/fuse", { "ENOENT", "c 10:229 0666", "ENOENT" } },
    { "device /dev/net/tun", find_device, "/dev/net/tun", { "ENOENT", "c 10:200 0666", "ENOENT" } },
    { "use of /dev/fuse", find_opened, "b /dev/fuse", { "ENOENT", "works", "ENOENT" } },
    { "reading /dev/net/tun", find_opened, "r /dev/net/tun", { "ENOENT", "works", "ENOENT" } },
    { "writing /dev/net/tun", find_opened, "w /dev/net/tun", { "ENOENT", "EPERM", "ENOENT" } },
    { "mode of /dev/fuse", find_changed_mode, "/dev/fuse", { "ENOENT", "EROFS", "ENOENT" } },
    { "a new device", find_mknod, "/dev/shm/disk", ALL("EPERM") },

    { "capabilities, effective",
      find_status,
      "CapEff",
      { USUAL_CAPS, "0000000000000400", "0000000000000000" } },
    { "capabilities, permitted",
      find_status,
      "CapPrm",
      { USUAL_CAPS, "0000000000000400", "0000000000000000" } },
    { "capabilities, inheritable",
      find_status,
      "CapInh",
      { "0000000000000000", "0000000000000400", "0000000000000000" } },
    { "capabilities, bounding",
      find_status,
      "CapBnd",
      { USUAL_CAPS, "0000000000000400", "0000000000000000" } },
    { "capabilities, ambient",
      find_status,
      "CapAmb",
      { "0000000000000000", "0000000000000400", "0000000000000000" } },
    { "no_new_privs", find_status, "NoNewPrivs", { "1", "1", "0" } },
    { "secure bits", find_prctl, STRING_OF(27), ALL("0") },
    { "keep capabilities", find_prctl, STRING_OF(7), ALL("0") },

    { "seccomp mode", find_status, "Seccomp", { "2", "2", "0" } },
    CALL("unshare, a user namespace", "EPERM", "works"),
    CALL("clone, a user namespace", "EPERM", "works"),
    CALL("clone3", "ENOSYS", "EINVAL"),
    CALL("keyctl", "EPERM", "EOPNOTSUPP"),
    CALL("add_key", "EPERM", "EFAULT"),
    CALL("bpf", "EPERM", "EPERM"),
    CALL("io_uring_setup", "EPERM", "EFAULT"),
    CALL("kexec_load", "EPERM", "EPERM"),
    CALL("init_module", "EPERM", "EPERM"),
    CALL("mount", "EPERM", "EFAULT"),
    CALL("setns", "EPERM", "EBADF"),
    CALL("swapon", "EPERM", "EPERM"),
    CALL("reboot", "EPERM", "EPERM"),
    CALL("settimeofday", "EPERM", "EFAULT"),
    CALL("a socket to the host", "EPERM", "EAFNOSUPPORT"),
    CALL("fixed addresses", "ENOSYS", "works"),
    CALL("one that no kernel has", "ENOSYS", "ENOSYS"),
    CALL("getpid of 32 bits", "works", "works"),
    CALL("keyctl of 32 bits", "EPERM", "EOPNOTSUPP"),
    CALL("clone3 of 32 bits", "ENOSYS", "EINVAL"),
    CALL("socketcall of 32 bits", "EINVAL", "EINVAL"),
    CALL("getpid of x32", "ENOSYS", "ENOSYS"),

    RLIMIT("nofile", 7, "1024:524288", "100:200"),
    RLIMIT("core", 4, "0:infinity", "0:0"),
    RLIMIT("cpu", 0, "infinity:infinity", "1000:2000"),
    RLIMIT("fsize", 1, "infinity:infinity", "1048576:1048576"),
    RLIMIT("stack", 3, "8388608:infinity", "4194304:4194304"),
    RLIMIT("as", 9, "infinity:infinity", "infinity:infinity"),
    RLIMIT("nproc", 6, "infinity:infinity", "infinity:infinity"),
    RLIMIT("msgqueue", 12, "819200:819200", "819200:819200"),

    { "control group", first_line, "/proc/self/cgroup", ALL("0::/") },
    { "cgroup memory.max", first_line, "/sys/fs/cgroup/memory.max", { "max", "16777216", "max" } },
    { "cgroup memory.high", first_line, "/sys/fs/cgroup/memory.high", { "max", "12582912", "max" } },
    { "cgroup memory.swap.max", first_line, "/sys/fs/cgroup/memory.swap.max", { "0", "8388608", "0" } },
    { "cgroup memory.low", first_line, "/sys/fs/cgroup/memory.low", { "0", "4194304", "0" } },
    { "cgroup memory.oom.group", first_line, "/sys/fs/cgroup/memory.oom.group", ALL("1") },
    { "cgroup pids.max", first_line, "/sys/fs/cgroup/pids.max", { NULL, "20", NULL } },
    { "cgroup cpu.max",
      first_line,
      "/sys/fs/cgroup/cpu.max",
      { "max 100000", "50000 100000", "max 100000" } },
    { "cgroup cpu.weight", first_line, "/sys/fs/cgroup/cpu.weight", { "100", "200", "100" } },
    { "cgroup io.max",
      find_io_limits,
      "/sys/fs/cgroup/io.max",
      { "", "rbps=104857600 wbps=max riops=5000 wiops=max", "" } },
    { "sysctl net.core.somaxconn", first_line, "/proc/sys/net/core/somaxconn", ALL("1234") },
    { "sysctl kernel.msgmax", first_line, "/proc/sys/kernel/msgmax", ALL("9000") },

    { "user", find_status, "Uid", { "0 0 0 0", "1000 1000 1000 1000", "33 33 33 33" } },
    { "group", find_status, "Gid", { "0 0 0 0", "1000 1000 1000 1000", "33 33 33 33" } },
    { "supplementary groups", find_status, "Groups", { "", "33 2000", "" } },
    { "hostname", find_hostname, NULL, ALL("rules") },
    { "working directory", find_directory, NULL, { "/", "/var", "/" } },
    { "environment",
      find_environment,
      NULL,
      { "HOME=/ HOSTNAME=rules PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "A=1 HOME=/home HOSTNAME=rules PATH=/bin",
        "HOME=/tmp HOSTNAME=rules PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" } },
    { "umask", find_umask, NULL, { "0022", "0027", "0022" } },
    { "oom_score_adj", first_line, "/proc/self/oom_score_adj", ALL("0") },
    { "open descriptors", find_descriptors, NULL, ALL("0 1 2") },
    { "signals, blocked", find_status, "SigBlk", ALL("0000000000000000") },
    { "signals, ignored", find_status, "SigIgn", ALL("0000000000000000") },
    { "signals, caught", find_status, "SigCgt", ALL("0000000000000000") },
    { "signal at the parent's end", find_parent_signal, NULL, ALL("0") },
    { "terminal", find_terminal, NULL, ALL("ENXIO, own session") },
    { "nice value and scheduler", find_priority, NULL, ALL("0 0") },
};

int main(int argc, char **argv)
{
    static char found[SIZE];
    int column = 0, failed = 0, ended;
    sigset_t term;

    while (column < COLUMNS && (argc < 2 || strcmp(columns[column], argv[1]) != 0))
        column++;
    if (column == COLUMNS)
        return 2;
    for (size_t i = 0; i < COUNT(rules); i++) {
        const char *expected = rules[i].expected[column];
        rules[i].find(rules[i].argument, found);
        bool ok = !expected || strcmp(found, expected) == 0;
        failed += !ok;
        if (ok)
            printf("ok    %-6s %-45s %s\n", argv[1], rules[i].name, found);
        else
            printf("FAIL  %-6s %-45s %s, not %s\n", argv[1], rules[i].name, found, expected);
    }
    printf("%zu rules of %s, %d broken\n", COUNT(rules), argv[1], failed);
    fflush(stdout);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    return argc > 2 && strcmp(argv[2], "stay") == 0 ? sigwait(&term, &ended) : failed > 0;
}
