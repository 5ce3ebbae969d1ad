/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/libvirt/fragment-rules.h"
#include "base/strings.h"

#define ADDED(where, what)                                                                                   \
    {                                                                                                        \
        .place = FRAGMENT_##where, .name = (what), .verdict = FRAGMENT_ADDED                                 \
    }
#define MERGED(what, there)                                                                                  \
    {                                                                                                        \
        .place = FRAGMENT_DOMAIN, .name = (what), .verdict = FRAGMENT_MERGED, .into = FRAGMENT_##there       \
    }
#define OWNED(where, what, reason)                                                                           \
    {                                                                                                        \
        .place = FRAGMENT_##where, .name = (what), .verdict = FRAGMENT_OWNED, .why = (reason)                \
    }

#define IDENTITY "podvisor knows its machine by it"
#define MEMORY "the pod's `memory` says it"
#define CPUS "the pod's `cpus` says it"
#define BOOT "podvisor boots the machine"
#define ENDS "each end of the machine is an end of the pod"
#define CONSOLE "podvisor has both consoles of the machine"

static const FragmentElement elements[] = {
    OWNED(DOMAIN, "domain", "write what stands inside of <domain>, without it"),
    OWNED(DOMAIN, "name", IDENTITY),
    OWNED(DOMAIN, "uuid", IDENTITY),
    OWNED(DOMAIN, "memory", MEMORY),
    OWNED(DOMAIN, "currentMemory", MEMORY),
    OWNED(DOMAIN, "maxMemory", MEMORY),
    OWNED(DOMAIN, "vcpu", CPUS),
    OWNED(DOMAIN, "vcpus", CPUS),
    OWNED(DOMAIN, "cpu", "`libvirt.cpu_model` says it"),
    OWNED(DOMAIN, "os", BOOT),
    OWNED(DOMAIN, "bootloader", BOOT),
    OWNED(DOMAIN, "bootloader_args", BOOT),
    OWNED(DOMAIN, "on_poweroff", ENDS),
    OWNED(DOMAIN, "on_reboot", ENDS),
    OWNED(DOMAIN, "on_crash", ENDS),
    OWNED(DOMAIN, "on_lockfailure", ENDS),
    OWNED(DOMAIN, "pm", "podvisor alone lets the machine sleep"),
    OWNED(DOMAIN, "seclabel", "`libvirt.security_label` says it"),
    MERGED("metadata", METADATA),
    MERGED("features", FEATURES),
    MERGED("devices", DEVICES),
    ADDED(DOMAIN, "title"),
    ADDED(DOMAIN, "description"),
    ADDED(DOMAIN, "genid"),
    ADDED(DOMAIN, "blkiotune"),
    ADDED(DOMAIN, "memtune"),
    ADDED(DOMAIN, "cputune"),
    ADDED(DOMAIN, "numatune"),
    ADDED(DOMAIN, "memoryBacking"),
    ADDED(DOMAIN, "resource"),
    ADDED(DOMAIN, "iothreads"),
    ADDED(DOMAIN, "iothreadids"),
    ADDED(DOMAIN, "defaultiothread"),
    ADDED(DOMAIN, "clock"),
    ADDED(DOMAIN, "sysinfo"),
    ADDED(DOMAIN, "perf"),
    ADDED(DOMAIN, "keywrap"),
    ADDED(DOMAIN, "launchSecurity"),

    OWNED(FEATURES, "acpi", "a pod is stopped through it"),
    OWNED(FEATURES, "vmport", "a pod's guest has no use for it"),
    OWNED(FEATURES, "tcg", "podvisor bounds what emulation takes of the host"),
    ADDED(FEATURES, "pae"),
    ADDED(FEATURES, "apic"),
    ADDED(FEATURES, "hyperv"),
    ADDED(FEATURES, "kvm"),
    ADDED(FEATURES, "pmu"),
    ADDED(FEATURES, "pvspinlock"),
    ADDED(FEATURES, "smm"),
    ADDED(FEATURES, "ioapic"),
    ADDED(FEATURES, "vmcoreinfo"),
    ADDED(FEATURES, "msrs"),

    OWNED(DEVICES, "emulator", "no key of a pod file names a program of the host"),
    OWNED(DEVICES, "serial", CONSOLE),
    OWNED(DEVICES, "console", CONSOLE),
    OWNED(DEVICES, "channel", "the machine's only channel is podvisor's agent's"),
    OWNED(DEVICES, "memballoon", "podvisor has the machine's only one"),
    OWNED(DEVICES, "memory", MEMORY),
    OWNED(DEVICES, "panic", "podvisor has the machine's only one"),
    ADDED(DEVICES, "audio"),
    ADDED(DEVICES, "controller"),
    ADDED(DEVICES, "crypto"),
    ADDED(DEVICES, "disk"),
    ADDED(DEVICES, "filesystem"),
    ADDED(DEVICES, "graphics"),
    ADDED(DEVICES, "hostdev"),
    ADDED(DEVICES, "hub"),
    ADDED(DEVICES, "input"),
    ADDED(DEVICES, "interface"),
    ADDED(DEVICES, "iommu"),
    ADDED(DEVICES, "lease"),
    ADDED(DEVICES, "nvram"),
    ADDED(DEVICES, "parallel"),
    ADDED(DEVICES, "redirdev"),
    ADDED(DEVICES, "redirfilter"),
    ADDED(DEVICES, "rng"),
    ADDED(DEVICES, "shmem"),
    ADDED(DEVICES, "smartcard"),
    ADDED(DEVICES, "sound"),
    ADDED(DEVICES, "tpm"),
    ADDED(DEVICES, "video"),
    ADDED(DEVICES, "vsock"),
    ADDED(DEVICES, "watchdog"),
};

const FragmentElement *fragment_element(FragmentPlace place, const char *name)
{
    TABLE_FOREACH (row, elements)
        if (row->place == place && streq(row->name, name))
            return row;
    return NULL;
}

const char *fragment_suggest(FragmentPlace place, const char *name)
{
    const char *names[ELEMENTSOF(elements)];
    size_t n = 0;

    TABLE_FOREACH (row, elements)
        if (row->place == place && row->verdict != FRAGMENT_OWNED)
            names[n++] = row->name;
    return str_suggest(name, names, n);
}

/* --- devices ------------------------------------------------------------------------------------------------------- */

#define SCSI "podvisor has the machine's only SCSI host, where it knows images by their place"
#define USB "the machine has no USB"
#define PROGRAM "no key of a pod file names a program of the host"

typedef struct FragmentRule {
    const char *element;
    const char *child;     /* NULL: the element itself */
    const char *attribute; /* NULL: it may not be there at all */
    const char *value;     /* NULL: the attribute must be given */
    const char *why;
} FragmentRule;

static const FragmentRule rules[] = {
    { "controller", NULL, "type", NULL, "libvirt would choose one" },
    { "controller", NULL, "type", "scsi", SCSI },
    { "controller", NULL, "type", "usb", USB },
    { "controller", NULL, "type", "virtio-serial", "the machine's only channel is podvisor's agent's" },
    { "disk", "target", "bus", NULL, "libvirt would choose one" },
    { "disk", "target", "bus", "scsi", SCSI },
    { "disk", "target", "bus", "usb", USB },
    { "filesystem", "binary", NULL, NULL, PROGRAM },
    { "hostdev", NULL, "type", NULL, "libvirt would choose one" },
    { "hostdev", NULL, "type", "scsi", SCSI },
    { "hostdev", NULL, "type", "scsi_host", SCSI },
    { "hostdev", NULL, "type", "usb", USB },
    { "input", NULL, "bus", "usb", USB },
    { "interface", "script", NULL, NULL, PROGRAM },
    { "interface", "downscript", NULL, NULL, PROGRAM },
};

static const char *value_of(const char *const *attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (streq(attributes[0], name))
            return attributes[1];
    return NULL;
}

static bool breaks(const FragmentRule *rule, const char *const *attributes)
{
    const char *value = rule->attribute ? value_of(attributes, rule->attribute) : NULL;

    if (!rule->attribute)
        return true;
    return rule->value ? value && streq(value, rule->value) : !value;
}

const char *fragment_refusal(const char *element, const char *child, const char *const *attributes,
                             const char **ret_attribute)
{
    TABLE_FOREACH (rule, rules)
        if (streq(rule->element, element) && streq_ptr(rule->child, child) && breaks(rule, attributes)) {
            *ret_attribute = rule->attribute;
            return rule->why;
        }
    return NULL;
}
