/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of podvisor-templates share: template-keeper.c has templates and makes them, template-desk.c speaks with who wants one,
 * spare-keeper.c has the spares of each. */
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
    TAILQ_HEAD(, Spare) spares; /* that are made, or wait */
    size_t n_spares;
    usec_t spares_due; /* not before that: the last one came to nothing, or there was no memory */
    TAILQ_ENTRY(Template) entry;
} Template;

/* With the socket of its guardian, the claim, it is handed over, or given up. */
typedef struct Spare {
    Keeper *keeper;
    Template *template; /* NULL: it is not ours any more, and its guardian is about to end */
    TemplateSpare is;
    int claim, directory, bell, guardian;
    bool ready;
    char *failure;
    sd_event_source *heard, *ended;
    TAILQ_ENTRY(Spare) entry; /* of its template's, or of those that have left */
} Spare;

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
    uint64_t spares;   /* of each template, as the last runner said that wanted one */
    usec_t wanted;     /* when that was */
    Spare *spare_made; /* the one that is being made; NULL */
    TAILQ_HEAD(, Spare) spares_left;
    sd_event_source *spare_next;
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
/* Bytes that the host could give without taking them from anybody; 0 when it does not say. */
uint64_t keeper_memory_available(void);
/* What can be begun now, and the next moment at which something is due. */
void keeper_go_on(Keeper *k);

/* --- template-desk.c --- */
/* Listens: 0 or negative errno. */
int desk_open(Keeper *k);
void desk_close(Keeper *k);
/* It has been made, or has failed: those who await it are told. */
void desk_tell(const Template *t);
int desk_send(int socket, TemplateMessageType type, const void *body, int fd);

/* --- spare-keeper.c --- */
void spares_init(Keeper *k);
/* A start begins, which goes before any spare that is being made. */
void spares_hear(Keeper *k, const TemplateShape *wanted);
/* True when one was handed over, before which nothing else has been said on this socket. */
bool spares_hand_out(Template *t, int socket);
/* What there is to be made or given up now, and the next moment at which there will be. */
void spares_go_on(Keeper *k);
/* How many wait, and what they take of the host's memory that their template does not. */
size_t spares_count(const Template *t, uint64_t *ret_size);
/* All are given up. */
void spares_done(Template *t);
void spares_close(Keeper *k);
