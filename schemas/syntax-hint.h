/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libconfig says "syntax error" and a line. This guesses, from that line and the one before it, what the writer meant,
 * and says it: a missing quote, a comma too many, a brace never closed.
 */

/* The message for an error at `line` (from 1) of text; `error` is libconfig's own word. NULL when out of memory. */
char *syntax_hint(const char *text, unsigned line, const char *error);

/*
 * What libconfig takes without a word and nobody means: a comment that is never closed and hides the rest of the file, and two
 * strings side by side in an array, which become one. The message (static) and the line, or NULL.
 */
const char *syntax_trap(const char *text, unsigned *ret_line);

/* Of a text that is right but for a key that one group has twice: the message with the key and the first one's line; or NULL. */
char *syntax_duplicate(const char *text);
