/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "backends/qemu/qmp.h"
#include "tests/fuzz/target.h"

enum { PIECE = 4096 };

typedef struct Told {
    int ready, closed, replies;
} Told;

static void on_ready(unsigned major, unsigned minor, void *userdata)
{
    Told *t = userdata;
    assert(++t->ready == 1 && t->closed == 0);
}

static void on_event(const char *name, const QmpValue *data, void *userdata)
{
    Told *t = userdata;
    assert(name && t->closed == 0);
    (void)qmp_string(data, "reason");
    (void)qmp_bool(data, "guest");
}

static void on_closed(int error, void *userdata)
{
    Told *t = userdata;
    assert(++t->closed == 1 && error <= 0);
}

static void on_reply(int error, const QmpValue *value, const char *description, void *userdata)
{
    Told *t = userdata;
    assert(++t->replies <= 2 && t->closed == 0);
    assert((error == 0) == (value != NULL) && (error == -EREMOTEIO) == (description != NULL));
    (void)qmp_text(value);
    (void)qmp_string(value, "UUID");
}

static const QmpHandlers handlers = { on_ready, on_event, on_closed };

static void settle(sd_event *event)
{
    while (sd_event_run(event, 0) > 0)
        ;
}

/* Whatever QEMU says: each command is answered exactly once, the end is told once and is the last. */
void fuzz_one(const uint8_t *data, size_t size)
{
    Told told = { 0 };
    sd_event *event = NULL;
    Qmp *q = NULL;
    int pair[2];

    if (sd_event_new(&event) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        qmp_new(&q, event, pair[0], 0, USEC_PER_HOUR, &handlers, &told) < 0)
        abort();
    if (qmp_command(q, "query-uuid", USEC_PER_HOUR, -1, on_reply, &told, NULL) < 0 ||
        qmp_command(q, "query-status", USEC_PER_HOUR, -1, on_reply, &told, NULL) < 0)
        abort();
    for (size_t done = 0; done < size && told.closed == 0; done += MIN(size - done, (size_t)PIECE)) {
        (void)!send(pair[1], data + done, MIN(size - done, (size_t)PIECE), MSG_NOSIGNAL);
        settle(event);
    }
    safe_close(pair[1]);
    settle(event);
    assert(told.closed == 1 && told.replies == 2);
    qmp_free(q);
    sd_event_unref(event);
}
