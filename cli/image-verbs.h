/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the verbs of `podvisor image` share. */
#include "cli/verb.h"
#include "images/image-store.h"

/* Says the store's sentence (which is freed), or the errno where there is none. Returns the exit status. */
int image_complain(const char *what, int error, char *sentence);

/* STATUS_OK, with *ret NULL where a store to be read was never made; else it has complained. */
int image_open_store(const Context *c, ImageAccess access, ImageStore **ret);
