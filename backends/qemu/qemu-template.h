/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The start of a machine from a template (template.h), by the runner.
 *
 *     ask podvisor-templates --> none, and why -----------------------------------------------> boot
 *              |
 *              +--> memory, state --> QEMU, -incoming --> state is loaded --> cont --> RUNNING
 *                                                     |
 *                                                     +--> it fails, and why, or takes too long --> that QEMU is gone --> boot
 *
 * A runner that dies in the middle leaves a QEMU that waits for its state, or stands still with it: the next one goes on, since QEMU has
 * the state's descriptor, and the checkpoint says under which number.
 */
#include <systemd/sd-event.h>

#include "base/units.h"

/* podvisor-templates only looks it up; who hangs is not waited for. */
#define TEMPLATE_ASK_TIMEOUT (500 * USEC_PER_MSEC)
/* Milliseconds on an idle host. */
#define TEMPLATE_LOAD_TIMEOUT (10 * USEC_PER_SEC)

typedef struct QemuVm QemuVm;
typedef struct TemplateShape TemplateShape;

typedef struct QemuTemplate {
    bool decided;
    int memory, state; /* -1: the machine boots */
    int socket;        /* to podvisor-templates, while it is asked; -1 */
    TemplateShape *shape;
    sd_event_source *heard, *late;
} QemuTemplate;

/* Before anything is opened for QEMU: true when it is decided how the machine starts; else on_start is called again. */
bool qemu_template_decide(QemuVm *q);
/* A QEMU that has not begun to run, with this status: true when it is being woken, and qemu_proved() follows, or its end. */
bool qemu_template_wake(QemuVm *q, const char *status);
/* QEMU tells of its loading. */
void qemu_template_loading(QemuVm *q, const char *status);
/* The copy has ended before it ran: true when the machine may boot instead, and its record says why. */
bool qemu_template_give_up(QemuVm *q);
/* Lets go of everything. */
void qemu_template_done(QemuTemplate *t);
