/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * CLI <-> runner, over a passed SOCK_SEQPACKET socket: the standard streams of one exec, one message a packet.
 * The client's end of the socket closing is a hang-up; the runner's closing without an `exit` is a lost runner.
 * Back-pressure is the socket's own: a writer waits until the other side has read.
 */
#include "schemas/message.h"

enum {
    STREAM_DATA_MAX = 32 * 1024,
    STREAM_PACKET_MAX = STREAM_DATA_MAX + 256,
};

typedef enum StreamChannel {
    STREAM_STDIN,
    STREAM_STDOUT, /* of a terminal: all output */
    STREAM_STDERR,
    STREAM_CHANNEL_MAX,
} StreamChannel;
extern const EnumTable stream_channel_table;

typedef enum StreamMessageType {
    STREAM_DATA,   /* both ways; empty data: this channel is at its end */
    STREAM_RESIZE, /* client -> runner */
    STREAM_SIGNAL, /* client -> runner */
    STREAM_EXIT,   /* runner -> client, last */
    STREAM_MESSAGE_MAX,
} StreamMessageType;
extern const MessageTable stream_protocol;

typedef struct StreamData {
    StreamChannel channel;
    Bytes data;
} StreamData;
extern const Schema stream_data_schema;

typedef struct StreamResize {
    uint64_t rows, columns;
} StreamResize;
extern const Schema stream_resize_schema;

typedef struct StreamSignal {
    uint64_t signal;
} StreamSignal;
extern const Schema stream_signal_schema;

/*
 * A program that could not be started has a message, and a code as shells and container tools have it: 127 when it was not
 * found (ENOENT), 126 when it could not be executed (EACCES, ENOEXEC, ENOTDIR, EISDIR, ...), 125 when something else was in the way.
 */
typedef struct StreamExit {
    int64_t code;    /* exit status; -1 when it ended otherwise */
    uint64_t signal; /* that ended it; 0: none */
    char *message;   /* why it could not be started, or was lost */
} StreamExit;
extern const Schema stream_exit_schema;
