/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a backend with a real guest needs in a definition, over what every backend needs. */
#include "schemas/run-definition.h"

/*
 * The kernel and initrd of the build, and an image with busybox. PODVISOR_TEST_GUEST names the folder of vmlinux and initrd,
 * PODVISOR_TEST_IMAGE the erofs file.
 */
void guest_fill(RunDefinition *d);
