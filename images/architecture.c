/* SPDX-License-Identifier: Apache-2.0 */
/* Which processor programs are for, by their own heads. */
#include <elf.h>
#include <endian.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/strings.h"
#include "images/tree.h"

static const struct {
    const char *name;    /* as container tools write it */
    const char *machine; /* as uname(2) writes it */
    uint16_t elf;
    uint8_t class, data;
} architectures[] = {
    { "amd64", "x86_64", EM_X86_64, ELFCLASS64, ELFDATA2LSB },
    { "386", "i686", EM_386, ELFCLASS32, ELFDATA2LSB },
    { "arm64", "aarch64", EM_AARCH64, ELFCLASS64, ELFDATA2LSB },
    { "arm", "armv7l", EM_ARM, ELFCLASS32, ELFDATA2LSB },
    { "riscv64", "riscv64", EM_RISCV, ELFCLASS64, ELFDATA2LSB },
    { "ppc64le", "ppc64le", EM_PPC64, ELFCLASS64, ELFDATA2LSB },
    { "s390x", "s390x", EM_S390, ELFCLASS64, ELFDATA2MSB },
};

/* Nearly every image has one of these. */
static const char *const usual_programs[] = { "/bin/sh",     "/bin/busybox",
                                              "/bin/bash",   "/usr/bin/env",
                                              "/bin/true",   "/sbin/init",
                                              "/usr/bin/sh", "/lib64/ld-linux-x86-64.so.2",
                                              "/bin/toybox" };

const char *host_architecture(void)
{
    struct utsname name;

    if (uname(&name) < 0)
        return "unknown";
    TABLE_FOREACH (row, architectures)
        if (streq(row->machine, name.machine))
            return row->name;
    return "unknown";
}

/* NULL when the bytes are no program. */
static const char *elf_architecture(const unsigned char head[20])
{
    uint16_t machine;

    if (memcmp(head, ELFMAG, SELFMAG) != 0)
        return NULL;
    memcpy(&machine, head + offsetof(Elf64_Ehdr, e_machine), sizeof machine);
    machine = head[EI_DATA] == ELFDATA2MSB ? be16toh(machine) : le16toh(machine);
    TABLE_FOREACH (row, architectures)
        if (row->elf == machine && row->class == head[EI_CLASS] && row->data == head[EI_DATA])
            return row->name;
    return "unknown";
}

/* Links of the tree are followed as if its root were /. */
static const char *program_architecture(int root, const char *program)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    unsigned char head[20];
    struct stat st;

    _cleanup_(closep) int fd = (int)syscall(SYS_openat2, root, program, &how, sizeof how);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        pread(fd, head, sizeof head, 0) != sizeof head)
        return NULL;
    return elf_architecture(head);
}

const char *tree_architecture(int root, const char *program, const char **ret_program)
{
    const char *found = program && *program == '/' ? program_architecture(root, program) : NULL;

    *ret_program = program;
    if (found)
        return found;
    TABLE_FOREACH (usual, usual_programs)
        if ((found = program_architecture(root, *usual))) {
            *ret_program = *usual;
            return found;
        }
    return NULL;
}
