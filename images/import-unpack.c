/* SPDX-License-Identifier: Apache-2.0 */
/* From each kind of source to a tree of files, and what the source says about itself. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/import-internal.h"
#include "images/oci-layout.h"
#include "images/oci-manifest.h"

static const ChildProgram program_tar = { "tar", "tar" };
static const ChildProgram program_umoci = { "umoci", "umoci" };
static const ChildProgram program_skopeo = { "skopeo", "skopeo" };

#define ARCHIVE_DIR "archive" /* in the work directory: what tar unpacked */

/* A directory of the work, for the archive's files; its time tells the unpacking's from the archive's. */
static int make_tree(Import *import, const char *name, int *ret)
{
    struct stat st;

    _cleanup_(closep) int fd = dir_make_at(import->work->fd, name, 0755);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    import->born = st.st_mtim;
    *ret = take_fd(&fd);
    return 0;
}

static int tick_archive(void *userdata)
{
    Import *import = userdata;
    off_t at = lseek(import->source.fd, 0, SEEK_CUR);

    return import_tick(import, at < 0 ? 0 : MIN((uint64_t)at, import->total));
}

static int tick(void *userdata)
{
    return import_tick(userdata, 0);
}

static int run_tar(Import *import, int directory, char **ret_error)
{
    static const char *const common[] = {
        "tar", "-x", "-f", "-", "-p", "--numeric-owner", "--delay-directory-restore", "--warning=no-timestamp"
    };
    static const char *const as_root[] = { "--same-owner", "--xattrs", "--xattrs-include=security.capability",
                                           "--xattrs-include=user.*" };
    static const char *const as_user[] = { "--no-same-owner", "--anchored", "--exclude=dev/*",
                                           "--exclude=./dev/*", "--exclude=/dev/*" };
    const Compression *compression = import->source.compression;
    _cleanup_(strv_freep) char **arguments = NULL;

    int r = import_words(&arguments, common, ELEMENTSOF(common));
    if (r >= 0)
        r = import->all_root ? import_words(&arguments, as_user, ELEMENTSOF(as_user))
                             : import_words(&arguments, as_root, ELEMENTSOF(as_root));
    if (r >= 0 && compression) {
        const ChildProgram program = { compression->program, compression->package };
        r = child_find(&program, import->options->programs, NULL, ret_error);
        r = r < 0 ? r : strv_append(&arguments, compression->option);
    }
    if (r < 0)
        return r;
    return import_run(import,
                      &(Child){ .program = &program_tar,
                                .arguments = arguments,
                                .input = import->source.fd,
                                .output = -1,
                                .directory = directory,
                                .tick = tick_archive },
                      ret_error);
}

/* One of those that are written in Go: a trace of its insides explains nothing to anybody. */
static int run_go(Import *import, const ChildProgram *program, char **arguments, int input, char **ret_error)
{
    char *environment[] = { (char *)"GOTRACEBACK=none", NULL };

    return import_run(import,
                      &(Child){ .program = program,
                                .arguments = arguments,
                                .environment = environment,
                                .input = input,
                                .output = -1,
                                .directory = import->work->fd,
                                .tick = tick },
                      ret_error);
}

static int run_umoci(Import *import, char **ret_error)
{
    static const char *const words[] = { "umoci",  "--log=error", "raw",
                                         "unpack", "--image",     ("layout:" OCI_STAGED_TAG) };
    static const char *const rootless = "--rootless", *const target = "rootfs";
    _cleanup_(strv_freep) char **arguments = NULL;

    int r = import_words(&arguments, words, ELEMENTSOF(words));
    if (r >= 0 && import->all_root)
        r = import_words(&arguments, &rootless, 1);
    if (r >= 0)
        r = import_words(&arguments, &target, 1);
    return r < 0 ? r : run_go(import, &program_umoci, arguments, -1, ret_error);
}

/* The path of a directory that is held, for programs that take nothing else. */
static int path_of(int fd, char *ret, size_t size)
{
    char link[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, ret, size - 1);
    if (n < 0)
        return -errno;
    ret[n] = 0;
    return 0;
}

static int unpack_layout_of(Import *import, const OciLayout *real, const char *tag, char **ret_error)
{
    char blobs[4096];
    _cleanup_(oci_image_done) OciImage image = { 0 };
    const char *architecture = import->options->architecture ?: host_architecture();

    int r = oci_layout_read(real, tag, architecture, &image, ret_error);
    if (r < 0 || (r = path_of(real->blobs, blobs, sizeof blobs)) < 0)
        return r;
    _cleanup_(closep) int layout = dir_make_at(import->work->fd, "layout", 0700);
    if (layout < 0)
        return layout;
    if ((r = oci_layout_stage(&image, layout, blobs)) < 0 ||
        (r = make_tree(import, "rootfs", &import->tree)) < 0 || (r = run_umoci(import, ret_error)) < 0)
        return r;
    import->record.config = take_struct(image.config);
    import->architecture = take_ptr(image.architecture);
    return 0;
}

/* A layout whose blobs are where layouts have them: that people gave, or that came out of an archive. */
static int unpack_layout_at(Import *import, int dir, const char *tag, char **ret_error)
{
    _cleanup_(closep) int blobs = dir_open_at(dir, "blobs");

    if (blobs < 0)
        return image_fail_errno(ret_error, blobs, "the layout's blobs cannot be opened");
    return unpack_layout_of(import, &(OciLayout){ .dir = dir, .blobs = blobs }, tag, ret_error);
}

static int unpack_layout(Import *import, char **ret_error)
{
    const ImportSource *source = &import->source;
    const char *tag = import->options->tag;

    return source->blobs < 0
               ? unpack_layout_at(import, source->fd, tag, ret_error)
               : unpack_layout_of(import, &(OciLayout){ .dir = source->fd, .blobs = source->blobs }, tag,
                                  ret_error);
}

/* skopeo 1.9 takes compressed archives, and reads them wrong. *ret is the archive as it can be read. */
static int uncompress(Import *import, int *ret, char **ret_error)
{
    const Compression *compression = import->source.compression;
    char *arguments[] = { NULL, (char *)"-dc", NULL };

    if (!compression)
        return (*ret = fcntl(import->source.fd, F_DUPFD_CLOEXEC, 0)) < 0 ? -errno : 0;
    arguments[0] = (char *)compression->program;
    _cleanup_(closep) int fd =
        file_open_at(import->work->fd, "uncompressed", O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return fd;
    if (lseek(import->source.fd, 0, SEEK_SET) < 0)
        return -errno;
    int r = import_run(import,
                       &(Child){ .program = &(ChildProgram){ compression->program, compression->package },
                                 .arguments = arguments,
                                 .input = import->source.fd,
                                 .output = fd,
                                 .directory = import->work->fd,
                                 .tick = tick_archive },
                       ret_error);
    if (r >= 0)
        *ret = take_fd(&fd);
    return r;
}

/* skopeo makes a layout of the image that was chosen. */
static int convert_docker_archive(Import *import, int archive, size_t index, char **ret_error)
{
    static const char *const words[] = { "skopeo", "--insecure-policy", "--tmpdir", CHILD_KEPT_PATH, "copy",
                                         "--quiet" };
    static const char *const target = "oci:converted:" OCI_STAGED_TAG;
    _cleanup_(strv_freep) char **arguments = NULL;

    int r = import_words(&arguments, words, ELEMENTSOF(words));
    if (r >= 0)
        r = strv_appendf(&arguments, "docker-archive:" CHILD_INPUT_PATH ":@%zu", index);
    if (r >= 0)
        r = import_words(&arguments, &target, 1);
    return r < 0 ? r : run_go(import, &program_skopeo, arguments, archive, ret_error);
}

static int unpack_docker_archive(Import *import, const Bytes *manifest, char **ret_error)
{
    size_t index;
    _cleanup_(closep) int archive = -1;

    int r = docker_archive_choose(manifest, import->options->tag, &index, ret_error);
    /* It is all in the archive, and the disk may be small. */
    if (r >= 0)
        r = tree_discard(import->work->fd, ARCHIVE_DIR);
    if (r >= 0)
        r = uncompress(import, &archive, ret_error);
    if (r >= 0)
        r = convert_docker_archive(import, archive, index, ret_error);
    if (r < 0)
        return r;
    _cleanup_(closep) int converted = dir_open_at(import->work->fd, "converted");
    return converted < 0 ? converted : unpack_layout_at(import, converted, OCI_STAGED_TAG, ret_error);
}

static int unpack_archive(Import *import, char **ret_error)
{
    _cleanup_(closep) int archive = -1;
    _cleanup_(bytes_done) Bytes manifest = { 0 };

    int r = make_tree(import, ARCHIVE_DIR, &archive);
    if (r >= 0)
        r = run_tar(import, archive, ret_error);
    if (r < 0)
        return r;
    /* Newer ones of docker save are both; a layout says more. */
    if (oci_layout_detect(archive))
        return unpack_layout_at(import, archive, import->options->tag, ret_error);
    if (file_read_at(archive, "manifest.json", OCI_DOCUMENT_SIZE_MAX, &manifest) >= 0 &&
        docker_archive_is(&manifest))
        return unpack_docker_archive(import, &manifest, ret_error);
    import->tree = take_fd(&archive);
    return 0;
}

static int unpack_directory(Import *import, char **ret_error)
{
    import->tree = fcntl(import->source.fd, F_DUPFD_CLOEXEC, 0);
    if (import->tree < 0)
        return -errno;
    import->born = (struct timespec){ .tv_sec = INT64_MAX };
    return 0;
}

const ImportUnpacker import_unpackers[SOURCE_KIND_MAX] = {
    [SOURCE_DIRECTORY] = unpack_directory,
    [SOURCE_ARCHIVE] = unpack_archive,
    [SOURCE_LAYOUT] = unpack_layout,
};
