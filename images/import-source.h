/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What there is to import, found out by its content. */
#include "base/units.h"

typedef enum SourceKind {
    SOURCE_DIRECTORY,
    SOURCE_ARCHIVE,
    SOURCE_LAYOUT,
    SOURCE_KIND_MAX,
} SourceKind;

/* A compression that tar undoes by a program of its own. */
typedef struct Compression {
    const char *option; /* of tar */
    const char *program, *package;
    const char *magic;
    size_t magic_size;
} Compression;

typedef struct ImportSource {
    SourceKind kind;
    int fd;    /* the directory, or the archive at its beginning */
    int blobs; /* of a layout: the directory of its blobs, where they are elsewhere; -1: beneath fd */
    uint64_t size;
    const Compression *compression; /* NULL: none */
} ImportSource;

/* -ENOENT and others of open(2); -EBADMSG for what is no image. *ret is closed by closing its descriptors. */
int import_source_open(const char *path, ImportSource *ret, char **ret_error);
