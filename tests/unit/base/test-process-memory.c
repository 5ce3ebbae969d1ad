/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a process's memory. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/process-memory.h"
#include "tests/unit/test.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

#define NUMBERS                                                                                              \
    "Size:             %d kB\nKernelPageSize:        4 kB\nRss:               %d kB\n"                       \
    "Pss:               %d kB\nPss_Dirty:           999 kB\nPrivate_Dirty:       999 kB\n"                   \
    "Anonymous:             3 kB\nSwap:                999 kB\nSwapPss:             3 kB\n"                  \
    "Locked:                0 kB\nTHPeligible:           0\n"

static ProcessMemory parsed(const char *text)
{
    ProcessMemory m;

    assert_success(process_memory_parse(text, strlen(text), &m));
    return m;
}

static void test_mappings_are_added_up(void **state)
{
    _cleanup_(freep) char *text = strf(
        "00400000-00500000 r-xp 00000000 08:01 77    /usr/bin/qemu\n" NUMBERS "VmFlags: rd ex mr mw me \n"
        "7f0000000000-7f0100000000 rw-p 00000000 00:00 0 \n" NUMBERS
        "VmFlags: rd wr mr mw me dc ac dd hg mg \n"
        "7f0200000000-7f0300000000 rw-s 00000000 00:01 4 /memfd:memory-backend (deleted)\n" NUMBERS
        "VmFlags: rd wr sh mr mw me ms sd \n",
        100, 50, 10, 1000, 500, 100, 10000, 5000, 1000);
    ProcessMemory m = parsed(text);

    assert_int_equal(m.all.size, 11100 * KIB);
    assert_int_equal(m.all.resident, 5550 * KIB);
    assert_int_equal(m.all.proportional, 1110 * KIB);
    assert_int_equal(m.all.own, 5006 * KIB);
    assert_int_equal(m.all.swapped, 9 * KIB);
    /* What no child shall have, and memory files. */
    assert_int_equal(m.guest.size, 11000 * KIB);
    assert_int_equal(m.guest.proportional, 1100 * KIB);
    assert_int_equal(m.guest.own, 5003 * KIB);
}

static void test_the_sums_alone_are_read_too(void **state)
{
    ProcessMemory m =
        parsed("55d1c0000000-7ffd1e5ff000 ---p 00000000 00:00 0    [rollup]\n"
               "Rss:             4000 kB\nPss:              700 kB\nPss_Anon:         400 kB\n"
               "Private_Clean:      0 kB\nAnonymous:        600 kB\nSwapPss:            0 kB\n");

    assert_int_equal(m.all.resident, 4000 * KIB);
    assert_int_equal(m.all.proportional, 700 * KIB);
    assert_int_equal(m.all.own, 600 * KIB);
    assert_int_equal(m.guest.proportional, 0);
}

static void test_huge_pages_count_where_the_kernel_leaves_them_out(void **state)
{
    ProcessMemory m = parsed("7f0000000000-7f0100000000 rw-p 00000000 00:0f 9 /anon_hugepage (deleted)\n"
                             "Rss: 0 kB\nPss: 0 kB\nShared_Hugetlb: 2048 kB\nPrivate_Hugetlb: 4096 kB\n"
                             "VmFlags: rd wr mr mw me dc de ht \n");

    assert_int_equal(m.all.resident, 6 * MIB);
    assert_int_equal(m.all.proportional, 6 * MIB);
    assert_int_equal(m.guest.own, 4 * MIB);
}

static void test_a_path_as_long_as_paths_can_be_is_no_hindrance(void **state)
{
    char path[4096] = { 0 };
    memset(path, 'x', sizeof path - 1);
    _cleanup_(freep) char *text =
        strf("00400000-00500000 r-xp 00000000 08:01 77 /%s\n" NUMBERS "VmFlags: rd \n", path, 8, 4, 2);

    assert_int_equal(parsed(text).all.proportional, 2 * KIB);
}

static void test_other_text_is_refused(void **state)
{
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        { "", -ENODATA },
        { "Rss: 4 kB\n", -EBADMSG },
        { "0-1 r\nRss: -4 kB\n", -EBADMSG },
        { "0-1 r\nRss: 4\n", -EBADMSG },
        { "0-1 r\nRss: kB\n", -EBADMSG },
        { "0-1 r\nRss: 4 kB and more\n", -EBADMSG },
        { "0-1 r\nPss: 18446744073709551615 kB\n", -EBADMSG },
        { "0-1 r\nPss: 99999999999999999999999999999999 kB\n", -EBADMSG },
        { "0-1 r\nPss: 18014398509481983 kB\n0-1 r\nPss: 18014398509481983 kB\n", -EBADMSG },
    };
    ProcessMemory m = { .all.size = 7 };

    TABLE_FOREACH (c, cases)
        assert_int_equal(process_memory_parse(c->text, strlen(c->text), &m), c->error);
    assert_int_equal(m.all.size, 7);
}

static ProcessMemory own(ProcessMemoryDetail detail)
{
    ProcessMemory m;
    _cleanup_(closep) int proc = dir_open_at(AT_FDCWD, "/proc/self");

    assert_true(proc >= 0);
    assert_success(process_memory_read(proc, detail, &m));
    return m;
}

static void test_what_this_process_gives_a_guest_is_told_apart(void **state)
{
    ProcessMemory before = own(PROCESS_MEMORY_MAPS);
    char *p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(madvise(p, 8 * MIB, MADV_NOHUGEPAGE), 0);
    assert_int_equal(madvise(p, 8 * MIB, MADV_DONTFORK), 0);
    memset(p, 1, 2 * MIB);

    ProcessMemory after = own(PROCESS_MEMORY_MAPS);
    assert_int_equal(after.guest.size - before.guest.size, 8 * MIB);
    assert_int_equal(after.guest.resident - before.guest.resident, 2 * MIB);
    assert_int_equal(after.guest.own - before.guest.own, 2 * MIB);
    assert_int_equal(after.guest.proportional - before.guest.proportional, 2 * MIB);
    assert_true(after.all.proportional >= after.guest.proportional);

    /* The sums are the same ones, but for what this test itself has used since. */
    ProcessMemory sums = own(PROCESS_MEMORY_SUMS);
    assert_in_range(sums.all.own, after.all.own - MIB, after.all.own + MIB);
    assert_int_equal(munmap(p, 8 * MIB), 0);
}

static void test_of_a_process_that_has_ended_nothing_is_read(void **state)
{
    ProcessMemory m;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    _cleanup_(freep) char *path = strf("/proc/%d", (int)pid);
    _cleanup_(closep) int proc = dir_open_at(AT_FDCWD, path);
    siginfo_t info;

    assert_success(process_memory_read(proc, PROCESS_MEMORY_SUMS, &m));
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_memory_read(proc, PROCESS_MEMORY_SUMS, &m), -ESRCH);
    assert_int_equal(process_memory_read(proc, PROCESS_MEMORY_MAPS, &m), -ESRCH);
    waitpid(pid, NULL, 0);
    assert_int_equal(process_memory_read(proc, PROCESS_MEMORY_SUMS, &m), -ESRCH);
    assert_int_equal(process_memory_read(proc, PROCESS_MEMORY_MAPS, &m), -ESRCH);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mappings_are_added_up),
        cmocka_unit_test(test_the_sums_alone_are_read_too),
        cmocka_unit_test(test_huge_pages_count_where_the_kernel_leaves_them_out),
        cmocka_unit_test(test_a_path_as_long_as_paths_can_be_is_no_hindrance),
        cmocka_unit_test(test_other_text_is_refused),
        cmocka_unit_test(test_what_this_process_gives_a_guest_is_told_apart),
        cmocka_unit_test(test_of_a_process_that_has_ended_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
