/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the two files of podvisor-templates share: template-keeper.c has templates and makes them, template-desk.c speaks with who wants one. */
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "backends/qemu/template-keeper.h"
#include "base/units.h"

typedef struct Keeper Keeper;

typedef struct Template {
    Keeper *keeper;
    TemplateShape shape;
    TemplatePhase phase;
    uint64_t starts;
    int memory, state;
    char *failure;
    usec_t used;  /* or failed; CLOCK_BOOTTIME */
    usec_t began; /* its making */
    /* While it is made: */
    int channel, pidfd;
    bool made;
    sd_event_source *process;
    TAILQ_ENTRY(Template) entry;
} Template;

typedef struct Visitor {
    Keeper *keeper;
    int socket;
    const Template *awaits; /* an operator's, who has it made; NULL */
    sd_event_source *heard, *late;
    TAILQ_ENTRY(Visitor) entry;
} Visitor;

struct Keeper {
    const TemplateSettings *settings;
    sd_event *event;
    TAILQ_HEAD(, Template) templates;
    TAILQ_HEAD(, Visitor) visitors;
    size_t n_templates, n_visitors;
    bool making;
    sd_event_source *tidy;
};

/* CLOCK_BOOTTIME. */
static inline usec_t keeper_now(void)
{
    return now_usec(CLOCK_BOOTTIME);
}

/* --- template-keeper.c --- */
/* Returns NULL. Nobody may await it. */
Template *template_free(Template *t);
/* One that is to be made; takes the shape. NULL with *ret_why when it is not made now. */
Template *template_queue(Keeper *k, TemplateShape *shape, const char **ret_why);
Template *template_find(Keeper *k, const char *key);
/* What can be begun now, and the next moment at which something is due. */
void keeper_go_on(Keeper *k);

/* --- template-desk.c --- */
/* Listens: 0 or negative errno. */
int desk_open(Keeper *k);
void desk_close(Keeper *k);
/* It has been made, or has failed: those who await it are told. */
void desk_tell(const Template *t);
int desk_send(int socket, TemplateMessageType type, const void *body, int fd);
