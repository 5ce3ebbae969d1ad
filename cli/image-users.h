/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which pods run an image: by the frozen definitions of their run paths, without podvisord. */
#include "schemas/paths.h"

/*
 * The names of the pods whose machines run with the image of this digest now, sorted; a strv, NULL when there are none or none can
 * be seen by this user.
 */
char **image_users(const Paths *paths, const char *digest);
