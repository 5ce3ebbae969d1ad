/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "schemas/daemon-config.h"
#include "schemas/formats.h"
#include "schemas/schema-config.h"
#include "schemas/template-protocol.h"

enum { SIZE_MAX_READ = 1024 * 1024 };

DEFINE_ENUM_TABLE(launcher_kind, "launcher",
                  LAUNCHER_MAX, [LAUNCHER_AUTO] = { "auto", "systemd where it runs the host, else direct" },
                  [LAUNCHER_DIRECT] = { "direct", "processes that podvisord spawns itself" },
                  [LAUNCHER_SYSTEMD] = { "systemd", "units podvisor-pod@POD.service" });

DEFINE_ENUM_TABLE(machined_use, "use of systemd-machined",
                  MACHINED_MAX, [MACHINED_AUTO] = { "auto", "where it is there" },
                  [MACHINED_YES] = { "yes", "also told in the log where it is not there" },
                  [MACHINED_NO] = { "no", "never" });

DEFINE_ENUM_TABLE(suspend_policy, "suspend policy",
                  SUSPEND_MAX, [SUSPEND_IGNORE] = { "ignore", "they are not told" },
                  [SUSPEND_PAUSE] = { "pause",
                                      "paused before, and afterwards they go on with their clocks set" });

static const Field fields[] = {
    { F_UNSIGNED(DaemonConfig, max_starts), .fallback = "0", .max = 1024,
      .doc = "How many pods are started at once. 0 takes the number of the host's processors." },
    { F_ENUM(DaemonConfig, launcher, launcher_kind_table), .fallback = "auto",
      .doc = "How the process that looks after a pod is started. `systemd` is for the system's own podvisord "
             "only." },
    { F_ENUM(DaemonConfig, log_target, log_target_table), .fallback = "auto",
      .doc = "Where the output of containers goes." },
    { F_SIZE(DaemonConfig, log_size), .fallback = "8M", .min = 64 * 1024, .max = UINT64_C(1) << 40,
      .doc = "How much the log files of one pod may take. The oldest lines go first." },
    { F_ENUM(DaemonConfig, start, start_kind_table), .fallback = "cold",
      .doc = "How machines of pods start that do not say it in qemu.start. Templates take memory of the "
             "host, about as much as "
             "a pod that does nothing, for each combination of qemu.machine, cpus, memory and whether there "
             "is a network." },
    { F_UNSIGNED(DaemonConfig, spares), .fallback = "0", .max = TEMPLATE_SPARES_MAX,
      .doc = "How many machines of each template are made ready before a pod wants them, so that its start "
             "need not even make the copy. "
             "Each takes some 15 MiB of the host's memory while it waits, without KVM some 40 MiB. Only for "
             "pods without units "
             "(launcher), and only for those "
             "that start from templates." },
    { F_STRING(DaemonConfig, kernel), .format = &format_absolute_path,
      .doc = "The guests' kernel, as an uncompressed ELF file, instead of the one that came with podvisor." },
    { F_STRING(DaemonConfig, initrd), .format = &format_absolute_path,
      .doc = "The guests' initial file system, instead of the one that came with podvisor." },
    { F_STRING(DaemonConfig, qemu), .fallback = "/usr/bin/qemu-system-x86_64",
      .format = &format_absolute_path, .doc = "The QEMU program." },
    { F_STRING(DaemonConfig, passt), .fallback = "/usr/bin/passt", .format = &format_absolute_path,
      .doc = "The passt program, for pods whose network.mode is \"user\"." },
    { F_STRING(DaemonConfig, virtiofsd), .fallback = "/usr/lib/qemu/virtiofsd",
      .format = &format_absolute_path, .doc = "The virtiofsd program, for shares whose mode is \"live\"." },
    { F_STRING(DaemonConfig, libvirt_user), .fallback = PODVISOR_LIBVIRT_USER, .format = &format_user,
      .doc = "The user as whom libvirt runs machines: `user` in its qemu.conf. Pods with the libvirt backend "
             "let "
             "its group read their images." },
    { F_BOOL(DaemonConfig, libvirt_xml),
      .doc =
          "Whether pod files may add XML to their domains. Who may write pod files can then do on this host "
          "whatever libvirt can." },
    { F_STRING(DaemonConfig, log_level), .fallback = "info",
      .doc = "The least important messages that are logged: debug, info, notice, warning or err." },
    { F_STRING(DaemonConfig, bus), .fallback = "auto",
      .doc =
          "The message bus that podvisord works with, and on which it serves its API: auto (the system's; "
          "the "
          "user's with --user; none with --root), no, or the address of one, such as unix:path=/run/bus." },
    { F_ENUM(DaemonConfig, machined, machined_use_table), .fallback = "auto",
      .doc = "Whether machinectl shows pods, which systemd-machined does for it. Only those that have a unit "
             "of their own; never with --user or --root." },
    { F_ENUM(DaemonConfig, suspend, suspend_policy_table), .fallback = "ignore",
      .doc = "What becomes of the pods that run while the host sleeps." },
    { F_STRV(DaemonConfig, volume_sources), .max = 64, .format = &format_absolute_path,
      .doc =
          "Directories below which disks and shares of pods may lie, besides podvisord's own. Below them no "
          "symbolic link is followed. Without it /srv; with --user and --root any. What a pod writes to, "
          "podvisord must be able to, which in its unit needs ReadWritePaths=, and for block devices below "
          "/dev, PrivateDevices=no, too.",
      .example = "volume_sources = [ \"/srv/disks\" ];" },
    { F_STRV(DaemonConfig, file_sources), .max = 64, .format = &format_absolute_path,
      .doc =
          "Directories below which the sources of secrets and config files may lie. Below them no symbolic "
          "link is followed. Without it /etc/podvisor/secrets, /etc/podvisor/configs and /etc/keys; with "
          "--user and --root any.",
      .example = "file_sources = [ \"/etc/keys\", \"/etc/ssl/private\" ];" },
    { F_DURATION(DaemonConfig, pull_timeout), .fallback = "15min", .min = USEC_PER_SEC,
      .max = 24 * USEC_PER_HOUR,
      .doc = "How long it may take to fetch an image that a pod file wants to be pulled. What was fetched by "
             "then is kept, and "
             "the next try goes on from there." },
    { F_STRV(DaemonConfig, insecure_registries), .max = 256, .format = &format_registry,
      .doc = "Registries that images are pulled from although they have no certificate that this host "
             "trusts, or "
             "speak without TLS. Who is on the way to them can then put other images in the place of theirs; "
             "what is pinned by its digest is safe from that." },
};
DEFINE_SCHEMA(daemon_config_schema, DaemonConfig, "podvisord.conf", "How podvisord works on this host.",
              fields);

int daemon_config_load(const char *path, DaemonConfig *ret, Diagnostics *diagnostics)
{
    _cleanup_(bytes_done) Bytes text = { 0 };
    Locations locations = { 0 };

    int unread = file_read_at(AT_FDCWD, path, SIZE_MAX_READ, &text);
    if (unread == -ENOENT)
        unread = 0;
    if (unread < 0)
        text.size = 0;
    int r =
        schema_read_config(&daemon_config_schema, ret, path, text.size > 0 ? text.data : (const uint8_t *)"",
                           text.size, diagnostics, &locations);
    locations_done(&locations);
    return r < 0 || unread >= 0 ? r : unread;
}
