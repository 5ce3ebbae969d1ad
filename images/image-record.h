/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is known about an image, as it stands beside its bytes, and what a name stands for. The rows in image-record.c
 * are the only list of these fields.
 *
 * An image's configuration is only what decides how its program runs. Labels and other notes of its maker are not kept:
 * nothing here ever acts on them.
 */
#include "schemas/schema.h"

enum {
    IMAGE_RECORD_SIZE_MAX = 1024 * 1024, /* bytes of a packed record */
    IMAGE_STRINGS_MAX = 4096,            /* elements of each list of strings in it */
    IMAGE_BLOBS_MAX = 1024,              /* of an image: its manifest, its configuration and its layers */
};

typedef struct ImageConfig {
    char **entrypoint;  /* what always runs; NULL when the image names nothing */
    char **command;     /* its default arguments, or the program itself where there is no entrypoint */
    char **environment; /* "KEY=value" */
    char *user;         /* "name", "1000", "1000:1000"; NULL: root */
    char *working_dir;  /* NULL: / */
    char *stop_signal;  /* "SIGTERM"; NULL: the default */
} ImageConfig;
extern const Schema image_config_schema;

typedef struct ImageRecord {
    char *digest;  /* "sha256:<64 digits>": of the erofs file, and so of all files and of the configuration */
    uint64_t size; /* bytes of the erofs file */
    char *architecture; /* "amd64"; NULL when nothing told */
    uint64_t created;   /* when it was imported, microseconds after 1970 */
    char *source;       /* what it was imported from, for people */
    ImageConfig config;
    Bytes extra; /* fields of newer versions */
} ImageRecord;
extern const Schema image_record_schema;

typedef struct ImageNameRecord {
    char *name; /* canonical, see image-name.h */
    char *digest;
    uint64_t created; /* when the name was given to it, microseconds after 1970 */
    char *reference;  /* what was pulled under this name: "example.org/app:1.2"; NULL: it was not pulled */
    char *manifest;   /* the digest by which the registry calls that */
    char **blobs;     /* the digests of the cached files that the image was made of */
    Bytes extra;
} ImageNameRecord;
extern const Schema image_name_record_schema;

/* One row of `podvisor image list`. */
typedef struct ImageInfo {
    char **names;  /* sorted; NULL: no name leads to it any more */
    char **pulled; /* of the names that were pulled: "REFERENCE@DIGEST" of the registry, sorted */
    char **pods;   /* who runs it now, sorted; the store does not know them, its caller may */
    bool in_use;   /* some process runs it now */
    /* Why it cannot be used, for people; NULL: nothing. Of record then only the digest is sure. */
    char *problem;
    ImageRecord record;
} ImageInfo;
extern const Schema image_info_schema;

typedef struct ImageList {
    ImageInfo *images;
    size_t n_images;
} ImageList;
extern const Schema image_list_schema;

static inline void image_record_done(ImageRecord *record)
{
    schema_done(&image_record_schema, record);
}

static inline void image_name_record_done(ImageNameRecord *record)
{
    schema_done(&image_name_record_schema, record);
}

static inline void image_list_done(ImageList *list)
{
    schema_done(&image_list_schema, list);
}
