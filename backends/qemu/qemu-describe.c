/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/accelerator.h"
#include "backends/qemu/qemu-describe.h"
#include "base/program.h"
#include "base/strings.h"

#define VERSION_TIMEOUT (3 * USEC_PER_SEC)

/* "QEMU emulator version 7.2.22 (Debian ...)" -> "QEMU 7.2.22". What says something else is shown as it is. */
static char *version_in(const char *line)
{
    const char *p = strstr(line, "version ");

    if (!p || !strstr(line, "QEMU"))
        return str_escape(line, strlen(line));
    p += strlen("version ");
    size_t n = strspn(p, "0123456789.");
    return strf("QEMU %.*s", (int)n, p);
}

static int describe_program(const char *program, BackendDescription *d)
{
    _cleanup_(freep) char *line = NULL;

    int r = program_first_line(program, "--version", VERSION_TIMEOUT, &line);
    if (r == -ENOENT)
        return backend_description_refuse(d, strf("QEMU is not installed: there is no %s", program));
    if (r < 0)
        return backend_description_refuse(d, strf("%s does not say its version: %s", program, strerror(-r)));
    d->vmm = version_in(line);
    return d->vmm ? 0 : -ENOMEM;
}

int qemu_describe(const char *program, BackendDescription *ret)
{
    KvmFacts facts = kvm_facts();
    Accelerator accelerator;
    char *why = NULL;

    bool kvm = accelerator_choose(ACCELERATOR_KVM, &facts, &accelerator, &why) >= 0;
    int r = backend_description_accelerator(ret, "kvm", kvm, why);
    if (r >= 0)
        r = backend_description_accelerator(ret, "tcg", true,
                                            strdup("slow, and hardware does not isolate the pod"));
    return r < 0 ? r : describe_program(program, ret);
}
