/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The directories that the present entry of an archive lies in, outermost first: open, and with what they are to become when all
 * that is in them has been written. There are at most as many as the tree is deep.
 */
#include "archive/tar.h"

typedef struct Directory {
    char *place; /* below the destination */
    int fd;
    TarEntry entry; /* without names */
} Directory;

typedef struct Directories {
    Directory *items;
    size_t n_items;
} Directories;

/* Takes fd, also on failure. 0 or -ENOMEM. */
int directories_enter(Directories *d, const char *place, const TarEntry *entry, int fd);
/* The descriptor of a directory that is held; -1: it is not. */
int directories_find(const Directories *d, const char *place);
/* Lets go of all that place (NULL: nothing) does not lie in, innermost first, each after `settle`; the first failure is returned. */
int directories_leave(Directories *d, const char *place, int (*settle)(void *userdata, const Directory *d),
                      void *userdata);
void directories_done(Directories *d);
