/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "guest/agent/seccomp-profile.h"

const SyscallGroup seccomp_allowed[] = {
    { "files by name",
      "access chdir chmod chown chown32 creat faccessat faccessat2 fchmodat fchownat fstatat64 "
      "futimesat getcwd lchown lchown32 link linkat lstat lstat64 mkdir mkdirat mknod mknodat "
      "name_to_handle_at newfstatat open openat openat2 readlink readlinkat rename renameat "
      "renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat truncate truncate64 "
      "umask unlink unlinkat utime utimensat utimensat_time64 utimes" },
    { "files that are open",
      "_llseek close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate "
      "fchdir fchmod fchown fchown32 fcntl fcntl64 fdatasync flock fstat fstat64 fstatfs fstatfs64 "
      "fsync ftruncate ftruncate64 getdents getdents64 ioctl lseek memfd_create pipe pipe2 pread64 "
      "preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice "
      "sync sync_file_range syncfs tee vmsplice write writev" },
    { "extended attributes",
      "fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr "
      "lremovexattr lsetxattr removexattr setxattr" },
    { "waiting for many",
      "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
      "epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init "
      "inotify_init1 inotify_rm_watch poll ppoll ppoll_time64 pselect6 pselect6_time64 select "
      "signalfd signalfd4" },
    { "asynchronous input and output",
      "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit "
      "ioprio_get ioprio_set" },
    { "memory",
      "brk madvise membarrier memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap "
      "msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages" },
    { "processes and threads",
      "arch_prctl clone clone3 execve execveat exit exit_group fork futex futex_time64 futex_waitv "
      "get_robust_list get_thread_area getcpu getpgid getpgrp getpid getppid getpriority getrlimit "
      "getrusage getsid gettid modify_ldt pidfd_open prctl prlimit64 process_mrelease "
      "process_vm_readv process_vm_writev ptrace restart_syscall rseq set_robust_list "
      "set_thread_area set_tid_address setpgid setpriority setrlimit setsid ugetrlimit vfork wait4 "
      "waitid waitpid" },
    { "scheduling",
      "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
      "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity "
      "sched_setattr sched_setparam sched_setscheduler sched_yield" },
    { "signals", "kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
                 "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
                 "sigaction sigaltstack signal sigpending sigprocmask sigreturn sigsuspend tgkill tkill" },
    { "who one is",
      "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 "
      "getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid "
      "setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 "
      "setresuid setresuid32 setreuid setreuid32 setuid setuid32" },
    { "less power", "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp" },
    { "time", "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
              "clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep "
              "setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
              "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
              "timerfd_settime timerfd_settime64 times" },
    { "sockets",
      "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
      "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket socketcall "
      "socketpair" },
    { "between processes",
      "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
      "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
      "semtimedop_time64 shmat shmctl shmdt shmget" },
    { "the machine", "getrandom sysinfo uname" },
};
const unsigned n_seccomp_allowed = ELEMENTSOF(seccomp_allowed);

const SyscallGroup seccomp_refused[] = {
    { "the kernel's keys are not the container's", "add_key keyctl request_key" },
    { "another kernel", "kexec_file_load kexec_load" },
    { "the machine's memory", "migrate_pages move_pages swapoff swapon userfaultfd" },
    { "ways around this filter", "io_uring_enter io_uring_register io_uring_setup" },
    { "long out of use",
      "_sysctl create_module get_kernel_syms nfsservctl query_module sysfs uselib ustat vm86 "
      "vm86old" },
};
const unsigned n_seccomp_refused = ELEMENTSOF(seccomp_refused);

/* Linux itself, 32-bit kernel names, or a question about which it is; not address spaces without randomness. */
const SyscallValue seccomp_allowed_values[] = {
    { "personality", 0 },       { "personality", 0x0008 },     { "personality", 0x20000 },
    { "personality", 0x20008 }, { "personality", 0xffffffff },
};
const unsigned n_seccomp_allowed_values = ELEMENTSOF(seccomp_allowed_values);

#define CAP(c) (UINT64_C(1) << CAP_##c)
#define GATE(name_, unless_)                                                                                 \
    {                                                                                                        \
        name_, unless_, EPERM, 0, 0, 0                                                                       \
    }
/* Only where a bit of the first argument is set. */
#define GATE_BIT(name_, unless_, bit)                                                                        \
    {                                                                                                        \
        name_, unless_, EPERM, 0, bit, bit                                                                   \
    }

const SyscallGate seccomp_gates[] = {
    /* namespaces and mounts */
    GATE("fanotify_init", CAP(SYS_ADMIN)),
    GATE("fsconfig", CAP(SYS_ADMIN)),
    GATE("fsmount", CAP(SYS_ADMIN)),
    GATE("fsopen", CAP(SYS_ADMIN)),
    GATE("fspick", CAP(SYS_ADMIN)),
    GATE("lookup_dcookie", CAP(SYS_ADMIN)),
    GATE("mount", CAP(SYS_ADMIN)),
    GATE("mount_setattr", CAP(SYS_ADMIN)),
    GATE("move_mount", CAP(SYS_ADMIN)),
    GATE("open_tree", CAP(SYS_ADMIN)),
    GATE("pivot_root", CAP(SYS_ADMIN)),
    GATE("quotactl", CAP(SYS_ADMIN)),
    GATE("quotactl_fd", CAP(SYS_ADMIN)),
    GATE("setdomainname", CAP(SYS_ADMIN)),
    GATE("sethostname", CAP(SYS_ADMIN)),
    GATE("setns", CAP(SYS_ADMIN)),
    GATE("umount", CAP(SYS_ADMIN)),
    GATE("umount2", CAP(SYS_ADMIN)),
    GATE("unshare", CAP(SYS_ADMIN)),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWNS),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWCGROUP),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWUTS),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWIPC),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWUSER),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWPID),
    GATE_BIT("clone", CAP(SYS_ADMIN), CLONE_NEWNET),
    /* Its flags lie in memory, where no filter sees them: libraries then use clone. */
    { .name = "clone3", .unless = CAP(SYS_ADMIN), .error = ENOSYS },
    /* what looks into the kernel, or is run by it */
    GATE("bpf", CAP(SYS_ADMIN) | CAP(BPF)),
    GATE("perf_event_open", CAP(SYS_ADMIN) | CAP(PERFMON)),
    GATE("syslog", CAP(SYS_ADMIN) | CAP(SYSLOG)),
    GATE("init_module", CAP(SYS_MODULE)),
    GATE("finit_module", CAP(SYS_MODULE)),
    GATE("delete_module", CAP(SYS_MODULE)),
    GATE("iopl", CAP(SYS_RAWIO)),
    GATE("ioperm", CAP(SYS_RAWIO)),
    /* other processes */
    GATE("kcmp", CAP(SYS_PTRACE)),
    GATE("pidfd_getfd", CAP(SYS_PTRACE)),
    GATE("process_madvise", CAP(SYS_PTRACE)),
    GATE("get_mempolicy", CAP(SYS_NICE)),
    GATE("mbind", CAP(SYS_NICE)),
    GATE("set_mempolicy", CAP(SYS_NICE)),
    GATE("set_mempolicy_home_node", CAP(SYS_NICE)),
    /* the rest of the machine */
    GATE("acct", CAP(SYS_PACCT)),
    GATE("chroot", CAP(SYS_CHROOT)),
    GATE("open_by_handle_at", CAP(DAC_READ_SEARCH)),
    GATE("reboot", CAP(SYS_BOOT)),
    GATE("clock_settime", CAP(SYS_TIME)),
    GATE("clock_settime64", CAP(SYS_TIME)),
    GATE("settimeofday", CAP(SYS_TIME)),
    GATE("stime", CAP(SYS_TIME)),
    GATE("vhangup", CAP(SYS_TTY_CONFIG)),
    /* The host's own sockets, past all networks. */
    { .name = "socket", .error = EPERM, .mask = UINT32_MAX, .value = AF_VSOCK },
};
const unsigned n_seccomp_gates = ELEMENTSOF(seccomp_gates);

/* Of the usual capabilities one lifts a gate; whoever asks for others mostly asks for none that does. */
const uint64_t seccomp_common[] = { 0, CAP(SYS_CHROOT) };
const unsigned n_seccomp_common = ELEMENTSOF(seccomp_common);
