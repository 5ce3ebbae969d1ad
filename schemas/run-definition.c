/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/run-definition.h"
#include "schemas/template-protocol.h"

DEFINE_ENUM_TABLE(
    log_target, "log target",
    LOG_TARGET_MAX, [LOG_TARGET_AUTO] = { "auto", "the journal where this host has one, else files" },
    [LOG_TARGET_JOURNAL] = { "journal", "the systemd journal" },
    [LOG_TARGET_FILES] = { "files", "bounded files beside the state of podvisor" });

static const Field run_image_fields[] = {
    { F_STRING(RunImage, container), .flags = FIELD_KEY, .doc = "The container that uses it." },
    { F_STRING(RunImage, digest), .doc = "The image's digest." },
    { F_STRING(RunImage, path), .doc = "The image's file." },
    { F_STRV(RunImage, command), .doc = "The program and its arguments." },
    { F_ENVIRONMENT(RunImage, environment), .doc = "The program's environment." },
    { F_STRING(RunImage, working_dir), .doc = "The program's working directory." },
    { F_STRING(RunImage, user), .doc = "The program's user." },
    { F_STRING(RunImage, stop_signal), .format = &format_signal,
      .doc = "The signal that asks the program to end." },
};
DEFINE_SCHEMA(run_image_schema, RunImage, "image in use", "An image as one container uses it.",
              run_image_fields);

static const Field run_disk_fields[] = {
    { F_STRING(RunDisk, volume), .flags = FIELD_KEY, .doc = "The volume that it is." },
    { F_STRING(RunDisk, directory), .doc = "The directory that is allowed." },
    { F_STRING(RunDisk, file), .doc = "The file below it." },
};
DEFINE_SCHEMA(run_disk_schema, RunDisk, "disk in use", "Where the disk of a volume is.", run_disk_fields);

static const Field run_definition_fields[] = {
    { F_STRING(RunDefinition, name), .doc = "The pod's name." },
    { F_ID128(RunDefinition, uuid), .doc = "The identity of the machine." },
    { F_UNSIGNED(RunDefinition, generation), .doc = "The generation of the definition." },
    { F_UNSIGNED(RunDefinition, attempt), .doc = "The number of this life of the machine." },
    { F_ID128(RunDefinition, token), .doc = "Proves the runner to podvisord." },
    { F_ID128(RunDefinition, agent_token), .doc = "Proves the runner to the agent." },
    { F_STRING(RunDefinition, supervisor_socket), .doc = "Where podvisord listens for runners." },
    { F_STRING(RunDefinition, kernel), .doc = "The guest's kernel." },
    { F_STRING(RunDefinition, initrd), .doc = "The guest's initial file system." },
    { F_STRING(RunDefinition, qemu), .doc = "The QEMU program." },
    { F_STRING(RunDefinition, templates_socket),
      .doc = "Who has templates of machines, where one is wanted." },
    { F_UNSIGNED(RunDefinition, spares), .max = TEMPLATE_SPARES_MAX,
      .doc = "How many spares are to be kept of that template." },
    { F_STRING(RunDefinition, boot_why), .doc = "Why the machine is to boot, where a template was wanted." },
    { F_STRING(RunDefinition, passt), .doc = "The passt program." },
    { F_STRING(RunDefinition, virtiofsd), .doc = "The virtiofsd program." },
    { F_STRING(RunDefinition, uplink), .doc = "The program that makes the network." },
    { F_STRING(RunDefinition, uplink_socket),
      .doc = "The way to a network, where the runner may not make one." },
    { F_GROUP(RunDefinition, link, bridge_link_schema), .doc = "How the machine is on a bridge." },
    { F_STRV(RunDefinition, peers), .max = NETWORK_PEERS_MAX, .format = &format_host,
      .doc = "The other pods of its network." },
    { F_STRING(RunDefinition, libvirt_socket), .doc = "The way to libvirt, where it is not libvirt's own." },
    { F_BOOL(RunDefinition, libvirt_xml), .doc = "Whether the pod may add to its domain." },
    { F_ENUM(RunDefinition, mode, paths_mode_table), .fallback = "root", .doc = "Whose podvisord it is." },
    { F_ENUM(RunDefinition, log_target, log_target_table), .doc = "Where the containers' output goes." },
    { F_STRING(RunDefinition, log_dir), .doc = "The directory of log files." },
    { F_SIZE(RunDefinition, log_size), .doc = "How much the log files may take." },
    { F_GROUP(RunDefinition, pod, pod_schema), .doc = "The pod file." },
    { F_LIST(RunDefinition, images, run_image_schema), .max = CONTAINERS_MAX, .doc = "The images." },
    { F_LIST(RunDefinition, disks, run_disk_schema), .max = VOLUMES_MAX, .doc = "The disks of volumes." },
    { F_LIST(RunDefinition, shares, run_disk_schema), .max = VOLUMES_MAX,
      .doc = "The shares that are live." },
    { F_GROUP(RunDefinition, start, start_times_schema),
      .doc = "When podvisord's own steps of the start were done." },
};
DEFINE_SCHEMA_EXTRA(run_definition_schema, RunDefinition, "frozen definition", "All that a runner is told.",
                    run_definition_fields);

const CheckpointKind run_definition_kind = {
    .name = "definition",
    .version = 1,
    .schema = &run_definition_schema,
};

/* Below --root everything is in one place, so the journal is left alone there. */
LogTarget log_target_choose(LogTarget configured, PathsMode mode, bool journal)
{
    if (configured != LOG_TARGET_AUTO)
        return configured;
    return mode != PATHS_ROOT && journal ? LOG_TARGET_JOURNAL : LOG_TARGET_FILES;
}

size_t run_definition_disk(const RunDefinition *d, size_t i)
{
    for (size_t first = 0; first < i; first++)
        if (streq_ptr(d->images[first].digest, d->images[i].digest))
            return first;
    return i;
}

const RunImage *run_definition_image(const RunDefinition *d, const char *container)
{
    for (size_t i = 0; i < d->n_images; i++)
        if (streq_ptr(d->images[i].container, container))
            return &d->images[i];
    return NULL;
}

void log_fields_of_machine(LogFields *f, const RunDefinition *d)
{
    log_fields_init(f);
    log_fields_set(f, LOG_FIELD_POD, d->name);
    log_fields_set_id(f, LOG_FIELD_POD_UUID, d->uuid);
    log_fields_set(f, LOG_FIELD_BACKEND, enum_to_string(&backend_kind_table, (int)d->pod.backend));
    log_fields_set_number(f, LOG_FIELD_GENERATION, d->generation);
    log_fields_set_unit(f, d->name, d->mode);
}

const VolumeDefinition *run_disk_volume(const RunDefinition *d, const RunDisk *disk, uint64_t *ret_id)
{
    for (size_t i = 0; i < d->pod.n_volumes; i++)
        if (volume_has_disk(&d->pod.volumes[i]) && streq_ptr(d->pod.volumes[i].name, disk->volume)) {
            if (ret_id)
                *ret_id = RUN_VOLUME_DISK + i;
            return &d->pod.volumes[i];
        }
    return NULL;
}

const VolumeDefinition *run_share_volume(const RunDefinition *d, const RunDisk *share, size_t *ret_index)
{
    for (size_t i = 0; i < d->pod.n_volumes; i++)
        if (volume_is_live(&d->pod.volumes[i]) && streq_ptr(d->pod.volumes[i].name, share->volume)) {
            *ret_index = i;
            return &d->pod.volumes[i];
        }
    return NULL;
}

char *run_share_tag(size_t index)
{
    return strf("volume%zu", index);
}

int run_disk_open(const RunDisk *disk, bool read_only)
{
    if (str_empty(disk->directory) || str_empty(disk->file))
        return -EINVAL;
    _cleanup_(closep) int directory = dir_reach_at(AT_FDCWD, disk->directory);
    if (directory < 0)
        return directory;
    /* Non-blocking, so that a pipe in its place is found to be one. */
    return file_open_at(directory, disk->file, (read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK, 0);
}

char *run_disk_name(const RunDisk *disk)
{
    return strf("volume-%s", disk->volume ?: "");
}

char *run_disk_path(const RunDisk *disk)
{
    const char *directory = disk->directory ?: "";

    return strf("%s%s%s", directory, str_ends_with(directory, "/") ? "" : "/", disk->file ?: "");
}
