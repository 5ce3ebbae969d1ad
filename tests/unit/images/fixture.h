/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A state directory with an image store in a temporary place, and things to import into it. */
#include "images/image-store.h"
#include "images/import.h"
#include "tests/unit/test.h"

typedef struct Fixture {
    char *top; /* a directory of this test alone; the current one while it runs */
    int state; /* top/state */
    ImageStore *store;
} Fixture;

/* cmocka set-up and tear-down: *state is a Fixture with its store open for writing. */
int fixture_new(void **state);
int fixture_free(void **state);
/* Opens the store anew, as the next program would. */
void fixture_reopen(Fixture *f);

/* Runs a shell command in the top directory; it must end with status 0. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Its exit status instead. */
int shell_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All that it prints, malloc'ed, without the last line end. */
char *shell_output(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A directory with busybox, links, a device node (as root) and files of several modes. */
void make_rootfs(const char *directory);
/* The same as an OCI layout with a configuration, tagged "latest". */
void make_layout(const char *directory);

/* The mode that a file has in an image, in octal with its type: "104755". (dump.erofs leaves out what is above 0777.) malloc'ed. */
char *mode_in_image(const char *blob, const char *path);

/* Imports and expects success: its digest, malloc'ed. */
char *import_ok(Fixture *f, const char *source, const char *name);
/* Imports and expects this error; the sentence must contain `words`. Nothing may be left over. */
void import_fails(Fixture *f, const ImportOptions *options, int error, const char *words);
/* No work directory, no half-written file, no record without an image. */
void assert_clean(Fixture *f);
/* How many images there are. */
size_t count_images(Fixture *f);
