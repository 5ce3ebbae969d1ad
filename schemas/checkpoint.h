/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Checkpoints: one msgpack file per writer, an envelope that anybody can check around a body that only its owner reads.
 *
 *     { "format": "podvisor", "kind": "qemu", "version": 1, "pod": uuid, "generation": n, "boot": boot id,
 *       "written": usec, "checksum": SHA-256 of body, "body": binary (packed map) }
 *
 * Invariants
 * - A checkpoint is replaced as a whole (file_replace_at), so a reader finds the old one or the new one.
 * - What cannot be read is never taken for "nothing there": the outcome says which doubt it is, and doubt leads to
 *   RUNNER_INDETERMINATE, not to a kill.
 * - The version is the owner's own, and grows only when an older reader would do harm; new fields alone do not change it,
 *   since unknown ones are kept (a checkpoint's schema has `extra`).
 */
#include "schemas/schema.h"

enum { CHECKPOINT_SIZE_MAX = 4 * 1024 * 1024 };

typedef struct CheckpointKind {
    const char *name;     /* "runner", "qemu"; the file is NAME.msgpack */
    uint64_t version;     /* what this program writes, and the newest that it reads */
    const Schema *schema; /* of the body */
} CheckpointKind;

typedef struct CheckpointEnvelope {
    char *format;
    char *kind;
    uint64_t version;
    Id128 pod; /* the machine's uuid */
    uint64_t generation;
    Id128 boot;
    usec_t written; /* CLOCK_REALTIME */
    Bytes checksum;
    Bytes body;
} CheckpointEnvelope;
extern const Schema checkpoint_envelope_schema;

typedef enum CheckpointOutcome {
    CHECKPOINT_GOOD,
    CHECKPOINT_ABSENT,
    CHECKPOINT_UNREADABLE, /* an error of the file system */
    CHECKPOINT_CORRUPT,    /* truncated, no msgpack, wrong checksum, wrong types */
    CHECKPOINT_NEWER,      /* written by a newer podvisor */
    CHECKPOINT_ALIEN,      /* of another kind or format */
    CHECKPOINT_OUTCOME_MAX,
} CheckpointOutcome;
extern const EnumTable checkpoint_outcome_table;

/* Writes dir/NAME.msgpack, mode 0600: 0 or negative errno; the old file stands then. */
int checkpoint_write(int dir, const CheckpointKind *kind, Id128 pod, uint64_t generation,
                     const void *object) _warn_unused_;

/*
 * Reads dir/NAME.msgpack into uninitialised object. On CHECKPOINT_GOOD the caller owns object and, if asked for, envelope
 * (its body emptied); else nothing, and *ret_detail (malloc'ed; may be NULL) says what is wrong in words.
 */
CheckpointOutcome checkpoint_read(int dir, const CheckpointKind *kind, void *object,
                                  CheckpointEnvelope *ret_envelope, char **ret_detail);

/* The envelope of any checkpoint, checked, body still inside: for `checkpoint show`. */
CheckpointOutcome checkpoint_read_envelope(int dir, const char *file, CheckpointEnvelope *ret,
                                           char **ret_detail);
