/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/probe.h"

static int wait_readable(int fd, usec_t deadline)
{
    usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
    struct pollfd p = { .fd = fd, .events = POLLIN };

    int r = poll(&p, 1, (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* --- KVM -------------------------------------------------------------------------------------------------------- */

enum { GUEST_SIZE = 4096, HLT = 0xf4 };

static int vcpu_prepare(int vcpu)
{
    struct kvm_sregs special;
    struct kvm_regs regs = { .rip = 0, .rflags = 2 };

    if (ioctl(vcpu, KVM_GET_SREGS, &special) < 0)
        return -errno;
    special.cs.base = 0;
    special.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &special) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
        return -errno;
    return 0;
}

/* In a process of its own, which is killed when it hangs; its descriptors and memory end with it. */
static bool machine_runs(int kvm)
{
    uint8_t *memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int vm = ioctl(kvm, KVM_CREATE_VM, 0), run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

    if (memory == MAP_FAILED || vm < 0 || run_size <= 0)
        return false;
    memory[0] = HLT;
    struct kvm_userspace_memory_region region = {
        .memory_size = GUEST_SIZE,
        .userspace_addr = (uint64_t)(uintptr_t)memory,
    };
    int vcpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0 || vcpu_prepare(vcpu) < 0)
        return false;
    struct kvm_run *run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    return run != MAP_FAILED && ioctl(vcpu, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_HLT;
}

static KvmOutcome judge(pid_t pid, usec_t timeout)
{
    siginfo_t info = { 0 };
    _cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int r = pidfd < 0 ? -errno : wait_readable(pidfd, usec_add(now_usec(CLOCK_MONOTONIC), timeout));

    if (r < 0)
        (void)kill(pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        ;
    if (r < 0)
        return KVM_HANGS;
    return info.si_code == CLD_EXITED && info.si_status == 0 ? KVM_WORKS : KVM_BROKEN;
}

/* Of the first processor, whose flags stand in the first lines. */
static bool processor_can(void)
{
    char text[8192] = { 0 };
    _cleanup_(closep) int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return false;
    return strstr(text, " vmx ") || strstr(text, " svm ");
}

KvmOutcome probe_kvm(usec_t timeout)
{
    _cleanup_(closep) int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (kvm < 0)
        return errno == EACCES || errno == EPERM ? KVM_FORBIDDEN : KVM_ABSENT;
    if (!processor_can())
        return KVM_NO_PROCESSOR;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(machine_runs(kvm) ? 0 : 1);
    }
    return pid < 0 ? KVM_BROKEN : judge(pid, timeout);
}
