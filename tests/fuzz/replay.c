/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over the folder of the file given as argument: each entry whole, cut short at every byte, and with
 * seeded random changes, so that a run is repeatable and a crash names its input.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/file.h"
#include "base/strings.h"
#include "tests/fuzz/target.h"

enum { MUTATIONS = 1000 };

static uint32_t seed = 1;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static void mutate(Bytes *b)
{
    size_t changes = 1 + next_random() % 8;

    while (changes-- > 0 && b->size > 0) {
        size_t at = next_random() % b->size;
        switch (next_random() % 3) {
        case 0:
            b->data[at] ^= (uint8_t)(1 << (next_random() % 8));
            break;
        case 1:
            b->data[at] = (uint8_t)next_random();
            break;
        default:
            memmove(b->data + at, b->data + at + 1, b->size - at - 1);
            b->size--;
            break;
        }
    }
}

static void replay(const Bytes *entry)
{
    fuzz_one(entry->data, entry->size);
    for (size_t n = 0; n < entry->size; n++)
        fuzz_one(entry->data, n);
    for (int i = 0; i < MUTATIONS; i++) {
        Bytes copy = { 0 };
        if (bytes_append(&copy, entry->data, entry->size) < 0)
            abort();
        mutate(&copy);
        fuzz_one(copy.data, copy.size);
        bytes_done(&copy);
    }
}

int main(int argc, char *argv[])
{
    char *slash = argc == 2 ? strrchr(argv[1], '/') : NULL;
    size_t n = 0;

    if (!slash)
        return EXIT_FAILURE;
    *slash = 0;
    DIR *d = opendir(argv[1]);
    if (!d)
        return EXIT_FAILURE;
    for (struct dirent *e; (e = readdir(d));) {
        Bytes entry = { 0 };
        if (file_read_at(dirfd(d), e->d_name, 1 << 20, &entry) < 0)
            continue;
        replay(&entry);
        bytes_done(&entry);
        n++;
    }
    closedir(d);
    printf("%zu entries replayed\n", n);
    return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
