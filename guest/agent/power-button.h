/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The power button of the machine: whoever has the machine in his hands (`virsh shutdown`, QEMU's system_powerdown) presses it.
 *
 * Theory of operation
 * -------------------
 * The kernel's driver of the button tells a press in two ways: as a key of an input device, and as a message of the generic
 * netlink family "acpi_event". The family is part of the kernel from the first, whenever the driver and the button come; so nothing is
 * lost, no device is looked for, and the driver of input devices needs not be loaded. Only the kernel itself (port 0) is believed.
 */
#include "guest/agent/loop.h"

typedef struct PowerButton {
    int fd;
    uint16_t family;
    Watch watch;
    /* It was pressed, once or more. */
    void (*func)(void *userdata);
    void *userdata;
} PowerButton;

/* Listens from now on. 0 or negative errno; -ENOENT: the kernel knows nothing of such events. */
int power_button_init(PowerButton *b);
int power_button_watch(PowerButton *b, Loop *l, void (*func)(void *userdata), void *userdata);

/* The pure parts, for tests. Bytes are messages of netlink, as the kernel gives them. */
typedef struct PowerButtonGroup {
    uint16_t family;
    uint32_t group;
} PowerButtonGroup;
/* What the kernel answered when it was asked for the family; negative errno: its own, or -EBADMSG. */
int power_button_group_from(const void *data, size_t size, PowerButtonGroup *ret);
/* Whether one of the messages tells of a press. */
bool power_button_pressed_in(const void *data, size_t size, uint16_t family);
