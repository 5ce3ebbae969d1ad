/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The images and volumes as disks. Each different image is opened once, read-only, by the host. The shared flock(2) on the descriptor goes on
 * with it into QEMU and lasts as long as the machine, so the image store removes nothing that runs.
 */
#include "backends/backend.h"
#include "backends/qemu/command-line.h"

typedef struct Disks {
    CommandLineDisk items[CONTAINERS_MAX];
    size_t n_items;
    DiskFile volumes[VOLUMES_MAX];
    size_t n_volumes;
} Disks;

/* 0, or negative errno with *ret_message (one sentence, malloc'ed); then nothing is open. */
int disks_open(Disks *ret, const BackendContext *context, char **ret_message);
void disks_close(Disks *d);
