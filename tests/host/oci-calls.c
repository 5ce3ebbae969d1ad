/* SPDX-License-Identifier: Apache-2.0 */
/* Of oci-rules: system calls, tried. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci-find.h"

static const struct {
    const char *name;
    long number, arguments[3];
    bool old; /* by the gate of 32-bit programs, where it has this other number */
} calls[] = {
    { "unshare, a user namespace", SYS_unshare, { CLONE_NEWUSER } },
    { "clone, a user namespace", SYS_clone, { CLONE_NEWUSER | SIGCHLD } },
    { "clone3", SYS_clone3, { 0 } },
    { "keyctl", SYS_keyctl, { 999 } },
    { "add_key", SYS_add_key, { 0 } },
    { "bpf", SYS_bpf, { 0 } },
    { "io_uring_setup", SYS_io_uring_setup, { 0 } },
    { "kexec_load", SYS_kexec_load, { 0 } },
    { "init_module", SYS_init_module, { 0 } },
    { "mount", SYS_mount, { 0 } },
    { "setns", SYS_setns, { -1 } },
    { "swapon", SYS_swapon, { 0 } },
    { "reboot", SYS_reboot, { 0 } },
    { "settimeofday", SYS_settimeofday, { 1 } },
    { "a socket to the host", SYS_socket, { AF_VSOCK, SOCK_STREAM } },
    { "fixed addresses", SYS_personality, { 0x0040000 } },
    { "one that no kernel has", 4000, { 0 } },
    { "getpid of 32 bits", 20, { 0 }, true },
    { "keyctl of 32 bits", 288, { 999 }, true },
    { "clone3 of 32 bits", 435, { 0 }, true },
    { "socketcall of 32 bits", 102, { 99 }, true },
    { "getpid of x32", SYS_getpid | 0x40000000, { 0 } },
};

static long call(size_t i)
{
    const long *a = calls[i].arguments;
    long r;

    if (!calls[i].old)
        return syscall(calls[i].number, a[0], a[1], a[2], 0, 0, 0);
    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(calls[i].number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(0), "D"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-r;
    return r < 0 ? -1 : r;
}

/* In a process of its own: those that work change it. */
void find_call(const char *name, char *out)
{
    size_t i = 0;
    int status;

    while (i < COUNT(calls) && strcmp(calls[i].name, name) != 0)
        i++;
    pid_t pid = i < COUNT(calls) ? fork() : -1;
    if (pid == 0)
        _exit(call(i) < 0 ? errno : 0);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        snprintf(out, SIZE, "was not tried");
    else
        snprintf(out, SIZE, "%s", errno_name(WEXITSTATUS(status)));
}
