/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guardian of one spare (spare.h): podvisor-templates --spare.
 *
 *     its order ──▶ QEMU ──▶ state loaded ──▶ rehearsal ──▶ QMP let go of ──▶ spare, directory, bell
 *                                                                  nobody has the claim any more ──▶ ended, or a pod's
 *
 * It waits for the end of the claim, and for nothing else: a spare that dies, and a guardian that is told to end, end it, too.
 */
#include "base/units.h"

#define SPARE_MAKE_TIMEOUT (60 * USEC_PER_SEC)

/* `claim`: a socket of schemas/template-protocol.h to who asks, on which the order comes; work: a directory for that of the spare. The exit
 * status. */
int spare_make_run(int claim, const char *work);
