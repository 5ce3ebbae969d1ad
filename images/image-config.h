/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container runs: the image's configuration under what the pod file says.
 *
 * - `command` of the pod file is the whole command line: it replaces the image's entry point *and* its command, so that
 *   what stands in the pod file is what runs. (podman Quadlet's Exec= keeps the entry point; there one must look into the
 *   image to know.) Without it the entry point with the image's command behind it runs.
 * - environment is merged, the pod file's value winning; PATH gets the usual value when neither sets it.
 * - user, working_dir and stop_signal: the pod file's, else the image's, else "0", "/" and "SIGTERM".
 */
#include "images/image-record.h"
#include "schemas/pod-definition.h"

/* All owned. environment is sorted as it was found: the image's order, then what the pod file added. */
typedef struct ImageProcess {
    char **command; /* at least one element */
    char **environment;
    char *user;
    char *working_dir;
    char *stop_signal;
} ImageProcess;

void image_process_done(ImageProcess *process);

/* Both sides may be NULL. 0, -ENOENT when neither says what to run, -ENOMEM. On failure *ret is not touched. */
int image_config_merge(const ImageConfig *image, const ContainerDefinition *container,
                       ImageProcess *ret) _warn_unused_;
