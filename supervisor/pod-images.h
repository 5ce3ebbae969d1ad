/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From the image names of a pod file to files and processes, as a runner is told them. */
#include "schemas/run-definition.h"

/* why: a sentence, when the container's image is not in the store; NULL: it is. True ends the look. */
typedef bool (*PodImageFunc)(void *userdata, const ContainerDefinition *container, const char *why);
/*
 * Calls func for each container until it says true, and returns that. What else is wrong with an image is found by
 * pod_images_resolve(). The null backend runs no image, and none is looked for.
 */
bool pod_images_look(int state_dir, const PodDefinition *pod, PodImageFunc func, void *userdata);

/*
 * Fills definition->images from definition->pod. state_dir: of podvisor's state, state_path the same as an absolute path.
 * 0, or negative errno with *ret_error (malloc'ed; what to do). The null backend runs no image, and looks none up.
 */
int pod_images_resolve(int state_dir, const char *state_path, RunDefinition *definition, char **ret_error);
