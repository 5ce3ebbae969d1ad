/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is at the other end of standard output, and the pager in between. */
#include <stdio.h>

#include "cli/verb.h"

typedef enum Colour {
    COLOUR_NONE,
    COLOUR_GOOD,
    COLOUR_WARNING,
    COLOUR_BAD,
    COLOUR_FAINT,
    COLOUR_STRONG,
    COLOUR_MAX,
} Colour;

/* True for a terminal, where NO_COLOR is not set and TERM is not "dumb". */
bool terminal_has_colours(int fd);
/* Columns of the terminal; 0 when fd is none, so that nothing is cut. */
int terminal_width(int fd);
/* The escape sequence, or "" when !on. Static. */
const char *colour_begin(Colour colour, bool on);
const char *colour_end(Colour colour, bool on);

/*
 * Sends standard output through $PODVISOR_PAGER, $PAGER or less, where it is a terminal and --no-pager was not given; else does nothing.
 * pager_close() flushes and waits until the reader has left.
 */
typedef struct Pager {
    int pid;    /* 0: none */
    int output; /* the real standard output */
} Pager;
Pager pager_open(const Context *c);
void pager_close(Pager *p);
