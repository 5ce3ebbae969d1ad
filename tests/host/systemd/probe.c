/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries to get at its host, and says on one line at what it succeeded. It is started in place of QEMU, with all that QEMU's process
 * is given and denied; and without any of it, to show that there was something to get at. Linked statically.
 *
 * usage: probe       as QEMU is called: all arguments are passed over
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Attempt {
    int (*func)(const struct Attempt *a); /* 0 or more: it succeeded */
    const char *path;
    int argument;
} Attempt;

static int try_open(const Attempt *a)
{
    return open(a->path, a->argument | O_NONBLOCK | O_NOCTTY, 0600);
}

static int try_connect(const Attempt *a)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", a->path);
    return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int try_socket(const Attempt *a)
{
    return socket(a->argument, SOCK_RAW, 0) >= 0 ? 0 : socket(a->argument, SOCK_DGRAM, 0);
}

static int try_mkdir(const Attempt *a)
{
    return mkdir(a->path, 0700);
}

static int try_namespace(const Attempt *a)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(unshare(a->argument) < 0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int try_mount(const Attempt *a)
{
    return mount("tmpfs", a->path, "tmpfs", 0, NULL);
}

static int try_node(const Attempt *a)
{
    return mknod(a->path, S_IFCHR | 0600, makedev(1, 3));
}

static int try_signal(const Attempt *a)
{
    return kill(a->argument, 0);
}

static int try_root(const Attempt *a)
{
    return setuid(0) < 0 || setgid(0) < 0 ? -1 : chroot("/");
}

static int try_privilege(const Attempt *a)
{
    return prctl(PR_CAPBSET_READ, a->argument, 0, 0, 0) == 1 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0
               ? 0
               : -1;
}

static int try_call(const Attempt *a)
{
    return (int)syscall(a->argument, 0, 0, 0, 0, 0) < 0 &&
                   (errno == EPERM || errno == EACCES || errno == ENOSYS)
               ? -1
               : 0;
}

static const Attempt attempts[] = {
    /* files of the host, which anybody may read who gets there */
    { try_open, "/etc/shadow", O_RDONLY },
    { try_open, "/etc/podvisor/podvisord.conf", O_RDONLY },
    { try_open, "/root/secret", O_RDONLY },
    { try_open, "/home/user/secret", O_RDONLY },
    { try_open, "/srv/secret", O_RDONLY },
    { try_open, "/run/secret", O_RDONLY },
    { try_open, "/var/lib/secret", O_RDONLY },
    { try_open, "/var/lib/podvisor", O_RDONLY | O_DIRECTORY },
    { try_open, "/var/log/journal", O_RDONLY | O_DIRECTORY },
    /* other pods, podvisord */
    { try_open, "/run/podvisor/pods", O_RDONLY | O_DIRECTORY },
    { try_open, "/run/podvisor/pods/real", O_RDONLY | O_DIRECTORY },
    { try_open, "/run/podvisor/pods/real/definition.msgpack", O_RDONLY },
    { try_open, "/run/podvisor/pods/real/vm", O_RDONLY | O_DIRECTORY },
    { try_open, "/run/podvisor/pods/real/vm/machine.lock", O_RDWR },
    { try_connect, "/run/podvisor/pods/real/vm/qmp", 0 },
    { try_connect, "/run/podvisor/bus", 0 },
    /* writing */
    { try_open, "/etc/written", O_WRONLY | O_CREAT },
    { try_open, "/usr/written", O_WRONLY | O_CREAT },
    { try_open, "/run/written", O_WRONLY | O_CREAT },
    { try_open, "/var/lib/written", O_WRONLY | O_CREAT },
    { try_open, "/open/written", O_WRONLY | O_CREAT },
    { try_mkdir, "/run/podvisor/pods/written", 0 },
    { try_mkdir, "/sys/fs/cgroup/written", 0 },
    /* whose socket is who rules the host */
    { try_connect, "/run/dbus/system_bus_socket", 0 },
    { try_connect, "/run/systemd/private", 0 },
    { try_connect, "/run/docker.sock", 0 },
    { try_connect, "/run/libvirt/libvirt-sock", 0 },
    /* devices, each with a node that anybody may open */
    { try_open, "/dev/disk-of-the-host", O_RDONLY },
    { try_open, "/dev/fuse", O_RDWR },
    { try_open, "/dev/mem", O_RDONLY },
    { try_open, "/dev/kmsg", O_RDONLY },
    { try_node, "/tmp/node", 0 },
    /* the network */
    { try_socket, "inet", AF_INET },
    { try_socket, "inet6", AF_INET6 },
    { try_socket, "packet", AF_PACKET },
    { try_socket, "netlink", AF_NETLINK },
    /* processes and the kernel */
    { try_open, "/proc/1/environ", O_RDONLY },
    { try_open, "/proc/1/status", O_RDONLY },
    { try_signal, "init", 1 },
    { try_root, "root", 0 },
    { try_privilege, "capabilities", 0 },
    { try_mount, "/tmp", 0 },
    { try_namespace, "user namespace", CLONE_NEWUSER },
    { try_namespace, "mount namespace", CLONE_NEWNS },
    { try_call, "bpf", SYS_bpf },
    { try_call, "perf_event_open", SYS_perf_event_open },
    { try_call, "init_module", SYS_init_module },
    { try_call, "keyctl", SYS_keyctl },
    { try_call, "open_by_handle_at", SYS_open_by_handle_at },
};

int main(void)
{
    size_t n = sizeof attempts / sizeof attempts[0], got = 0;
    char line[4000] = "";

    for (size_t i = 0; i < n; i++) {
        const Attempt *a = &attempts[i];
        if (a->func(a) < 0)
            continue;
        size_t used = strlen(line);
        (void)snprintf(line + used, sizeof line - used, " [%s]", a->path);
        got++;
    }
    fprintf(stderr, "probe: %zu attempts, %zu succeeded:%s\n", n, got, line);
    return 1;
}
