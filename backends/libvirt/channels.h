/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The two sockets to which QEMU connects: the agent's channel and the guest's console.
 *
 * Theory of operation
 * -------------------
 * QEMU is libvirt's child, and what libvirt knows of its process it does not tell. But QEMU itself connects to our sockets, so the
 * kernel says which process it is. Their directory is not open to others; besides, only a process of a user who may be libvirt's QEMU
 * is taken (channels_allow()), and once one has been taken, or an earlier runner has recorded one, only that process.
 *
 * QEMU connects anew, a second later, whenever a connection ends: so a runner that comes later only has to listen.
 *
 * The console is read at most CONSOLE_INTERVAL apart, and CONSOLE_AT_ONCE bytes each time. A guest that says more waits, as it would for a
 * slow line.
 */
#include "backends/backend.h"
#include "base/process.h"

#define CHANNEL_CONSOLE_INTERVAL (100 * USEC_PER_MSEC)
#define CHANNEL_CONSOLE_FLOOD_INTERVAL (2 * USEC_PER_SEC)
enum { CHANNEL_CONSOLE_AT_ONCE = 64 * 1024 };

typedef struct Channels Channels;

typedef struct ChannelHandlers {
    /* The first process that came; id is what it is from now on. Negative errno: it is not taken. */
    int (*met)(void *userdata, const ProcessId *id);
    /* The console said something. */
    void (*said)(void *userdata, const Bytes *text, bool flood);
} ChannelHandlers;

/* Listens in vm_dir, replacing what an earlier runner left. 0 or negative errno. */
int channels_new(sd_event *event, int vm_dir, const ChannelHandlers *handlers, void *userdata,
                 Channels **ret);
Channels *channels_free(Channels *c);

/* Another user whose processes may be QEMU; root and ourselves may always. */
void channels_allow(Channels *c, uid_t uid);
/* Only this process from now on. */
void channels_expect(Channels *c, const ProcessId *id);

/* The agent's channel, which the caller owns; -EAGAIN when QEMU has not connected (again) yet. */
int channels_agent(Channels *c);

/* Reads what the console still has to say, when the machine has ended. */
void channels_drain(Channels *c);
