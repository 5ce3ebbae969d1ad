/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process that is the machine of the null backend. It listens on a socket of packets that it was given, and serves
 * one runner at a time. All packets are words separated by a blank:
 *
 *     machine -> runner    hello UUID PID     when a runner connects: who it is
 *                          state WORD         after the hello, and whenever it changes; WORD of null_state_table
 *     runner -> machine    stop, pause, resume, quit
 *
 * At its end (NULL_DONE, NULL_STOPPED) it waits until a runner has seen that and says `quit`, so that an end is never lost
 * because no runner was there. `quit` ends it with its exit code.
 */
#include "base/enum-table.h"

#define NULL_MACHINE_VERB "--null-machine"
#define NULL_SOCKET_FILE "null.socket"
enum { NULL_PACKET_MAX = 128 };

typedef enum NullState {
    NULL_BOOTING,
    NULL_WORKING,
    NULL_PAUSED,
    NULL_STOPPED, /* ended as asked */
    NULL_DONE,    /* ended by itself */
    NULL_STATE_MAX,
} NullState;
extern const EnumTable null_state_table;

typedef enum NullOrder {
    NULL_STOP,
    NULL_PAUSE,
    NULL_RESUME,
    NULL_QUIT,
    NULL_ORDER_MAX,
} NullOrder;
extern const EnumTable null_order_table;

/* True when the program was called as a machine; then null_machine_main() is all that it does. */
bool null_machine_wanted(int argc, char **argv);

/* --null-machine UUID SOCKET-FD START-DELAY RUN-TIME EXIT-CODE IGNORE-STOP: durations in microseconds. Returns the exit status. */
int null_machine_main(int argc, char **argv);
