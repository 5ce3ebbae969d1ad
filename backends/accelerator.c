/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "backends/accelerator.h"
#include "base/strings.h"

bool cpuinfo_has_flag(const char *cpuinfo, const char *flag)
{
    const char *line = strstr(cpuinfo, "\nflags");
    size_t size = strlen(flag);

    if (!line)
        return false;
    const char *end = strchrnul(line + 1, '\n');
    for (const char *p = line; (p = strstr(p, flag)) && p < end; p += size)
        if (p[-1] == ' ' && (p[size] == ' ' || p[size] == '\n' || p[size] == 0))
            return true;
    return false;
}

/* /proc/cpuinfo as far as the first processor's lines, which are well within it on machines of any number of them. The kernel makes it
 * up anew for each reader, which takes it longer than all else that is asked of it here; and processors do not change. */
static const char *cpuinfo(void)
{
    static char text[8192];
    size_t used = 0;
    ssize_t n;

    if (text[0])
        return text;
    _cleanup_(closep) int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && used < sizeof text - 1 && (n = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    return text;
}

bool processor_has_flag(const char *flag)
{
    return cpuinfo_has_flag(cpuinfo(), flag);
}

static int kvm_machine(int kvm)
{
    if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return -ENOTSUP;
    _cleanup_(closep) int machine = ioctl(kvm, KVM_CREATE_VM, 0);
    if (machine < 0)
        return -errno;
    _cleanup_(closep) int processor = ioctl(machine, KVM_CREATE_VCPU, 0);
    return processor < 0 ? -errno : 0;
}

KvmFacts kvm_facts(void)
{
    KvmFacts facts = { 0 };

    _cleanup_(closep) int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    facts.device = kvm < 0 ? -errno : 0;
    facts.processor = processor_has_flag("vmx") || processor_has_flag("svm");
    if (kvm >= 0 && facts.processor)
        facts.machine = kvm_machine(kvm);
    return facts;
}

static char *why_not(const KvmFacts *facts)
{
    if (facts->device == -ENOENT)
        return strf("this host has no /dev/kvm");
    if (facts->device < 0)
        return strf("/dev/kvm cannot be opened: %s", strerror(-facts->device));
    if (!facts->processor)
        return strf("/dev/kvm is there, but the processor has neither vmx nor svm");
    return strf("KVM makes no machine: %s", strerror(-facts->machine));
}

int accelerator_choose(Accelerator wanted, const KvmFacts *facts, Accelerator *ret, char **ret_why)
{
    bool usable = facts->device == 0 && facts->processor && facts->machine == 0;

    *ret_why = NULL;
    if (wanted == ACCELERATOR_TCG || usable) {
        *ret = wanted == ACCELERATOR_TCG ? ACCELERATOR_TCG : ACCELERATOR_KVM;
        return 0;
    }
    *ret_why = why_not(facts);
    if (wanted == ACCELERATOR_KVM)
        return -ENODEV;
    *ret = ACCELERATOR_TCG;
    return 0;
}
