/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor template: asks podvisor-templates itself (schemas/template-protocol.h), which is there with and without podvisord. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "schemas/template-protocol.h"

/* It only looks at what it has. */
#define LIST_TIMEOUT (10 * USEC_PER_SEC)
/* Several that were asked for may be made before. */
#define MAKE_TIMEOUT (15 * USEC_PER_MINUTE)

static int connect_keeper(const Context *c)
{
    _cleanup_(closep) int run = dir_reach_at(AT_FDCWD, c->paths.run);
    int fd = run < 0 ? run : socket_connect_at(run, PATHS_TEMPLATES, SOCK_SEQPACKET);

    return fd == -ECONNREFUSED ? -ENOENT : fd;
}

static int say(int socket, TemplateMessageType type, const void *body)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };

    int r = message_to_bytes(&template_protocol, (int)type, 0, body, &packet);
    return r < 0 ? r : packet_send(socket, packet.data, packet.size, -1);
}

/* 1 with a message for message_done(), 0 at the end, or negative errno. */
static int hear(int socket, usec_t timeout, Message *ret)
{
    struct pollfd p = { .fd = socket, .events = POLLIN };
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;

    int ready = poll(&p, 1, (int)(timeout / USEC_PER_MSEC));
    if (ready <= 0)
        return ready < 0 ? -errno : -ETIMEDOUT;
    ssize_t n = packet_receive(socket, TEMPLATE_PACKET_MAX, &packet, &fd);
    if (n <= 0)
        return n == -ECONNRESET ? 0 : (int)n;
    int r = message_from_bytes(&template_protocol, packet.data, packet.size, ret);
    return r < 0 ? r : 1;
}

static int complain(int error)
{
    if (error == -ENOENT)
        log_error("No templates are kept: podvisor-templates has not been started. It is when the first pod "
                  "starts whose "
                  "qemu.start, or start of podvisord.conf, is \"template\"");
    else
        log_error_errno(error, "podvisor-templates cannot be asked");
    return error == -ENOENT ? STATUS_NO_DAEMON : error == -ETIMEDOUT ? STATUS_TIMEOUT : STATUS_FAILURE;
}

/* --- list ----------------------------------------------------------------------------------------------------------- */

typedef struct Entries {
    TemplateEntry *items;
    size_t n;
} Entries;

static void entries_done(Entries *e)
{
    for (size_t i = 0; i < e->n; i++)
        schema_done(&template_entry_schema, &e->items[i]);
    free(e->items);
}

static int entries_read(int socket, Entries *e)
{
    Message m = { 0 };
    int r;

    while ((r = hear(socket, LIST_TIMEOUT, &m)) > 0) {
        TemplateEntry *grown =
            m.type == TEMPLATE_ENTRY ? reallocarray(e->items, e->n + 1, sizeof *e->items) : NULL;
        if (grown) {
            e->items = grown;
            e->items[e->n++] = *(TemplateEntry *)m.body;
            r = schema_init(&template_entry_schema, m.body);
        }
        message_done(&m);
        if (!grown || r < 0)
            return -ENOMEM;
    }
    return r;
}

static const Column columns[] = {
    { "MACHINE" },
    { "ACCELERATOR", .drop = 2 },
    { "CPUS", .right = true },
    { "MEMORY", .right = true },
    { "NETWORK" },
    { "STATE" },
    { "TAKES", .right = true },
    { "SPARES", .right = true },
    { "STARTS", .right = true },
    { "UNUSED", .drop = 1 },
    { "NOTE", .shrink = true },
};

static const Colour phase_colours[] = {
    [TEMPLATE_QUEUED] = COLOUR_FAINT,
    [TEMPLATE_MAKING] = COLOUR_WARNING,
    [TEMPLATE_READY] = COLOUR_GOOD,
    [TEMPLATE_FAILED] = COLOUR_BAD,
};
_Static_assert(ELEMENTSOF(phase_colours) == TEMPLATE_PHASE_MAX, "a phase has no colour");

/* How many, and what they take. */
static char *text_spares(const TemplateEntry *e)
{
    _cleanup_(freep) char *size = e->spares > 0 ? text_memory(e->spares_size) : NULL;

    return size ? strf("%llu, %s", (unsigned long long)e->spares, size) : strdup("-");
}

static void add_row(Table *table, const TemplateEntry *e)
{
    const TemplateShape *s = &e->shape;

    table_add(table, strdup(enum_to_string(&machine_table, (int)s->machine)), COLOUR_STRONG);
    table_add(table, strdup(enum_to_string(&accelerator_table, (int)s->accelerator)), COLOUR_NONE);
    table_add(table, strf("%llu", (unsigned long long)s->cpus), COLOUR_NONE);
    table_add(table, text_memory(s->memory), COLOUR_NONE);
    table_add(table, strdup(s->network ? "yes" : "no"), COLOUR_NONE);
    table_add(table, strdup(enum_to_string(&template_phase_table, (int)e->phase)), phase_colours[e->phase]);
    table_add(table, text_memory(e->size), COLOUR_NONE);
    table_add(table, text_spares(e), COLOUR_NONE);
    table_add(table, strf("%llu", (unsigned long long)e->starts), COLOUR_NONE);
    table_add(table,
              e->phase == TEMPLATE_READY ? duration_format(e->unused / USEC_PER_SEC * USEC_PER_SEC)
                                         : strdup("-"),
              COLOUR_NONE);
    table_add(table, text_safe(e->failure), COLOUR_NONE);
}

static int print_table(const Context *c, const Entries *e)
{
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    int r = table_new(columns, ELEMENTSOF(columns), &table);
    for (size_t i = 0; r >= 0 && i < e->n; i++)
        add_row(table, &e->items[i]);
    return r < 0 ? r : table_print(table, &style, stdout);
}

static int print_json(const Context *c, const Entries *e)
{
    _cleanup_(json_releasep) Json *all = json_new_array();
    int r = all ? 0 : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < e->n; i++)
        r = json_append(all, schema_to_json(&template_entry_schema, &e->items[i]));
    return r < 0 ? r : json_print(all, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

int verb_template_list(Context *c)
{
    _cleanup_(entries_done) Entries entries = { 0 };
    _cleanup_(closep) int socket = connect_keeper(c);

    /* None is kept where nobody keeps any. */
    int r = socket == -ENOENT ? 0 : socket < 0 ? socket : say(socket, TEMPLATE_LIST, NULL);
    if (r >= 0 && socket >= 0)
        r = entries_read(socket, &entries);
    if (r < 0)
        return complain(r);
    r = option_given(c, OPTION_JSON) ? print_json(c, &entries) : print_table(c, &entries);
    return r < 0 ? complain(r) : STATUS_OK;
}

/* --- build ------------------------------------------------------------------------------------------------------------ */

/* The file that is the pod's, or is named: a path, malloc'ed. NULL: there is none. */
static char *find_file(const Context *c, const char *word)
{
    if (strchr(word, '/') || str_ends_with(word, ".pod"))
        return strdup(word);
    STRV_FOREACH (directory, c->paths.definitions) {
        _cleanup_(freep) char *path = strf("%s/%s.pod", *directory, word);
        if (path && access(path, F_OK) == 0)
            return take_ptr(path);
    }
    return NULL;
}

static int read_pod(const char *path, PodDefinition *ret)
{
    Diagnostics diagnostics = { 0 };
    Bytes text = { 0 };

    int r = file_read_at(AT_FDCWD, path, POD_FILE_SIZE_MAX, &text);
    if (r < 0) {
        log_error_errno(r, "%s cannot be read", path);
        return STATUS_FAILURE;
    }
    r = pod_definition_read(ret, path, text.data ?: (const uint8_t *)"", text.size, &diagnostics, NULL);
    bytes_done(&text);
    diagnostics_done(&diagnostics);
    if (r > 0) {
        pod_definition_done(ret);
        log_error("%s has errors; `podvisor check %s` shows them", path, path);
    }
    return r == 0 ? STATUS_OK : STATUS_FAILURE;
}

static int shape_of(const PodDefinition *pod, const char *path, TemplateShape *ret)
{
    if (pod->backend != BACKEND_QEMU || pod->network.mode == NETWORK_BRIDGE) {
        log_error("%s: no template can be made of its machine: %s", path,
                  pod->backend != BACKEND_QEMU ? "only those of the qemu backend start from one"
                                               : "it is on a bridge, whose tap is a part of it");
        return STATUS_FAILURE;
    }
    if (schema_init(&template_shape_schema, ret) < 0)
        return STATUS_FAILURE;
    ret->machine = pod->qemu.machine;
    ret->accelerator = pod->qemu.accelerator;
    ret->cpus = pod->cpus;
    ret->memory = pod->memory;
    ret->network = pod->network.mode == NETWORK_USER;
    return STATUS_OK;
}

static int await_answer(int socket, const char *path)
{
    Message m = { 0 };

    int r = hear(socket, MAKE_TIMEOUT, &m);
    if (r <= 0)
        return complain(r < 0 ? r : -ECONNRESET);
    const TemplateNone *none = m.body;
    bool made = m.type == TEMPLATE_MADE;
    if (!made && m.type == TEMPLATE_NONE)
        log_error("%s: the template of its machine is not made: %s", path,
                  none->message ?: "podvisor-templates does not say why");
    message_done(&m);
    return made ? STATUS_OK : STATUS_FAILURE;
}

static int build(const Context *c, const char *word)
{
    _cleanup_(freep) char *path = find_file(c, word);
    PodDefinition pod;
    TemplateShape shape;

    if (!path) {
        log_error("There is no pod %s", word);
        return STATUS_NOT_FOUND;
    }
    int status = read_pod(path, &pod);
    if (status != STATUS_OK)
        return status;
    status = shape_of(&pod, path, &shape);
    pod_definition_done(&pod);
    if (status != STATUS_OK)
        return status;
    _cleanup_(closep) int socket = connect_keeper(c);
    int r = socket < 0 ? socket : say(socket, TEMPLATE_MAKE, &shape);
    schema_done(&template_shape_schema, &shape);
    return r < 0 ? complain(r) : await_answer(socket, path);
}

int verb_template_build(Context *c)
{
    int status = STATUS_OK;

    STRV_FOREACH (word, c->arguments) {
        int one = build(c, *word);
        status = status == STATUS_OK ? one : status;
    }
    return status;
}
