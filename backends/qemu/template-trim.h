/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A template's memory, before it is sealed: made smaller without becoming another. */

/*
 * Cuts out of a memory file what is nothing but zeros: it takes no memory then, and reads as before. A page of these that a copy uses
 * later is there again, once for all copies. How far it came does not matter to anybody, so it says nothing. Goes through all of it, a quarter
 * of a millisecond for each MiB; nobody may write to it meanwhile.
 */
void template_trim(int memory);
