/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The shares of a machine that are live: a virtiofsd for each (backends/share-process.h), connected with QEMU.
 *
 * They are begun before QEMU, outlive the runner as it does, and end by themselves with it: what they serve is a connection whose other
 * end QEMU alone has. The checkpoint has their identities, for two uses: a later runner watches them, and what is left of a machine that
 * is gone is killed.
 *
 * A guest that has lost one waits for its files without end, and QEMU has no way to give it another. So that is the machine's end,
 * with its reason. One that ends in order, or in a way that nobody can know, may only have seen QEMU's end first: that has
 * SHARE_GRACE to be seen, too.
 */
#include "backends/qemu/qemu-checkpoint.h"

#define SHARE_GRACE USEC_PER_SEC

typedef struct QemuVm QemuVm;

typedef struct QemuShare {
    QemuVm *vm;
    char *volume;
    size_t index;   /* of the volume */
    int connection; /* for QEMU; -1: it has it */
    int pidfd;      /* -1: it has ended */
    int log;        /* what it says; -1: another runner had begun it */
    char *end;      /* how it ended, a sentence; NULL: it has not */
    bool abnormal;  /* and not because of QEMU's end */
    sd_event_source *source;
} QemuShare;

typedef struct QemuShares {
    QemuShare *items;
    size_t n;
    sd_event_source *grace;
} QemuShares;

/* Before QEMU is: begins all of them, and notes them in the record. 0, or negative errno with *message. */
int qemu_shares_make(QemuVm *q, char **message);
/* QEMU has its ends; from here on they are watched. 0 or negative errno. */
int qemu_shares_watch(QemuVm *q);
/* Those of the record, which another runner had begun. */
void qemu_shares_adopt(QemuVm *q);
/* The machine is told to run: one that had ended before ends it. */
void qemu_shares_keep(QemuVm *q);
/* Why QEMU has ended, if that is because one of them had (malloc'ed); NULL: it is not. */
char *qemu_shares_blame(QemuVm *q);
/* QEMU is gone: so are they. */
void qemu_shares_end(QemuVm *q);
/* Lets go of them, and leaves them as they are. */
void qemu_shares_done(QemuShares *s);
/* Kills those of a checkpoint whose QEMU is gone. */
void qemu_shares_sweep(const QemuRecord *record);
