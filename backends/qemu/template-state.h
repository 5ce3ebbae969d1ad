/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A machine's state without its memory, and what QEMU is told to save one or to go on from one: the same for whoever does it. */
#include "backends/qemu/qmp.h"

/* The state, to be read from its beginning, whoever else reads it: another descriptor, or negative errno. */
int template_state_open(int state) _warn_unused_;

/* The memory stays where it is, and QEMU tells how far it is with the rest. func hears of each order. 0 or negative errno. */
int template_state_apart(Qmp *qmp, QmpReplyFunc func, void *userdata);
/* To go on from the state that is this descriptor of QEMU's. func hears of each order. 0 or negative errno. */
int template_state_load(Qmp *qmp, int state, QmpReplyFunc func, void *userdata);
