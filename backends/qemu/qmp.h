/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * QMP, QEMU's control protocol: one JSON value a line over a unix socket. This is the backend's one door to jansson.
 *
 * Theory of operation
 * -------------------
 * A Qmp owns one connection. It waits for the greeting, sends qmp_capabilities, and then tells `ready`. Commands may be
 * given at any time, also before: they wait in the queue behind qmp_capabilities, so that a start needs no round trip
 * per step. Each command has an id and a deadline of its own, and its handler is called exactly once.
 *
 * Invariants
 * - QEMU is taken for hostile: a line has at most QMP_LINE_MAX bytes, QMP_DEPTH_MAX levels and QMP_VALUES_MAX values, all
 *   checked before jansson sees it, and there are at most so many of them. What exceeds that, is no JSON, or answers what nobody
 *   asked, closes the connection.
 * - An answer that comes after its deadline is dropped; the connection stays, and what a deadline means is the owner's to say.
 * - QEMU gives what an earlier client had asked to the next one, behind its greeting or, rarely, before it. No two connections use
 *   the same ids, so such an answer is known and dropped.
 * - After `closed` no handler is called any more; all commands that were pending have been answered with -ECONNRESET before.
 * - Handlers may call anything of this file but qmp_free(). To let go of a Qmp in a handler, call qmp_close().
 *
 * QEMU serves one client at a time: while another runner holds the connection, connect() works but no greeting
 * comes. So -ETIMEDOUT as the reason in `closed`, before `ready`, means "somebody else, or a QEMU that hangs".
 */
#include <systemd/sd-event.h>

#include "base/units.h"

enum {
    QMP_LINE_MAX = 256 * 1024,
    QMP_DEPTH_MAX = 24,
    QMP_VALUES_MAX = 8192,
    QMP_QUEUE_MAX = 64,   /* commands without an answer */
    QMP_BURST_MAX = 2000, /* lines at once; an honest QEMU says some dozens in its life */
    QMP_RATE_MAX = 200,   /* lines per second in the long run */
};

#define QMP_COMMAND_TIMEOUT (2 * USEC_PER_SEC)

typedef struct Qmp Qmp;
/* A JSON value, valid during the handler's call only. */
typedef struct json_t QmpValue;

/*
 * error 0: `value` is what the command returned. -EREMOTEIO: QEMU refused, `description` (escaped) is its reason. -ETIMEDOUT:
 * no answer in time. -ECONNRESET: the connection ended before. value and description are NULL where not named here.
 */
typedef void (*QmpReplyFunc)(int error, const QmpValue *value, const char *description, void *userdata);

typedef struct QmpHandlers {
    /* Capabilities are negotiated; the version is QEMU's own. */
    void (*ready)(unsigned major, unsigned minor, void *userdata);
    /* data may be NULL. */
    void (*event)(const char *name, const QmpValue *data, void *userdata);
    /*
     * The connection has ended. error 0: QEMU closed it. -ETIMEDOUT: no greeting. -EBADMSG, -EMSGSIZE, -EPROTO: what came
     * was no QMP, -EBUSY: it was too much. Other negative errno: of the socket. Not called for qmp_close().
     */
    void (*closed)(int error, void *userdata);
} QmpHandlers;

/*
 * Takes over the connected stream socket (also on failure). handlers lives as long as the Qmp. The commands' ids count from
 * first_id on, which must be beyond the ids of all earlier connections to this QEMU. 0 or negative errno.
 */
int qmp_new(Qmp **ret, sd_event *event, int socket, uint64_t first_id, usec_t greeting_timeout,
            const QmpHandlers *handlers, void *userdata);
/* Pending commands are forgotten: their handlers are not called. */
Qmp *qmp_free(Qmp *q);
DEFINE_CLEANUP(Qmp *, qmp_free)
/* Ends the connection; no handler is called from here on. */
void qmp_close(Qmp *q);

/*
 * Sends a command. `arguments` is a format of json_pack() for an object, with its values behind it, or NULL. fd >= 0 is passed
 * along (and duplicated; the caller keeps its own). func may be NULL. 0, -ENOTCONN, -ENOBUFS when QMP_QUEUE_MAX commands
 * have no answer, -EINVAL, -ENOMEM; then func is not called.
 */
int qmp_command(Qmp *q, const char *command, usec_t timeout, int fd, QmpReplyFunc func, void *userdata,
                const char *arguments, ...);

/* The same, with the arguments as JSON: also -EINVAL when they are no object. */
int qmp_command_json(Qmp *q, const char *command, usec_t timeout, QmpReplyFunc func, void *userdata,
                     const char *arguments);

/* Of a JSON object; the string lives as long as the value. NULL, or false, when there is no such member of this type. */
const char *qmp_string(const QmpValue *value, const char *key);
bool qmp_bool(const QmpValue *value, const char *key);
/* A value that is itself a string; NULL when it is none. */
const char *qmp_text(const QmpValue *value);
