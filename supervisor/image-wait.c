/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "supervisor/image-wait.h"
#include "supervisor/pod-images.h"
#include "supervisor/supervisor.h"

struct ImageWait {
    Watch *watch; /* of the names and the images of the store */
    struct PodQueue pods;
};

void image_wait_forget(Pod *pod)
{
    if (pod->observed.image_missing)
        TAILQ_REMOVE(&pod->supervisor->image_wait->pods, pod, image_entry);
    pod->observed.image_missing = false;
    pod->missing_image = (free(pod->missing_image), NULL);
    pod->missing_why = (free(pod->missing_why), NULL);
}

bool image_wait_look(Pod *pod)
{
    _cleanup_(freep) char *image = NULL, *why = NULL;
    bool told = pod->observed.image_missing;

    if (!pod_images_missing(pod->supervisor->state_dir, &pod->definition, &image, &why)) {
        image_wait_forget(pod);
        return false;
    }
    free(pod->missing_image);
    free(pod->missing_why);
    pod->missing_image = take_ptr(image);
    pod->missing_why = take_ptr(why);
    if (told)
        return true;
    TAILQ_INSERT_TAIL(&pod->supervisor->image_wait->pods, pod, image_entry);
    pod->observed.image_missing = true;
    pod_log_event(pod, EVENT_IMAGE_MISSING, 0, "%s: waits for its image \"%s\": %s", pod->name,
                  pod->missing_image ?: "?", pod->missing_why ?: "it is not in the store");
    return true;
}

static void on_change(void *userdata, const char *name)
{
    ImageWait *w = userdata;

    for (Pod *pod = TAILQ_FIRST(&w->pods), *next; pod; pod = next) {
        next = TAILQ_NEXT(pod, image_entry);
        (void)image_wait_look(pod);
        pod_due(pod);
    }
}

int image_wait_new(ImageWait **ret, Supervisor *supervisor)
{
    _cleanup_(image_wait_freep) ImageWait *w = calloc(1, sizeof *w);
    _cleanup_(freep) char *names = strf("%s/" PATHS_IMAGES "/names", supervisor->paths->state);
    _cleanup_(freep) char *blobs = strf("%s/" PATHS_IMAGES "/blobs", supervisor->paths->state);
    char *const directories[] = { names, blobs, NULL };

    if (!w || !names || !blobs)
        return -ENOMEM;
    TAILQ_INIT(&w->pods);
    int r = watch_new(&w->watch, supervisor->event, directories, on_change, w);
    if (r < 0)
        return r;
    *ret = take_ptr(w);
    return 0;
}

ImageWait *image_wait_free(ImageWait *w)
{
    if (!w)
        return NULL;
    watch_free(w->watch);
    free(w);
    return NULL;
}
