/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "archive/tar-header.h"
#include "archive/tar-pax.h"
#include "archive/tar-writer.h"
#include "base/strings.h"

static const char letters[TAR_TYPE_MAX] = {
    [TAR_FILE] = '0', [TAR_HARD_LINK] = '1', [TAR_SYMLINK] = '2', [TAR_DIRECTORY] = '5', [TAR_FIFO] = '6',
};

static int append_zeros(Bytes *out, uint64_t n)
{
    uint8_t *at = bytes_reserve(out, (size_t)n);

    if (!at)
        return -ENOMEM;
    memset(at, 0, (size_t)n);
    out->size += (size_t)n;
    return 0;
}

static int map_append(Bytes *map, uint64_t value)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%llu\n", (unsigned long long)value);
    return bytes_append(map, text, (size_t)n);
}

/* In whole blocks. */
static int make_map(const TarEntry *e, Bytes *map)
{
    int r = map_append(map, e->n_extents);

    for (size_t i = 0; r >= 0 && i < e->n_extents; i++) {
        r = map_append(map, e->extents[i].offset);
        if (r >= 0)
            r = map_append(map, e->extents[i].size);
    }
    return r < 0 ? r : append_zeros(map, tar_padding(map->size));
}

/* --- what a header cannot say --------------------------------------------------------------------------------------- */

static int records_for_names(Bytes *records, const TarEntry *e)
{
    bool name = strlen(e->name) > sizeof((TarHeader *)0)->name;
    bool link = e->link && strlen(e->link) > sizeof((TarHeader *)0)->link;
    bool plain = (!name || str_is_utf8(e->name)) && (!link || str_is_utf8(e->link));
    int r = plain ? 0 : pax_append_text(records, "hdrcharset", "BINARY");

    if (r >= 0 && name && !e->sparse)
        r = pax_append_text(records, "path", e->name);
    if (r >= 0 && link)
        r = pax_append_text(records, "linkpath", e->link);
    return r;
}

static int records_for_sparse(Bytes *records, const TarEntry *e)
{
    int r = pax_append_text(records, "GNU.sparse.major", "1");

    if (r >= 0)
        r = pax_append_text(records, "GNU.sparse.minor", "0");
    if (r >= 0)
        r = pax_append_text(records, "GNU.sparse.name", e->name);
    return r < 0 ? r : pax_append_number(records, "GNU.sparse.realsize", e->size);
}

/* The whole of a time is a negative number of seconds plus nanoseconds; in writing the point comes behind the nearer zero. */
static int record_for_time(Bytes *records, const TarEntry *e)
{
    enum { BILLION = 1000000000 };
    bool negative = e->seconds < 0 && e->nanoseconds > 0;
    int64_t seconds = negative ? e->seconds + 1 : e->seconds;
    uint32_t nanoseconds = negative ? BILLION - e->nanoseconds : e->nanoseconds;
    char text[64];

    (void)snprintf(text, sizeof text, "%s%lld.%09u", negative && seconds == 0 ? "-" : "", (long long)seconds,
                   nanoseconds);
    return pax_append_text(records, "mtime", text);
}

static int records_for_xattrs(Bytes *records, const TarEntry *e)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < e->n_xattrs; i++) {
        _cleanup_(freep) char *key = strf("SCHILY.xattr.%s", e->xattrs[i].name);
        r = key ? pax_append(records, key, e->xattrs[i].value.data, e->xattrs[i].value.size) : -ENOMEM;
    }
    return r;
}

/* --- headers -------------------------------------------------------------------------------------------------------- */

static void put_text(char *field, size_t size, const char *text)
{
    memcpy(field, text, strnlen(text, size));
}

static int append_header(Bytes *out, TarHeader *h)
{
    memcpy(h->magic, "ustar", sizeof h->magic);
    memset(h->version, '0', sizeof h->version);
    tar_checksum_write(h);
    return bytes_append(out, h, sizeof *h);
}

static int append_records(Bytes *out, const TarEntry *e, const Bytes *records)
{
    TarHeader h = { .type = 'x' };

    if (records->size == 0)
        return 0;
    put_text(h.name, sizeof h.name, "PaxHeaders/");
    put_text(h.name + strlen(h.name), sizeof h.name - strlen(h.name), e->name);
    (void)tar_number_write(h.mode, sizeof h.mode, 0644);
    (void)tar_number_write(h.uid, sizeof h.uid, 0);
    (void)tar_number_write(h.gid, sizeof h.gid, 0);
    (void)tar_number_write(h.mtime, sizeof h.mtime, 0);
    (void)tar_number_write(h.size, sizeof h.size, records->size);
    int r = append_header(out, &h);
    if (r >= 0)
        r = bytes_append(out, records->data, records->size);
    return r < 0 ? r : append_zeros(out, tar_padding(records->size));
}

/* Numbers into the header, or into a record where they do not fit. */
static int fill_numbers(TarHeader *h, Bytes *records, const TarEntry *e, uint64_t size)
{
    int r = 0;

    (void)tar_number_write(h->mode, sizeof h->mode, e->mode);
    if (!tar_number_write(h->uid, sizeof h->uid, e->uid))
        r = pax_append_number(records, "uid", e->uid);
    if (!tar_number_write(h->gid, sizeof h->gid, e->gid) && r >= 0)
        r = pax_append_number(records, "gid", e->gid);
    if (!tar_number_write(h->size, sizeof h->size, size) && r >= 0)
        r = pax_append_number(records, "size", size);
    bool whole =
        tar_number_write(h->mtime, sizeof h->mtime, e->seconds < 0 ? UINT64_MAX : (uint64_t)e->seconds);
    if ((!whole || e->nanoseconds > 0) && r >= 0)
        r = record_for_time(records, e);
    return r;
}

int tar_write_head(Bytes *out, const TarEntry *e)
{
    _cleanup_(bytes_done) Bytes records = { 0 }, map = { 0 };
    TarHeader h = { .type = letters[e->type] };

    if (strlen(e->name) >= TAR_NAME_MAX || (e->link && strlen(e->link) >= TAR_NAME_MAX))
        return -ENAMETOOLONG;
    int r = e->sparse ? make_map(e, &map) : 0;
    if (r >= 0)
        r = records_for_names(&records, e);
    if (r >= 0 && e->sparse)
        r = records_for_sparse(&records, e);
    if (r >= 0)
        r = fill_numbers(&h, &records, e, tar_entry_content(e) + map.size);
    if (r >= 0)
        r = records_for_xattrs(&records, e);
    if (r >= 0 && records.size > TAR_RECORDS_MAX)
        r = -E2BIG;
    if (r >= 0)
        r = append_records(out, e, &records);
    if (r < 0)
        return r;
    put_text(h.name, sizeof h.name, e->name);
    if (e->link)
        put_text(h.link, sizeof h.link, e->link);
    if ((r = append_header(out, &h)) >= 0)
        r = bytes_append(out, map.data, map.size);
    return r;
}

int tar_write_end(Bytes *out)
{
    return append_zeros(out, 2 * (uint64_t)TAR_BLOCK);
}
