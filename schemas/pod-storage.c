/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of what a pod keeps and sees: volumes, secrets and config files, and where containers have them. */
#include "schemas/formats.h"
#include "schemas/pod-definition.h"

DEFINE_ENUM_TABLE(
    volume_type, "volume type",
    VOLUME_TYPE_MAX, [VOLUME_TMPFS] = { "tmpfs", "memory of the pod; empty at each start of the pod" },
    [VOLUME_DISK] = { "disk", "a disk with a file system; what is on it stays" },
    [VOLUME_SHARE] = { "share",
                       "a directory of the host: a copy of it, for reading, or itself, as its mode says" },
    [VOLUME_SCRATCH] = { "scratch", "a disk of the host for what memory should not hold; empty at each start "
                                    "of the pod" },
    [VOLUME_SWAP] = {
        "swap", "a disk of the host that memory goes to, encrypted, as far as containers have limits.swap" });

DEFINE_ENUM_TABLE(
    share_mode, "share mode",
    SHARE_MODE_MAX, [SHARE_COPY] = { "copy", "made at each start of the pod; for reading only" },
    [SHARE_LIVE] = { "live", "what either side changes the other sees at once; for machines with PCI" });

DEFINE_ENUM_TABLE(
    disk_format, "disk format",
    DISK_FORMAT_MAX, [DISK_RAW] = { "raw", "the disk's bytes and nothing else; also a block device" },
    [DISK_QCOW2] = { "qcow2", "an image of QEMU's, without another one behind it" });

DEFINE_ENUM_TABLE(disk_filesystem, "file system",
                  DISK_FILESYSTEM_MAX, [DISK_EXT4] = { "ext4", "for reading and writing" },
                  [DISK_EROFS] = { "erofs", "for reading only, whatever else is said" });

DEFINE_ENUM_TABLE(pod_file_kind, "kind of file",
                  POD_FILE_KIND_MAX, [POD_FILE_SECRET] = { "secret", "a secret" },
                  [POD_FILE_CONFIG] = { "config", "a configuration file" });

static const Field mount_fields[] = {
    { F_STRING(MountDefinition, volume), .format = &format_name, .impact = IMPACT_REBOOT,
      .doc = "The name of one of the pod's volumes. A mount has either this, or secret, or config." },
    { F_STRING(MountDefinition, secret), .format = &format_name, .impact = IMPACT_REBOOT,
      .doc = "The name of one of the pod's secrets, which the container sees as a file." },
    { F_STRING(MountDefinition, config), .format = &format_name, .impact = IMPACT_REBOOT,
      .doc = "The name of one of the pod's config files." },
    { F_STRING(MountDefinition, path), .flags = FIELD_REQUIRED, .format = &format_absolute_path,
      .impact = IMPACT_REBOOT,
      .doc = "Where the container sees it. A volume's directory is made if the image has none; a secret or "
             "config is a link to a file, in the place of a file that the image may have there." },
    { F_STRING(MountDefinition, mode), .format = &format_file_mode, .impact = IMPACT_REBOOT,
      .doc = "Who may read the file of a secret or config, as chmod(1) writes it in octal digits. Without it "
             "\"0400\" for a secret and \"0444\" for a config file.",
      .example = "mode = \"0440\";" },
    { F_STRING(MountDefinition, owner), .format = &format_owner, .impact = IMPACT_REBOOT,
      .doc = "Whose the file of a secret or config is, in numbers. Without it root's, \"0:0\".",
      .example = "owner = \"1000:1000\";" },
    { F_BOOL(MountDefinition, read_only), .impact = IMPACT_REBOOT,
      .doc = "Whether the container may only read the volume. Secrets and config files can only be read." },
};
DEFINE_SCHEMA(mount_schema, MountDefinition, "mount",
              "A volume, secret or config file at a place in the container.", mount_fields);

static const Field volume_fields[] = {
    { F_STRING(VolumeDefinition, name), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_name,
      .impact = IMPACT_REBOOT, .doc = "The name by which mounts refer to it." },
    { F_ENUM(VolumeDefinition, type, volume_type_table), .flags = FIELD_REQUIRED, .impact = IMPACT_REBOOT,
      .doc = "What the volume is made of." },
    { F_ENUM(VolumeDefinition, mode, share_mode_table), .impact = IMPACT_REBOOT,
      .doc = "Whether a share is a copy of its directory or the directory itself. That needs "
             "qemu.machine = \"q35\".",
      .example = "mode = \"live\";" },
    { F_SIZE(VolumeDefinition, size), .fallback = "16M", .min = 4096, .max = UINT64_C(1) << 40,
      .impact = IMPACT_REBOOT,
      .doc =
          "The most that a tmpfs can hold, which is taken from the pod's memory as it fills; of a scratch, "
          "of swap space, or of a disk that is made, how large its disk becomes, which is taken from the "
          "host's as it "
          "fills." },
    { F_STRING(VolumeDefinition, source), .format = &format_absolute_path, .impact = IMPACT_REBOOT,
      .doc =
          "The file or block device that a disk is on, or the directory that a share is, or is a copy of. It "
          "must lie below one of volume_sources of "
          "podvisord.conf. A disk without it is POD.NAME.FORMAT in podvisord's own directory for disks, "
          "which is "
          "/var/lib/podvisor/volumes.",
      .example = "source = \"/var/lib/podvisor/volumes/db.raw\";" },
    { F_ENUM(VolumeDefinition, format, disk_format_table), .impact = IMPACT_REBOOT,
      .doc = "What a disk's file is. It has to be said, since the bytes of a disk are the guest's, and so no "
             "proof of anything." },
    { F_ENUM(VolumeDefinition, filesystem, disk_filesystem_table), .impact = IMPACT_REBOOT,
      .doc = "The file system on a disk, the whole of it, without partitions." },
    { F_BOOL(VolumeDefinition, read_only), .impact = IMPACT_REBOOT,
      .doc = "Whether the pod may only read a disk, or a share that is live. The host sees to it. Pods that "
             "only read can share a "
             "disk. A share that is a copy has to say it, since whatever is written could not come back." },
    { F_BOOL(VolumeDefinition, make), .impact = IMPACT_REBOOT,
      .doc = "Whether a disk whose file is not there yet is made, of the given size and with an empty file "
             "system. A file that is there is never touched, whatever is in it." },
};
DEFINE_SCHEMA(volume_schema, VolumeDefinition, "volume", "Storage that the pod's containers share.",
              volume_fields);

static const Field secret_fields[] = {
    { F_STRING(SecretDefinition, name), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_name,
      .impact = IMPACT_REBOOT, .doc = "The name by which mounts refer to it." },
    { F_STRING(SecretDefinition, source), .format = &format_absolute_path, .impact = IMPACT_REBOOT,
      .doc =
          "The file of the host that holds it, at most 512K. It must lie below one of file_sources of "
          "podvisord.conf, with no symbolic link below that. When it changes, so does the container's file, "
          "at once and as a whole.",
      .example = "source = \"/etc/keys/web.pem\";" },
    { F_STRING(SecretDefinition, credential), .format = &format_credential, .impact = IMPACT_REBOOT,
      .doc = "Instead of source: the name of a credential that systemd has given to podvisord's unit "
             "(LoadCredential= and its like).",
      .example = "credential = \"tls-key\";" },
};
DEFINE_SCHEMA(secret_schema, SecretDefinition, "secret",
              "What containers must know and nobody else. It is kept in the pod's memory alone.",
              secret_fields);

static const Field config_fields[] = {
    { F_STRING(ConfigDefinition, name), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_name,
      .impact = IMPACT_REBOOT, .doc = "The name by which mounts refer to it." },
    { F_STRING(ConfigDefinition, source), .format = &format_absolute_path, .impact = IMPACT_REBOOT,
      .doc = "The file of the host that holds it, as a secret's." },
    { F_STRING(ConfigDefinition, content), .format = &format_content, .impact = IMPACT_REBOOT,
      .doc = "Instead of source: the text itself.", .example = "content = \"worker_processes 1;\\n\";" },
};
DEFINE_SCHEMA(config_schema, ConfigDefinition, "config", "A file that containers read.", config_fields);

bool volume_has_disk(const VolumeDefinition *volume)
{
    return volume->type != VOLUME_TMPFS && !volume_is_live(volume);
}

bool volume_is_live(const VolumeDefinition *volume)
{
    return volume->type == VOLUME_SHARE && volume->mode == SHARE_LIVE;
}

bool volume_is_of_one_start(const VolumeDefinition *volume)
{
    return (volume->type == VOLUME_SHARE && !volume_is_live(volume)) || volume_is_of_machine(volume);
}

bool volume_is_of_machine(const VolumeDefinition *volume)
{
    return volume->type == VOLUME_SCRATCH || volume->type == VOLUME_SWAP;
}

const VolumeDefinition *volume_find_swap(const VolumeDefinition *volumes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (volumes[i].type == VOLUME_SWAP)
            return &volumes[i];
    return NULL;
}

bool volume_is_read_only(const VolumeDefinition *volume)
{
    return volume->read_only || (volume_has_disk(volume) && volume_filesystem(volume) == DISK_EROFS);
}

DiskFilesystem volume_filesystem(const VolumeDefinition *volume)
{
    return volume->type == VOLUME_SHARE ? DISK_EROFS : volume->filesystem;
}
