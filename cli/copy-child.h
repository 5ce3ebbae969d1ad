/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The end of a copy that is on this host: a process that packs or unpacks, behind a pipe. What it unpacks, a guest has written; so it
 * may write nowhere but in the directory that the user has named (base/confine.h), besides all that archive/unpack.h keeps to.
 */
#include "archive/trouble.h"
#include "base/bytes.h"

typedef struct CopyJob {
    bool pack; /* else it unpacks */
    const char *path;
    const char *tree; /* of what is unpacked: its name, as it was asked for; NULL: any, and several */
    bool power;       /* of what is unpacked: set-user-id bits are kept */
    int not_for_it;   /* a descriptor of ours that it is not to hold; -1: none */
} CopyJob;

typedef struct CopyChild {
    pid_t pid;
    int words; /* the reading end of a pipe */
} CopyChild;

typedef struct CopyResult {
    Bytes notes;     /* each ended by a NUL */
    Trouble trouble; /* error 0: it went well */
} CopyResult;

/* *ret_fd: our end of its pipe, to read an archive from or write it to; the caller's. 0 or negative errno. */
int copy_child_start(const CopyJob *job, CopyChild *ret, int *ret_fd);
/* Waits for its end, which comes when our end of the pipe is closed. 0, or negative errno when that is not known. */
int copy_child_end(CopyChild *c, CopyResult *ret);
void copy_result_done(CopyResult *r);
