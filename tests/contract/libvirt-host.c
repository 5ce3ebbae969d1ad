/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/socket.h"
#include "tests/contract/harness.h"
#include "tests/contract/libvirt-host.h"

#define GUEST_DIR "/run/podvisor-test"
#define NOTIFY_FILE "notify"
#define LOG_FILE "libvirtd.log"

enum { WORDS_MAX = 32, OUTPUT_MAX = 1024 * 1024, LOG_SHOWN = 6000 };

typedef struct LibvirtHost {
    pid_t daemon; /* 0: none */
    TestDir dir;  /* its log, what it notifies of, and for a session all that is the user's */
} LibvirtHost;

static LibvirtHost *the_host; /* in shared memory; NULL: not entered */

static bool is_system(void)
{
    return geteuid() == 0;
}

/* --- programs --------------------------------------------------------------------------------------------------------- */

static const char *program_find(const char *const *paths)
{
    for (; *paths; paths++)
        if (access(*paths, X_OK) == 0)
            return *paths;
    return NULL;
}

static const char *daemon_program(void)
{
    static const char *const paths[] = { "/usr/sbin/libvirtd", "/usr/bin/libvirtd", NULL };
    return program_find(paths);
}

static const char *virsh_program(void)
{
    static const char *const paths[] = { "/usr/bin/virsh", NULL };
    return program_find(paths);
}

/* In a child, so that nothing changes here. */
static bool namespaces_work(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(unshare(CLONE_NEWNS) < 0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool libvirt_host_find(char *why, size_t size)
{
    const char *reason = NULL;

    if (!daemon_program())
        reason = "libvirtd is not installed (libvirt-daemon-system)";
    else if (!virsh_program())
        reason = "virsh is not installed (libvirt-clients)";
    else if (is_system() && !namespaces_work())
        reason = "root cannot have a mount namespace here";
    if (reason)
        (void)snprintf(why, size, "%s", reason);
    return !reason;
}

/* --- the place it lives in -------------------------------------------------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *text)
{
    int dir = dir_open_at(AT_FDCWD, directory);

    assert_success(dir);
    assert_success(file_replace_at(dir, name, text, strlen(text), 0644));
    safe_close(dir);
}

static const char *cache_dir(void)
{
    return getenv("PODVISOR_TEST_LIBVIRT_CACHE");
}

static int mount_all(void)
{
    static const char *const empty[] = { "/run", "/var/lib/libvirt", "/var/log/libvirt", "/etc/libvirt" };

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    TABLE_FOREACH (path, empty)
        if (mount("tmpfs", *path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
            return -errno;
    if (cache_dir() && mount(cache_dir(), "/var/cache/libvirt", NULL, MS_BIND, NULL) < 0)
        return -errno;
    return 0;
}

/* Files that libvirt's user can reach, wherever the build is: a mount needs no way to what it shows. */
static int show_file(const char *from, const char *name)
{
    _cleanup_(freep) char *to = strf(GUEST_DIR "/%s", name);

    int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    (void)close(fd);
    return mount(from, to, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static int show_guest(void)
{
    const char *folder = getenv("PODVISOR_TEST_GUEST"), *image = getenv("PODVISOR_TEST_IMAGE");

    if (!folder || !image)
        return -ENOENT;
    _cleanup_(freep) char *kernel = strf("%s/vmlinux", folder);
    _cleanup_(freep) char *initrd = strf("%s/initrd", folder);
    if (mkdir(GUEST_DIR, 0755) < 0)
        return -errno;
    int r = show_file(kernel, "vmlinux");
    if (r >= 0)
        r = show_file(initrd, "initrd");
    if (r >= 0)
        r = show_file(image, "image.erofs");
    if (r < 0)
        return r;
    (void)setenv("PODVISOR_TEST_GUEST", GUEST_DIR, 1);
    (void)setenv("PODVISOR_TEST_IMAGE", GUEST_DIR "/image.erofs", 1);
    return 0;
}

/* In a child, since a process cannot be root again. */
static bool may_use_kvm(const struct passwd *user)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
              setuid(user->pw_uid) < 0 || access("/dev/kvm", R_OK | W_OK) < 0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/*
 * A /dev/kvm that libvirt may open and its machines may not makes it try out QEMU anew at each of its steps, for seconds each: what it finds
 * (KVM works) is not what it expects (it cannot be used). Then there is none.
 */
static int settle_kvm(void)
{
    const struct passwd *user = getpwnam(PODVISOR_LIBVIRT_USER);

    if (access("/dev/kvm", F_OK) < 0 || (user && may_use_kvm(user)))
        return 0;
    int fd = open("/run/no-kvm", O_WRONLY | O_CREAT | O_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)close(fd);
    return mount("/run/no-kvm", "/dev/kvm", NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static int prepare_system(void)
{
    int r = mount_all();

    if (r >= 0)
        r = settle_kvm();
    if (r < 0)
        return r;
    write_file("/etc/libvirt", "libvirtd.conf", "auth_unix_rw = \"none\"\n");
    write_file(
        "/etc/libvirt", "qemu.conf",
        "security_driver = \"none\"\ncgroup_controllers = []\nnamespaces = []\nstdio_handler = \"file\"\n");
    return show_guest();
}

static int prepare_session(const LibvirtHost *host)
{
    _cleanup_(freep) char *run = strf("%s/run", host->dir.path);
    _cleanup_(freep) char *config = strf("%s/config", host->dir.path);
    _cleanup_(freep) char *libvirt = strf("%s/libvirt", config);

    if (mkdir(run, 0700) < 0 || mkdir(config, 0700) < 0 || mkdir(libvirt, 0700) < 0)
        return -errno;
    write_file(libvirt, "qemu.conf", "security_driver = \"none\"\nstdio_handler = \"file\"\n");
    (void)setenv("XDG_RUNTIME_DIR", run, 1);
    (void)setenv("XDG_CONFIG_HOME", config, 1);
    if (cache_dir())
        (void)setenv("XDG_CACHE_HOME", cache_dir(), 1);
    return 0;
}

/* --- the daemon ------------------------------------------------------------------------------------------------------- */

static void daemon_exec(const char *notify)
{
    int log = openat(the_host->dir.fd, LOG_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);

    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)setenv("NOTIFY_SOCKET", notify, 1);
    (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    execl(daemon_program(), daemon_program(), NULL);
    _exit(127);
}

/* It says so when it listens. */
static int wait_notified(int fd)
{
    char text[256];

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, HARNESS_TIMEOUT_MSEC) <= 0)
            return -ETIMEDOUT;
        ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
        if (n <= 0)
            return -EIO;
        text[n] = '\0';
        if (strstr(text, "READY=1"))
            return 0;
    }
}

static int daemon_start(void)
{
    _cleanup_(freep) char *notify = strf("%s/" NOTIFY_FILE, the_host->dir.path);

    (void)unlink(notify);
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", notify);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        daemon_exec(notify);
    if (pid < 0)
        return -errno;
    the_host->daemon = pid;
    return wait_notified(fd);
}

/* Dead or a zombie is all the same: who its parent is differs. */
static bool daemon_lives(void)
{
    char path[64], text[512];

    if (the_host->daemon <= 0)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)the_host->daemon);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *state = strrchr(text, ')');
    return state && state[2] != 'Z';
}

static void daemon_kill(void)
{
    if (!daemon_lives())
        return;
    int fd = (int)syscall(SYS_pidfd_open, the_host->daemon, 0);
    (void)kill(the_host->daemon, SIGKILL);
    (void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, HARNESS_TIMEOUT_MSEC);
    (void)waitpid(the_host->daemon, NULL, WNOHANG);
    the_host->daemon = 0;
    safe_close(fd);
}

void libvirt_host_kill(void)
{
    assert_true(daemon_lives());
    daemon_kill();
}

void libvirt_host_start(void)
{
    assert_false(daemon_lives());
    assert_success(daemon_start());
}

void libvirt_host_forget(const char *domain)
{
    _cleanup_(freep) char *path = is_system()
                                      ? strf("/run/libvirt/qemu/%s.xml", domain)
                                      : strf("%s/run/libvirt/qemu/run/%s.xml", the_host->dir.path, domain);

    assert_false(daemon_lives());
    assert_int_equal(unlink(path), 0);
}

void libvirt_host_hang(bool hang)
{
    assert_true(daemon_lives());
    assert_int_equal(kill(the_host->daemon, hang ? SIGSTOP : SIGCONT), 0);
}

void libvirt_host_show(void)
{
    Bytes b = { 0 };

    if (the_host && file_read_at(the_host->dir.fd, LOG_FILE, OUTPUT_MAX, &b) >= 0)
        fprintf(stderr, "--- what libvirtd wrote last:\n%.*s---\n", (int)MIN(b.size, (size_t)LOG_SHOWN),
                (const char *)b.data + b.size - MIN(b.size, (size_t)LOG_SHOWN));
    bytes_done(&b);
}

/* --- virsh ------------------------------------------------------------------------------------------------------------ */

static void virsh_exec(const char *const *words, int output)
{
    const char *arguments[WORDS_MAX + 4] = { virsh_program(), "-c",
                                             is_system() ? "qemu:///system" : "qemu:///session" };

    for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
        arguments[i + 3] = words[i];
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    execv(virsh_program(), (char *const *)arguments);
    _exit(127);
}

static int wait_program(pid_t pid)
{
    int status = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, HARNESS_TIMEOUT_MSEC) <= 0)
        (void)kill(pid, SIGKILL);
    safe_close(fd);
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int libvirt_virsh_try(char **ret_output, const char *const *words)
{
    Bytes b = { 0 };
    int output = memfd_create("virsh", MFD_CLOEXEC);

    if (output < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        virsh_exec(words, output);
    int status = pid < 0 ? 127 : wait_program(pid);
    (void)lseek(output, 0, SEEK_SET);
    if (ret_output && file_read_fd(output, OUTPUT_MAX, &b) >= 0 && bytes_terminate(&b) >= 0)
        *ret_output = (char *)take_ptr(b.data);
    bytes_done(&b);
    safe_close(output);
    return status;
}

char *libvirt_virsh(const char *word, ...)
{
    const char *words[WORDS_MAX + 1] = { word };
    char *output = NULL;
    va_list rest;

    va_start(rest, word);
    for (size_t i = 1; i < WORDS_MAX && (words[i] = va_arg(rest, const char *)); i++)
        ;
    va_end(rest);
    int status = libvirt_virsh_try(&output, words);
    if (status != 0)
        fail_msg("virsh %s %s: status %d: %s", word, words[1] ?: "", status, output ?: "");
    return output;
}

/* --- enter and leave -------------------------------------------------------------------------------------------------- */

static const char *const words_warm[] = { "domcapabilities", "--virttype", "qemu", NULL };
static const char *const words_list[] = { "list", "--name", NULL };

/* The first one on this machine finds out about QEMU, while the others wait. */
static int cache_warm(void)
{
    if (cache_dir() && mkdir(cache_dir(), 0755) < 0 && errno != EEXIST)
        return -errno;
    _cleanup_(closep) int lock = cache_dir() ? open(cache_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (lock >= 0 && flock(lock, LOCK_EX) < 0)
        return -errno;
    int r = daemon_start();
    return r < 0 ? r : libvirt_virsh_try(NULL, words_warm) == 0 ? 0 : -EIO;
}

static int host_new(char *why, size_t size)
{
    the_host = mmap(NULL, sizeof *the_host, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (the_host == MAP_FAILED)
        abort();
    the_host->dir = test_dir_new();
    if (cache_dir() && mkdir(cache_dir(), 0755) < 0 && errno != EEXIST)
        return -errno;
    int r = is_system() ? prepare_system() : prepare_session(the_host);
    if (r < 0)
        (void)snprintf(why, size, "there is no place for a libvirtd: %s", strerror(-r));
    else if ((r = cache_warm()) < 0)
        (void)snprintf(why, size, "libvirtd does not work: %s", strerror(-r));
    return r;
}

/* Whatever the cell before has left. */
static int host_renew(char *why, size_t size)
{
    _cleanup_(freep) char *domains = NULL;

    int r = daemon_lives() ? kill(the_host->daemon, SIGCONT) : daemon_start();
    if (r < 0 || libvirt_virsh_try(&domains, words_list) != 0) {
        (void)snprintf(why, size, "libvirtd does not work any more: %.80s", domains ?: "");
        return -EIO;
    }
    _cleanup_(strv_freep) char **names = strv_split(domains, " \n");
    STRV_FOREACH (name, names)
        (void)libvirt_virsh_try(NULL, (const char *const[]){ "destroy", *name, NULL });
    return 0;
}

int libvirt_host_enter(char *why, size_t size)
{
    int r = the_host ? host_renew(why, size) : host_new(why, size);

    if (r < 0)
        libvirt_host_show();
    return r;
}

void libvirt_host_leave(void)
{
    if (!the_host)
        return;
    daemon_kill();
    test_dir_done(&the_host->dir);
}
