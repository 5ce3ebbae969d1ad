/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who wants the template of a machine, and who keeps it: packets on a unix socket. podvisor-templates is at one end, at the other a
 * runner, or the process that makes a template for it.
 *
 *     runner                        podvisor-templates                     podvisor-templates --make
 *     want{shape} ---------------->                     want{shape} ------>
 *                <----- memory + descriptor             memory + descriptor ->
 *                <----- state + descriptor              state + descriptor -->
 *     or         <----- none{message}                   <------------------ made, or none{message}
 *
 * Nothing follows in either conversation.
 */
#include "schemas/message.h"
#include "schemas/pod-definition.h"

enum { TEMPLATE_PACKET_MAX = 8 * 1024 };

typedef enum TemplateMessageType {
    TEMPLATE_WANT,
    TEMPLATE_MEMORY,
    TEMPLATE_STATE,
    TEMPLATE_MADE,
    TEMPLATE_NONE,
    TEMPLATE_MESSAGE_MAX,
} TemplateMessageType;
extern const MessageTable template_protocol;

/* Of all that a machine is, what a template must have in common with it. */
typedef struct TemplateShape {
    char *key; /* what the above is on this host, as a digest (backends/qemu/template.h) */
    Machine machine;
    Accelerator accelerator;
    uint64_t cpus;
    uint64_t memory; /* bytes */
    bool network;    /* it has an interface, which podvisor-uplink is behind */
    /* Files of the host, absolute: */
    char *qemu;
    char *kernel;
    char *initrd;
} TemplateShape;
extern const Schema template_shape_schema;

typedef struct TemplateNone {
    char *message; /* why, as a clause */
} TemplateNone;
extern const Schema template_none_schema;
