/* SPDX-License-Identifier: Apache-2.0 */
/* What pods cost: whom it is asked of, the sum, and how it is shown. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/process.h"
#include "cli/pod-view.h"
#include "tests/unit/test.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

/* --- processes --------------------------------------------------------------------------------------------------------- */

static usec_t tick(void)
{
    return USEC_PER_SEC / (usec_t)sysconf(_SC_CLK_TCK);
}

static ProcessId self(void)
{
    ProcessId id;

    assert_success(process_identify(getpid(), &id));
    return id;
}

static int answer_for(MemoryProbe probe)
{
    memory_survey(&probe, 1);
    return probe.error;
}

static void test_a_process_that_has_begun_since_is_another_one(void **state)
{
    ProcessId id = self();
    usec_t begun = id.start_time * tick();

    assert_int_equal(answer_for((MemoryProbe){ .pid = id.pid, .asked = begun + tick() }), 0);
    assert_int_equal(answer_for((MemoryProbe){ .pid = id.pid, .asked = begun + tick() - 1 }), -ESTALE);
    assert_int_equal(answer_for((MemoryProbe){ .pid = id.pid, .start_time = id.start_time }), 0);
    assert_int_equal(answer_for((MemoryProbe){ .pid = id.pid, .start_time = id.start_time + 1 }), -ESRCH);
}

static pid_t spawn_waiter(size_t bytes)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        char *p = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(p, 1, bytes);
        (void)!write(ready[1], "", 1);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_one_that_has_ended_is_told_and_the_others_are_asked(void **state)
{
    ProcessId id = self();
    pid_t gone = spawn_waiter(0);
    end(gone);
    MemoryProbe probes[] = { { .pid = id.pid, .start_time = id.start_time },
                             { .pid = gone, .asked = USEC_INFINITY },
                             { .pid = 0 },
                             { .pid = id.pid, .start_time = id.start_time } };

    memory_survey(probes, ELEMENTSOF(probes));
    assert_int_equal(probes[0].error, 0);
    assert_int_equal(probes[1].error, -ESRCH);
    assert_int_equal(probes[2].error, -ESRCH);
    assert_int_equal(probes[3].error, 0);
    assert_true(probes[3].memory.all.own > 0);
    assert_true(probes[3].memory.all.resident >= probes[3].memory.all.proportional);
}

static void test_what_a_process_has_started_can_be_added(void **state)
{
    ProcessId id = self();
    pid_t child = spawn_waiter(8 * MIB);
    MemoryProbe probes[] = { { .pid = id.pid, .start_time = id.start_time },
                             { .pid = id.pid, .start_time = id.start_time, .with_children = true } };

    memory_survey(probes, ELEMENTSOF(probes));
    assert_int_equal(probes[1].error, 0);
    assert_true(probes[1].memory.all.own >= probes[0].memory.all.own + 8 * MIB);
    end(child);
}

/* In a child that is nobody. */
static void test_who_may_not_look_is_told_so(void **state)
{
    int status;

    if (geteuid() != 0)
        skip();
    pid_t other = spawn_waiter(0);
    pid_t pid = fork();
    if (pid == 0) {
        MemoryProbe probe = { .pid = other, .asked = USEC_INFINITY };
        if (setresuid(65534, 65534, 65534) < 0)
            _exit(1);
        memory_survey(&probe, 1);
        _exit(probe.error == -EACCES ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    end(other);
}

static bool hangs;

static void in_child(void)
{
    if (hangs)
        (void)raise(SIGSTOP);
}

static void in_parent(void)
{
    hangs = false;
}

static void test_one_that_cannot_be_read_holds_nobody_up_for_long(void **state)
{
    ProcessId id = self();
    MemoryProbe probes[3];

    for (size_t i = 0; i < ELEMENTSOF(probes); i++)
        probes[i] = (MemoryProbe){ .pid = id.pid, .start_time = id.start_time };
    /* The first child of the survey does not get to its first process. */
    assert_int_equal(pthread_atfork(NULL, in_parent, in_child), 0);
    hangs = true;
    usec_t before = now_usec(CLOCK_MONOTONIC);
    memory_survey(probes, ELEMENTSOF(probes));
    assert_true(now_usec(CLOCK_MONOTONIC) - before >= SURVEY_PATIENCE - USEC_PER_MSEC);
    assert_int_equal(probes[0].error, -ETIMEDOUT);
    assert_int_equal(probes[1].error, 0);
    assert_int_equal(probes[2].error, 0);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

/* --- the sum ----------------------------------------------------------------------------------------------------------- */

static void add_helper(PodStatus *s, HelperKind kind, uint64_t pid)
{
    HelperReport *h = field_append(schema_field(&pod_status_schema, "helpers"), s);

    *h = (HelperReport){ .kind = kind, .pid = pid, .start_time = pid * 10 };
}

static PodStatus pod(const char *name)
{
    PodStatus s;

    assert_success(schema_init(&pod_status_schema, &s));
    s.name = strdup(name);
    s.state = POD_READY;
    s.vmm_pid = 11;
    s.runner_pid = 12;
    s.memory_size = 192UL * MIB;
    return s;
}

static void test_all_processes_of_a_pod_are_asked(void **state)
{
    PodStatus s = pod("web");
    PodProbe meanings[POD_PROBES_MAX];
    MemoryProbe probes[POD_PROBES_MAX];

    add_helper(&s, HELPER_UPLINK, 13);
    add_helper(&s, HELPER_SHARE, 14);
    assert_int_equal(pod_memory_probes(&s, 7, 99, meanings, probes), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(probes[i].pid, 11 + (int)i);
        assert_int_equal(probes[i].start_time, i < 2 ? 0 : (11 + i) * 10);
        assert_int_equal(probes[i].asked, 99);
        assert_int_equal(probes[i].with_children, i >= 2);
        assert_int_equal(meanings[i].pod, 7);
    }
    assert_int_equal(probes[0].detail, PROCESS_MEMORY_MAPS);
    s.vmm_pid = 0;
    assert_int_equal(pod_memory_probes(&s, 7, 99, meanings, probes), 0);
    schema_done(&pod_status_schema, &s);
}

static void add(PodMemory *m, PodMemoryPart part, int error, uint64_t all, uint64_t guest)
{
    const PodProbe meaning = { .whose = "the machine's", .part = part };
    const MemoryProbe answer = {
        .pid = 11,
        .error = error,
        .memory = { .all = { .proportional = all },
                    .guest = { .proportional = guest, .resident = 3 * guest, .own = guest / 2 } },
    };

    assert_success(pod_memory_add(m, &meaning, &answer));
}

static void test_the_parts_are_the_whole(void **state)
{
    PodMemory m = { .known = true };
    uint64_t sum = 0;

    add(&m, POD_MEMORY_VMM, 0, 50UL * MIB, 10UL * MIB);
    add(&m, POD_MEMORY_RUNNER, 0, MIB, 0);
    add(&m, POD_MEMORY_NETWORK, 0, 30UL * MIB, 0);
    add(&m, POD_MEMORY_SHARES, 0, 4UL * MIB, 2UL * MIB);
    add(&m, POD_MEMORY_SHARES, -ESRCH, 0, 0);
    assert_true(m.known);
    assert_null(m.missing);
    assert_int_equal(m.guest, 12 * MIB);
    assert_int_equal(m.guest_resident, 30 * MIB);
    assert_int_equal(m.vmm, 40 * MIB);
    assert_int_equal(m.shares, 2 * MIB);
    for (int i = 0; i < POD_MEMORY_PART_MAX; i++)
        sum += pod_memory_part(&m, (PodMemoryPart)i);
    assert_int_equal(sum, m.total);
    assert_int_equal(m.total, 85 * MIB);
}

static void test_what_is_not_in_the_sum_is_said(void **state)
{
    PodMemory m = { .known = true };

    add(&m, POD_MEMORY_VMM, 0, 50UL * MIB, 10UL * MIB);
    add(&m, POD_MEMORY_NETWORK, -EACCES, 0, 0);
    assert_true(m.known);
    assert_int_equal(strv_length(m.missing), 1);
    assert_string_equal(m.missing[0], "process 11, the machine's: this user may not look at it; root may");
    add(&m, POD_MEMORY_RUNNER, -ETIMEDOUT, 0, 0);
    assert_false(m.known);
    schema_done(&pod_memory_schema, &m);
}

static void test_what_an_older_runner_began_is_not_passed_over(void **state)
{
    PodMemory m = { .known = true };
    PodStatus s = pod("web");

    s.backend = strdup("qemu");
    assert_success(pod_memory_add_unknown(&m, &s));
    assert_null(m.missing);
    s.address = strdup("10.0.2.15");
    assert_success(strv_append(&s.live, "site is /srv/www itself, for reading"));
    assert_success(pod_memory_add_unknown(&m, &s));
    assert_int_equal(strv_length(m.missing), 2);
    assert_non_null(strstr(m.missing[0], "its network: "));
    assert_non_null(strstr(m.missing[1], "its shares: "));
    /* Those that are known are asked; a bridge has no process. */
    strv_free(take_ptr(m.missing));
    add_helper(&s, HELPER_SHARE, 14);
    s.bridge = strdup("br0");
    assert_success(pod_memory_add_unknown(&m, &s));
    assert_null(m.missing);
    schema_done(&pod_status_schema, &s);
}

/* --- how it is shown ---------------------------------------------------------------------------------------------------- */

static void assert_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static const PodMemory copy = {
    .known = true,
    .total = 87UL * MIB + 668 * KIB,
    .guest = 10UL * MIB,
    .vmm = 46UL * MIB,
    .runner = 668UL * KIB,
    .network = 31UL * MIB,
    .guest_size = 192UL * MIB,
    .guest_resident = 28UL * MIB,
    .guest_own = 6UL * MIB,
};

static void test_the_line_is_an_equation(void **state)
{
    PodMemory cold = { .known = true,
                       .guest_size = 192UL * MIB,
                       .guest_resident = 90UL * MIB,
                       .guest_own = 90UL * MIB,
                       .guest = 90UL * MIB,
                       .vmm = 50UL * MIB,
                       .runner = 1UL * MIB,
                       .total = 141UL * MIB };
    PodMemory dark = { .missing = NULL }, swapped = cold;

    assert_text(pod_memory_text(&copy), "88M: guest 10M + VMM 46M + runner 668K + network 31M");
    assert_text(pod_memory_guest_text(&copy),
                "of the guest's 192M, 28M are in memory: 6M its own, 22M of the template");
    assert_text(pod_memory_text(&cold), "141M: guest 90M + VMM 50M + runner 1M");
    assert_text(pod_memory_guest_text(&cold), "of the guest's 192M, 90M are in memory");
    swapped.swapped = 3UL * MIB;
    assert_text(pod_memory_guest_text(&swapped),
                "of the guest's 192M, 90M are in memory; 3M of the pod's are on the "
                "host's swap");
    assert_text(pod_memory_text(&dark), "not known");
    assert_text(pod_memory_guest_text(&dark), "");
}

static char *printed(const PodStatus *items, const PodMemory *memories, size_t n, TableStyle style)
{
    PodList list = { .items = (PodStatus *)(uintptr_t)items, .n_items = n };
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_success(pod_memory_table_print(&list, memories, &style, f));
    (void)fclose(f);
    return text;
}

static void test_the_table_has_the_sum_of_all(void **state)
{
    PodStatus items[] = { pod("db"), pod("off"), pod("web") };
    char reason[] = "why", *missing[] = { reason, NULL };
    PodMemory memories[] = { copy, { 0 }, copy };

    items[1].state = POD_INACTIVE;
    memories[0].missing = missing;
    assert_text(printed(items, memories, 3, (TableStyle){ .legend = true }),
                "POD  STATE     SIZE  RESIDENT  GUEST  VMM  RUNNER  NETWORK  SHARES  COST\n"
                "db   ready     192M       28M    10M  46M    668K      31M       -  88M+\n"
                "off  inactive     -         -      -    -       -        -       -     -\n"
                "web  ready     192M       28M    10M  46M    668K      31M       -   88M\n"
                "\n"
                "2 pods cost 175M together.\n"
                "Of some, not all could be looked at; `podvisor status` says why.\n");
    assert_text(printed(items, memories, 1, (TableStyle){ .width = 30 }), "db  10M  46M  668K  31M  88M+\n");
    for (size_t i = 0; i < ELEMENTSOF(items); i++)
        schema_done(&pod_status_schema, &items[i]);
}

static void test_the_page_has_the_equation_under_what_is_resident(void **state)
{
    PodStatus s = pod("web");
    PodMemory m = copy;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    s.containers_total = 1;
    s.memory = 94UL * MIB;
    assert_success(strv_append(&m.missing, "process 9, a share's: this user may not look at it; root may"));
    assert_success(pod_page_print(&s, &m, USEC_PER_SEC, false, f));
    (void)fclose(f);
    assert_non_null(
        strstr(text, "     Memory: 94M resident\n"
                     "       Cost: more than 88M: guest 10M + VMM 46M + runner 668K + network 31M\n"
                     "             of the guest's 192M, 28M are in memory: 6M its own, 22M of the template\n"
                     "             process 9, a share's: this user may not look at it; root may\n"
                     "        CPU: "));
    free(text);
    strv_free(m.missing);
    schema_done(&pod_status_schema, &s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process_that_has_begun_since_is_another_one),
        cmocka_unit_test(test_one_that_has_ended_is_told_and_the_others_are_asked),
        cmocka_unit_test(test_what_a_process_has_started_can_be_added),
        cmocka_unit_test(test_who_may_not_look_is_told_so),
        cmocka_unit_test(test_one_that_cannot_be_read_holds_nobody_up_for_long),
        cmocka_unit_test(test_all_processes_of_a_pod_are_asked),
        cmocka_unit_test(test_the_parts_are_the_whole),
        cmocka_unit_test(test_what_is_not_in_the_sum_is_said),
        cmocka_unit_test(test_what_an_older_runner_began_is_not_passed_over),
        cmocka_unit_test(test_the_line_is_an_equation),
        cmocka_unit_test(test_the_table_has_the_sum_of_all),
        cmocka_unit_test(test_the_page_has_the_equation_under_what_is_resident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
