/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * polkit's agent that asks for a password on the terminal of this program (pkttyagent). Without a terminal, a desktop's own
 * agent may ask.
 */
#include <sys/types.h>

/* Returns when it can be asked: 0 with its process, or 1: there is no terminal, or no such program. Negative errno. */
int password_agent_start(pid_t *ret);
/* Ends it; 0 is none. */
void password_agent_stop(pid_t pid);
