/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who wants the template of a machine, and who keeps it: packets on a unix socket. podvisor-templates is at one end, at the other a
 * runner, the process that makes a template for it, or an operator.
 *
 *     runner                        podvisor-templates                     podvisor-templates --make
 *     want{shape} ---------------->                     want{shape} ------>
 *                <----- memory + descriptor             memory + descriptor ->
 *                <----- state + descriptor              state + descriptor -->
 *     or         <----- none{message}                   <------------------ made, or none{message}
 *
 *                                                       podvisor-templates --spare
 *     before memory, where there is a spare:            the same wish ---->
 *                <----- spare{uuid, pid, ...} + claim   <------------------ spare{uuid, pid, ...}
 *                <----- directory + descriptor          <------------------ directory + descriptor
 *                <----- bell + descriptor               <------------------ bell + descriptor, or none{message}
 *     (backends/qemu/spare.h has what they are)
 *
 *     operator
 *     list ------------------------>
 *                <----- entry{shape, phase, ...}        one for each; the end of the connection is the end of the list
 *     make{shape} ----------------->                    without a key; the accelerator may be ACCELERATOR_AUTO
 *                <----- made, or none{message}          when it is there, or will not be
 *
 * Nothing follows in any of these conversations.
 */
#include "schemas/message.h"
#include "schemas/pod-definition.h"

enum {
    TEMPLATE_PACKET_MAX = 8 * 1024,
    TEMPLATE_SPARES_MAX = 8, /* of one template */
};

typedef enum TemplateMessageType {
    TEMPLATE_WANT,
    TEMPLATE_MEMORY,
    TEMPLATE_STATE,
    TEMPLATE_MADE,
    TEMPLATE_NONE,
    TEMPLATE_LIST,
    TEMPLATE_ENTRY,
    TEMPLATE_MAKE,
    TEMPLATE_SPARE,
    TEMPLATE_DIRECTORY,
    TEMPLATE_BELL,
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
    uint64_t
        spares; /* how many are to be kept of it: no part of the key, and not of those that want none handed over */
    /* Files of the host, absolute: */
    char *qemu;
    char *kernel;
    char *initrd;
} TemplateShape;
extern const Schema template_shape_schema;

/* What has become of one that somebody wanted. */
typedef enum TemplatePhase {
    TEMPLATE_QUEUED,
    TEMPLATE_MAKING,
    TEMPLATE_READY,
    TEMPLATE_FAILED,
    TEMPLATE_PHASE_MAX,
} TemplatePhase;
extern const EnumTable template_phase_table;

typedef struct TemplateEntry {
    TemplateShape shape;
    TemplatePhase phase;
    char *failure;        /* why, of one that failed */
    uint64_t size;        /* bytes of the host's memory that it takes */
    uint64_t starts;      /* how often it was handed out */
    usec_t unused;        /* since it was handed out last, or was made, or failed */
    uint64_t spares;      /* that wait */
    uint64_t spares_size; /* bytes of the host's memory that those take besides */
} TemplateEntry;
extern const Schema template_entry_schema;

/* A machine that waits for whom it will be. */
typedef struct TemplateSpare {
    Id128 uuid;   /* by which it proves itself */
    uint64_t pid; /* QEMU's, with start_time, in this boot of the host */
    uint64_t start_time;
} TemplateSpare;
extern const Schema template_spare_schema;

typedef struct TemplateNone {
    char *message; /* why, as a clause */
} TemplateNone;
extern const Schema template_none_schema;
