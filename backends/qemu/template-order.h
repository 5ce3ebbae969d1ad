/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What podvisor-templates tells a process of its own that it has started for one template. */
#include "schemas/template-protocol.h"

/* Which template, and its two files: 0 with *ret for schema_done(), or negative errno. Waits for 10 s at most. */
int template_order_receive(int channel, TemplateShape *ret, int *ret_memory, int *ret_state);
