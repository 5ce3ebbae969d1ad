/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backends/accelerator.h"
#include "backends/qemu/template-keeper-internal.h"
#include "base/socket.h"
#include "base/strings.h"

enum { CONNECTIONS_MAX = 64 };
/* From its connection on, a runner has so long to say what it wants. */
#define WANT_TIMEOUT (2 * USEC_PER_SEC)

static void visitor_free(Visitor *v)
{
    TAILQ_REMOVE(&v->keeper->visitors, v, entry);
    v->keeper->n_visitors--;
    sd_event_source_disable_unref(v->heard);
    sd_event_source_disable_unref(v->late);
    safe_close(v->socket);
    free(v);
}

int desk_send(int socket, TemplateMessageType type, const void *body, int fd)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&template_protocol, (int)type, 0, body, &packet);
    return r < 0 ? r : packet_send(socket, packet.data, packet.size, fd);
}

/* Operators who wait for it. */
void desk_tell(const Template *t)
{
    Keeper *k = t->keeper;
    const TemplateNone none = { .message = t->failure };
    bool made = t->phase == TEMPLATE_READY;

    for (Visitor *v = TAILQ_FIRST(&k->visitors), *next; v; v = next) {
        next = TAILQ_NEXT(v, entry);
        if (v->awaits != t)
            continue;
        (void)desk_send(v->socket, made ? TEMPLATE_MADE : TEMPLATE_NONE, made ? NULL : &none, -1);
        visitor_free(v);
    }
}

/* --- wishes ------------------------------------------------------------------------------------------------------------------ */

/* What it is on this host, by our own files: 0 with *ret for schema_done(), or negative errno. */
static int shape_own(const Keeper *k, const TemplateShape *wanted, TemplateShape *ret)
{
    const TemplateSettings *s = k->settings;
    _cleanup_(freep) char *why = NULL, *why_not_kvm = NULL;
    KvmFacts facts = kvm_facts();
    TemplateShape own;

    int r = schema_copy(&template_shape_schema, wanted, &own);
    if (r < 0)
        return r;
    if (own.accelerator == ACCELERATOR_AUTO)
        r = accelerator_choose(own.accelerator, &facts, &own.accelerator, &why_not_kvm);
    if (r >= 0 && (r = str_replace(&own.qemu, s->qemu)) >= 0 &&
        (r = str_replace(&own.kernel, s->kernel)) >= 0 && (r = str_replace(&own.initrd, s->initrd)) >= 0)
        r = template_seal_key(&own, NULL, &why);
    if (r < 0)
        schema_done(&template_shape_schema, &own);
    else
        *ret = own;
    return r;
}

/* One that was not known, and which a runner wants: why it has none now. */
static const char *want_new(Keeper *k, const TemplateShape *wanted)
{
    const char *why = NULL;
    TemplateShape own;

    if (shape_own(k, wanted, &own) < 0)
        return "what it is cannot be told on this host";
    if (!streq(own.key, wanted->key)) {
        schema_done(&template_shape_schema, &own);
        return "its QEMU, kernel or initial file system are not those that templates are made of";
    }
    return template_queue(k, &own, &why) ? "it is being made" : why;
}

/* NULL: it has been handed out. */
static const char *hand_out(Visitor *v, const TemplateShape *wanted)
{
    Keeper *k = v->keeper;

    if (!wanted->key)
        return "it has no key";
    Template *t = template_find(k, wanted->key);
    if (!t)
        return want_new(k, wanted);
    if (t->phase == TEMPLATE_FAILED)
        return t->failure ?: "it could not be made";
    if (t->phase != TEMPLATE_READY)
        return "it is being made";
    t->used = keeper_now();
    t->starts++;
    if (wanted->spares > 0)
        (void)spares_hand_out(t, v->socket);
    if (desk_send(v->socket, TEMPLATE_MEMORY, NULL, t->memory) >= 0)
        (void)desk_send(v->socket, TEMPLATE_STATE, NULL, t->state);
    return NULL;
}

/* NULL: the visitor awaits it, or has been answered. */
static const char *make_for(Visitor *v, const TemplateShape *wanted)
{
    Keeper *k = v->keeper;
    const char *why = NULL;
    TemplateShape own;

    if (shape_own(k, wanted, &own) < 0)
        return "what it is cannot be told on this host";
    Template *t = template_find(k, own.key);
    if (t && t->phase == TEMPLATE_FAILED)
        t = template_free(t);
    if (t)
        schema_done(&template_shape_schema, &own);
    else if (!(t = template_queue(k, &own, &why)))
        return why;
    if (t->phase == TEMPLATE_READY)
        (void)desk_send(v->socket, TEMPLATE_MADE, NULL, -1);
    else
        v->awaits = t;
    return NULL;
}

static void list_to(const Visitor *v)
{
    Template *t;

    TAILQ_FOREACH(t, &v->keeper->templates, entry)
    {
        struct stat st = { 0 };
        uint64_t size, spares = spares_count(t, &size);
        if (t->memory >= 0)
            (void)fstat(t->memory, &st);
        const TemplateEntry entry = { .shape = t->shape,
                                      .phase = t->phase,
                                      .failure = t->failure,
                                      .size = (uint64_t)st.st_blocks * 512,
                                      .starts = t->starts,
                                      .unused = t->used ? usec_sub(keeper_now(), t->used) : 0,
                                      .spares = spares,
                                      .spares_size = size };
        if (desk_send(v->socket, TEMPLATE_ENTRY, &entry, -1) < 0)
            return;
    }
}

/* NULL: it has its answer, or awaits it. */
static const char *serve(Visitor *v, const Message *m)
{
    if (m->type == TEMPLATE_WANT) {
        spares_hear(v->keeper, m->body);
        return hand_out(v, m->body);
    }
    if (m->type == TEMPLATE_MAKE)
        return make_for(v, m->body);
    if (m->type != TEMPLATE_LIST)
        return "that is no wish";
    list_to(v);
    return NULL;
}

static int on_want(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Visitor *v = userdata;
    Keeper *k = v->keeper;
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int passed = -1;
    Message m;

    /* What says more while it waits, or hangs up, is let go of. */
    bool wished = !v->awaits && packet_receive(fd, TEMPLATE_PACKET_MAX, &packet, &passed) > 0 &&
                  message_from_bytes(&template_protocol, packet.data, packet.size, &m) >= 0;
    v->awaits = NULL;
    if (wished) {
        const char *why = serve(v, &m);
        if (why)
            (void)desk_send(fd, TEMPLATE_NONE, &(TemplateNone){ .message = (char *)(uintptr_t)why }, -1);
        message_done(&m);
    }
    if (v->awaits)
        v->late = sd_event_source_disable_unref(v->late);
    else
        visitor_free(v);
    /* After the answer: who asks is about to boot, and needs the processors. */
    keeper_go_on(k);
    return 0;
}

static int on_late(sd_event_source *source, uint64_t when, void *userdata)
{
    visitor_free(userdata);
    return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Keeper *k = userdata;

    _cleanup_(closep) int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    Visitor *v = socket < 0 || k->n_visitors >= CONNECTIONS_MAX ? NULL : calloc(1, sizeof *v);
    if (!v)
        return 0;
    *v = (Visitor){ .keeper = k, .socket = take_fd(&socket) };
    TAILQ_INSERT_TAIL(&k->visitors, v, entry);
    k->n_visitors++;
    int r = sd_event_add_io(k->event, &v->heard, v->socket, EPOLLIN, on_want, v);
    if (r >= 0)
        r = sd_event_add_time_relative(k->event, &v->late, CLOCK_MONOTONIC, WANT_TIMEOUT, 1, on_late, v);
    if (r < 0)
        visitor_free(v);
    return 0;
}

int desk_open(Keeper *k)
{
    return sd_event_add_io(k->event, NULL, k->settings->listen, EPOLLIN, on_connection, k);
}

void desk_close(Keeper *k)
{
    while (!TAILQ_EMPTY(&k->visitors))
        visitor_free(TAILQ_FIRST(&k->visitors));
}
