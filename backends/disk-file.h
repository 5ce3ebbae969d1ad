/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The file that the disk of a volume is, looked at before a VMM gets it: for all backends with machines.
 *
 * What a disk's bytes are is declared, and never found out: they are the guest's. All that is read of them is the beginning, which is
 * compared with what the declared format must, or must not, begin with; so a wrong word in a pod file is told, and an image that
 * names another file, which QEMU would open too, is refused.
 */
#include "backends/backend.h"

typedef struct DiskFile {
    uint64_t id; /* SCSI id */
    int fd;
    bool device; /* a block device of the host */
    bool read_only;
    bool scratch; /* nothing on it outlives the machine */
    DiskFormat format;
} DiskFile;

/*
 * Opens it by whoever may, only for reading where nothing may be written, and checks that it is what its volume says, and that
 * nobody else uses it. ours: a machine of this attempt may be there already, and use it. 0; or negative errno with *ret_message, a sentence that names the volume and the file (malloc'ed).
 */
int disk_file_open(const BackendContext *context, const RunDisk *disk, bool ours, DiskFile *ret,
                   char **ret_message);
