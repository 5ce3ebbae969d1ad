/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The door to journald for writing: records with binary-safe fields, by journald's native protocol.
 *
 * Not by sd_journal_sendv(3): that waits while journald does not read, which would stop an event loop, and takes a
 * journald that is not there for one that has taken the record. Here both are -EAGAIN, and nothing waits.
 */
#include <systemd/sd-event.h>

#include "base/bytes.h"
#include "base/log.h"

/* True when a journald listens on this host. */
bool journal_is_there(void);

/* One record as journald reads it, appended to ret: MESSAGE is `size` raw bytes. 0 or -ENOMEM. */
int journal_encode(Bytes *ret, int level, const LogField *fields, const void *message,
                   size_t size) _warn_unused_;
/* 0; -EAGAIN: journald does not take it now, full or not there; other negative errno: it never will. */
int journal_put(const Bytes *record) _warn_unused_;
/* Both at once. */
int journal_send(int level, const LogField *fields, const void *message, size_t size) _warn_unused_;

/* After -EAGAIN: func is called once from the event loop, when it is worth while to try again. Freed by journal_wait_free(). */
typedef struct JournalWait JournalWait;
typedef void (*JournalWaitFunc)(void *userdata);
int journal_wait_new(sd_event *event, JournalWaitFunc func, void *userdata, JournalWait **ret);
JournalWait *journal_wait_free(JournalWait *w);
DEFINE_CLEANUP(JournalWait *, journal_wait_free)

/* For tests: the socket is this path from now on (not copied). */
void journal_set_path(const char *path);
