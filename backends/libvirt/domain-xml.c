/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/un.h>

#include "backends/libvirt/domain-fragment.h"
#include "backends/libvirt/domain-xml.h"
#include "backends/libvirt/xml-writer.h"
#include "base/strings.h"
#include "schemas/agent.h"

/* The kernel has one serial console, however many are named: it is the second port, what podvisor reads. The kernel's words, a panic
 * among them, come out at the first one too, for `virsh console`; the agent sees to its own. The rest as with QEMU alone: a panic
 * reboots at once, which ends the domain; a serial port costs a trap for each byte; the self-tests of cryptography are a sixth of
 * the boot. */
#define KERNEL_ARGUMENTS                                                                                     \
    "earlyprintk=ttyS0,keep console=ttyS1 panic=-1 quiet cryptomgr.notests lsm=landlock,yama"

/* As with QEMU alone. */
#define TSC_ARGUMENTS " tsc_early_khz=%llu tsc=reliable"

typedef struct Domain {
    const RunDefinition *definition;
    const DomainInputs *inputs;
    const DomainFragment *fragment;
    XmlWriter w;
} Domain;

/* Text of numbers, for attributes. */
typedef char Number[24];
static const char *number(Number text, uint64_t value)
{
    (void)snprintf(text, sizeof(Number), "%llu", (unsigned long long)value);
    return text;
}

static void identity(Domain *d)
{
    char uuid[ID128_TEXT_SIZE];

    id128_format(d->definition->uuid, uuid);
    xml_leaf(&d->w, d->definition->name, "name", NULL);
    xml_leaf(&d->w, uuid, "uuid", NULL);
}

static void metadata(Domain *d)
{
    const RunDefinition *run = d->definition;
    Number generation, attempt;
    char uuid[ID128_TEXT_SIZE];

    xml_open(&d->w, "metadata", NULL);
    xml_empty(&d->w, "podvisor:pod", "xmlns:podvisor", DOMAIN_XML_NAMESPACE, "name", run->name, "uuid",
              id128_format(run->uuid, uuid), "generation", number(generation, run->generation), "attempt",
              number(attempt, run->attempt), "run", d->inputs->vm_dir, NULL);
    xml_raw(&d->w, d->fragment->text[FRAGMENT_METADATA]);
    xml_close(&d->w, "metadata");
}

static void size(Domain *d)
{
    enum { MIB = 1024 * 1024 };
    Number memory, cpus;

    number(memory, (d->definition->pod.memory + MIB - 1) / MIB);
    xml_leaf(&d->w, memory, "memory", "unit", "MiB", "dumpCore", "off", NULL);
    xml_leaf(&d->w, number(cpus, d->definition->pod.cpus), "vcpu", "placement", "static", NULL);
}

static void boot(Domain *d)
{
    const DomainInputs *in = d->inputs;
    const char *machine = enum_to_string(&libvirt_machine_table, (int)d->definition->pod.libvirt.machine);
    _cleanup_(freep) char *arguments =
        in->tsc_khz > 0 ? strf(KERNEL_ARGUMENTS TSC_ARGUMENTS, (unsigned long long)in->tsc_khz)
                        : strdup(KERNEL_ARGUMENTS);

    if (!arguments)
        d->w.error = -ENOMEM;
    xml_open(&d->w, "os", NULL);
    xml_leaf(&d->w, "hvm", "type", "arch", "x86_64", "machine", machine, NULL);
    xml_leaf(&d->w, in->kernel, "kernel", NULL);
    xml_leaf(&d->w, in->initrd, "initrd", NULL);
    xml_leaf(&d->w, arguments ?: "", "cmdline", NULL);
    xml_close(&d->w, "os");
}

/* Without a bound QEMU takes up to 1 GB of the host for translated code, on top of the guest's memory. */
static void features(Domain *d)
{
    xml_open(&d->w, "features", NULL);
    xml_empty(&d->w, "acpi", NULL);
    xml_empty(&d->w, "vmport", "state", "off", NULL);
    if (d->inputs->accelerator == ACCELERATOR_TCG) {
        xml_open(&d->w, "tcg", NULL);
        xml_leaf(&d->w, "64", "tb-cache", "unit", "MiB", NULL);
        xml_close(&d->w, "tcg");
    }
    xml_raw(&d->w, d->fragment->text[FRAGMENT_FEATURES]);
    xml_close(&d->w, "features");
}

static void processor(Domain *d)
{
    static const char *const modes[] = { "host-passthrough", "host-model", "maximum" };
    const char *wanted = d->definition->pod.libvirt.cpu_model ?: "auto";

    if (streq(wanted, "auto"))
        wanted = d->inputs->accelerator == ACCELERATOR_KVM ? "host-passthrough" : "maximum";
    TABLE_FOREACH (mode, modes)
        if (streq(wanted, *mode)) {
            xml_empty(&d->w, "cpu", "mode", *mode, NULL);
            return;
        }
    xml_open(&d->w, "cpu", "mode", "custom", "match", "exact", NULL);
    xml_leaf(&d->w, wanted, "model", "fallback", "forbid", NULL);
    xml_close(&d->w, "cpu");
}

static void ends(Domain *d)
{
    static const char *const events[] = { "on_poweroff", "on_reboot", "on_crash" };

    TABLE_FOREACH (event, events)
        xml_leaf(&d->w, "destroy", *event, NULL);
}

/* sda, ..., sdz, sdaa, ...: libvirt wants a name that nobody else has; the guest has names of its own. */
static const char *disk_name(char name[8], unsigned id)
{
    if (id < 26)
        (void)snprintf(name, 8, "sd%c", (char)('a' + id));
    else
        (void)snprintf(name, 8, "sd%c%c", (char)('a' + id / 26 - 1), (char)('a' + id % 26));
    return name;
}

static void disk(Domain *d, unsigned id, const char *path, const char *serial, bool read_only)
{
    char name[8];
    Number target;

    xml_open(&d->w, "disk", "type", "file", "device", "disk", NULL);
    xml_empty(&d->w, "driver", "name", "qemu", "type", "raw", NULL);
    xml_empty(&d->w, "source", "file", path, NULL);
    xml_empty(&d->w, "target", "dev", disk_name(name, id), "bus", "scsi", NULL);
    if (read_only)
        xml_empty(&d->w, "readonly", NULL);
    xml_leaf(&d->w, serial, "serial", NULL);
    xml_empty(&d->w, "address", "type", "drive", "controller", "0", "bus", "0", "target", number(target, id),
              "unit", "0", NULL);
    xml_close(&d->w, "disk");
}

/*
 * The empty element keeps libvirt from looking for an image behind it. A write for which the host has no room fails in the guest, which
 * can tell whom it concerns, and does not stop the whole machine.
 */
static void volume_disk(Domain *d, const DomainDisk *v)
{
    char name[8], serial[sizeof "volume" + sizeof(Number)];
    Number target;

    (void)snprintf(serial, sizeof serial, "volume%u", (unsigned)v->id);
    xml_open(&d->w, "disk", "type", v->device ? "block" : "file", "device", "disk", NULL);
    xml_empty(&d->w, "driver", "name", "qemu", "type", enum_to_string(&disk_format_table, (int)v->format),
              "error_policy", "report", "rerror_policy", "report", v->scratch ? "cache" : NULL, "unsafe",
              "discard", "unmap", NULL);
    xml_empty(&d->w, "source", v->device ? "dev" : "file", v->path, NULL);
    xml_empty(&d->w, "backingStore", NULL);
    xml_empty(&d->w, "target", "dev", disk_name(name, (unsigned)v->id), "bus", "scsi", NULL);
    if (v->read_only)
        xml_empty(&d->w, "readonly", NULL);
    xml_leaf(&d->w, serial, "serial", NULL);
    xml_empty(&d->w, "address", "type", "drive", "controller", "0", "bus", "0", "target",
              number(target, v->id), "unit", "0", NULL);
    xml_close(&d->w, "disk");
}

static void disks(Domain *d)
{
    const DomainInputs *in = d->inputs;
    _cleanup_(freep) char *lock = strf("%s/" RUN_MACHINE_LOCK_FILE, in->vm_dir);

    if (!lock)
        d->w.error = -ENOMEM;
    xml_empty(&d->w, "controller", "type", "scsi", "index", "0", "model", "virtio-scsi", NULL);
    for (size_t i = 0; i < in->n_image_paths && i < CONTAINERS_MAX; i++) {
        char serial[sizeof "image" + sizeof(Number)];
        (void)snprintf(serial, sizeof serial, "image%u", (unsigned)i);
        if (in->image_paths[i])
            disk(d, (unsigned)i, in->image_paths[i], serial, true);
    }
    for (size_t i = 0; i < in->n_disks; i++)
        volume_disk(d, &in->disks[i]);
    disk(d, DOMAIN_XML_LOCK_ID, lock ?: "", DOMAIN_XML_LOCK_SERIAL, false);
}

/* QEMU comes back by itself when whoever listens was away. */
static void source(Domain *d, const char *name)
{
    _cleanup_(freep) char *path = strf("%s/%s", d->inputs->vm_dir, name);

    if (d->w.error >= 0 && !path)
        d->w.error = -ENOMEM;
    if (d->w.error >= 0 && strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        d->w.error = -ENAMETOOLONG;
    xml_open(&d->w, "source", "mode", "connect", "path", path ?: "", NULL);
    xml_empty(&d->w, "reconnect", "enabled", "yes", "timeout", "1", NULL);
    xml_close(&d->w, "source");
}

static void channels(Domain *d)
{
    xml_open(&d->w, "serial", "type", "pty", NULL);
    xml_empty(&d->w, "target", "port", "0", NULL);
    xml_close(&d->w, "serial");
    xml_open(&d->w, "serial", "type", "unix", NULL);
    source(d, DOMAIN_XML_CONSOLE_SOCKET);
    xml_empty(&d->w, "target", "port", "1", NULL);
    xml_close(&d->w, "serial");
    xml_open(&d->w, "console", "type", "pty", NULL);
    xml_empty(&d->w, "target", "type", "serial", "port", "0", NULL);
    xml_close(&d->w, "console");
    xml_open(&d->w, "channel", "type", "unix", NULL);
    source(d, DOMAIN_XML_AGENT_SOCKET);
    xml_empty(&d->w, "target", "type", "virtio", "name", AGENT_PORT_NAME, NULL);
    xml_close(&d->w, "channel");
}

static void helpers(Domain *d)
{
    xml_open(&d->w, "rng", "model", "virtio", NULL);
    xml_empty(&d->w, "backend", "model", "builtin", NULL);
    xml_close(&d->w, "rng");
    xml_empty(&d->w, "memballoon", "model", "virtio", "autodeflate", "on", "freePageReporting", "on", NULL);
    xml_empty(&d->w, "panic", "model", "isa", NULL);
}

static void devices(Domain *d)
{
    xml_open(&d->w, "devices", NULL);
    xml_leaf(&d->w, d->inputs->emulator, "emulator", NULL);
    xml_empty(&d->w, "controller", "type", "usb", "model", "none", NULL);
    disks(d);
    channels(d);
    helpers(d);
    xml_raw(&d->w, d->fragment->text[FRAGMENT_DEVICES]);
    xml_close(&d->w, "devices");
}

/* Of each driver that is not named here, libvirt makes a label by itself. */
static void confinement(Domain *d)
{
    const char *label = d->definition->pod.libvirt.security_label ?: "auto",
               *model = d->inputs->security_model;

    if (!d->inputs->session)
        xml_empty(&d->w, "seclabel", "type", "none", "model", "dac", NULL);
    if (streq(label, "auto") || (streq(label, "none") && !model))
        return;
    if (!model && d->w.error >= 0)
        d->w.error = -ENOTSUP;
    if (streq(label, "none")) {
        xml_empty(&d->w, "seclabel", "type", "none", "model", model, NULL);
        return;
    }
    xml_open(&d->w, "seclabel", "type", "static", "model", model, NULL);
    xml_leaf(&d->w, label, "label", NULL);
    xml_close(&d->w, "seclabel");
}

static int build(Domain *d, char **ret)
{
    static void (*const parts[])(Domain *) = { identity,  metadata, size,    boot,       features,
                                               processor, ends,     devices, confinement };

    xml_open(&d->w, "domain", "type", d->inputs->accelerator == ACCELERATOR_KVM ? "kvm" : "qemu", NULL);
    TABLE_FOREACH (part, parts)
        (*part)(d);
    xml_raw(&d->w, d->fragment->text[FRAGMENT_DOMAIN]);
    xml_close(&d->w, "domain");
    return xml_finish(&d->w, ret);
}

int domain_xml_build(const RunDefinition *definition, const DomainInputs *inputs, char **ret)
{
    DomainFragment fragment;
    const char *xml = definition->pod.libvirt.xml;
    Domain d = { .definition = definition, .inputs = inputs, .fragment = &fragment };

    if (xml && !definition->libvirt_xml)
        return -EPERM;
    int r = domain_fragment_read(xml ?: "", &fragment, NULL);
    if (r < 0)
        return r;
    r = build(&d, ret);
    domain_fragment_done(&fragment);
    return r;
}
