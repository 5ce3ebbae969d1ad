/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One program elsewhere with our standard streams: between the descriptors of this process and a stream socket
 * (schemas/stream.h), byte for byte.
 *
 * Theory of operation
 * -------------------
 * One poll() loop that blocks nowhere else. Towards the program: a queue of packets; standard input is read only while
 * the queue is empty, so a program that does not read holds up its own input and nothing else. From the program: at most
 * one packet is held; the socket is read only when its data is written, so a slow reader of ours holds up the program.
 * Output is written in pieces that poll() promised to take, so that a full pipe never keeps a signal waiting; no
 * descriptor of ours is made non-blocking, since others may share it.
 *
 * Signals come by signalfd and are handed on to the program: what Ctrl-C means is the program's to say. SIGWINCH becomes the
 * terminal's new size.
 */
#include "base/bytes.h"

enum { EXEC_WORDS_MAX = 64 * 1024 };

typedef struct ExecSession {
    int stream;         /* the socket; the caller's */
    int streams[3];     /* standard input, output and error; the caller's. -1: not there */
    bool terminal;      /* streams[0] is a terminal in raw mode, whose size is told */
    Bytes *words;       /* standard error goes here, as far as EXEC_WORDS_MAX; NULL: to its stream */
    const char *target; /* "web/httpd", for messages */
} ExecSession;

/* Until the program has ended: the exit status for our own, 128 + n for a signal. It has said what went wrong. */
int exec_session_run(const ExecSession *session);
