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
    pod->image_pulled = false;
    pod->missing_image = (free(pod->missing_image), NULL);
    pod->missing_why = (free(pod->missing_why), NULL);
}

void image_wait_started(Pod *pod)
{
    pod->image_round = 0;
}

/* What is in the way of a start. */
typedef struct Obstacle {
    Pod *pod;
    const char *image;
    char *why;
    bool pulled; /* it is being pulled */
} Obstacle;

static bool stand_in_the_way(Obstacle *o, const ContainerDefinition *container, bool pulled, const char *why)
{
    o->image = container->image;
    o->why = strdup(why);
    o->pulled = pulled;
    return true;
}

/* An image that is there is never waited for but while its registry is asked. */
static bool look_at_pull(Obstacle *o, const ContainerDefinition *container, const char *missing)
{
    const char *why = NULL;
    usec_t patience = usec_sub(now_usec(CLOCK_BOOTTIME), USEC_PER_MINUTE);

    switch (image_pulls_want(o->pod->supervisor->image_pulls, container->image,
                             missing ? patience : o->pod->image_round, &why)) {
    case PULL_UNDER_WAY:
        return stand_in_the_way(o, container, true,
                                missing ? "it is being pulled"
                                        : "its registry is being asked for a newer one");
    case PULL_SETTLED:
        return missing ? stand_in_the_way(o, container, false, "it was pulled, and has gone again") : false;
    case PULL_FAILED:
        return missing ? stand_in_the_way(o, container, false, why ?: missing) : false;
    }
    return false;
}

static bool look_at_image(void *userdata, const ContainerDefinition *container, const char *missing)
{
    Obstacle *o = userdata;

    if (container->pull == PULL_NEWER || (missing && container->pull == PULL_MISSING))
        return look_at_pull(o, container, missing);
    return missing ? stand_in_the_way(o, container, false, missing) : false;
}

bool image_wait_look(Pod *pod)
{
    Obstacle o = { .pod = pod };

    if (pod->image_round == 0)
        pod->image_round = now_usec(CLOCK_BOOTTIME);
    if (!pod_images_look(pod->supervisor->state_dir, &pod->definition, look_at_image, &o)) {
        image_wait_forget(pod);
        return false;
    }
    bool news = !streq_ptr(pod->missing_image, o.image) || !streq_ptr(pod->missing_why, o.why);
    (void)str_replace(&pod->missing_image, o.image);
    free(pod->missing_why);
    pod->missing_why = o.why;
    pod->image_pulled = o.pulled;
    if (!pod->observed.image_missing)
        TAILQ_INSERT_TAIL(&pod->supervisor->image_wait->pods, pod, image_entry);
    pod->observed.image_missing = true;
    if (news && !o.pulled)
        pod_log_event(pod, EVENT_IMAGE_MISSING, 0, "%s: waits for its image \"%s\": %s", pod->name,
                      pod->missing_image ?: "?", pod->missing_why ?: "it is not in the store");
    return true;
}

void image_wait_hurry(Pod *pod)
{
    pod->image_round = 0;
    for (size_t i = 0; pod->wanted.defined && i < pod_n_containers(&pod->definition); i++) {
        const ContainerDefinition *container = pod_container(&pod->definition, i);
        if (container->pull != PULL_NEVER)
            image_pulls_hurry(pod->supervisor->image_pulls, container->image);
    }
    /* At once, so that whoever asks next is told what is true now. */
    if (pod->observed.image_missing)
        (void)image_wait_look(pod);
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

void image_wait_changed(Supervisor *s)
{
    on_change(s->image_wait, NULL);
}

bool image_wait_wants(Supervisor *s, const char *reference)
{
    Pod *pod;

    TAILQ_FOREACH(pod, &s->image_wait->pods, image_entry)
    for (size_t i = 0; i < pod_n_containers(&pod->definition); i++) {
        const ContainerDefinition *c = pod_container(&pod->definition, i);
        if (c->pull != PULL_NEVER && streq(c->image, reference))
            return true;
    }
    return false;
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
