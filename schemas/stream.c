/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/stream.h"

DEFINE_ENUM_TABLE(stream_channel, "stream",
                  STREAM_CHANNEL_MAX, [STREAM_STDIN] = { "stdin", "standard input" },
                  [STREAM_STDOUT] = { "stdout", "standard output; of a terminal, all output" },
                  [STREAM_STDERR] = { "stderr", "standard error" });

static const Field data_fields[] = {
    { F_ENUM(StreamData, channel, stream_channel_table), .doc = "Which of the standard streams." },
    { F_BYTES(StreamData, data), .doc = "What was written; nothing at the end." },
};
DEFINE_SCHEMA(stream_data_schema, StreamData, "data", "A piece of a standard stream.", data_fields);

static const Field resize_fields[] = {
    { F_UNSIGNED(StreamResize, rows), .max = 65535, .doc = "Lines of the terminal." },
    { F_UNSIGNED(StreamResize, columns), .max = 65535, .doc = "Columns of the terminal." },
};
DEFINE_SCHEMA(stream_resize_schema, StreamResize, "resize", "The terminal has a new size.", resize_fields);

static const Field signal_fields[] = {
    { F_UNSIGNED(StreamSignal, signal), .min = 1, .max = 64, .doc = "The signal." },
};
DEFINE_SCHEMA(stream_signal_schema, StreamSignal, "signal", "A signal for the program.", signal_fields);

static const Field exit_fields[] = {
    { F_SIGNED(StreamExit, code), .fallback = "-1", .doc = "The exit status; -1 for none." },
    { F_UNSIGNED(StreamExit, signal), .doc = "The signal that ended it; 0 for none." },
    { F_STRING(StreamExit, message), .doc = "Why it could not be started, or was lost." },
};
DEFINE_SCHEMA(stream_exit_schema, StreamExit, "exit", "The program has ended.", exit_fields);

static const MessageType types[] = {
    [STREAM_DATA] = { "data", &stream_data_schema, "a piece of a standard stream" },
    [STREAM_RESIZE] = { "resize", &stream_resize_schema, "the terminal's new size" },
    [STREAM_SIGNAL] = { "signal", &stream_signal_schema, "a signal for the program" },
    [STREAM_EXIT] = { "exit", &stream_exit_schema, "how the program ended" },
};
_Static_assert(ELEMENTSOF(types) == STREAM_MESSAGE_MAX, "every message has a row");

const MessageTable stream_protocol = {
    .what = "stream protocol",
    .types = types,
    .n_types = STREAM_MESSAGE_MAX,
    .limits = { .size = STREAM_PACKET_MAX, .depth = 4, .count = 64 },
};
