/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Why something could not be done, for the people who declared it: an errno, and a sentence that names the object. */
#include "base/macro.h"

enum { FAILURE_TEXT_MAX = 512 };

typedef struct Failure {
    int error; /* negative errno; 0: none */
    char text[FAILURE_TEXT_MAX];
} Failure;

/* Fills f, with the cause appended to the text; returns error. */
int failure_set(Failure *f, int error, const char *format, ...) _printf_(3, 4);
/* The same where the text says the cause itself. */
int failure_say(Failure *f, int error, const char *format, ...) _printf_(3, 4);
/* True for a want of resources, which may be over the next time. */
bool failure_temporary(const Failure *f);
