/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cmocka with the headers that it wants before it, and the little that every test here needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "base/strings.h"

#define assert_success(expression)                                                                           \
    do {                                                                                                     \
        int result_ = (int)(expression);                                                                     \
        if (result_ < 0)                                                                                     \
            fail_msg("%s: %s", #expression, strerror(-result_));                                             \
    } while (0)

/* A directory of the test's own, removed by test_dir_done(). */
typedef struct TestDir {
    char path[64];
    int fd;
} TestDir;

static inline _unused_ TestDir test_dir_new_in(const char *parent)
{
    TestDir d = { .fd = -1 };
    assert_in_range(snprintf(d.path, sizeof d.path, "%s/podvisor-test-XXXXXX", parent), 1, sizeof d.path - 1);
    assert_non_null(mkdtemp(d.path));
    d.fd = dir_open_at(AT_FDCWD, d.path);
    assert_true(d.fd >= 0);
    return d;
}

static inline _unused_ TestDir test_dir_new(void)
{
    return test_dir_new_in("/tmp");
}

/* Where fsync() costs nothing, if there is such a place: for tests that replace files a thousand times. On a disk that others
 * write to as well, each may take a tenth of a second. Nothing is executed from there on every host. */
static inline _unused_ TestDir test_dir_new_in_memory(void)
{
    return test_dir_new_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

static inline _unused_ void test_dir_done(TestDir *d)
{
    safe_close(d->fd);
    assert_success(tree_remove_at(AT_FDCWD, d->path));
}
