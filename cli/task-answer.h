/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The answer to a question (schemas/task.h): from a stream socket into a struct, with a deadline and a bound. */
#include "schemas/schema.h"

/*
 * stream: the socket; the caller's. Into uninitialised object, which the caller empties by schema_done() if this returns STATUS_OK; else what
 * was wrong has been said, with the target's name. What came is a guest's: its text is to be escaped.
 */
int task_answer(int stream, const char *target, usec_t timeout, const Schema *schema, void *object);
