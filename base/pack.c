/* SPDX-License-Identifier: Apache-2.0 */
#include <msgpack.h>

#include "base/pack.h"

struct Packer {
    msgpack_packer packer;
    Bytes bytes;
    int error;
};

struct PackDocument {
    msgpack_zone *zone;
    msgpack_object root;
    uint8_t *copy; /* strings of the tree point in here */
};

static int packer_write(void *data, const char *buffer, size_t size)
{
    Packer *p = data;

    if (p->error >= 0)
        p->error = bytes_append(&p->bytes, buffer, size);
    return p->error < 0 ? -1 : 0;
}

int packer_new(Packer **ret)
{
    Packer *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    msgpack_packer_init(&p->packer, p, packer_write);
    *ret = p;
    return 0;
}

void packer_secret(Packer *p)
{
    p->bytes.secret = true;
}

Packer *packer_free(Packer *p)
{
    if (p)
        bytes_done(&p->bytes);
    free(p);
    return NULL;
}

void packer_map(Packer *p, size_t n_pairs)
{
    msgpack_pack_map(&p->packer, n_pairs);
}

void packer_array(Packer *p, size_t n)
{
    msgpack_pack_array(&p->packer, n);
}

void packer_nil(Packer *p)
{
    msgpack_pack_nil(&p->packer);
}

void packer_bool(Packer *p, bool value)
{
    if (value)
        msgpack_pack_true(&p->packer);
    else
        msgpack_pack_false(&p->packer);
}

void packer_unsigned(Packer *p, uint64_t value)
{
    msgpack_pack_uint64(&p->packer, value);
}

void packer_signed(Packer *p, int64_t value)
{
    msgpack_pack_int64(&p->packer, value);
}

void packer_double(Packer *p, double value)
{
    msgpack_pack_double(&p->packer, value);
}

void packer_string_n(Packer *p, const void *s, size_t n)
{
    msgpack_pack_str(&p->packer, n);
    msgpack_pack_str_body(&p->packer, s, n);
}

void packer_string(Packer *p, const char *s)
{
    if (s)
        packer_string_n(p, s, strlen(s));
    else
        packer_nil(p);
}

void packer_binary(Packer *p, const void *data, size_t size)
{
    msgpack_pack_bin(&p->packer, size);
    msgpack_pack_bin_body(&p->packer, data, size);
}

void packer_raw(Packer *p, const void *data, size_t size)
{
    packer_write(p, data, size);
}

void packer_value(Packer *p, const PackValue *v)
{
    msgpack_pack_object(&p->packer, *v);
}

int packer_finish(Packer *p, Bytes *ret)
{
    if (p->error < 0)
        return p->error;
    *ret = p->bytes;
    p->bytes = (Bytes){ 0 };
    return 0;
}

/* What a first byte says: how long the head is, how many bytes of it are a big-endian number, and what the number counts. */
typedef enum Follows {
    FOLLOWS_NOTHING,
    FOLLOWS_BYTES,
    FOLLOWS_BYTES_AND_TYPE, /* extension: one more byte */
    FOLLOWS_VALUES,
    FOLLOWS_PAIRS,
    FOLLOWS_NEVER, /* 0xc1 */
} Follows;

typedef struct Head {
    uint8_t first, last; /* range of first bytes */
    uint8_t width;       /* bytes of the number; 0: it is in the first byte, under mask */
    uint8_t mask;
    uint8_t fixed; /* payload of known size */
    Follows follows;
} Head;

static const Head heads[] = {
    { 0x00, 0x7f, 0, 0, 0, FOLLOWS_NOTHING },        { 0x80, 0x8f, 0, 0x0f, 0, FOLLOWS_PAIRS },
    { 0x90, 0x9f, 0, 0x0f, 0, FOLLOWS_VALUES },      { 0xa0, 0xbf, 0, 0x1f, 0, FOLLOWS_BYTES },
    { 0xc0, 0xc0, 0, 0, 0, FOLLOWS_NOTHING },        { 0xc1, 0xc1, 0, 0, 0, FOLLOWS_NEVER },
    { 0xc2, 0xc3, 0, 0, 0, FOLLOWS_NOTHING },        { 0xc4, 0xc4, 1, 0, 0, FOLLOWS_BYTES },
    { 0xc5, 0xc5, 2, 0, 0, FOLLOWS_BYTES },          { 0xc6, 0xc6, 4, 0, 0, FOLLOWS_BYTES },
    { 0xc7, 0xc7, 1, 0, 0, FOLLOWS_BYTES_AND_TYPE }, { 0xc8, 0xc8, 2, 0, 0, FOLLOWS_BYTES_AND_TYPE },
    { 0xc9, 0xc9, 4, 0, 0, FOLLOWS_BYTES_AND_TYPE }, { 0xca, 0xca, 0, 0, 4, FOLLOWS_NOTHING },
    { 0xcb, 0xcb, 0, 0, 8, FOLLOWS_NOTHING },        { 0xcc, 0xcc, 0, 0, 1, FOLLOWS_NOTHING },
    { 0xcd, 0xcd, 0, 0, 2, FOLLOWS_NOTHING },        { 0xce, 0xce, 0, 0, 4, FOLLOWS_NOTHING },
    { 0xcf, 0xcf, 0, 0, 8, FOLLOWS_NOTHING },        { 0xd0, 0xd0, 0, 0, 1, FOLLOWS_NOTHING },
    { 0xd1, 0xd1, 0, 0, 2, FOLLOWS_NOTHING },        { 0xd2, 0xd2, 0, 0, 4, FOLLOWS_NOTHING },
    { 0xd3, 0xd3, 0, 0, 8, FOLLOWS_NOTHING },        { 0xd4, 0xd4, 0, 0, 2, FOLLOWS_NOTHING },
    { 0xd5, 0xd5, 0, 0, 3, FOLLOWS_NOTHING },        { 0xd6, 0xd6, 0, 0, 5, FOLLOWS_NOTHING },
    { 0xd7, 0xd7, 0, 0, 9, FOLLOWS_NOTHING },        { 0xd8, 0xd8, 0, 0, 17, FOLLOWS_NOTHING },
    { 0xd9, 0xd9, 1, 0, 0, FOLLOWS_BYTES },          { 0xda, 0xda, 2, 0, 0, FOLLOWS_BYTES },
    { 0xdb, 0xdb, 4, 0, 0, FOLLOWS_BYTES },          { 0xdc, 0xdc, 2, 0, 0, FOLLOWS_VALUES },
    { 0xdd, 0xdd, 4, 0, 0, FOLLOWS_VALUES },         { 0xde, 0xde, 2, 0, 0, FOLLOWS_PAIRS },
    { 0xdf, 0xdf, 4, 0, 0, FOLLOWS_PAIRS },          { 0xe0, 0xff, 0, 0, 0, FOLLOWS_NOTHING },
};

static const Head *head_of(uint8_t byte)
{
    TABLE_FOREACH (head, heads)
        if (byte >= head->first && byte <= head->last)
            return head;
    return NULL;
}

/* The head at p: how many bytes to skip behind it and how many values follow. */
static int head_read(const uint8_t *p, size_t size, size_t *ret_skip, uint64_t *ret_children, bool *ret_nests)
{
    const Head *head = head_of(p[0]);
    uint64_t number = p[0] & head->mask;

    if (head->follows == FOLLOWS_NEVER || size < (size_t)1 + head->width)
        return -EBADMSG;
    for (size_t i = 0; i < head->width; i++)
        number = number << 8 | p[1 + i];

    bool bytes = head->follows == FOLLOWS_BYTES || head->follows == FOLLOWS_BYTES_AND_TYPE;
    uint64_t payload = head->fixed + (bytes ? number : 0) + (head->follows == FOLLOWS_BYTES_AND_TYPE);
    uint64_t skip = 1 + head->width + payload;
    if (skip > size)
        return -EBADMSG;
    *ret_skip = (size_t)skip;
    *ret_nests = head->follows == FOLLOWS_VALUES || head->follows == FOLLOWS_PAIRS;
    *ret_children = !*ret_nests ? 0 : head->follows == FOLLOWS_PAIRS ? 2 * number : number;
    return 0;
}

enum { PACK_DEPTH_MAX = 16 };

/* *ret_used is the length of the one value at the beginning. */
static int pack_check(const void *data, size_t size, const PackLimits *limits, size_t *ret_used)
{
    const uint8_t *bytes = data;
    uint64_t open[PACK_DEPTH_MAX + 1] = { 1 }; /* values still to come, per level */
    size_t depth = 0, offset = 0, count = 0;

    assert(limits->depth <= PACK_DEPTH_MAX);
    if (size > limits->size)
        return -E2BIG;
    for (;;) {
        while (depth > 0 && open[depth] == 0)
            depth--;
        if (depth == 0 && open[0] == 0)
            break;
        open[depth]--;

        size_t skip;
        uint64_t children;
        bool nests;
        int r = offset < size ? head_read(bytes + offset, size - offset, &skip, &children, &nests) : -EBADMSG;
        if (r < 0)
            return r;
        offset += skip;
        /* Each value takes at least a byte: more promised than left is a lie, and must not size an allocation. */
        if (children > size - offset)
            return -EBADMSG;
        if (++count > limits->count || (nests && depth >= limits->depth))
            return -E2BIG;
        if (nests)
            open[++depth] = children;
    }
    *ret_used = offset;
    return 0;
}

int pack_parse(const void *data, size_t size, const PackLimits *limits, PackDocument **ret)
{
    size_t used, offset = 0;

    int r = pack_check(data, size, limits, &used);
    if (r < 0)
        return r;
    if (used != size)
        return -EBADMSG;

    _cleanup_(pack_document_freep) PackDocument *d = calloc(1, sizeof *d);
    if (!d || !(d->zone = msgpack_zone_new(1024)))
        return -ENOMEM;
    d->copy = malloc(size);
    if (!d->copy)
        return -ENOMEM;
    memcpy(d->copy, data, size);
    if (msgpack_unpack((const char *)d->copy, size, &offset, d->zone, &d->root) != MSGPACK_UNPACK_SUCCESS)
        return -EBADMSG;
    *ret = take_ptr(d);
    return 0;
}

PackDocument *pack_document_free(PackDocument *d)
{
    if (!d)
        return NULL;
    if (d->zone)
        msgpack_zone_free(d->zone);
    free(d->copy);
    free(d);
    return NULL;
}

const PackValue *pack_root(const PackDocument *d)
{
    return &d->root;
}

PackType pack_type(const PackValue *v)
{
    static const PackType types[] = {
        [MSGPACK_OBJECT_NIL] = PACK_NIL,
        [MSGPACK_OBJECT_BOOLEAN] = PACK_BOOL,
        [MSGPACK_OBJECT_POSITIVE_INTEGER] = PACK_INTEGER,
        [MSGPACK_OBJECT_NEGATIVE_INTEGER] = PACK_INTEGER,
        [MSGPACK_OBJECT_FLOAT32] = PACK_FLOAT,
        [MSGPACK_OBJECT_FLOAT64] = PACK_FLOAT,
        [MSGPACK_OBJECT_STR] = PACK_STRING,
        [MSGPACK_OBJECT_BIN] = PACK_BINARY,
        [MSGPACK_OBJECT_ARRAY] = PACK_ARRAY,
        [MSGPACK_OBJECT_MAP] = PACK_MAP,
        [MSGPACK_OBJECT_EXT] = PACK_EXTENSION,
    };
    return types[v->type];
}

int pack_get_bool(const PackValue *v, bool *ret)
{
    if (v->type != MSGPACK_OBJECT_BOOLEAN)
        return -EINVAL;
    *ret = v->via.boolean;
    return 0;
}

int pack_get_unsigned(const PackValue *v, uint64_t *ret)
{
    if (v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return -ERANGE;
    if (v->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return -EINVAL;
    *ret = v->via.u64;
    return 0;
}

int pack_get_signed(const PackValue *v, int64_t *ret)
{
    if (v->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        *ret = v->via.i64;
        return 0;
    }
    if (v->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return -EINVAL;
    if (v->via.u64 > INT64_MAX)
        return -ERANGE;
    *ret = (int64_t)v->via.u64;
    return 0;
}

int pack_get_double(const PackValue *v, double *ret)
{
    if (pack_type(v) == PACK_FLOAT)
        *ret = v->via.f64;
    else if (v->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        *ret = (double)v->via.u64;
    else
        return -EINVAL;
    return 0;
}

int pack_get_bytes(const PackValue *v, const uint8_t **ret_data, size_t *ret_size)
{
    if (v->type != MSGPACK_OBJECT_STR && v->type != MSGPACK_OBJECT_BIN)
        return -EINVAL;
    /* str and bin share their layout in msgpack-c's union. */
    *ret_data = (const uint8_t *)v->via.str.ptr;
    *ret_size = v->via.str.size;
    return 0;
}

size_t pack_count(const PackValue *v)
{
    return v->type == MSGPACK_OBJECT_ARRAY ? v->via.array.size
           : v->type == MSGPACK_OBJECT_MAP ? v->via.map.size
                                           : 0;
}

const PackValue *pack_element(const PackValue *v, size_t i)
{
    assert(v->type == MSGPACK_OBJECT_ARRAY && i < v->via.array.size);
    return &v->via.array.ptr[i];
}

const PackValue *pack_pair(const PackValue *v, size_t i, const char **ret_key, size_t *ret_key_size)
{
    assert(v->type == MSGPACK_OBJECT_MAP && i < v->via.map.size);
    const msgpack_object_kv *kv = &v->via.map.ptr[i];
    bool text = kv->key.type == MSGPACK_OBJECT_STR;
    *ret_key = text ? kv->key.via.str.ptr : NULL;
    *ret_key_size = text ? kv->key.via.str.size : 0;
    return &kv->val;
}

const PackValue *pack_find(const PackValue *v, const char *key)
{
    for (size_t i = 0, n = v->type == MSGPACK_OBJECT_MAP ? v->via.map.size : 0; i < n; i++) {
        const char *name;
        size_t size;
        const PackValue *value = pack_pair(v, i, &name, &size);
        if (name && size == strlen(key) && memcmp(name, key, size) == 0)
            return value;
    }
    return NULL;
}
