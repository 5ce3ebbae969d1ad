/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "archive/tar-pax.h"
#include "base/strings.h"

#define XATTR "SCHILY.xattr."

/* --- writing ------------------------------------------------------------------------------------------------------ */

static size_t digits(size_t n)
{
    size_t count = 1;

    while (n /= 10)
        count++;
    return count;
}

int pax_append(Bytes *records, const char *key, const void *value, size_t size)
{
    size_t rest = strlen(key) + size + 3, length = rest + digits(rest);
    char head[32];

    /* The length counts its own digits, which may make it longer by one. */
    length = rest + digits(length);
    int n = snprintf(head, sizeof head, "%zu ", length);
    int r = bytes_append(records, head, (size_t)n);
    if (r >= 0)
        r = bytes_append(records, key, strlen(key));
    if (r >= 0)
        r = bytes_append(records, "=", 1);
    if (r >= 0)
        r = bytes_append(records, value, size);
    return r < 0 ? r : bytes_append(records, "\n", 1);
}

int pax_append_text(Bytes *records, const char *key, const char *value)
{
    return pax_append(records, key, value, strlen(value));
}

int pax_append_number(Bytes *records, const char *key, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return pax_append_text(records, key, text);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

int pax_next(const Bytes *records, size_t *offset, PaxRecord *ret)
{
    const char *at = (const char *)records->data + *offset;
    size_t left = records->size - *offset, length = 0, i = 0;

    if (left == 0)
        return 0;
    for (; i < left && at[i] >= '0' && at[i] <= '9' && length <= TAR_RECORDS_MAX; i++)
        length = length * 10 + (size_t)(at[i] - '0');
    if (i == 0 || i == left || at[i] != ' ' || length > left || length < i + 3 || at[length - 1] != '\n')
        return -EBADMSG;
    const char *key = at + i + 1, *equals = memchr(key, '=', length - i - 2);
    if (!equals || equals == key)
        return -EBADMSG;
    *ret = (PaxRecord){
        .key = key,
        .key_size = (size_t)(equals - key),
        .value = (const uint8_t *)equals + 1,
        .size = (size_t)(at + length - 1 - (equals + 1)),
    };
    *offset += length;
    return 1;
}

bool pax_is(const PaxRecord *r, const char *key)
{
    return r->key_size == strlen(key) && memcmp(r->key, key, r->key_size) == 0;
}

/* The digits at the beginning of a text; how many there are. */
static size_t number_read(const uint8_t *text, size_t size, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < size && text[i] >= '0' && text[i] <= '9' && value <= (UINT64_MAX - 9) / 10; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    *ret = value;
    return i;
}

static int read_number(const PaxRecord *r, uint64_t *ret)
{
    return r->size > 0 && number_read(r->value, r->size, ret) == r->size && *ret <= INT64_MAX ? 0 : -EBADMSG;
}

/* "-1.25" is three quarters of a second before -1 + 1. */
static int read_time(const PaxRecord *r, int64_t *ret_seconds, uint32_t *ret_nanoseconds)
{
    enum { BILLION = 1000000000, NANO_DIGITS = 9 };
    size_t i = r->size > 0 && r->value[0] == '-';
    bool negative = i > 0;
    uint64_t seconds, nanoseconds = 0;

    size_t n = number_read(r->value + i, r->size - i, &seconds);
    i += n;
    if (n == 0 || seconds > INT64_MAX / 2 || (i < r->size && r->value[i] != '.'))
        return -EBADMSG;
    if (i < r->size)
        i++;
    for (n = 0; i < r->size; i++, n++) {
        if (r->value[i] < '0' || r->value[i] > '9')
            return -EBADMSG;
        nanoseconds = n < NANO_DIGITS ? nanoseconds * 10 + (uint64_t)(r->value[i] - '0') : nanoseconds;
    }
    for (; n < NANO_DIGITS; n++)
        nanoseconds *= 10;
    *ret_seconds = negative ? -(int64_t)seconds - (nanoseconds > 0) : (int64_t)seconds;
    *ret_nanoseconds = (uint32_t)(negative && nanoseconds > 0 ? BILLION - nanoseconds : nanoseconds);
    return 0;
}

static int read_text(const PaxRecord *r, char **ret)
{
    if (r->size == 0 || r->size >= TAR_NAME_MAX || memchr(r->value, 0, r->size))
        return -EBADMSG;
    char *text = strndup((const char *)r->value, r->size);
    if (!text)
        return -ENOMEM;
    free(*ret);
    *ret = text;
    return 0;
}

typedef int (*PaxHandler)(const PaxRecord *r, PaxValues *v);

static int take_path(const PaxRecord *r, PaxValues *v)
{
    return read_text(r, &v->name);
}

static int take_link(const PaxRecord *r, PaxValues *v)
{
    return read_text(r, &v->link);
}

static int take_sparse_name(const PaxRecord *r, PaxValues *v)
{
    return read_text(r, &v->sparse_name);
}

static int take_size(const PaxRecord *r, PaxValues *v)
{
    v->has_size = true;
    return read_number(r, &v->size);
}

static int take_uid(const PaxRecord *r, PaxValues *v)
{
    v->has_uid = true;
    return read_number(r, &v->uid);
}

static int take_gid(const PaxRecord *r, PaxValues *v)
{
    v->has_gid = true;
    return read_number(r, &v->gid);
}

static int take_time(const PaxRecord *r, PaxValues *v)
{
    v->has_time = true;
    return read_time(r, &v->seconds, &v->nanoseconds);
}

static int take_sparse_major(const PaxRecord *r, PaxValues *v)
{
    v->sparse = true;
    return read_number(r, &v->sparse_major);
}

static int take_sparse_minor(const PaxRecord *r, PaxValues *v)
{
    return read_number(r, &v->sparse_minor);
}

static int take_sparse_size(const PaxRecord *r, PaxValues *v)
{
    v->has_sparse_size = true;
    return read_number(r, &v->sparse_size);
}

/* What version 0 has and 1.0 has not. */
static int take_sparse_old(const PaxRecord *r, PaxValues *v)
{
    v->sparse_old = true;
    return 0;
}

static const struct {
    const char *key;
    PaxHandler take;
} handlers[] = {
    { "path", take_path },
    { "linkpath", take_link },
    { "size", take_size },
    { "uid", take_uid },
    { "gid", take_gid },
    { "mtime", take_time },
    { "GNU.sparse.name", take_sparse_name },
    { "GNU.sparse.major", take_sparse_major },
    { "GNU.sparse.minor", take_sparse_minor },
    { "GNU.sparse.realsize", take_sparse_size },
    { "GNU.sparse.numblocks", take_sparse_old },
    { "GNU.sparse.map", take_sparse_old },
};

static int take_xattr(const PaxRecord *r, PaxValues *v)
{
    size_t prefix = strlen(XATTR);

    if (r->key_size <= prefix || memcmp(r->key, XATTR, prefix) != 0)
        return 0;
    _cleanup_(freep) char *name = strndup(r->key + prefix, r->key_size - prefix);
    return name ? tar_entry_add_xattr(&v->xattrs, name, r->value, r->size) : -ENOMEM;
}

static int take(const PaxRecord *r, PaxValues *v)
{
    TABLE_FOREACH (handler, handlers)
        if (pax_is(r, handler->key))
            /* Nothing at all means that the header is right after all. */
            return r->size > 0 ? handler->take(r, v) : 0;
    return take_xattr(r, v);
}

int pax_read(const Bytes *records, PaxValues *v)
{
    PaxRecord record;
    size_t offset = 0;
    int r;

    while ((r = pax_next(records, &offset, &record)) > 0)
        if ((r = take(&record, v)) < 0)
            return r;
    return r;
}

void pax_values_done(PaxValues *v)
{
    free(v->name);
    free(v->link);
    free(v->sparse_name);
    tar_entry_done(&v->xattrs);
    *v = (PaxValues){ 0 };
}
