/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which files of the host a pod file may name: those below the directories that podvisord.conf lists. Such a directory is the
 * administrator's, and taken as it is; below it nothing leads out, and no symbolic link is followed. So a path is always handled as
 * the two: the directory, and the file's name relative to it.
 */
#include "supervisor/supervisor.h"

typedef enum SourceKind {
    SOURCE_VOLUME,
    SOURCE_FILE,
    SOURCE_KIND_MAX,
} SourceKind;

/* malloc'ed: podvisord's own directory for such disks; of type tmpfs there are none. NULL: no memory. */
char *source_own(const Supervisor *s, VolumeType type);
/* The name below podvisord's state of the one that an absolute path is; NULL: it is none of them. */
const char *source_own_name(const Supervisor *s, const char *directory);
/*
 * Splits an absolute path: 0 with *ret_directory and *ret_file (malloc'ed), -EPERM with *ret_error (a sentence: what is allowed, and
 * by which key), -ENOMEM.
 */
int source_split(const Supervisor *s, SourceKind kind, const char *path, char **ret_directory,
                 char **ret_file, char **ret_error);
/* What an error of opening a source means to whoever wrote the pod file (static). writing: it was to be written. */
const char *source_error(int error, bool writing);
