/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The disks of a pod's volumes, before its machine is started: where they are, whether they may be used, and by whom they are.
 *
 * podvisord opens them, since it may; the machine's process gets the descriptor and could not open the file by itself. No byte of
 * a disk is read here: what is in it is a guest's (backends/disk-file.h looks at it, in the runner).
 */
#include "supervisor/supervisor.h"

/* Fills definition->disks from definition->pod: 0, or negative errno with *ret_error, a sentence (malloc'ed). */
int volumes_resolve(const Supervisor *s, RunDefinition *definition, char **ret_error);
/*
 * Each disk is there, is a file or a block device, and is used by no other pod and no other process: 0, or negative errno with
 * *ret_error, which names the volume, the file, and who uses it.
 */
int volumes_check(const Pod *pod, const RunDefinition *definition, char **ret_error);
/* The disk, opened as its volume says: the descriptor or negative errno. */
int volume_open(const RunDefinition *definition, const RunDisk *disk) _warn_unused_;
