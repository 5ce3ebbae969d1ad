/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* POD or POD/CONTAINER, as a verb is told what it is about. */
#include "cli/client.h"

typedef struct Target {
    char *pod;
    char *container; /* NULL: the only one */
    char *name;      /* "web/httpd", for messages */
} Target;

/* Asks for the container of a pod that was named alone. An exit status; what is wrong has been said. */
int target_parse(Client *client, const char *word, Target *ret);
void target_done(Target *t);
/* Whether the first n bytes of the word are POD or POD/CONTAINER. */
bool target_is(const char *word, size_t n);
