/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "archive/tar-header.h"
#include "archive/tar-pax.h"
#include "archive/tar-reader.h"
#include "base/strings.h"

enum {
    BUFFER_SIZE = 64 * 1024,
    HEADERS_MAX = 16, /* with records, before one entry */
};

struct TarReader {
    TarReadFunc read;
    void *userdata;
    size_t begin, end; /* what of the buffer is not used yet */
    uint64_t left;     /* of the content, in the archive */
    uint64_t padding;  /* behind it */
    size_t extent;     /* which one the next byte of a sparse file belongs to */
    uint64_t within;   /* how much of it has been handed out; of another file, of the whole */
    bool over;
    TarEntry entry;
    uint8_t buffer[BUFFER_SIZE];
};

int tar_reader_new(TarReader **ret, TarReadFunc read, void *userdata)
{
    TarReader *r = malloc(sizeof *r);

    if (!r)
        return -ENOMEM;
    /* The buffer is not looked at before it is filled. */
    memset(r, 0, offsetof(TarReader, buffer));
    r->read = read;
    r->userdata = userdata;
    *ret = r;
    return 0;
}

TarReader *tar_reader_free(TarReader *r)
{
    if (r)
        tar_entry_done(&r->entry);
    free(r);
    return NULL;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static int broken(Trouble *t, const char *why)
{
    return trouble_say(t, -EBADMSG, "the archive is broken: %s", why);
}

/* Fills the empty buffer: how much there is, 0 at the end of all, negative errno. */
static ssize_t fill(TarReader *r, Trouble *t)
{
    if (r->begin < r->end)
        return (ssize_t)(r->end - r->begin);
    ssize_t n = r->read(r->userdata, r->buffer, sizeof r->buffer);
    if (n < 0)
        return trouble_set(t, (int)n, "the archive cannot be read");
    r->begin = 0;
    r->end = (size_t)n;
    return n;
}

/* All of it: 1; 0 when there is nothing at all; negative errno also for a part. */
static int take(TarReader *r, void *to, size_t size, Trouble *t)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = fill(r, t);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return done == 0 ? 0 : broken(t, "it ends in the middle");
        size_t part = MIN((size_t)n, size - done);
        memcpy((uint8_t *)to + done, r->buffer + r->begin, part);
        r->begin += part;
        done += part;
    }
    return 1;
}

static int skip(TarReader *r, uint64_t size, Trouble *t)
{
    while (size > 0) {
        ssize_t n = fill(r, t);
        if (n <= 0)
            return n < 0 ? (int)n : broken(t, "it ends in the middle");
        size_t part = (size_t)MIN((uint64_t)n, size);
        r->begin += part;
        size -= part;
    }
    return 0;
}

/* The whole content of a header that only says something of the next one. */
static int take_content(TarReader *r, uint64_t size, Bytes *ret, Trouble *t)
{
    if (size > TAR_RECORDS_MAX)
        return broken(t, "its records are too long");
    uint8_t *at = bytes_reserve(ret, (size_t)size + 1);
    if (!at)
        return trouble_set(t, -ENOMEM, "the archive cannot be read");
    int n = take(r, at, (size_t)size, t);
    if (n <= 0 && size > 0)
        return n < 0 ? n : broken(t, "it ends in the middle");
    ret->size += (size_t)size;
    return skip(r, tar_padding(size), t);
}

/* --- an entry's head ------------------------------------------------------------------------------------------------ */

typedef struct Head {
    PaxValues values;
    char *long_name, *long_link; /* GNU's */
} Head;

static void head_done(Head *h)
{
    pax_values_done(&h->values);
    free(h->long_name);
    free(h->long_link);
}

static int take_records(TarReader *r, Head *h, uint64_t size, Trouble *t)
{
    _cleanup_(bytes_done) Bytes records = { 0 };

    int n = take_content(r, size, &records, t);
    if (n < 0)
        return n;
    n = pax_read(&records, &h->values);
    if (n == -E2BIG)
        return broken(t, "a file has too many extended attributes");
    return n < 0 ? broken(t, "its records make no sense") : 0;
}

static int take_long(TarReader *r, char **to, uint64_t size, Trouble *t)
{
    _cleanup_(bytes_done) Bytes text = { 0 };

    int n = take_content(r, size, &text, t);
    if (n < 0)
        return n;
    if (bytes_terminate(&text) < 0)
        return trouble_set(t, -ENOMEM, "the archive cannot be read");
    if (strlen((const char *)text.data) >= TAR_NAME_MAX)
        return broken(t, "a name is too long");
    return str_replace(to, (const char *)text.data) < 0 ? trouble_set(t, -ENOMEM, "the archive") : 0;
}

static const struct {
    char letter;
    TarType type;
} types[] = {
    { '0', TAR_FILE },    { 0, TAR_FILE },        { '7', TAR_FILE }, { '1', TAR_HARD_LINK },
    { '2', TAR_SYMLINK }, { '5', TAR_DIRECTORY }, { '6', TAR_FIFO },
};

static TarType type_of(const TarHeader *h)
{
    TABLE_FOREACH (row, types)
        if (row->letter == h->type)
            return row->type;
    return TAR_OTHER;
}

/* A name in a field that is terminated only when it is shorter. */
static char *field_text(const char *field, size_t size)
{
    return strndup(field, size);
}

static char *header_name(const TarHeader *h)
{
    _cleanup_(freep) char *name = field_text(h->name, sizeof h->name);
    _cleanup_(freep) char *prefix = field_text(h->prefix, sizeof h->prefix);

    /* What is a prefix in ustar is something else in GNU's older format. */
    if (memcmp(h->magic, "ustar", sizeof "ustar") != 0 || str_empty(prefix))
        return take_ptr(name);
    return name ? strf("%s/%s", prefix, name) : NULL;
}

static int set_names(TarEntry *e, const TarHeader *header, Head *h, Trouble *t)
{
    PaxValues *v = &h->values;

    e->name = v->sparse_name ? take_ptr(v->sparse_name)
              : v->name      ? take_ptr(v->name)
              : h->long_name ? take_ptr(h->long_name)
                             : header_name(header);
    e->link = v->link        ? take_ptr(v->link)
              : h->long_link ? take_ptr(h->long_link)
                             : field_text(header->link, sizeof header->link);
    if (!e->name || !e->link)
        return trouble_set(t, -ENOMEM, "the archive cannot be read");
    if (*e->name == 0 || strlen(e->name) >= TAR_NAME_MAX)
        return broken(t, "a file has no name");
    /* What a directory was before there were letters for it. */
    if (e->type == TAR_FILE && str_ends_with(e->name, "/"))
        e->type = TAR_DIRECTORY;
    if ((e->type == TAR_SYMLINK || e->type == TAR_HARD_LINK) && *e->link == 0)
        return broken(t, "a link leads nowhere");
    return 0;
}

static int set_numbers(TarEntry *e, const TarHeader *header, const PaxValues *v, uint64_t size, Trouble *t)
{
    int64_t mode, uid, gid, seconds;

    if (tar_number_read(header->mode, sizeof header->mode, &mode) < 0 ||
        tar_number_read(header->uid, sizeof header->uid, &uid) < 0 ||
        tar_number_read(header->gid, sizeof header->gid, &gid) < 0 ||
        tar_number_read(header->mtime, sizeof header->mtime, &seconds) < 0)
        return broken(t, "a header has something else than numbers");
    uid = v->has_uid ? (int64_t)v->uid : uid;
    gid = v->has_gid ? (int64_t)v->gid : gid;
    /* The highest number means "nobody in particular" to the kernel. */
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return broken(t, "an owner is no number of a user");
    e->mode = (mode_t)(mode & 07777);
    e->uid = (uid_t)uid;
    e->gid = (gid_t)gid;
    e->seconds = v->has_time ? v->seconds : seconds;
    e->nanoseconds = v->has_time ? v->nanoseconds : 0;
    e->size = e->type == TAR_FILE ? size : 0;
    return 0;
}

/* --- sparse files --------------------------------------------------------------------------------------------------- */

/* A decimal number on a line of its own. The map stands in whole blocks, of which *left are there. */
static int map_number(TarReader *r, uint64_t *left, uint64_t *used, uint64_t *ret, Trouble *t)
{
    uint64_t value = 0;

    for (size_t i = 0;; i++) {
        char c;
        if (*left == 0 || *used >= TAR_MAP_MAX)
            return broken(t, "the map of a sparse file does not end");
        int n = take(r, &c, 1, t);
        if (n <= 0)
            return n < 0 ? n : broken(t, "it ends in the middle");
        (*left)--;
        (*used)++;
        if (c == '\n' && i > 0)
            break;
        if (c < '0' || c > '9' || value > INT64_MAX / 10 - 1)
            return broken(t, "the map of a sparse file makes no sense");
        value = value * 10 + (uint64_t)(c - '0');
    }
    *ret = value;
    return 0;
}

static int take_extents(TarReader *r, TarEntry *e, uint64_t n, uint64_t *used, Trouble *t)
{
    uint64_t end = 0, content = 0;

    if (n > TAR_EXTENTS_MAX)
        return broken(t, "a sparse file is in too many pieces");
    /* An empty one behind all others says where the file ends: there is always room for the NULL of no allocation. */
    if (!(e->extents = calloc((size_t)n + 1, sizeof *e->extents)))
        return trouble_set(t, -ENOMEM, "the archive cannot be read");
    for (; e->n_extents < n; e->n_extents++) {
        TarExtent *x = &e->extents[e->n_extents];
        int error = map_number(r, &r->left, used, &x->offset, t);
        if (error >= 0)
            error = map_number(r, &r->left, used, &x->size, t);
        if (error < 0)
            return error;
        if (x->offset < end || x->size > e->size || x->offset > e->size - x->size)
            return broken(t, "the pieces of a sparse file overlap");
        end = x->offset + x->size;
        content += x->size;
    }
    uint64_t rest = tar_padding(*used);
    if (rest > r->left)
        return broken(t, "the map of a sparse file does not end");
    r->left -= rest;
    if (r->left != content)
        return broken(t, "a sparse file has another size than its pieces");
    return skip(r, rest, t);
}

static int take_map(TarReader *r, TarEntry *e, Trouble *t)
{
    uint64_t n = 0, used = 0;

    int error = map_number(r, &r->left, &used, &n, t);
    return error < 0 ? error : take_extents(r, e, n, &used, t);
}

static int check_sparse(const TarHeader *header, const PaxValues *v, Trouble *t)
{
    if (header->type == 'S' || v->sparse_old || (v->sparse && (v->sparse_major != 1 || v->sparse_minor != 0)))
        return trouble_say(t, -EOPNOTSUPP,
                           "the archive has sparse files in a form that is not understood; tar makes another "
                           "one with --format=posix --sparse-version=1.0");
    return v->sparse && !v->has_sparse_size ? broken(t, "a sparse file has no size") : 0;
}

/* --- entries -------------------------------------------------------------------------------------------------------- */

static int make_entry(TarReader *r, const TarHeader *header, Head *h, uint64_t size, Trouble *t)
{
    TarEntry *e = &r->entry;
    PaxValues *v = &h->values;

    *e = (TarEntry){ .type = type_of(header) };
    int error = check_sparse(header, v, t);
    if (error >= 0)
        error = set_names(e, header, h, t);
    if (error >= 0)
        error = set_numbers(e, header, v, v->sparse ? v->sparse_size : size, t);
    if (error < 0)
        return error;
    e->xattrs = take_ptr(v->xattrs.xattrs);
    e->n_xattrs = v->xattrs.n_xattrs;
    v->xattrs.n_xattrs = 0;
    /* Links and directories have no content, whatever a header says; what nobody knows may have. */
    bool none = e->type != TAR_FILE && e->type != TAR_OTHER;
    r->left = none ? 0 : size;
    r->padding = tar_padding(r->left);
    r->extent = 0;
    r->within = 0;
    e->sparse = e->type == TAR_FILE && v->sparse;
    return e->sparse ? take_map(r, e, t) : 0;
}

static bool is_empty(const TarHeader *h)
{
    static const TarHeader empty;
    return memcmp(h, &empty, sizeof empty) == 0;
}

/* 1: it was a header that says something of the next one; 0: it is the entry's own. */
static int take_head(TarReader *r, const TarHeader *header, Head *h, uint64_t size, Trouble *t)
{
    int error;

    switch (header->type) {
    case 'x':
        error = take_records(r, h, size, t);
        break;
    case 'g': /* of all that follow, which nothing that is understood here is ever said of */
        error = size > TAR_RECORDS_MAX ? broken(t, "its records are too long")
                                       : skip(r, size + tar_padding(size), t);
        break;
    case 'L':
        error = take_long(r, &h->long_name, size, t);
        break;
    case 'K':
        error = take_long(r, &h->long_link, size, t);
        break;
    default:
        return 0;
    }
    return error < 0 ? error : 1;
}

static int next_entry(TarReader *r, Head *h, Trouble *t)
{
    TarHeader header;
    int64_t size;
    int n;

    for (int i = 0; i < HEADERS_MAX; i++) {
        if ((n = take(r, &header, sizeof header, t)) <= 0)
            return n < 0 ? n : broken(t, "it ends without its end");
        if (is_empty(&header) && i == 0)
            return 0;
        if (!tar_checksum_right(&header))
            return broken(t, "what should be a header is none");
        if (tar_number_read(header.size, sizeof header.size, &size) < 0 || size < 0)
            return broken(t, "a size is no number");
        if ((n = take_head(r, &header, h, (uint64_t)size, t)) < 0)
            return n;
        if (n == 0) {
            n = make_entry(r, &header, h, h->values.has_size ? h->values.size : (uint64_t)size, t);
            return n < 0 ? n : 1;
        }
    }
    return broken(t, "an entry has too many headers");
}

int tar_reader_next(TarReader *r, const TarEntry **ret, Trouble *t)
{
    _cleanup_(head_done) Head h = { 0 };

    if (r->over)
        return 0;
    int n = skip(r, r->left, t);
    if (n >= 0)
        n = skip(r, r->padding, t);
    r->left = r->padding = 0;
    tar_entry_done(&r->entry);
    if (n >= 0)
        n = next_entry(r, &h, t);
    r->over = n <= 0;
    if (n > 0)
        *ret = &r->entry;
    return n;
}

ssize_t tar_reader_data(TarReader *r, const uint8_t **ret, uint64_t *ret_offset, Trouble *t)
{
    const TarEntry *e = &r->entry;

    if (r->over || r->left == 0)
        return 0;
    ssize_t n = fill(r, t);
    if (n <= 0)
        return n < 0 ? n : broken(t, "it ends in the middle");
    uint64_t part = MIN((uint64_t)n, r->left), offset = r->within;
    if (e->sparse) {
        while (r->within == e->extents[r->extent].size) {
            r->extent++;
            r->within = 0;
        }
        part = MIN(part, e->extents[r->extent].size - r->within);
        offset = e->extents[r->extent].offset + r->within;
    }
    *ret = r->buffer + r->begin;
    *ret_offset = offset;
    r->begin += (size_t)part;
    r->within += part;
    r->left -= part;
    return (ssize_t)part;
}
