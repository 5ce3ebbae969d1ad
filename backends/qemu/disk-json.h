/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What QEMU is told of a disk, as JSON: its command line and QMP's blockdev-add and device_add take the same. The file itself comes as a
 * member of the descriptor set disk_set(id). All is malloc'ed; NULL = no memory.
 */
#include "backends/disk-file.h"

typedef struct CommandLineDisk {
    unsigned id; /* SCSI id */
    int fd;      /* of the image, read-only */
} CommandLineDisk;

static inline unsigned disk_set(uint64_t id)
{
    return (unsigned)id + 1;
}

/*
 * Every pod has a first image, and to find out what a disk is takes its kernel a twelfth of a copy's start where the processor is emulated.
 * So a template has one that is as large as no image will be, and a copy another in its place: what lies beyond the end of an image's disk
 * nobody asks for.
 */
#define DISK_PLACEHOLDER "placeholder"
char *disk_placeholder_node(void);
char *disk_placeholder_device(void);

char *disk_image_node(const CommandLineDisk *d);
char *disk_image_device(const CommandLineDisk *d);
char *disk_volume_node(const DiskFile *d);
char *disk_volume_device(const DiskFile *d);
