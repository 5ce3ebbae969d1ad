/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about devices as a BPF program of a control group (version 2), which the kernel asks at each use of a device. */
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "guest/agent/devices.h"

_Static_assert((int)DEVICE_MAKE == (int)BPF_DEVCG_ACC_MKNOD && (int)DEVICE_READ == (int)BPF_DEVCG_ACC_READ &&
                   (int)DEVICE_WRITE == (int)BPF_DEVCG_ACC_WRITE,
               "what may be done with a device is written as the kernel has it");

/* What the registers hold. */
enum { RESULT = BPF_REG_0, CONTEXT, ACCESS, REST, MAJOR, MINOR };
enum { RULE_LENGTH = 7, FRAME_LENGTH = 12, INSTRUCTIONS_MAX = FRAME_LENGTH + RULE_LENGTH * 64 };

typedef struct Program {
    struct bpf_insn instructions[INSTRUCTIONS_MAX];
    size_t n;
} Program;

static void add(Program *p, unsigned code, unsigned to, unsigned from, int offset, int value)
{
    p->instructions[p->n++] = (struct bpf_insn){ .code = (uint8_t)code,
                                                 .dst_reg = to & 0xf,
                                                 .src_reg = from & 0xf,
                                                 .off = (int16_t)offset,
                                                 .imm = value };
}

static void add_load(Program *p, unsigned to, size_t offset)
{
    add(p, BPF_LDX | BPF_MEM | BPF_W, to, CONTEXT, (int)offset, 0);
}

static void add_verdict(Program *p, bool allowed)
{
    add(p, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, 0, allowed);
    add(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* No disk is for any container. */
static void begin(Program *p)
{
    add_load(p, ACCESS, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    add_load(p, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
    add_load(p, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
    add(p, BPF_ALU | BPF_MOV | BPF_X, REST, ACCESS, 0, 0);
    add(p, BPF_ALU | BPF_AND | BPF_K, REST, 0, 0, 0xffff);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, REST, 0, 2, BPF_DEVCG_DEV_CHAR);
    add_verdict(p, false);
    add(p, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
}

/* Allowed, if it is this device and nothing beyond the rule is asked for; else the next rule is. */
static void add_rule(Program *p, const DeviceRule *rule)
{
    bool any = rule->minor == DEVICE_ANY_MINOR;

    add(p, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, any ? 5 : 6, (int)rule->major);
    if (!any)
        add(p, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, 5, (int)rule->minor);
    add(p, BPF_ALU | BPF_MOV | BPF_X, REST, ACCESS, 0, 0);
    add(p, BPF_ALU | BPF_AND | BPF_K, REST, 0, 0, (int)~rule->access);
    add(p, BPF_JMP | BPF_JNE | BPF_K, REST, 0, 2, 0);
    add_verdict(p, true);
}

static int load(const Program *p)
{
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uint64_t)(uintptr_t)p->instructions,
        .insn_cnt = (uint32_t)p->n,
        .license = (uint64_t)(uintptr_t) "Apache-2.0",
    };
    long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
    return fd < 0 ? -errno : (int)fd;
}

int device_filter_attach(int cgroup, const DeviceRule *rules, size_t n)
{
    Program p = { .n = 0 };

    if (n > (INSTRUCTIONS_MAX - FRAME_LENGTH) / RULE_LENGTH)
        return -E2BIG;
    begin(&p);
    for (size_t i = 0; i < n; i++)
        add_rule(&p, &rules[i]);
    add_verdict(&p, false);
    _cleanup_(closep) int program = load(&p);
    if (program < 0)
        return program == -ENOSYS || program == -EINVAL ? -EOPNOTSUPP : program;
    union bpf_attr attr = {
        .target_fd = (uint32_t)cgroup,
        .attach_bpf_fd = (uint32_t)program,
        .attach_type = BPF_CGROUP_DEVICE,
    };
    return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof attr) < 0 ? -errno : 0;
}
