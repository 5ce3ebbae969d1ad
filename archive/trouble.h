/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Why a tree could not be packed or unpacked: an errno, and a sentence that names the file. Names are the bytes that they are. */
#include "base/macro.h"

enum { TROUBLE_TEXT_MAX = 1024 };

typedef struct Trouble {
    int error; /* negative errno; 0: none */
    char text[TROUBLE_TEXT_MAX];
} Trouble;

/* Fills t, with the cause appended to the text; returns error. */
int trouble_set(Trouble *t, int error, const char *format, ...) _printf_(3, 4);
/* The same where the text says the cause itself. */
int trouble_say(Trouble *t, int error, const char *format, ...) _printf_(3, 4);
