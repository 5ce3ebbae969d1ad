/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/qemu/command-line.h"
#include "base/strings.h"
#include "schemas/agent.h"
#include "schemas/user-network.h"

typedef struct MachineRow {
    const char *options;
    const char *transport; /* suffix of virtio devices */
    const char *nic;       /* further options of a network interface */
} MachineRow;

static const MachineRow machines[] = {
    [MACHINE_MICROVM] = { "microvm,acpi=on,pic=on,pit=on,rtc=on,isa-serial=on,pcie=off,usb=off,ioapic2=off,"
                          "auto-kernel-cmdline=off,dump-guest-core=off",
                          "device", "" },
    [MACHINE_Q35] = { "q35,dump-guest-core=off,smbus=off,sata=off,vmport=off,usb=off", "pci", ",romfile=" },
};
_Static_assert(ELEMENTSOF(machines) == MACHINE_MAX, "a machine has no row");

typedef struct AcceleratorRow {
    const char *name;
    const char *cpu;
} AcceleratorRow;

static const AcceleratorRow accelerators[ACCELERATOR_MAX] = {
    [ACCELERATOR_KVM] = { "kvm", "host" },
    /* Without a bound QEMU takes up to 1 GB of the host for translated code, on top of the guest's memory. */
    [ACCELERATOR_TCG] = { "tcg,tb-size=64", "max" },
};

/* The same for every pod. */
static const char *const fixed[] = {
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-action",
    "panic=pause,shutdown=pause,reboot=shutdown",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-device",
    "pvpanic",
};

/* panic=-1: at once. quiet: a serial port costs a trap for each byte; a panic is not kept quiet by it. cryptomgr.notests: a
 * sixth of the boot. lsm: the others ask for a policy, of which the guest has none, at each file that is opened. */
#define KERNEL_ARGUMENTS "console=ttyS0 panic=-1 quiet cryptomgr.notests lsm=landlock,yama"

/* Where the host's counter is the guest's, and steady. reliable: a guest that is kept waiting would else take its own lost ticks for the
 * counter's fault and go by ticks; with more than one processor it would from the beginning. */
#define TSC_ARGUMENTS " tsc_early_khz=%llu tsc=reliable"

/* A value for QEMU's comma-separated options: commas doubled. NULL = no memory. */
static char *option_escape(const char *value)
{
    char *escaped = malloc(2 * strlen(value) + 1), *p = escaped;

    for (; escaped && *value; value++) {
        *p++ = *value;
        if (*value == ',')
            *p++ = ',';
    }
    if (escaped)
        *p = 0;
    return escaped;
}

/* Collects words; the first error sticks. */
typedef struct Words {
    char **v;
    int error;
} Words;

static _printf_(2, 3) void word(Words *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    if (w->error >= 0)
        w->error = text ? strv_append(&w->v, text) : -ENOMEM;
}

static _printf_(3, 4) void option(Words *w, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    _cleanup_(freep) char *text = strf_va(format, args);
    va_end(args);
    word(w, "%s", name);
    if (w->error >= 0)
        w->error = text ? strv_append(&w->v, text) : -ENOMEM;
}

static void identity(Words *w, const RunDefinition *d)
{
    char uuid[ID128_TEXT_SIZE];
    _cleanup_(freep) char *name = option_escape(d->name);

    if (!name)
        w->error = -ENOMEM;
    option(w, "-name", "guest=%s", name ?: "");
    option(w, "-uuid", "%s", id128_format(d->uuid, uuid));
}

static void machine(Words *w, const RunDefinition *d, const CommandLineInputs *in)
{
    enum { MIB = 1024 * 1024 };
    const AcceleratorRow *accelerator = &accelerators[in->accelerator];

    option(w, "-machine", "%s%s", machines[d->pod.qemu.machine].options,
           in->memory == MEMORY_NEW && in->n_shares == 0 ? "" : ",memory-backend=memory0");
    option(w, "-accel", "%s", accelerator->name);
    option(w, "-cpu", "%s", accelerator->cpu);
    option(w, "-smp", "%llu", (unsigned long long)d->pod.cpus);
    unsigned long long size = (d->pod.memory + MIB - 1) / MIB;
    option(w, "-m", "%lluM", size);
    if (in->memory != MEMORY_NEW)
        option(w, "-object",
               "memory-backend-file,id=memory0,size=%lluM,mem-path=" COMMAND_LINE_FD ",share=%s", size,
               in->memory_fd, in->memory == MEMORY_TEMPLATE ? "on" : "off");
    /* Whoever serves a share reads and writes the guest's memory; without one, it is QEMU's alone. */
    else if (in->n_shares > 0)
        option(w, "-object", "memory-backend-memfd,id=memory0,size=%lluM,share=on", size);
    if (in->memory == MEMORY_COPY)
        option(w, "-incoming", "defer");
}

/* QEMU 7.2 takes a descriptor set for disks only; a kernel is read by the C library. */
static void kernel(Words *w, const CommandLineInputs *in)
{
    if (in->memory == MEMORY_COPY)
        return;
    option(w, "-kernel", COMMAND_LINE_FD, in->kernel_fd);
    option(w, "-initrd", COMMAND_LINE_FD, in->initrd_fd);
    if (in->tsc_khz > 0)
        option(w, "-append", KERNEL_ARGUMENTS TSC_ARGUMENTS, (unsigned long long)in->tsc_khz);
    else
        option(w, "-append", KERNEL_ARGUMENTS);
}

/* Those before are of the disks. */
enum { BELL_SET = RUN_VOLUME_DISK + VOLUMES_MAX + 1 };

static void channels(Words *w, const CommandLineInputs *in)
{
    option(w, "-chardev", "socket,id=qmp,fd=%d,server=on,wait=off", in->qmp_fd);
    option(w, "-mon", "chardev=qmp,mode=control");
    option(w, "-chardev", "socket,id=agent,fd=%d,server=on,wait=off", in->agent_fd);
    option(w, "-add-fd", "fd=%d,set=%d", in->bell_fd, BELL_SET);
    option(w, "-chardev", "ringbuf,id=" COMMAND_LINE_CONSOLE ",size=%d,logfile=/dev/fdset/%d",
           COMMAND_LINE_CONSOLE_SIZE, BELL_SET);
    option(w, "-serial", "chardev:" COMMAND_LINE_CONSOLE);
}

/* Memory that a guest gives back is cut out of the file that it is from, if there is one, and a template's is not to be changed: QEMU 7.2
 * knows no other way. */
static void virtio(Words *w, const RunDefinition *d, const CommandLineInputs *in)
{
    const char *transport = machines[d->pod.qemu.machine].transport;

    option(w, "-device", "virtio-serial-%s,id=serial0,max_ports=2", transport);
    option(w, "-device", "virtserialport,bus=serial0.0,nr=1,chardev=agent,name=" AGENT_PORT_NAME);
    option(w, "-device", "virtio-scsi-%s,id=scsi0", transport);
    option(w, "-object", "rng-builtin,id=rng0");
    option(w, "-device", "virtio-rng-%s,rng=rng0", transport);
    option(w, "-device", "virtio-balloon-%s,id=balloon0,deflate-on-oom=on,free-page-reporting=%s", transport,
           in->memory == MEMORY_NEW ? "on" : "off");
}

/*
 * What is at the other end connects to us: so it can end, and another come, while the machine goes on. Its frames end there,
 * and QEMU has no other way to a network. A tap is all that a machine on a bridge has of it: vhost would have the host's kernel read the
 * guest's memory.
 */
static void network(Words *w, const RunDefinition *d, const CommandLineInputs *in)
{
    const MachineRow *row = &machines[d->pod.qemu.machine];
    char mac[USER_NETWORK_MAC_SIZE];
    bool bridge = d->pod.network.mode == NETWORK_BRIDGE;

    if (in->network_fd < 0)
        return;
    int r = in->memory == MEMORY_TEMPLATE ? 0 : user_network_mac(d->name, mac);
    if (in->memory == MEMORY_TEMPLATE)
        memcpy(mac, AGENT_TEMPLATE_MAC, sizeof mac);
    if (r < 0 || (bridge && !d->link.mac)) {
        w->error = r < 0 ? r : -EINVAL;
        return;
    }
    if (bridge)
        option(w, "-netdev", "tap,id=" COMMAND_LINE_NETWORK ",fd=%d,vhost=off", in->network_fd);
    else
        option(w, "-netdev", "stream,id=" COMMAND_LINE_NETWORK ",server=on,addr.type=fd,addr.str=%d",
               in->network_fd);
    option(w, "-device", "virtio-net-%s,id=nic0,netdev=" COMMAND_LINE_NETWORK ",mac=%s%s", row->transport,
           bridge ? d->link.mac : mac, row->nic);
}

/* node and device are taken over. */
static void block_device(Words *w, char *node, char *device)
{
    if (!node || !device)
        w->error = -ENOMEM;
    option(w, "-blockdev", "%s", node ?: "");
    option(w, "-device", "%s", device ?: "");
    free(node);
    free(device);
}

static void disk(Words *w, int fd, unsigned set, char *node, char *device)
{
    option(w, "-add-fd", "fd=%d,set=%u", fd, set);
    block_device(w, node, device);
}

static void share(Words *w, const CommandLineShare *s)
{
    _cleanup_(freep) char *tag = run_share_tag(s->index);

    if (!tag)
        w->error = -ENOMEM;
    option(w, "-chardev", "socket,id=share%zu,fd=%d", s->index, s->fd);
    option(w, "-device", "vhost-user-fs-pci,chardev=share%zu,tag=%s", s->index, tag ?: "");
}

int command_line_build(const RunDefinition *definition, const CommandLineInputs *inputs, char ***ret)
{
    Words w = { 0 };

    word(&w, "%s", definition->qemu);
    identity(&w, definition);
    machine(&w, definition, inputs);
    for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
        word(&w, "%s", fixed[i]);
    kernel(&w, inputs);
    channels(&w, inputs);
    virtio(&w, definition, inputs);
    network(&w, definition, inputs);
    if (inputs->memory != MEMORY_NEW && inputs->n_disks == 0)
        block_device(&w, disk_placeholder_node(), disk_placeholder_device());
    for (size_t i = 0; i < inputs->n_disks; i++)
        disk(&w, inputs->disks[i].fd, disk_set(inputs->disks[i].id), disk_image_node(&inputs->disks[i]),
             disk_image_device(&inputs->disks[i]));
    for (size_t i = 0; i < inputs->n_volumes; i++)
        disk(&w, inputs->volumes[i].fd, disk_set(inputs->volumes[i].id),
             disk_volume_node(&inputs->volumes[i]), disk_volume_device(&inputs->volumes[i]));
    for (size_t i = 0; i < inputs->n_shares; i++)
        share(&w, &inputs->shares[i]);
    if (w.error < 0) {
        strv_free(w.v);
        return w.error;
    }
    *ret = w.v;
    return 0;
}
