/* SPDX-License-Identifier: Apache-2.0 */
/* A process in a control group of its own that takes more than it may. Skipped where the test may make no such group. */
#include "tests/unit/guard.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backends/oom.h"

enum { LIMIT = 16 * 1024 * 1024 };

static const struct {
    const char *parent;
    const char *limit;
} hierarchies[] = {
    { "/sys/fs/cgroup", "memory.max" },
    { "/sys/fs/cgroup/memory", "memory.limit_in_bytes" },
};

static bool group_write(const char *group, const char *file, const char *text)
{
    _cleanup_(freep) char *path = strf("%s/%s", group, file);
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A group with the limit; NULL when no hierarchy lets this process have one. */
static char *group_new(void)
{
    _cleanup_(freep) char *limit = strf("%d", LIMIT);

    TABLE_FOREACH (h, hierarchies) {
        char *group = strf("%s/podvisor-test-%d", h->parent, (int)getpid());
        if (mkdir(group, 0700) == 0 && group_write(group, h->limit, limit))
            return group;
        (void)rmdir(group);
        free(group);
    }
    return NULL;
}

/* Waits for a word, then touches more memory than there is for it, or ends. */
static pid_t eater_new(int word, bool eats)
{
    pid_t pid = fork();
    char c;

    if (pid != 0)
        return pid;
    if (read(word, &c, 1) == 1 && eats) {
        char *p = mmap(NULL, 4 * LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; p != MAP_FAILED && i < 4 * LIMIT; i += 4096)
            ((volatile char *)p)[i] = 1;
    }
    _exit(0);
}

/* The status that the process ended with, and whether a watch of it has seen a kill for want of memory. */
static int watched_end(const char *group, bool eats, bool *ret_seen)
{
    OomWatch w = { 0 };
    int word[2], status;

    assert_int_equal(pipe2(word, O_CLOEXEC), 0);
    pid_t pid = eater_new(word[0], eats);
    _cleanup_(freep) char *text = strf("%d", (int)pid);
    assert_true(group_write(group, "cgroup.procs", text));
    oom_watch(&w, pid);
    assert_non_null(w.file);
    assert_int_equal(write(word[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *ret_seen = oom_seen(&w);
    oom_watch_done(&w);
    safe_close(word[0]);
    safe_close(word[1]);
    return status;
}

static void test_a_kill_for_want_of_memory_is_told_from_an_end(void **state)
{
    _cleanup_(freep) char *group = group_new();
    bool seen;

    if (!group)
        skip();
    assert_int_equal(watched_end(group, false, &seen), 0);
    assert_false(seen);
    assert_int_equal(WTERMSIG(watched_end(group, true, &seen)), SIGKILL);
    assert_true(seen);
    assert_int_equal(rmdir(group), 0);
}

static void test_without_a_count_nothing_is_claimed(void **state)
{
    OomWatch w = { 0 };

    assert_false(oom_seen(&w));
    oom_watch(&w, INT32_MAX);
    assert_false(oom_seen(&w));
    oom_watch_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kill_for_want_of_memory_is_told_from_an_end),
        cmocka_unit_test(test_without_a_count_nothing_is_claimed),
    };
    test_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
