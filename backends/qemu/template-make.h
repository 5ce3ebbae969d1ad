/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The making of one template, by a process that does nothing else: podvisor-templates --make.
 *
 * Theory of operation
 * -------------------
 *     QEMU, memory shared ──▶ agent: hello, welcome, template, reply ──▶ channel closed ──▶ stop ──▶ migrate to the state file ──▶ quit
 *
 * QEMU ends with the process that makes the template, and that ends with who has asked for it: whatever is killed, nothing is left but
 * two files that nobody has. One deadline is over all of it.
 */
#include "backends/qemu/template.h"

/* Of the directories that makers have in that for their work. */
#define TEMPLATE_WORK_PREFIX "template."
#define TEMPLATE_MAKE_TIMEOUT (120 * USEC_PER_SEC)

/* `channel` is a socket of schemas/template-protocol.h to who asks; work: a directory for sockets. The exit status. */
int template_make_run(int channel, const char *work);
