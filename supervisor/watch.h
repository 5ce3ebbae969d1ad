/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Watches directories of definitions by inotify, and tells which file names to look at again.
 *
 * Theory of operation
 * -------------------
 * Events are only hints: what counts is what is found when the name is looked at. They are collected for WATCH_DEBOUNCE, so
 * that an editor's burst is one look; but a file that is renamed into its place is complete, and where it was quiet before,
 * it is looked at at once. A directory that is not there is awaited at its nearest ancestor that is; one that
 * is moved, removed, unmounted or replaced is looked up again by its path. Whenever events may have been lost (a full
 * queue, a directory that came or went), the word is: look at everything.
 *
 * A file being created is not told before its writer closes it, and costs nothing until then.
 */
#include <systemd/sd-event.h>

#include "base/units.h"

#define WATCH_DEBOUNCE (50 * USEC_PER_MSEC)

typedef struct Watch Watch;

/* name: of a file in any of the directories, or NULL: look at everything. */
typedef void (*WatchFunc)(void *userdata, const char *name);

/* directories are absolute paths that need not exist; copied. */
int watch_new(Watch **ret, sd_event *event, char *const *directories, WatchFunc func, void *userdata);
/* One more directory, for as long as the watch is there; one that it has already is nothing new. 0 or -ENOMEM. */
int watch_add(Watch *w, const char *directory);
/* From within func: when the first of the events came that it is called for (CLOCK_MONOTONIC). */
usec_t watch_heard(const Watch *w);
Watch *watch_free(Watch *w);
DEFINE_CLEANUP(Watch *, watch_free)
