/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Pax records: "LENGTH KEY=VALUE\n", where the length counts all of it. Pure. */
#include "archive/tar.h"

/* 0 or -ENOMEM. value may hold any bytes. */
int pax_append(Bytes *records, const char *key, const void *value, size_t size);
int pax_append_text(Bytes *records, const char *key, const char *value);
int pax_append_number(Bytes *records, const char *key, uint64_t value);

typedef struct PaxRecord {
    const char *key; /* not terminated */
    size_t key_size;
    const uint8_t *value;
    size_t size;
} PaxRecord;

/* The record at *offset, which moves behind it: 1, 0 at the end, -EBADMSG. */
int pax_next(const Bytes *records, size_t *offset, PaxRecord *ret);
bool pax_is(const PaxRecord *r, const char *key);

/* What an entry's records say, instead of its header. */
typedef struct PaxValues {
    char *name, *link, *sparse_name;
    bool has_size, has_uid, has_gid, has_time, has_sparse_size;
    uint64_t size, uid, gid, sparse_size;
    int64_t seconds;
    uint32_t nanoseconds;
    uint64_t sparse_major, sparse_minor;
    bool sparse, sparse_old; /* of version 1.0; of an older one */
    TarEntry xattrs;         /* nothing but its xattrs */
} PaxValues;

/* Adds what the records say to v: 0, -EBADMSG, -ENOMEM, -E2BIG. Unknown keys are passed over. */
int pax_read(const Bytes *records, PaxValues *v);
void pax_values_done(PaxValues *v);
