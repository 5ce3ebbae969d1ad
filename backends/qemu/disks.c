/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/file.h>
#include <sys/stat.h>

#include "backends/qemu/disks.h"
#include "base/file.h"
#include "base/strings.h"

#define LOCK_PATIENCE (500 * USEC_PER_MSEC)

static int image_open(const BackendContext *context, const RunImage *image)
{
    struct stat st;

    _cleanup_(closep) int fd = backend_image_open(context, image);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return -EINVAL;
    /* A look at whether the image is in use locks it for a moment; a removal does, too, and then it is gone for good. */
    int r = file_lock(fd, LOCK_SH, LOCK_PATIENCE);
    return r < 0 ? r : take_fd(&fd);
}

static const char *image_error(int error)
{
    if (error == -EINVAL)
        return "it is no file with content";
    return error == -EWOULDBLOCK ? "it is being removed" : strerror(-error);
}

static int images_open(Disks *d, const BackendContext *context, char **ret_message)
{
    const RunDefinition *definition = context->definition;

    for (size_t i = 0; i < definition->n_images && i < CONTAINERS_MAX; i++) {
        const RunImage *image = &definition->images[i];
        if (run_definition_disk(definition, i) != i)
            continue;
        int fd = image_open(context, image);
        if (fd < 0) {
            *ret_message = strf("the image of container %s cannot be opened: %s: %s", image->container ?: "?",
                                image->path ?: "no file", image_error(fd));
            return fd;
        }
        d->items[d->n_items++] = (CommandLineDisk){ .id = (unsigned)i, .fd = fd };
    }
    return 0;
}

static int volumes_open(Disks *d, const BackendContext *context, char **ret_message)
{
    const RunDefinition *definition = context->definition;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < definition->n_disks && i < VOLUMES_MAX; i++) {
        r = disk_file_open(context, &definition->disks[i], false, &d->volumes[d->n_volumes], ret_message);
        d->n_volumes += r >= 0;
    }
    return r;
}

int disks_open(Disks *ret, const BackendContext *context, char **ret_message)
{
    Disks d = { .n_items = 0 };

    *ret_message = NULL;
    int r = images_open(&d, context, ret_message);
    if (r >= 0)
        r = volumes_open(&d, context, ret_message);
    if (r < 0)
        disks_close(&d);
    else
        *ret = d;
    return MIN(r, 0);
}

void disks_close(Disks *d)
{
    for (size_t i = 0; i < d->n_items; i++)
        safe_close(d->items[i].fd);
    for (size_t i = 0; i < d->n_volumes; i++)
        safe_close(d->volumes[i].fd);
    d->n_items = d->n_volumes = 0;
}
