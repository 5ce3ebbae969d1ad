/* SPDX-License-Identifier: Apache-2.0 */
#include "images/image-name.h"
#include "images/image-record.h"
#include "schemas/formats.h"

static const Format format_digest = {
    "a digest: \"sha256:\" and 64 hexadecimal digits",
    image_digest_valid,
};

static const Format format_image_name = {
    "an image name such as \"busybox\" or \"example.org/app:1.2\"",
    image_name_valid,
};

/* clang-format off */
static const Field config_fields[] = {
    { F_STRV(ImageConfig, entrypoint), .max = IMAGE_STRINGS_MAX, .format = &format_argument,
      .doc = "The program that the image always runs, and its first arguments." },
    { F_STRV(ImageConfig, command), .max = IMAGE_STRINGS_MAX, .format = &format_argument,
      .doc = "The arguments behind the entry point; the program itself where there is none." },
    { F_ENVIRONMENT(ImageConfig, environment), .max = IMAGE_STRINGS_MAX,
      .doc = "Environment variables that the image brings." },
    { F_STRING(ImageConfig, user), .format = &format_user,
      .doc = "The user and group that the program runs as." },
    { F_STRING(ImageConfig, working_dir), .format = &format_absolute_path,
      .doc = "The directory in which the program starts." },
    { F_STRING(ImageConfig, stop_signal), .format = &format_signal,
      .doc = "The signal that asks the program to end." },
};
DEFINE_SCHEMA(image_config_schema, ImageConfig, "image configuration", "How the program of an image runs.", config_fields);

static const Field record_fields[] = {
    { F_STRING(ImageRecord, digest), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_digest,
      .doc = "The SHA-256 of the image's file, which stands for all its files and its configuration." },
    { F_SIZE(ImageRecord, size), .doc = "The bytes that the image takes on disk." },
    { F_STRING(ImageRecord, architecture), .format = &format_line,
      .doc = "The processor that its programs are for, as container tools write it." },
    { F_UNSIGNED(ImageRecord, created), .doc = "When it was imported, in microseconds after 1970." },
    { F_STRING(ImageRecord, source), .format = &format_line, .doc = "What it was imported from." },
    { F_GROUP(ImageRecord, config, image_config_schema), .doc = "How its program runs." },
};
DEFINE_SCHEMA_EXTRA(image_record_schema, ImageRecord, "image", "An image in the store.", record_fields);

static const Field name_record_fields[] = {
    { F_STRING(ImageNameRecord, name), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_image_name,
      .doc = "The name." },
    { F_STRING(ImageNameRecord, digest), .flags = FIELD_REQUIRED, .format = &format_digest,
      .doc = "The image that it stands for." },
    { F_UNSIGNED(ImageNameRecord, created), .doc = "When it was given to the image, in microseconds after 1970." },
    { F_STRING(ImageNameRecord, reference), .format = &format_image_name, .doc = "What was pulled under this name." },
    { F_STRING(ImageNameRecord, manifest), .format = &format_digest, .doc = "The digest by which the registry calls that." },
    { F_STRV(ImageNameRecord, blobs), .max = IMAGE_BLOBS_MAX, .format = &format_digest,
      .doc = "The cached files that the image was made of." },
};
DEFINE_SCHEMA_EXTRA(image_name_record_schema, ImageNameRecord, "image name", "A name of an image.", name_record_fields);

static const Field info_fields[] = {
    { F_STRV(ImageInfo, names), .doc = "The names that lead to the image." },
    { F_STRV(ImageInfo, pulled), .doc = "What was pulled under these names, each with the registry's digest of it." },
    { F_STRV(ImageInfo, pods), .doc = "The pods that run it now, as far as this user can see them." },
    { F_BOOL(ImageInfo, in_use), .doc = "Whether some process runs it now." },
    { F_STRING(ImageInfo, problem), .doc = "Why the image cannot be used." },
    { F_GROUP(ImageInfo, record, image_record_schema), .doc = "The image." },
};
DEFINE_SCHEMA(image_info_schema, ImageInfo, "image in a list", "An image and what leads to it.", info_fields);

static const Field list_fields[] = {
    { F_LIST(ImageList, images, image_info_schema), .doc = "The images, by name." },
};
DEFINE_SCHEMA(image_list_schema, ImageList, "image list", "The images of the store.", list_fields);
/* clang-format on */
