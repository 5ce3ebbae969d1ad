/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process that has a host's templates: it answers runners, and has made what they want and is not there.
 *
 * Theory of operation
 * -------------------
 *     a runner wants --> nothing is known --> queued --> making --> ready --> unused for TEMPLATE_UNUSED, or the oldest of too many --> gone
 *                             |                             |
 *                             +--- "it is being made" <-----+--> failed, for TEMPLATE_FAILED_AGAIN
 *
 * Nobody waits: who asks too early boots, and the next one need not. One template is made at a time, with what nobody else wants of
 * the processors.
 *
 * Templates live as long as this process. It ends when it has had none for TEMPLATE_IDLE; copies that run have what they have.
 *
 * Who asks is not trusted: it says which shape of machine it wants, and which key it has found for that. From which files it is made is
 * said by podvisord.conf, and a template whose key comes out differently is not handed out. The worst that a runner can do is
 * to have templates made that nobody wants, TEMPLATES_MAX of them, so that others boot.
 */
#include "backends/qemu/template.h"

enum { TEMPLATES_MAX = 8 };

#define TEMPLATE_UNUSED (30 * USEC_PER_MINUTE)
#define TEMPLATE_FAILED_AGAIN (5 * USEC_PER_MINUTE)
#define TEMPLATE_IDLE (5 * USEC_PER_MINUTE)

typedef struct TemplateSettings {
    int listen;          /* a listening SOCK_SEQPACKET */
    const char *program; /* ourselves, for making */
    const char *work;    /* directory for the sockets of a machine that is made */
    bool spares;         /* runners are of our user, so that they can take over what we have started */
    /* Files of the host: */
    const char *qemu;
    const char *kernel;
    const char *initrd;
} TemplateSettings;

/* Until there is nothing to keep: 0, or negative errno. */
int template_keeper_run(const TemplateSettings *settings);
