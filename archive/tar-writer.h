/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What stands before an entry's content in an archive. Pure: bytes into a buffer. */
#include "archive/tar.h"

/*
 * Appends the head of the entry to out: its records where the header cannot say all, its header, and the map of a sparse file. What
 * follows is its content, tar_entry_content() bytes, then tar_padding() of that in zeros. 0, -ENOMEM, -ENAMETOOLONG, or -E2BIG for too many
 * attributes.
 */
int tar_write_head(Bytes *out, const TarEntry *e);
/* The end of an archive. */
int tar_write_end(Bytes *out);
