/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of podvisor-manual share. */

/* Text at the beginning of a line or in an argument, without what mdoc(7) would take for its own. */
void put_text(const char *text);
/* Sentences, each on a line of its own. */
void put_sentence(const char *text);

/* Fragments of the API (manual-api.c). */
void api_manager(void);
void api_pod(void);
void api_errors(void);
void api_effects(void);
