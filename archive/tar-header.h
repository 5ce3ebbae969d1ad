/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The block before an entry's content, as bytes. Shared by the reader and the writer. */
#include "archive/tar.h"

typedef struct TarHeader {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6]; /* "ustar"; of GNU's older format "ustar " */
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char unused[12];
} TarHeader;
_Static_assert(sizeof(TarHeader) == TAR_BLOCK, "a header is a block");

/* Octal digits between blanks, or GNU's binary numbers. 0 or -EBADMSG. */
int tar_number_read(const char *field, size_t size, int64_t *ret);
/* False: it does not fit, and stands as 0; a pax record has to say it. */
bool tar_number_write(char *field, size_t size, uint64_t value);

uint32_t tar_checksum(const TarHeader *h);
bool tar_checksum_right(const TarHeader *h);
void tar_checksum_write(TarHeader *h);
