/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Makes the files of disks: those that are not there, for volumes with `make`, and, for each start of a pod, the copies of directories
 * that are shares, and scratch disks (which volume-sweep.h removes).
 *
 * Theory of operation
 * -------------------
 * A file is made under a name of its own beside its place, by a child with a deadline: mke2fs puts an empty file system into a new file of
 * its size, mkfs.erofs packs a directory. Only when that is whole and on the host's disk does the file get its real name: that of
 * a new disk by link(2), which replaces nothing, what is for one start by rename(2), in the place of the one before. So whatever happens on the way, the
 * place has nothing or a whole file; a disk that is there already is never written to; and what a podvisord that was killed left is
 * removed by the next try.
 *
 * Meanwhile the pod waits, as for an image: nothing is launched, recorded or counted. A failure is the failure of its start.
 *
 * Invariant: observed.volume_making is true exactly while pod->volume_make is not NULL.
 */
#include "supervisor/pod.h"

typedef struct VolumeMake VolumeMake;

/*
 * Looks for the disks of the pod's definition, and for those in pod->copied. 1: one is being made, and the pod waits for it from
 * now on; 0: there is nothing to make; or negative errno with *ret_error, a sentence (malloc'ed).
 */
int volume_make_look(Pod *pod, char **ret_error);
/* The pod waits for no disk any more; what was begun is removed. */
void volume_make_forget(Pod *pod);
/* The volume that is being made; NULL: none. */
const char *volume_make_name(const Pod *pod);
