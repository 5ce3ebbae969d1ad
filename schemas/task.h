/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a stream is for. Each is begun by an exec (schemas/runner-protocol.h), goes over the same socket, credits and
 * frames, and ends with an exit. All but a program are done by the agent itself:
 *
 *     task        standard input        standard output                 standard error
 *     copy-in     a tar archive                                         notes and complaints, each ended by a NUL
 *     copy-out                          a tar archive                   the same
 *     processes                         msgpack of process_list_schema
 *     statistics                        msgpack of statistics_schema
 *     ping                              msgpack of agent_pong_schema
 *     attach      what the container's own program reads             what it writes from now on, on both; its end is the stream's
 *
 * Peers that do not know tasks take all for a program, without a command; so whoever asks looks at the version first.
 */
#include "base/enum-table.h"

typedef enum Task {
    TASK_PROGRAM,
    TASK_COPY_IN,
    TASK_COPY_OUT,
    TASK_PROCESSES,
    TASK_STATISTICS,
    TASK_PING,
    TASK_ATTACH,
    TASK_MAX,
} Task;
extern const EnumTable task_table;

enum { TASK_QUESTIONS_MAX = 8 }; /* at once, so that who may only look cannot hold up who works */

/* Of one container, which has to be named. */
bool task_is_of_container(Task task);
/* A question, whose answer comes at once. */
bool task_is_question(Task task);
