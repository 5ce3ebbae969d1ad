/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From the image names of a pod file to files and processes, as a runner is told them. */
#include "schemas/run-definition.h"

/*
 * True when an image of the pod is not in the store: *ret_image is its name, *ret_why a sentence (both malloc'ed; NULL: no
 * memory). What else is wrong with one is found by pod_images_resolve().
 */
bool pod_images_missing(int state_dir, const PodDefinition *pod, char **ret_image, char **ret_why);

/*
 * Fills definition->images from definition->pod. state_dir: of podvisor's state, state_path the same as an absolute path.
 * 0, or negative errno with *ret_error (malloc'ed; what to do). The null backend runs no image, and looks none up.
 */
int pod_images_resolve(int state_dir, const char *state_path, RunDefinition *definition, char **ret_error);
