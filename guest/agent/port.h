/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The byte stream to the runner: frames in, frames out, one session at a time.
 *
 * Theory of operation
 * -------------------
 * A virtio-serial port has no connection. While the host's end is away it polls as hung up all the time, reads as empty and
 * takes no writes, so it is watched edge-triggered; what could not be written waits for the next edge.
 * A runner that died may leave the head of a frame behind, and the next one's first words would then be taken for
 * the rest of it. So when a frame stays incomplete for PORT_PATIENCE, what has come of it is searched for a frame
 * that begins a session (the owner's `begins` decides, by the token); only then the incomplete one is given up.
 * The word that the host's end has gone or come goes another way through the device than the data, so that a runner's hello may
 * be read before its coming, or even the going of the one before it, is known. So a hang-up counts only when it has lasted
 * PORT_HANGUP_DELAY in silence; until then, as after it, a hello is what tells runners apart. Meanwhile it is in doubt whether
 * anybody hears what is sent.
 * In the other direction a frame that was sent in part is always completed, even when its session is over: the reader
 * then finds the next one at once.
 *
 * Invariants: `out` begins with the header of a frame of which `written` bytes are out, and holds whole frames only.
 */
#include "guest/agent/loop.h"
#include "schemas/frame.h"

enum {
    PORT_BUSY_SIZE = 128 * 1024, /* logs and streams wait above this; replies and reports do not */
    PORT_OUT_MAX = 4 * 1024 * 1024,
};
#define PORT_PATIENCE (100 * USEC_PER_MSEC)
#define PORT_HANGUP_DELAY (1 * USEC_PER_SEC)

typedef struct Port {
    Loop *loop;
    Watch watch;
    Timer patience;
    Timer hangup;
    bool doubt; /* see port_in_doubt() */
    int fd;     /* owned; -1: none yet */
    FrameDecoder decoder;
    Bytes out;
    size_t written;
    /* The owner's: */
    void (*on_frame)(void *userdata, uint32_t session, const uint8_t *payload, size_t size);
    bool (*begins)(void *userdata, const uint8_t *payload, size_t size);
    void (*on_hangup)(void *userdata);
    void *userdata;
} Port;

void port_init(Port *p, Loop *loop);
void port_done(Port *p);
/* Takes fd, which must be non-blocking. 0 or negative errno. */
int port_open(Port *p, int fd);
/* Queues a frame: 0, -ENOBUFS when the reader has not read for too long, -EMSGSIZE, -ENOMEM. */
int port_send(Port *p, uint32_t session, const void *payload, size_t size);
/* Writes what the port takes now. */
void port_flush(Port *p);
/* Drops all frames that have not begun to go out. */
void port_discard(Port *p);
/* True while logs and streams should wait. */
bool port_busy(const Port *p);
/* True when all that was queued has been handed to the device. */
bool port_idle(const Port *p);
/* The host's end has gone a moment ago, and nothing has come since. */
bool port_in_doubt(const Port *p);
