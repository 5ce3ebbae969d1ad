/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reads an archive, entry by entry, content piece by piece.
 *
 * Theory of operation
 * -------------------
 * tar_reader_next() passes over what is left of the entry before, reads the records that stand before a header (pax, and GNU's long
 * names), the header, and of a sparse file its map. tar_reader_data() then hands out the content, each piece with its
 * place in the file; holes are what lies between.
 *
 * The bytes are anybody's. Invariants: memory is bounded by TAR_RECORDS_MAX and TAR_MAP_MAX, whatever a header promises; each byte
 * is looked at a constant number of times; what is handed out keeps to archive/tar.h.
 */
#include "archive/tar.h"
#include "archive/trouble.h"

typedef struct TarReader TarReader;

/* As read(2): the number of bytes, 0 at the end, negative errno. */
typedef ssize_t (*TarReadFunc)(void *userdata, void *buffer, size_t size);

int tar_reader_new(TarReader **ret, TarReadFunc read, void *userdata);
TarReader *tar_reader_free(TarReader *r);
DEFINE_CLEANUP(TarReader *, tar_reader_free)

/* 1 with the entry, which lives until the next call; 0 at the archive's end; negative errno with t. */
int tar_reader_next(TarReader *r, const TarEntry **ret, Trouble *t);
/*
 * The next piece of the present entry's content, which lives until the next call, and where in the file it belongs: its size, 0 at the end,
 * negative errno with t.
 */
ssize_t tar_reader_data(TarReader *r, const uint8_t **ret, uint64_t *ret_offset, Trouble *t);
