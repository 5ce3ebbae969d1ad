/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cmocka with the headers that it wants before it, and the little that every test here needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static inline _unused_ TestDir test_dir_new(void)
{
    TestDir d = { .path = "/tmp/podvisor-test-XXXXXX" };
    assert_non_null(mkdtemp(d.path));
    d.fd = dir_open_at(AT_FDCWD, d.path);
    assert_true(d.fd >= 0);
    return d;
}

static inline _unused_ void test_dir_done(TestDir *d)
{
    safe_close(d->fd);
    assert_success(tree_remove_at(AT_FDCWD, d->path));
}
