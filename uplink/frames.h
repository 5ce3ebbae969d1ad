/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What goes between a guest and passt, frame by frame: each with its length before it (4 bytes, big endian), as QEMU and passt speak.
 *
 * Theory of operation
 * -------------------
 * passt opens a socket to whatever address a guest's packet goes to. Two kinds of address are the host's own loopback to it:
 *
 *     loopback addresses    An honest guest sends nothing there; a hostile one can, and passt of before 2024 lets it. None passes.
 *     the gateway           To the guest, what comes from the host's loopback comes from its gateway, so its answers go there; and
 *                           passt takes all else that goes there to the loopback, too. (It can be told not to: --no-map-gw; then
 *                           datagrams of the host are not answered, either.) So only answers pass.
 *
 * An answer is what goes back between two ports between which something came a moment ago: datagrams, and the beginning of a
 * connection. What is no beginning goes on: passt has a connection for it, or does nothing.
 */
#include <sys/types.h>

#include "base/ip-address.h"

enum {
    FRAME_HEADER = 4,
    FRAME_MAX = 65550,        /* what passt takes: 64 KiB and an Ethernet header */
    FRAMES_ANSWER_TIME = 180, /* seconds; how long passt keeps a port open for datagrams */
    FRAMES_ANNOUNCEMENT_MAX = 64,
};

typedef struct Frames Frames;

Frames *frames_new(void); /* NULL: out of memory */
Frames *frames_free(Frames *f);

/* Whether this Ethernet frame of the guest may go on. now: seconds of any clock that goes on, not 0. */
bool frames_allow(Frames *f, const uint8_t *frame, size_t size, uint32_t now);
/* This one goes to the guest: its answer may go back. Always true. */
bool frames_note(Frames *f, const uint8_t *frame, size_t size, uint32_t now);

/*
 * The frame in which the guest says who it is (an ARP announcement), as if it had: passt sends to everybody until it has heard of the guest,
 * and Linux takes no connection from a frame to everybody. The guest's own words may have come before passt was there. Returns its size with
 * its length before it, which is at most FRAMES_ANNOUNCEMENT_MAX.
 */
size_t frames_announce(const uint8_t mac[MAC_ADDRESS_SIZE], uint8_t *to);

typedef bool (*FramesFunc)(Frames *f, const uint8_t *frame, size_t size, uint32_t now);
/*
 * Takes those of the whole frames at the beginning of data out, in place, for which func is false. *size: how many bytes there are, and
 * are left. Returns how many of those are whole frames; behind them is the beginning of another. -EBADMSG: a frame is longer than any may be.
 */
ssize_t frames_filter(Frames *f, FramesFunc func, uint32_t now, uint8_t *data, size_t *size);
