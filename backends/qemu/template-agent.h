/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the agent of a machine that will be copied is told: hello, that it is a template, and nothing more. It prepares what every copy needs,
 * answers when the kernel has come to rest, and takes the next hello for the first one.
 *
 *     hello{template} ──▶ welcome ──▶ template ──▶ reply ──▶ the channel is closed ──▶ func
 */
#include <systemd/sd-event.h>

#include "base/id128.h"
#include "schemas/frame.h"

/* error 0: it waits for its first hello, and nobody speaks with it any more. Negative: it does not, and message, which is taken over,
 * says why; NULL: no memory. Called at most once; not when the channel ends, since QEMU's end says more. */
typedef void (*TemplateAgentFunc)(int error, char *message, void *userdata);

typedef struct TemplateAgent {
    sd_event *event;
    int socket;
    uint32_t session;
    Id128 token;
    FrameDecoder decoder;
    bool welcome, over;
    sd_event_source *heard, *hello;
    TemplateAgentFunc func;
    void *userdata;
} TemplateAgent;

/* Takes over the connected socket, also on failure: 0 or negative errno. */
int template_agent_begin(TemplateAgent *a, sd_event *event, int socket, TemplateAgentFunc func,
                         void *userdata);
/* Of one that was begun, or is empty. */
void template_agent_done(TemplateAgent *a);
