/* SPDX-License-Identifier: Apache-2.0 */
/* What is nothing but zeros takes no memory in a template, and reads as before. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backends/qemu/template-trim.h"
#include "tests/unit/test.h"

enum { PAGES = 64 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int memory_file(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static size_t pages_there(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return (size_t)st.st_blocks * 512 / page_size();
}

static void put(int fd, size_t page, size_t offset, char byte)
{
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(page * page_size() + offset)), 1);
}

static void test_pages_of_zeros_are_cut_out_and_nothing_else_changes(void **state)
{
    size_t size = PAGES * page_size();
    _cleanup_(closep) int fd = memory_file(size);
    _cleanup_(freep) char *before = calloc(1, size), *after = calloc(1, size);

    /* Of zeros, but there; of one byte at either end; and of holes from 40 on, but for one. */
    for (size_t i = 0; i < 40; i++)
        put(fd, i, 7, 0);
    put(fd, 3, 0, 1);
    put(fd, 10, page_size() - 1, 1);
    put(fd, 11, 100, 1);
    put(fd, 39, 1, 1);
    put(fd, PAGES - 1, 0, 1);
    assert_int_equal(pread(fd, before, size, 0), size);
    assert_true(pages_there(fd) >= 41);

    template_trim(fd);
    assert_int_equal(pages_there(fd), 5);
    assert_int_equal(pread(fd, after, size, 0), size);
    assert_memory_equal(before, after, size);
    /* Nothing is left that would keep it from being sealed. */
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    /* And again, of what is sealed by now. */
    template_trim(fd);
    assert_int_equal(pread(fd, after, size, 0), size);
    assert_memory_equal(before, after, size);
}

static void test_what_is_all_zeros_or_empty_or_no_file_is_no_trouble(void **state)
{
    _cleanup_(closep) int zeros = memory_file(PAGES * page_size()), empty = memory_file(0),
                          odd = memory_file(page_size() + 1);

    for (size_t i = 0; i < PAGES; i++)
        put(zeros, i, 0, 0);
    template_trim(zeros);
    assert_int_equal(pages_there(zeros), 0);
    template_trim(zeros);
    template_trim(empty);
    put(odd, 0, 0, 0);
    template_trim(odd);
    assert_int_equal(pages_there(odd), 1);
    template_trim(-1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_of_zeros_are_cut_out_and_nothing_else_changes),
        cmocka_unit_test(test_what_is_all_zeros_or_empty_or_no_file_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
