/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Cuts a stream of bytes into lines of bounded length. A longer line comes in pieces, all but the last of them partial.
 * Never more than one piece is held back.
 */
#include "base/bytes.h"

typedef void (*LineFunc)(void *userdata, bool partial, const void *data, size_t size);

typedef struct LineSplitter {
    Bytes pending;
    size_t line_max;
    LineFunc func;
    void *userdata;
} LineSplitter;

/* 0, or -ENOMEM: what did not fit is lost. */
int line_splitter_push(LineSplitter *s, const void *data, size_t size);
/* The stream is at its end: what is held back is the last line. */
void line_splitter_finish(LineSplitter *s);
