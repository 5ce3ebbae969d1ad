/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The domain of a pod: a pure function of the frozen definition and of what its caller found on this host.
 *
 * What a pod file says gets in here as numbers, as rows of enum tables, as escaped text of attributes, and as the fragment that
 * domain-fragment.h let through. What libvirt makes of it later (addresses, controllers, defaults) is libvirt's: intent is
 * compared with this text's inputs, never with what `virsh dumpxml` shows.
 *
 * The choices behind the elements:
 * - transient, with every end of the guest an end of the domain (on_poweroff, on_reboot, on_crash: destroy), so that a panic or a
 *   power-off never becomes a second boot and nothing of the pod stays in libvirt;
 * - the two sockets are connected to by QEMU, which so proves its process to whoever listens, and again after that one was away;
 * - serial 0 is a pty, for `virsh console`; serial 1 is what podvisor reads. The kernel writes to both;
 * - the machine lock is a disk at SCSI id 99, since QEMU locks images itself: no second QEMU can run on one run path, whichever
 *   daemon starts it. Disks of images have the SCSI id by which the agent knows them, on the only SCSI host;
 * - libvirt gives no file to anybody: owners of images, kernel and lock stay (seclabel dac), since they are shared by pods;
 * - no USB, no graphics; the emulator's translated code is bounded.
 */
#include "schemas/run-definition.h"

#define DOMAIN_XML_NAMESPACE "urn:podvisor:pod:1" /* of our element in <metadata> */
#define DOMAIN_XML_AGENT_SOCKET "agent.socket"    /* in vm_dir; our side listens */
#define DOMAIN_XML_CONSOLE_SOCKET "console.socket"
enum {
    DOMAIN_XML_LOCK_ID = 99
}; /* SCSI id: above those of images, and the highest that libvirt's schema has */
#define DOMAIN_XML_LOCK_SERIAL "podvisor-lock"

/* The disk of a volume. */
typedef struct DomainDisk {
    uint64_t id; /* SCSI id */
    const char *path;
    DiskFormat format;
    bool device; /* a block device of the host */
    bool read_only;
    bool scratch; /* nothing on it outlives the machine */
} DomainDisk;

typedef struct DomainInputs {
    Accelerator accelerator;        /* KVM or TCG, decided by the caller */
    const char *emulator;           /* absolute path */
    const char *kernel, *initrd;    /* absolute paths */
    const char *vm_dir;             /* absolute path of RUN/vm: sockets and machine lock are in there */
    const char *const *image_paths; /* by SCSI id, NULL where there is no disk (run_definition_disk()) */
    size_t n_image_paths;
    const DomainDisk *disks; /* of volumes */
    size_t n_disks;
    uint64_t tsc_khz; /* 0: unknown */
    /* What confines machines there, first of libvirt's drivers: "apparmor", "selinux"; NULL: none but file owners. */
    const char *security_model;
    bool
        session; /* a user's own daemon: it has no means to change a file's owner, and refuses to be told not to */
} DomainInputs;

/*
 * malloc'ed. 0, or -EINVAL when a text has bytes that XML has no way to say, -ENAMETOOLONG when the sockets' paths are longer
 * than a socket's may be, -ENOTSUP when the pod asks for a security label where security_model is NULL, -EPERM when it has a fragment
 * and definition->libvirt_xml says that none may, -EBADMSG when the fragment is refused (domain_fragment_check() tells why),
 * -ENOMEM.
 */
int domain_xml_build(const RunDefinition *definition, const DomainInputs *inputs, char **ret);
