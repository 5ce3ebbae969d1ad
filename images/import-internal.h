/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the steps of an import share. Nobody else includes this. */
#include "images/child.h"
#include "images/import-source.h"
#include "images/import.h"
#include "images/store-internal.h"
#include "images/tree.h"

typedef struct Import {
    const ImportOptions *options;
    ImageStore *store;
    ImageWork *work;
    ImportSource source;
    int tree; /* the root of what is to be packed */
    bool all_root;
    struct timespec born; /* times from here on were made by the unpacking */
    TreeSurvey survey;
    char *architecture; /* as the source says */
    ImageRecord record;
    ImageNameRecord *name; /* borrowed: what the image will be called, and where it is from */
    ImportPhase phase;
    uint64_t total;
} Import;

/*
 * While a program works: -ENOSPC when it has nearly filled the disk, which others have things on, too; else tells the caller of image_import()
 * how far the phase is. Negative ends the import.
 */
int import_tick(Import *import, uint64_t done);

/*
 * Runs one of the programs, with the work directory as the only place where it may write. Of `child` its program, arguments, environment,
 * descriptors, directory and tick count, which gets the Import.
 */
int import_run(Import *import, const Child *child, char **ret_error);

/* Appends n words. 0 or -ENOMEM. */
int import_words(char ***v, const char *const *words, size_t n);

/*
 * All that image_import() does once there are a work directory and an opened source, both of which are taken, also on failure. name is what
 * is known of the name by now; its digest is added.
 */
int import_into(ImageWork *work, const ImportSource *source, const ImportOptions *options,
                ImageNameRecord *name, ImageRecord *ret, char **ret_error);

/* Makes `tree` of the source, and takes from it what it says about itself. */
typedef int (*ImportUnpacker)(Import *import, char **ret_error);
extern const ImportUnpacker import_unpackers[SOURCE_KIND_MAX];
