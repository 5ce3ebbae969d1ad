/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar-header.h"
#include "archive/tar-reader.h"
#include "base/strings.h"
#include "tests/fuzz/target.h"

typedef struct Input {
    const uint8_t *data;
    size_t size;
} Input;

static ssize_t read_input(void *userdata, void *buffer, size_t size)
{
    Input *in = userdata;
    size_t n = MIN(size, in->size);

    memcpy(buffer, in->data, n);
    in->data += n;
    in->size -= n;
    return (ssize_t)n;
}

static void check_entry(const TarEntry *e)
{
    uint64_t end = 0;

    assert(e->type < TAR_TYPE_MAX && e->name && *e->name && strlen(e->name) < TAR_NAME_MAX);
    assert((e->type != TAR_SYMLINK && e->type != TAR_HARD_LINK) || *e->link);
    assert(e->mode <= 07777 && e->nanoseconds < 1000000000 && e->n_xattrs <= TAR_XATTRS_MAX);
    assert(e->size <= INT64_MAX && e->n_extents <= TAR_EXTENTS_MAX);
    for (size_t i = 0; i < e->n_extents; i++) {
        assert(e->extents[i].offset >= end);
        end = e->extents[i].offset + e->extents[i].size;
        assert(end <= e->size);
    }
}

static void read_all(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    _cleanup_(tar_reader_freep) TarReader *r = NULL;
    const TarEntry *e = NULL;
    Trouble t = { 0 };

    if (tar_reader_new(&r, read_input, &in) < 0)
        return;
    while (tar_reader_next(r, &e, &t) > 0) {
        const uint8_t *piece;
        uint64_t offset, next = 0;
        check_entry(e);
        for (ssize_t n; (n = tar_reader_data(r, &piece, &offset, &t)) > 0;) {
            assert(e->type == TAR_OTHER || (offset >= next && offset + (uint64_t)n <= e->size));
            next = offset + (uint64_t)n;
        }
    }
}

/* What a change has made of a header would go no further than its checksum. */
static void mend(uint8_t *data, size_t size)
{
    for (; size >= TAR_BLOCK; data += TAR_BLOCK, size -= TAR_BLOCK) {
        TarHeader h;
        memcpy(&h, data, sizeof h);
        if (memcmp(h.magic, "ustar", strlen("ustar")) != 0)
            continue;
        tar_checksum_write(&h);
        memcpy(data, &h, sizeof h);
    }
}

/* Whatever the bytes are, each entry keeps to its contract, and its content to its size. */
void fuzz_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    read_all(data, size);
    if (!copy)
        return;
    memcpy(copy, data, size);
    mend(copy, size);
    read_all(copy, size);
    free(copy);
}
