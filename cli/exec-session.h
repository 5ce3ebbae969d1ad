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
 *
 * A session may be attached to a program that was there before it, and goes on after it. Then a stream that is not there is no end of the
 * program's input, and the detach keys end the session when what was typed before them is sent.
 */
#include "cli/detach-keys.h"

enum { EXEC_WORDS_MAX = 64 * 1024 };

typedef struct ExecSession {
    int stream;     /* the socket; the caller's */
    int streams[3]; /* standard input, output and error; the caller's. -1: not there */
    bool terminal;  /* streams[0] is a terminal in raw mode, whose size is told */
    bool attached;
    bool looks_only;    /* if attached: signals end the session instead of being handed on */
    DetachKeys *keys;   /* if attached: what ends it when typed at streams[0]; NULL: nothing does */
    bool *detached;     /* set when they did; NULL: not wanted */
    Bytes *words;       /* standard error goes here, as far as EXEC_WORDS_MAX; NULL: to its stream */
    const char *target; /* "web/httpd", for messages */
} ExecSession;

/* A standard stream of this process; -1 when it is closed, since what is opened later may take its number. */
int exec_session_stream(int fd);
/*
 * From now on, signals wait for exec_session_run(): before a terminal is changed, so that it is restored, and before anybody is told how to
 * leave. 0 or negative errno.
 */
int exec_session_hold_signals(void);
/* Until the program or the session has ended: the exit status for our own, 128 + n for a signal. It has said what went wrong. */
int exec_session_run(const ExecSession *session);
