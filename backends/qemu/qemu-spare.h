/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The start of a machine by a spare of its template (spare.h), by the runner.
 *
 *     podvisor-templates hands it over, and the template besides
 *        │   take     it is what it says: recorded, its sockets into vm/
 *        │   plug     who it is is asked, disks are given, what it does is asked: in one breath
 *        │   commit   its lock into vm/: from here on it is the pod's
 *        ▼   cont ──▶ RUNNING
 *     whatever fails: it is killed, and when it is gone the machine starts as any other copy of the template
 *
 * Until the commit its guardian ends it when this runner does; the next runner sees the recorded process go, and begins anew. After that it
 * has all that it needs, and the next runner finds a copy that waits for `cont` (qemu-template.h).
 */
#include "base/file.h"
#include "base/units.h"
#include "schemas/template-protocol.h"

/* It has been asked for its name and given disks; milliseconds on an idle host, and a copy is another way. */
#define SPARE_TIMEOUT (3 * USEC_PER_SEC)

typedef struct QemuVm QemuVm;
typedef struct QemuRecord QemuRecord;

typedef struct QemuSpare {
    TemplateSpare is;
    int claim, directory, bell; /* -1 */
    bool taken;
} QemuSpare;

/* A message of podvisor-templates that is about a spare, if it is. Takes what it needs of *fd. */
void qemu_spare_hear(QemuSpare *s, const Message *m, int *fd);
/* Where there is one, its network's socket becomes the pod's: 1; 0: there is none. */
int qemu_spare_network(QemuVm *q);
/* 1: the spare is the process of this start; 0: there is none; -EAGAIN: it is not taken, why is recorded, and on_start is called again. */
int qemu_spare_take(QemuVm *q);
/* Gives a spare that was taken its disks: 0 or negative errno; nothing when there is none. */
int qemu_spare_plug(QemuVm *q);
/* The spare that was taken becomes the pod's for good: 0 or negative errno; nothing when there is none, or it is already. */
int qemu_spare_commit(QemuVm *q);
/* From its taking until it runs. */
bool qemu_spare_is_taken(const QemuVm *q);
/* True when a spare was taken and does something else than standing still: it is being killed. */
bool qemu_spare_strays(QemuVm *q, const char *status);
/* True when there is a spare that was taken: it is killed, and message, which is taken over then, is why. */
bool qemu_spare_doubt(QemuVm *q, char *message);
/* A spare that was taken is gone: true when the machine may start as a copy instead, and its record says why. */
bool qemu_spare_give_up(QemuVm *q);
/* The UUID by which the machine is to prove itself. */
Id128 qemu_spare_uuid(const QemuVm *q);
/* The same for a record that is made anew. */
void qemu_spare_rebuild(QemuVm *q);
/* RunnerReport.started_by (malloc'ed); NULL: by a boot, as wanted. */
char *qemu_started_by(const QemuRecord *r);
/* Lets go of everything. */
void qemu_spare_done(QemuSpare *s);
