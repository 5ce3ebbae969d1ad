/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The caller's terminal while a program elsewhere owns it: every key goes there, and nothing is echoed here. What was set
 * before is restored by raw_terminal_end(), which every way out of the caller passes; signals that would end the
 * process are taken by the caller meanwhile, so that only SIGKILL leaves the terminal raw.
 */
#include <stdint.h>
#include <termios.h>

#include "base/macro.h"

typedef struct RawTerminal {
    int fd; /* -1: nothing to restore */
    struct termios saved;
} RawTerminal;

#define RAW_TERMINAL_NONE ((RawTerminal){ .fd = -1 })

/* 0 or negative errno. */
int raw_terminal_begin(int fd, RawTerminal *ret);
/* Only so far that lines are edited and echoed here as before, while `key`, too, hands on what was typed, and no key stops output. */
int line_terminal_begin(int fd, uint8_t key, RawTerminal *ret);
void raw_terminal_end(RawTerminal *t);
/* Rows and columns; 24 and 80 where the terminal does not say. */
void terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns);
