/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/image-config.h"
#include "images/image-store.h"
#include "schemas/paths.h"
#include "supervisor/pod-images.h"

/* "sha256:<hex>" stands in blobs/sha256-<hex>.erofs (images/image-store.h). */
static char *image_path(const char *state_path, const char *digest)
{
    const char *hex = str_after(digest, "sha256:");

    return strf("%s/" PATHS_IMAGES "/blobs/sha256-%s.erofs", state_path, hex ?: digest);
}

static int merge(const ImageRecord *image, const ContainerDefinition *container, RunImage *ret)
{
    ImageProcess process;

    int r = image_config_merge(&image->config, container, &process);
    if (r < 0)
        return r;
    ret->command = take_ptr(process.command);
    ret->environment = take_ptr(process.environment);
    ret->user = take_ptr(process.user);
    ret->working_dir = take_ptr(process.working_dir);
    ret->stop_signal = take_ptr(process.stop_signal);
    image_process_done(&process);
    return 0;
}

static int resolve(ImageStore *store, const char *state_path, const ContainerDefinition *container,
                   RunImage *ret, char **ret_error)
{
    ImageRecord image;

    int r = image_lookup(store, container->image, &image, NULL, ret_error);
    if (r < 0)
        return r;
    ret->container = strdup(container->name);
    ret->digest = strdup(image.digest);
    ret->path = image_path(state_path, image.digest);
    r = ret->container && ret->digest && ret->path ? merge(&image, container, ret) : -ENOMEM;
    image_record_done(&image);
    if (r == -ENOENT)
        *ret_error = strf("neither the image \"%s\" nor the container \"%s\" says what to run; set `command`",
                          container->image, container->name);
    return r;
}

bool pod_images_look(int state_dir, const PodDefinition *pod, PodImageFunc func, void *userdata)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    bool told = false;

    if (pod->backend == BACKEND_NULL || image_store_open(state_dir, IMAGE_READ, &store, NULL) < 0)
        return false;
    for (size_t i = 0; !told && i < pod_n_containers(pod); i++) {
        const ContainerDefinition *container = pod_container(pod, i);
        _cleanup_(freep) char *why = NULL;
        bool missing = image_lookup(store, container->image, NULL, NULL, &why) == -ENOENT;
        told = func(userdata, container, missing ? why ?: "it is not in the store" : NULL);
    }
    return told;
}

int pod_images_resolve(int state_dir, const char *state_path, RunDefinition *definition, char **ret_error)
{
    const PodDefinition *pod = &definition->pod;
    _cleanup_(image_store_freep) ImageStore *store = NULL;

    *ret_error = NULL;
    if (pod->backend == BACKEND_NULL)
        return 0;
    int r = image_store_open(state_dir, IMAGE_READ, &store, ret_error);
    for (size_t i = 0; r >= 0 && i < pod_n_containers(pod); i++) {
        RunImage *image = field_append(schema_field(&run_definition_schema, "images"), definition);
        r = image ? resolve(store, state_path, pod_container(pod, i), image, ret_error) : -ENOMEM;
    }
    return r;
}
