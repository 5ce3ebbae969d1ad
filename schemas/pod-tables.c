/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/device.h"
#include "schemas/formats.h"
#include "schemas/pod-definition.h"

DEFINE_ENUM_TABLE(
    backend_kind, "backend",
    BACKEND_KIND_MAX, [BACKEND_QEMU] = { "qemu", "one QEMU process, driven by podvisor itself" },
    [BACKEND_LIBVIRT] = { "libvirt", "a transient domain of libvirt, with the same guest" },
    [BACKEND_NULL] = { "null", "no machine at all: for trying definitions and for tests" });

DEFINE_ENUM_TABLE(restart_policy, "restart policy",
                  RESTART_POLICY_MAX, [RESTART_ALWAYS] = { "always", "started again whenever it ends" },
                  [RESTART_ON_FAILURE] = { "on-failure", "started again unless it ended with exit status 0" },
                  [RESTART_NEVER] = { "never", "not started again" });

DEFINE_ENUM_TABLE(pull_policy, "pull policy",
                  PULL_POLICY_MAX, [PULL_NEVER] = { "never", "it must be there; podvisord waits for it" },
                  [PULL_MISSING] = { "missing", "when it is not there" },
                  [PULL_NEWER] = {
                      "newer",
                      "before each start, if its registry has another; with what is there, if that fails" });

DEFINE_ENUM_TABLE(
    machine, "machine",
    MACHINE_MAX, [MACHINE_MICROVM] = { "microvm", "virtio over MMIO, no PCI: the quickest to start" },
    [MACHINE_Q35] = { "q35", "a PC with PCI Express, for devices that need it" });

DEFINE_ENUM_TABLE(
    accelerator, "accelerator",
    ACCELERATOR_MAX, [ACCELERATOR_AUTO] = { "auto", "KVM where this host can run a guest with it, else TCG" },
    [ACCELERATOR_KVM] = { "kvm", "hardware virtualisation, or an error" },
    [ACCELERATOR_TCG] = { "tcg", "emulation: slow, and QEMU promises no isolation with it" });

DEFINE_ENUM_TABLE(network_mode, "network mode",
                  NETWORK_MODE_MAX, [NETWORK_NONE] = { "none", "no network: only the loopback interface" },
                  [NETWORK_USER] = { "user", "the host's network as an unprivileged user has it, by passt" },
                  [NETWORK_BRIDGE] = { "bridge", "an interface of its own on a bridge of the host" });

static const Field restart_fields[] = {
    { F_ENUM(RestartSettings, policy, restart_policy_table), .fallback = "always",
      .doc = "When it is started again after it has ended." },
    { F_DURATION(RestartSettings, delay), .fallback = "1s", .min = USEC_PER_MSEC, .max = 24 * USEC_PER_HOUR,
      .doc = "How long to wait before the first restart. Each further failure doubles the wait, up to "
             "max_delay; a tenth of it is random, so that many do not come back at once." },
    { F_DURATION(RestartSettings, max_delay), .fallback = "5min", .min = USEC_PER_MSEC,
      .max = 24 * USEC_PER_HOUR, .doc = "The longest wait between two restarts." },
    { F_DURATION(RestartSettings, reset_after), .fallback = "10min", .min = USEC_PER_SEC,
      .max = 168 * USEC_PER_HOUR,
      .doc = "After running for so long, past failures are forgotten and the wait is delay again." },
};
DEFINE_SCHEMA(restart_schema, RestartSettings, "restart", "What happens when it ends.", restart_fields);

static const Field io_limits_fields[] = {
    { F_SIZE(IoLimits, read_bps), .fallback = "infinity", .min = 64 * 1024, .impact = IMPACT_LIVE,
      .doc = "The most bytes that are read in a second." },
    { F_SIZE(IoLimits, write_bps), .fallback = "infinity", .min = 64 * 1024, .impact = IMPACT_LIVE,
      .doc = "The most bytes that are written in a second.",
      .example = "limits = { io = { write_bps = \"10M\"; }; };" },
    { F_UNSIGNED(IoLimits, read_iops), .max = UINT32_MAX, .impact = IMPACT_LIVE,
      .doc = "The most requests to read in a second. 0 sets no limit." },
    { F_UNSIGNED(IoLimits, write_iops), .max = UINT32_MAX, .impact = IMPACT_LIVE,
      .doc = "The most requests to write in a second. 0 sets no limit." },
};
DEFINE_SCHEMA(io_limits_schema, IoLimits, "io", "How quickly the container may read and write disks.",
              io_limits_fields);

bool io_limit_given(uint64_t limit)
{
    return limit > 0 && limit != SIZE_INFINITY;
}

bool io_limits_given(const IoLimits *io)
{
    return io_limit_given(io->read_bps) || io_limit_given(io->write_bps) || io->read_iops > 0 ||
           io->write_iops > 0;
}

static const Field limits_fields[] = {
    { F_SIZE(ContainerLimits, memory), .fallback = "infinity", .min = 1024 * 1024, .impact = IMPACT_LIVE,
      .doc = "The most memory that the container's processes may use, with what they write to its root "
             "directory and to volumes in memory. A container that needs more is killed as a whole, and "
             "its status says so. A limit below what it uses, and cannot give back, is "
             "not put on a container that runs, but when it is started again.",
      .example = "limits = { memory = \"64M\"; };" },
    { F_SIZE(ContainerLimits, memory_high), .fallback = "infinity", .min = 1024 * 1024, .impact = IMPACT_LIVE,
      .doc = "The memory from which on the container is slowed down, and made to give back what it can: "
             "caches of files first. Nothing is killed for it." },
    { F_SIZE(ContainerLimits, swap), .impact = IMPACT_LIVE,
      .doc =
          "The most of its memory that may be in the pod's swap space, a volume of type \"swap\", instead: "
          "that much more than memory it can have in all. When the key is absent or 0: nothing.",
      .example = "limits = { memory = \"64M\"; swap = \"128M\"; };" },
    { F_SIZE(ContainerLimits, memory_low), .impact = IMPACT_LIVE,
      .doc = "Memory that is left to the container when the pod's memory is short, as long as other "
             "containers have some that can be given back." },
    { F_DOUBLE(ContainerLimits, cpu), .double_max = 1024, .impact = IMPACT_LIVE,
      .doc = "The most processor time, in cores: 0.5 is half of one core. 0 sets no limit." },
    { F_UNSIGNED(ContainerLimits, cpu_weight), .fallback = "100", .min = 1, .max = 10000,
      .impact = IMPACT_LIVE,
      .doc = "The container's part of the processors when the pod's containers want more than there is: "
             "one with 200 gets twice of what one with 100 gets." },
    { F_UNSIGNED(ContainerLimits, pids), .max = 4194304, .impact = IMPACT_LIVE,
      .doc = "The most processes and threads. When the key is absent or 0: an equal share with other such "
             "containers of what three quarters of the pod's memory are for, and at least 128." },
    { F_GROUP(ContainerLimits, io, io_limits_schema), .impact = IMPACT_LIVE,
      .doc = "How quickly the container may read and write disks: that of its image, and those of its "
             "volumes, each for itself. What is in memory is not limited: tmpfs volumes, and the root "
             "directory without writable_volume." },
};
DEFINE_SCHEMA(limits_schema, ContainerLimits, "limits", "What the container may use of its pod.",
              limits_fields);

DEFINE_ENUM_TABLE(
    log_syntax, "format",
    LOG_SYNTAX_MAX, [LOG_SYNTAX_TEXT] = { "text", "lines, which may begin with their priority: <0> to <7>" },
    [LOG_SYNTAX_JSON] = { "json", "lines that are JSON objects with a message and a level; others are text" },
    [LOG_SYNTAX_RAW] = { "raw", "lines of which nothing is read" });

static const Field container_log_fields[] = {
    { F_ENUM(ContainerLog, format, log_syntax_table), .fallback = "text", .impact = IMPACT_REBOOT,
      .doc =
          "What the lines of its output look like. The priority of each is read from it, and shown by "
          "`journalctl -p` and `podvisor logs -p`; without one, standard output is info and standard error "
          "warning.",
      .example = "log = { format = \"json\"; };" },
};
DEFINE_SCHEMA(container_log_schema, ContainerLog, "log", "How the container's output is read.",
              container_log_fields);

static const Field network_fields[] = {
    { F_ENUM(NetworkDefinition, mode, network_mode_table), .fallback = "none", .impact = IMPACT_REBOOT,
      .doc = "Which network the pod has. With user, its containers reach what this host reaches, except the "
             "host's own loopback addresses, and are reached by the ports in publish alone. With bridge, the "
             "pod is "
             "a host of its own on that network, and every port of it is reached there.",
      .example = "network = { mode = \"user\"; };" },
    { F_STRV(NetworkDefinition, publish), .max = PUBLISH_MAX, .format = &format_line, .impact = IMPACT_REBOOT,
      .doc = "Ports of the host that lead into the pod: an address of the host, a port or range of the host, "
             "the port or range in the pod, and /udp where it is not TCP. Without an address, all of the "
             "host's; an IPv6 address goes in []. Each port of the host once.",
      .example = "publish = [ \"127.0.0.1:8080:80\", \"5000-5010:5000-5010/udp\" ];" },
    { F_STRING(NetworkDefinition, network), .format = &format_name, .impact = IMPACT_REBOOT,
      .doc =
          "The network that the pod is on, of those that podvisor makes: NAME.network in a directory of pod "
          "files declares one. Needs a podvisord that runs as root.",
      .example = "network = { mode = \"bridge\"; network = \"lan\"; };" },
    { F_STRING(NetworkDefinition, bridge), .format = &format_interface, .impact = IMPACT_REBOOT,
      .doc = "Instead of network: the bridge of the host that the pod is on. It has to be there when the pod "
             "starts. Needs a podvisord that runs as root.",
      .example = "network = { mode = \"bridge\"; bridge = \"br0\"; address = \"10.0.0.2/24\"; };" },
    { F_STRING(NetworkDefinition, address), .format = &format_ip_or_dhcp, .impact = IMPACT_REBOOT,
      .doc =
          "The pod's address there, of IPv4 or IPv6, with how many bits of it are those of the subnet. "
          "Two pods on one bridge with one address do not run at once. On a network of podvisor's the bits "
          "are "
          "left out, or the whole key: then one is allotted, and stays the pod's for as long as its file is "
          "there. \"dhcp\": a DHCP server of that "
          "network leases it one of IPv4, with the gateway; and with dns, a domain and an mtu where the pod "
          "file has none. Its containers start when it has one.",
      .example = "address = \"10.0.0.2/24\";" },
    { F_STRING(NetworkDefinition, gateway), .format = &format_ip, .impact = IMPACT_REBOOT,
      .doc = "Where what is outside of the subnet is reached by. Without it, nothing is. With address = "
             "\"dhcp\" the server says it." },
    { F_STRV(NetworkDefinition, dns), .max = DNS_MAX, .format = &format_ip, .impact = IMPACT_REBOOT,
      .doc = "The servers of names, for /etc/resolv.conf. Without them that names none.",
      .example = "dns = [ \"10.0.0.1\" ];" },
    { F_UNSIGNED(NetworkDefinition, mtu), .min = 1280, .max = 65521, .impact = IMPACT_REBOOT,
      .doc = "The largest packet that the pod sends and takes, in bytes; not larger than the bridge's. When "
             "the key is absent: 1500." },
    { F_DURATION(NetworkDefinition, lease_timeout), .fallback = "10s", .min = USEC_PER_SEC,
      .max = 4 * USEC_PER_MINUTE, .impact = IMPACT_REBOOT,
      .doc = "With address = \"dhcp\": how long the pod's start waits for a lease before it fails. A bridge "
             "with a spanning tree passes nothing in the first half minute." },
    { F_STRV(NetworkDefinition, hosts), .max = HOSTS_MAX, .format = &format_host, .impact = IMPACT_REBOOT,
      .doc =
          "Names of other hosts, such as other pods on the bridge, for /etc/hosts of the pod's containers.",
      .example = "hosts = [ \"db:10.0.0.3\", \"db:fd00::3\" ];" },
};
DEFINE_SCHEMA(network_schema, NetworkDefinition, "network", "How the pod is on a network.", network_fields);

bool network_is_leased(const NetworkDefinition *n)
{
    return n->mode == NETWORK_BRIDGE && streq_ptr(n->address, NETWORK_ADDRESS_DHCP);
}

static const Field container_fields[] = {
    { F_STRING(ContainerDefinition, name), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_name,
      .impact = IMPACT_REBOOT, .doc = "The name of the container, unique in its pod." },
    { F_STRING(ContainerDefinition, image), .flags = FIELD_REQUIRED, .format = &format_image,
      .impact = IMPACT_REBOOT, .doc = "The image that it runs, as `podvisor image list` names it.",
      .example = "image = \"busybox\";" },
    { F_ENUM(ContainerDefinition, pull, pull_policy_table), .fallback = "never",
      .doc = "Whether podvisord pulls the image from its registry, which `image` must name then. The pod "
             "waits while "
             "that is under way; what fails is told by its status, and tried again after a while.",
      .example = "image = \"registry.example/app:1\"; pull = \"missing\";" },
    { F_STRV(ContainerDefinition, command), .max = 4096, .format = &format_argument, .impact = IMPACT_REBOOT,
      .doc = "The program and its arguments, instead of the image's entry point and command. No shell is "
             "involved; a name without / is looked for in PATH.",
      .example = "command = [ \"httpd\", \"-f\", \"-p\", \"80\" ];" },
    { F_ENVIRONMENT(ContainerDefinition, environment), .impact = IMPACT_REBOOT,
      .doc = "Environment variables, added to the image's.",
      .example = "environment = { LANG = \"C.UTF-8\"; };" },
    { F_STRING(ContainerDefinition, working_dir), .format = &format_absolute_path, .impact = IMPACT_REBOOT,
      .doc = "The directory in which the program starts, instead of the image's." },
    { F_STRING(ContainerDefinition, user), .format = &format_user, .impact = IMPACT_REBOOT,
      .doc = "The user and group of the program, instead of the image's. Names are looked up in the image.",
      .example = "user = \"1000:1000\";" },
    { F_STRV(ContainerDefinition, groups), .max = GROUPS_MAX, .format = &format_group,
      .impact = IMPACT_REBOOT,
      .doc = "Supplementary groups of the program, added to those that the image gives its user. Names "
             "are looked up in the image.",
      .example = "groups = [ \"audio\", \"2000\" ];" },
    { F_BOOL(ContainerDefinition, read_only), .impact = IMPACT_REBOOT,
      .doc = "Whether the root directory is read-only. Otherwise writes go to a layer in the pod's memory, "
             "or in a volume, and are lost when the pod ends." },
    { F_SIZE(ContainerDefinition, writable_size), .max = UINT64_C(1) << 40, .impact = IMPACT_REBOOT,
      .doc =
          "The most that the layer of the root directory can hold. When the key is absent or 0: half of the "
          "container's memory limit; without one, an equal share with other such containers of half of the "
          "pod's "
          "memory.",
      .example = "writable_size = \"16M\";" },
    { F_STRING(ContainerDefinition, writable_volume), .format = &format_name, .impact = IMPACT_REBOOT,
      .doc = "The volume of type \"scratch\" that has the layer of the root directory, instead of the pod's "
             "memory. Its size bounds the layers of all containers that name it, together with what they "
             "write to it where it is mounted.",
      .example = "writable_volume = \"work\";" },
    { F_STRV(ContainerDefinition, capabilities), .max = 64, .format = &format_capability,
      .impact = IMPACT_REBOOT,
      .doc = "Capabilities that the program keeps. When the key is absent, the usual ones of containers "
             "(CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, "
             "SETUID, SYS_CHROOT); [ \"NONE\" ] keeps none.",
      .example = "capabilities = [ \"NET_BIND_SERVICE\" ];" },
    { F_STRV(ContainerDefinition, devices), .max = DEVICES_MAX, .format = &format_device,
      .impact = IMPACT_REBOOT,
      .doc = "Devices of the machine that the container has beside the usual ones: /dev/fuse, /dev/net/tun, "
             "/dev/hwrng. After a colon, what it may do with it: r (read), w (write), m (make other nodes of "
             "it, with the capability MKNOD); without that all three. Every user of the container has it.",
      .example = "devices = [ \"/dev/fuse\", \"/dev/net/tun:rw\" ];" },
    { F_BOOL(ContainerDefinition, no_new_privs), .fallback = "true", .impact = IMPACT_REBOOT,
      .doc = "Whether the program and all that it runs can gain nothing by programs with the set-user-ID "
             "bit or file capabilities." },
    { F_ENUM(ContainerDefinition, seccomp, seccomp_profile_table), .fallback = "default",
      .impact = IMPACT_REBOOT,
      .doc = "Which system calls the program may use. The default profile allows what its capabilities "
             "are for, and refuses what only leads into the kernel: new namespaces, mounts, keys, "
             "modules, BPF and the like." },
    { F_STRING(ContainerDefinition, umask), .format = &format_file_mode, .impact = IMPACT_REBOOT,
      .doc = "What the modes of files that the program makes are without, as umask(2) has it, in octal "
             "digits. When the key is absent: 0022.",
      .example = "umask = \"0077\";" },
    { F_GROUP(ContainerDefinition, rlimits, rlimits_schema), .impact = IMPACT_REBOOT,
      .doc = "Limits of each process of the container." },
    { F_STRING(ContainerDefinition, stop_signal), .format = &format_signal, .impact = IMPACT_REBOOT,
      .doc = "The signal that asks the program to end, instead of the image's; TERM where neither says one. "
             "A program that does not handle it is killed at once, since the kernel would not let it have "
             "the signal." },
    { F_DURATION(ContainerDefinition, stop_timeout), .fallback = "10s", .max = 24 * USEC_PER_HOUR,
      .impact = IMPACT_REBOOT, .doc = "How long the program has to end before it is killed." },
    { F_GROUP(ContainerDefinition, restart, restart_schema), .impact = IMPACT_REBOOT,
      .doc = "What happens when the program ends. The pod itself goes on. In init, always means "
             "on-failure, and with never the first failure is the end of the pod.",
      .example = "restart = { policy = \"on-failure\"; };" },
    { .name = "stdin",
      .type = FIELD_BOOL,
      .offset = FIELD_TYPED_OFFSET(ContainerDefinition, keep_stdin, bool),
      .impact = IMPACT_REBOOT,
      .doc =
          "Whether the program's standard input stays open for what `podvisor attach` gives it, instead of "
          "being /dev/null. It ends when somebody who is attached comes to the end of his own input, and "
          "is open again when the program is started again; who detaches or is lost ends nothing.",
      .example = "stdin = true;" },
    { F_BOOL(ContainerDefinition, terminal), .impact = IMPACT_REBOOT,
      .doc =
          "Whether the program's standard streams are a terminal, as shells want it. `podvisor attach` shows "
          "it and types into it. What the program writes to standard error is standard output then, also "
          "in the log.",
      .example = "terminal = true;" },
    { F_BOOL(ContainerDefinition, sidecar), .impact = IMPACT_REBOOT,
      .doc = "Whether it serves the pod's other containers: it starts before them, which wait until it is "
             "ready (or, without ready, until its startup has passed, or until it runs), stops after them, "
             "and does not keep the pod from ending." },
    { F_GROUP(ContainerDefinition, startup, probe_schema), .same_as = "containers.ready",
      .impact = IMPACT_REBOOT,
      .doc = "How to find out that the container has come up. Until it has passed, the container is not "
             "ready, and ready and alive are not tried. When it has failed, the container is ended, and "
             "started again as restart says of a failure.",
      .example = "startup = { tcp = \":5432\"; period = \"1s\"; failures = 60; };" },
    { F_GROUP(ContainerDefinition, ready, probe_schema), .impact = IMPACT_REBOOT,
      .doc = "How to find out whether the container does its work. Until it has passed, and from when it "
             "has failed until it passes again, the container is not ready, nor is the pod; the container "
             "runs on.",
      .example = "ready = { http = \"http://:80/\"; period = \"2s\"; };" },
    { F_GROUP(ContainerDefinition, alive, probe_schema), .same_as = "containers.ready",
      .impact = IMPACT_REBOOT,
      .doc = "How to find out whether the container is still to be relied upon. When it has failed, the "
             "container is ended by its stop signal, and started again as restart says of a failure, "
             "whatever its exit status.",
      .example = "alive = { exec = [ \"/bin/check\" ]; timeout = \"5s\"; };" },
    { F_GROUP(ContainerDefinition, limits, limits_schema), .impact = IMPACT_REBOOT,
      .doc = "What the container may use of its pod." },
    { F_GROUP(ContainerDefinition, log, container_log_schema), .impact = IMPACT_REBOOT,
      .doc = "How the container's output is read." },
    { F_LIST(ContainerDefinition, mounts, mount_schema), .max = 64, .impact = IMPACT_REBOOT,
      .doc = "Volumes, secrets and config files that the container sees.",
      .example = "mounts = ( { volume = \"cache\"; path = \"/var/cache\"; } );" },
};
DEFINE_SCHEMA(container_schema, ContainerDefinition, "container", "A program and the image that it runs in.",
              container_fields);

DEFINE_ENUM_TABLE(start_kind, "start",
                  START_MAX, [START_AUTO] = { "auto", "as podvisord.conf says; there, \"cold\"" },
                  [START_TEMPLATE] = { "template", "as a copy of a machine that has booted before" },
                  [START_COLD] = { "cold", "the machine boots" });

static const Field qemu_fields[] = {
    { F_ENUM(QemuOptions, machine, machine_table), .fallback = "microvm", .impact = IMPACT_REBOOT,
      .doc = "The kind of machine that QEMU emulates." },
    { F_ENUM(QemuOptions, accelerator, accelerator_table), .fallback = "auto", .impact = IMPACT_REBOOT,
      .doc = "What runs the guest's processor. `podvisor status` shows what was taken, and whether hardware "
             "isolates the pod." },
    { F_ENUM(QemuOptions, start, start_kind_table), .fallback = "auto", .impact = IMPACT_NONE,
      .doc = "How the machine starts. A copy of a template is there in a fraction of the time of a boot; "
             "where there is none yet, "
             "the machine boots, one is made beside it, and the next start is by that. Copies of one "
             "template share where their "
             "kernel and agent lie in memory, which podvisor(7) says more about. `podvisor status` shows how "
             "a pod has started." },
};
DEFINE_SCHEMA(qemu_options_schema, QemuOptions, "qemu", "Settings of the qemu backend.", qemu_fields);

DEFINE_ENUM_TABLE(
    libvirt_uri, "URI",
    LIBVIRT_URI_MAX, [LIBVIRT_URI_AUTO] = { "auto", "qemu:///system for root, else qemu:///session" },
    [LIBVIRT_URI_SYSTEM] = { "qemu:///system", "the host's daemon" },
    [LIBVIRT_URI_SESSION] = { "qemu:///session", "the user's own daemon" });

DEFINE_ENUM_TABLE(libvirt_machine, "machine",
                  LIBVIRT_MACHINE_MAX, [LIBVIRT_MACHINE_Q35] = { "q35", "a PC with PCI Express" },
                  [LIBVIRT_MACHINE_PC] = { "pc", "a PC with PCI only, for daemons without q35" });

static const Field libvirt_fields[] = {
    { F_ENUM(LibvirtOptions, uri, libvirt_uri_table), .fallback = "auto", .impact = IMPACT_REBOOT,
      .doc = "Which daemon of this host runs the machine." },
    { F_ENUM(LibvirtOptions, machine, libvirt_machine_table), .fallback = "q35", .impact = IMPACT_REBOOT,
      .doc = "The kind of machine that is emulated." },
    { F_ENUM(LibvirtOptions, accelerator, accelerator_table), .fallback = "auto", .impact = IMPACT_REBOOT,
      .doc = "What runs the guest's processor." },
    { F_STRING(LibvirtOptions, cpu_model), .fallback = "auto", .format = &format_cpu_model,
      .impact = IMPACT_REBOOT,
      .doc = "The processor that the guest sees: auto (the host's own with KVM, else all that emulation "
             "offers), "
             "host-passthrough, host-model, maximum, or a model that `virsh cpu-models x86_64` lists.",
      .example = "libvirt = { cpu_model = \"host-model\"; };" },
    { F_STRING(LibvirtOptions, security_label), .fallback = "auto", .format = &format_line,
      .impact = IMPACT_REBOOT,
      .doc =
          "The label under which libvirt's security driver confines the machine: auto for one that libvirt "
          "makes, none for no confinement by it, or a label." },
    { F_STRING(LibvirtOptions, xml), .impact = IMPACT_REBOOT,
      .doc = "XML that is added to the domain, for what podvisor has no key for. Only where podvisord.conf "
             "has libvirt_xml = true." },
};
DEFINE_SCHEMA(libvirt_options_schema, LibvirtOptions, "libvirt", "Settings of the libvirt backend.",
              libvirt_fields);

static const Field null_fields[] = {
    { F_DURATION(NullOptions, start_delay), .fallback = "0", .impact = IMPACT_REBOOT,
      .doc = "How long the start takes." },
    { F_DURATION(NullOptions, run_time), .fallback = "0", .impact = IMPACT_REBOOT,
      .doc = "How long it runs before it ends by itself with exit_code; 0 runs for ever." },
    { F_UNSIGNED(NullOptions, exit_code), .max = 255, .impact = IMPACT_REBOOT,
      .doc = "The exit status of each container after run_time." },
    { F_BOOL(NullOptions, ignore_stop), .impact = IMPACT_REBOOT,
      .doc = "Whether a request to stop is ignored, so that only a kill ends it." },
    { F_BOOL(NullOptions, fail_start), .impact = IMPACT_REBOOT, .doc = "Whether each start fails." },
};
DEFINE_SCHEMA(null_options_schema, NullOptions, "null", "Settings of the null backend.", null_fields);

static const Field pod_fields[] = {
    { F_STRING(PodDefinition, description), .format = &format_line,
      .doc = "A line about the pod, for people." },
    { F_ENUM(PodDefinition, backend, backend_kind_table), .fallback = "qemu", .impact = IMPACT_REBOOT,
      .doc = "What runs the pod's virtual machine." },
    { F_BOOL(PodDefinition, autostart), .fallback = "true",
      .doc = "Whether podvisord starts the pod by itself. Otherwise `podvisor start` does." },
    { F_STRV(PodDefinition, after), .max = ORDER_MAX, .format = &format_name,
      .doc = "Pods that must be ready before this one starts. When both are to stop, this one stops first. A "
             "pod "
             "that is held, is not started by itself, or has ended for good is not waited for; one that is "
             "not declared is.",
      .example = "after = [ \"db\" ];" },
    { F_STRV(PodDefinition, requires), .max = ORDER_MAX, .format = &format_name,
      .doc = "As after; and this pod runs only with them. They are started for it even when their autostart "
             "is false. When one is stopped, restarted, replaced or removed, or has failed for good, this "
             "pod is stopped first, and started again once that one is ready. A failure that is followed by "
             "a restart leaves this pod as it is.",
      .example = "requires = [ \"db\" ];" },
    { F_UNSIGNED(PodDefinition, cpus), .fallback = "1", .min = 1, .max = 64, .impact = IMPACT_REBOOT,
      .doc = "The virtual processors of the pod." },
    { F_SIZE(PodDefinition, memory), .fallback = "192M", .min = UINT64_C(96) << 20, .max = UINT64_C(1) << 40,
      .impact = IMPACT_REBOOT,
      .doc = "The memory of the pod. Its kernel, all of its containers, what they write to their root "
             "directories, and tmpfs volumes share it.",
      .example = "memory = \"256M\";" },
    { F_DURATION(PodDefinition, start_timeout), .fallback = "90s", .min = USEC_PER_SEC, .max = USEC_PER_HOUR,
      .impact = IMPACT_NONE,
      .doc = "How long the machine has to start before it counts as failed. It counts from launching it "
             "until its agent begins with the containers; how long those of init take is not limited." },
    { F_DURATION(PodDefinition, stop_timeout), .fallback = "30s", .max = USEC_PER_HOUR, .impact = IMPACT_NONE,
      .doc = "How long the pod has to stop when asked to, before its machine is killed." },
    { F_GROUP(PodDefinition, restart, restart_schema), .doc = "What happens when the pod's machine ends.",
      .example = "restart = { policy = \"always\"; delay = \"1s\"; };" },
    { F_BOOL(PodDefinition, share_pids), .impact = IMPACT_REBOOT,
      .doc = "Whether the containers see each other's processes and may send them signals. A container's "
             "program is then not process 1, and whoever may trace a process can look at its container's "
             "files." },
    { F_SIZE(PodDefinition, shm_size), .max = UINT64_C(1) << 40, .impact = IMPACT_REBOOT,
      .doc = "The most that /dev/shm can hold, which the containers share. It is taken from the pod's "
             "memory as it fills. When the key is absent or 0: 64M, or a quarter of the pod's memory "
             "where that is less.",
      .example = "shm_size = \"256M\";" },
    { F_STRV(PodDefinition, sysctls), .max = SYSCTLS_MAX, .format = &format_sysctl, .impact = IMPACT_REBOOT,
      .doc = "Settings of the pod's kernel, made before its containers start. Those of networks and of "
             "communication between processes, and vm.max_map_count, can be set; a pod whose kernel "
             "refuses one does not start.",
      .example = "sysctls = [ \"net.core.somaxconn=1024\" ];" },
    { F_GROUP(PodDefinition, network, network_schema), .impact = IMPACT_REBOOT,
      .doc = "How the pod is on a network. All of its containers share it.",
      .example = "network = { mode = \"user\"; publish = [ \"127.0.0.1:8080:80\" ]; };" },
    { F_LIST(PodDefinition, volumes, volume_schema), .max = VOLUMES_MAX, .impact = IMPACT_REBOOT,
      .doc = "Storage that the pod's containers share.",
      .example = "volumes = ( { name = \"cache\"; type = \"tmpfs\"; size = \"32M\"; } );" },
    { F_LIST(PodDefinition, secrets, secret_schema), .max = SECRETS_MAX, .impact = IMPACT_REBOOT,
      .doc =
          "What the pod's containers must know and nobody else. Sent to the pod when it starts and when it "
          "changes, and on none of the host's disks but where it comes from.",
      .example = "secrets = ( { name = \"tls-key\"; source = \"/etc/keys/web.pem\"; } );" },
    { F_LIST(PodDefinition, configs, config_schema), .max = CONFIGS_MAX, .impact = IMPACT_REBOOT,
      .doc = "Files that the pod's containers read.",
      .example = "configs = ( { name = \"motd\"; content = \"Welcome\\n\"; } );" },
    { F_LIST(PodDefinition, init, container_schema), .same_as = "containers", .max = CONTAINERS_MAX,
      .impact = IMPACT_REBOOT,
      .doc = "Containers that run before the others: one after the other, each to its end with exit status "
             "0. One that fails is started again as its restart says, and the rest wait; with the policy "
             "never the pod has failed, and none of the rest is started. Each start of the pod runs them "
             "again.",
      .example = "init = ( { name = \"migrate\"; image = \"app\"; command = [ \"/bin/migrate\" ]; } );" },
    { F_LIST(PodDefinition, containers, container_schema), .min = 1, .max = CONTAINERS_MAX,
      .impact = IMPACT_REBOOT, .flags = FIELD_REQUIRED, .doc = "The containers of the pod, at least one.",
      .example = "containers = ( { name = \"web\"; image = \"busybox\"; } );" },
    { F_GROUP(PodDefinition, qemu, qemu_options_schema), .impact = IMPACT_REBOOT,
      .doc = "Settings of the qemu backend." },
    { F_GROUP(PodDefinition, libvirt, libvirt_options_schema), .impact = IMPACT_REBOOT,
      .doc = "Settings of the libvirt backend." },
    { F_GROUP(PodDefinition, null, null_options_schema), .impact = IMPACT_REBOOT,
      .doc = "Settings of the null backend." },
};
DEFINE_SCHEMA(pod_schema, PodDefinition, "pod",
              "A pod file declares one virtual machine and the containers inside it.", pod_fields);
