/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the guest's console and QEMU itself say, told as it comes.
 *
 * Theory of operation
 * -------------------
 * The console is a ring inside of QEMU, which is there when no runner is, but tells nobody that there is something in it. So
 * QEMU also writes the console's bytes into a *bell*: a memory file of fixed size. inotify tells of the writing; then, a
 * moment later, so that a burst of lines is one reading, the ring is read over QMP, what it said is kept in console.log, and the
 * bell is wound back to its beginning. QEMU's own words are in a memory file already (vmm-log.h), which is watched in the same
 * way. So an idle machine costs nothing, and a guest that floods its console is read WORDS_FLOOD_INTERVAL apart, and loses the rest.
 *
 * Reading empties the ring. A runner that was killed before it could keep what it had read leaves the bytes in the bell; the next
 * one finds the bell among QEMU's descriptors and takes them from there. It can watch and wipe the bell, but not wind it back: so it
 * hears of the next CONSOLE_BELL_SIZE bytes, and reads the rest at the machine's end.
 */
#include "backends/backend.h"

#define WORDS_INTERVAL (100 * USEC_PER_MSEC)
#define WORDS_FLOOD_INTERVAL (2 * USEC_PER_SEC)

enum { CONSOLE_BELL_SIZE = 64 * 1024 };

typedef struct QemuVm QemuVm;

typedef struct Words {
    int bell;   /* QEMU's own open file, for winding back; -1: an earlier runner had it */
    int memory; /* the same bytes, for reading; -1: not found (yet) */
    int inotify;
    bool reading;
    bool flooded;   /* the ring was full */
    bool recovered; /* the bell has been looked at for what an earlier runner had read */
    sd_event_source *heard, *later;
} Words;

/* A bell for QEMU to write to, or negative errno. */
int console_bell_new(void) _warn_unused_;

/* After STARTED: tells what has been said so far, and from then on what comes. Failures cost the words, and nothing else. */
void words_begin(QemuVm *q);
/* What QEMU has said since it was told last. */
void words_of_vmm(QemuVm *q);
/* The console's bytes as QMP gave them, appended to console.log and told. */
void words_of_console(QemuVm *q, const char *base64);
/* No more is heard. words_end() forgets the bell, too. */
void words_end(QemuVm *q);
