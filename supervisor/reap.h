/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Children whose end matters to nobody. */
#include <systemd/sd-event.h>

/* Takes the child's pidfd: when it has ended it is reaped, and until then nobody waits. 0, or negative errno, with the pidfd still the caller's. */
int reap_later(sd_event *event, int pidfd);
