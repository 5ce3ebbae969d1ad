/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Messages of a protocol, by table: a msgpack map { "type": word, "id": number, "body": map }. A request has an id
 * other than 0, and exactly one `reply` carries the same; all else has id 0.
 *
 * Unknown types are told apart from broken bytes, so that a newer peer's message can be passed over.
 */
#include "schemas/schema.h"

typedef struct MessageType {
    const char *name;
    const Schema *schema; /* of the body; NULL: none */
    const char *doc;
    bool secret; /* nothing of one that was sent stays in memory */
} MessageType;

typedef struct MessageTable {
    const char *what; /* "agent protocol" */
    const MessageType *types;
    int n_types;
    PackLimits limits;
} MessageTable;

typedef struct Message {
    const MessageTable *table;
    int type;
    uint64_t id;
    void *body; /* of the type's schema; NULL when it has none */
} Message;

/* body is the type's struct or NULL; *ret is secret as the type is: 0, -EMSGSIZE beyond the table's limit, -ENOMEM. */
int message_to_bytes(const MessageTable *table, int type, uint64_t id, const void *body,
                     Bytes *ret) _warn_unused_;
/* 0, -ENOTSUP for a type that the table has not, -EBADMSG, -E2BIG, -ENOMEM. On success the caller calls message_done(). */
int message_from_bytes(const MessageTable *table, const void *data, size_t size, Message *ret) _warn_unused_;
void message_done(Message *m);
