/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Spares: copies of a template that were made before anybody wanted them. Each is a QEMU that has loaded the template's state, where the
 * processor is emulated has run for a moment what its template had, so that it is translated, and stands still. A start by one is its disks
 * and `cont`.
 *
 *     podvisor-templates (spare-keeper.c) ──▶ a guardian for each (spare-make.h) ──▶ QEMU
 *                        └── hands it over ──▶ runner (qemu-spare.h)
 *
 * Theory of operation
 * -------------------
 * A spare has a directory of its own, in which there is what is in the vm/ of a pod's run path: sockets, and the machine lock that its QEMU
 * holds. *Who has the lock's file has the machine.* A spare becomes a pod's by one rename(2), of its lock into the pod's vm/: the lock
 * is on the file, whatever it is called and wherever it is, so it is held all the time. Whoever ends a spare renames the same file to another
 * name first. Of two who try, the kernel lets one through.
 *
 *     maker's directory                                        pod's vm/
 *     qmp agent network identity machine.lock ──rename─────▶   the same names; the lock last
 *                                     └────────rename──▶ ended: then its QEMU is killed
 *
 * The guardian, QEMU's parent, is at one end of a socket, the *claim*. At the other is podvisor-templates, and then the runner that it
 * was passed on to: when nobody has it any more, because its owner has let go of it or is dead, the guardian ends the spare if it is
 * still there to be ended, and itself.
 *
 * Invariants
 * - Whoever takes a spare has it run no instruction of the guest before its lock is in the pod's vm/. What it has run before, for its
 *   guardian, is what its template had, to which it is brought back: it waits for its first hello.
 * - Whoever is killed, at any instruction: its QEMU is a pod's that some runner finds by its checkpoint, or is ended, by its guardian, or
 *   where that is killed too, by podvisor-templates, the next one at the latest.
 * - It serves one pod. What is handed over is no longer podvisor-templates', whatever becomes of it.
 * - It has nothing of a pod before that, and of its template only what every copy has. The UUID is its own; the pod's checkpoint, and the
 *   file `identity`, say which.
 */
#include "backends/vmm.h"
#include "schemas/template-protocol.h"

/* Of the directories of spares, below the one that podvisor-templates has for its work. */
#define SPARE_PREFIX "spare."
/* Its UUID, as text. */
#define SPARE_IDENTITY_FILE "identity"

/* Ends the spare of this directory, and waits until it is gone: 1; 0: it is a pod's, or has ended before; or negative errno. */
int spare_end(int directory);
/* Ends all below `work` that have no guardian, and removes their directories. */
void spare_sweep(const char *work);
