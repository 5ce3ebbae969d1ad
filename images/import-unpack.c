/* SPDX-License-Identifier: Apache-2.0 */
/* From each kind of source to a tree of files, and what the source says about itself. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "images/import-internal.h"
#include "images/oci-layout.h"

static const ChildProgram program_tar = { "tar", "tar" };
static const ChildProgram program_umoci = { "umoci", "umoci" };

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

    return import_report(import, at < 0 ? 0 : MIN((uint64_t)at, import->total));
}

static int tick(void *userdata)
{
    return import_report(userdata, 0);
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
    return import_run(import, &program_tar, arguments, NULL, import->source.fd, directory, tick_archive,
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
    return r < 0 ? r
                 : import_run(import, &program_umoci, arguments, NULL, -1, import->work->fd, tick, ret_error);
}

/* `real` is the layout that people gave, or that came out of an archive. */
static int unpack_layout_of(Import *import, int real, char **ret_error)
{
    char link[64], blobs[4096];
    _cleanup_(oci_image_done) OciImage image = { 0 };
    const char *architecture = import->options->architecture ?: host_architecture();

    int r = oci_layout_read(real, import->options->tag, architecture, &image, ret_error);
    if (r < 0)
        return r;
    _cleanup_(closep) int blobs_fd = dir_open_at(real, "blobs");
    if (blobs_fd < 0)
        return image_fail_errno(ret_error, blobs_fd, "the layout's blobs cannot be opened");
    snprintf(link, sizeof link, "/proc/self/fd/%d", blobs_fd);
    ssize_t n = readlink(link, blobs, sizeof blobs - 1);
    if (n < 0)
        return -errno;
    blobs[n] = 0;
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

static int unpack_layout(Import *import, char **ret_error)
{
    return unpack_layout_of(import, import->source.fd, ret_error);
}

static int unpack_archive(Import *import, char **ret_error)
{
    _cleanup_(closep) int archive = -1;

    int r = make_tree(import, "archive", &archive);
    if (r >= 0)
        r = run_tar(import, archive, ret_error);
    if (r < 0)
        return r;
    if (oci_detect_docker_archive(archive) && !oci_layout_detect(archive))
        return image_fail(
            ret_error, -EBADMSG,
            "\"%s\" was made by `docker save`; `skopeo copy docker-archive:FILE oci:DIR:latest` makes a "
            "layout of it, which can be imported",
            import->options->source);
    if (oci_layout_detect(archive))
        return unpack_layout_of(import, archive, ret_error);
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
