/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What QEMU of libvirt, which is a process of libvirt's user, must get at of a pod: its sockets and its lock in RUN/vm, and
 * its images. And what it must not: all else.
 *
 * podvisord, where it is root, gives libvirt's group the right to pass through the directories on the way, which it cannot
 * list, and to read exactly the images that the pod uses. What everybody may do already is left as it is. Nothing of it is
 * taken back but RUN/vm, when a machine of another backend comes to be there: an image stays readable for libvirt's group for
 * as long as it is in the store.
 *
 * Only podvisord's own directories are changed. What lies outside of them (the guest's kernel, a --root below a closed
 * directory) is looked at, so that whoever started the pod is told which file, or which directory, is closed to whom.
 */
#include "schemas/daemon-config.h"
#include "supervisor/supervisor.h"

/* libvirt's group, as podvisord.conf says: the one named in libvirt_user = "USER:GROUP"; that of the user's own name; the
 * user's first one. */
typedef struct LibvirtUser {
    char *name; /* as podvisord.conf has it */
    uid_t uid;
    gid_t gid;
    gid_t first_gid; /* the user's, by the list of users */
} LibvirtUser;

/* 0, or -ENOENT and others with *ret_error, a sentence (malloc'ed). The caller frees ret->name. */
int libvirt_user_find(const char *configured, LibvirtUser *ret, char **ret_error);

/* The pod's machine runs in a process of libvirt's user, and this podvisord can give something to that. */
bool libvirt_access_needed(const PodDefinition *pod);

/* Before each start, of pods of whichever backend, after the run path was made. 0, or negative errno with *ret_error, which
 * names the file and the user. */
int libvirt_access_give(const Supervisor *s, const RunDefinition *d, char **ret_error);

/* The last component and all that lead to it: 0, or negative errno with *ret_error. mode: 4 to read the file, 1 to pass through
 * the directory. Only modes and owners are looked at. */
int libvirt_access_check(const LibvirtUser *user, const char *path, mode_t mode, char **ret_error);
