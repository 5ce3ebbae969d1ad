/* SPDX-License-Identifier: Apache-2.0 */
/* What people see: texts, tables, the page of a pod. The clock stands still. */
#include <locale.h>

#include "cli/pod-view.h"
#include "cli/text.h"
#include "tests/unit/test.h"

#define NOW (UINT64_C(1795456800) * USEC_PER_SEC) /* Mon 2026-11-23 18:00:00 UTC */

static void assert_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void test_memory_is_rounded(void **state)
{
    assert_text(text_memory(0), "0B");
    assert_text(text_memory(1023), "1023B");
    assert_text(text_memory(1536), "1.5K");
    assert_text(text_memory(58 * 1024 * 1024 + 300000), "58M");
    assert_text(text_memory(UINT64_C(3) << 29), "1.5G");
    assert_text(text_memory(UINT64_C(1) << 30), "1G");
    assert_text(text_memory(UINT64_MAX), "1048576T");
}

static void test_processor_time_is_over_the_life(void **state)
{
    assert_text(text_cpu(USEC_PER_SEC, NOW - 10 * USEC_PER_SEC, NOW), "10.0%");
    assert_text(text_cpu(300, NOW - 100 * USEC_PER_MSEC, NOW), "0.3%");
    assert_text(text_cpu(20 * USEC_PER_SEC, NOW - 10 * USEC_PER_SEC, NOW), "200.0%");
    assert_text(text_cpu(5, 0, NOW), "-");
    assert_text(text_cpu(5, NOW + 1, NOW), "-");
}

static void test_times_are_relative(void **state)
{
    assert_text(text_age(NOW - 2 * USEC_PER_HOUR, NOW), "2h ago");
    assert_text(text_age(0, NOW), "-");
    assert_text(text_until(NOW + 3400 * USEC_PER_MSEC, NOW), "in 3s");
    assert_text(text_until(NOW - 1, NOW), "now");
    assert_text(text_time(NOW), "Mon 2026-11-23 18:00:00 UTC");
}

static void test_ends_are_exact(void **state)
{
    assert_text(text_exit(3, 0), "exit status 3");
    assert_text(text_exit(-1, 9), "killed by SIGKILL");
    assert_text(text_exit(-1, 0), "-");
    assert_text(text_exit(-1, UINT64_MAX), "killed by signal 32767");
}

static void test_text_of_strangers_cannot_steer_the_terminal(void **state)
{
    assert_text(text_safe("a\033[2Jb\r\n"), "a\\x1b[2Jb\\x0d\\x0a");
    assert_text(text_safe("C:\\dir \303\251 \302\233"), "C:\\dir \303\251 \\xc2\\x9b");
    assert_text(text_safe(NULL), "");
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

static char *printed(const Table *t, TableStyle style)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_success(table_print(t, &style, f));
    (void)fclose(f);
    return text;
}

static const Column columns[] = { { "NAME", .shrink = true }, { "N", .right = true }, { "WHAT" } };

static Table *table_of(const char *const *cells, size_t n)
{
    Table *t;

    assert_success(table_new(columns, ELEMENTSOF(columns), &t));
    for (size_t i = 0; i < n; i++)
        table_add(t, strdup(cells[i]), i == 2 ? COLOUR_BAD : COLOUR_NONE);
    return t;
}

static const char *const cells[] = { "a", "1", "x", "a-long-name", "1000", "longer" };

static void test_columns_are_aligned_and_no_line_ends_with_a_blank(void **state)
{
    _cleanup_(table_freep) Table *t = table_of(cells, ELEMENTSOF(cells));

    assert_text(printed(t, (TableStyle){ .legend = true }), "NAME            N  WHAT\n"
                                                            "a               1  x\n"
                                                            "a-long-name  1000  longer\n");
    assert_text(printed(t, (TableStyle){ 0 }), "a               1  x\n"
                                               "a-long-name  1000  longer\n");
}

static void test_a_narrow_terminal_cuts_what_may_be_cut(void **state)
{
    _cleanup_(table_freep) Table *t = table_of(cells, ELEMENTSOF(cells));

    assert_text(printed(t, (TableStyle){ .width = 21 }), "a           1  x\n"
                                                         "a-lo...  1000  longer\n");
}

static void test_columns_are_left_out_before_any_is_cut(void **state)
{
    static const Column some[] = { { "NAME", .shrink = true }, { "B", .drop = 2 }, { "A", .drop = 1 } };
    static const char *const texts[] = { "a-long-name", "second", "first" };
    _cleanup_(table_freep) Table *t = NULL;

    assert_success(table_new(some, ELEMENTSOF(some), &t));
    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        table_add(t, strdup(texts[i]), COLOUR_NONE);
    assert_text(printed(t, (TableStyle){ .width = 26 }), "a-long-name  second  first\n");
    assert_text(printed(t, (TableStyle){ .width = 25 }), "a-long-name  second\n");
    assert_text(printed(t, (TableStyle){ .width = 18, .legend = true }), "NAME\na-long-name\n");
    assert_text(printed(t, (TableStyle){ .width = 10 }), "a-long-...\n");
}

static void test_colours_do_not_move_columns(void **state)
{
    _cleanup_(table_freep) Table *t = table_of(cells, ELEMENTSOF(cells));

    assert_text(printed(t, (TableStyle){ .colours = true }), "a               1  \033[1;31mx\033[0m\n"
                                                             "a-long-name  1000  longer\n");
}

static void test_wide_characters_take_their_room(void **state)
{
    static const char *const wide[] = { "\346\227\245\346\234\254", "1", "x", "abcd", "2", "y" };
    _cleanup_(table_freep) Table *t = table_of(wide, ELEMENTSOF(wide));

    assert_text(printed(t, (TableStyle){ 0 }), "\346\227\245\346\234\254  1  x\nabcd  2  y\n");
}

static void test_a_cell_that_was_lost_fails_the_table(void **state)
{
    _cleanup_(table_freep) Table *t = table_of(cells, ELEMENTSOF(cells));
    TableStyle style = { 0 };

    table_add(t, NULL, COLOUR_NONE);
    assert_int_equal(table_print(t, &style, stderr), -ENOMEM);
}

/* --- pods ------------------------------------------------------------------------------------------------------- */

static PodStatus pod(const char *name)
{
    PodStatus s;

    assert_success(schema_init(&pod_status_schema, &s));
    s.name = strdup(name);
    s.description = strdup("Front page");
    s.file = strdup("/etc/podvisor/pods.d/web.pod");
    s.backend = strdup("qemu");
    s.state = POD_READY;
    s.since = NOW - 12 * USEC_PER_SEC;
    s.containers_ready = s.containers_total = 1;
    s.generation = 5;
    s.restarts = 1;
    s.vmm_pid = 4711;
    s.runner_pid = 4700;
    s.vmm_started = NOW - 100 * USEC_PER_SEC;
    s.memory = 58 << 20;
    s.cpu_time = 100 * USEC_PER_MSEC;
    s.accelerator = strdup("tcg");
    s.kernel = strdup("6.1.0-28-cloud-amd64");
    ContainerReport *c = field_append(schema_field(&pod_status_schema, "containers"), &s);
    c->name = strdup("httpd");
    c->state = CONTAINER_RUNNING;
    c->started = NOW - 20 * USEC_PER_SEC;
    return s;
}

static char *page(const PodStatus *s)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_success(pod_page_print(s, NULL, NOW, false, f));
    (void)fclose(f);
    return text;
}

static void test_the_list_is_as_the_manual_shows_it(void **state)
{
    PodStatus items[] = { pod("db"), pod("web") };
    PodList list = { .items = items, .n_items = 2 };
    TableStyle style = { .legend = true };
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    items[0].state = POD_BACKOFF;
    items[0].vmm_pid = 0;
    items[0].containers_ready = 0;
    assert_success(pod_table_print(&list, NOW, &style, f));
    (void)fclose(f);
    assert_text(text, "POD  STATE    READY  BACKEND  GEN  RESTARTS   CPU  MEMORY  SINCE\n"
                      "db   backoff  0/1    qemu       5         1     -       -  12s ago\n"
                      "web  ready    1/1    qemu       5         1  0.1%     58M  12s ago\n");
    schema_done(&pod_status_schema, &items[0]);
    schema_done(&pod_status_schema, &items[1]);
}

static void assert_list_fits(const PodList *list, int width, const char *expected)
{
    TableStyle style = { .legend = true, .width = width };
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_success(pod_table_print(list, NOW, &style, f));
    (void)fclose(f);
    assert_text(text, expected);
}

static void test_the_list_can_be_read_in_forty_columns(void **state)
{
    PodStatus items[] = { pod("database-of-the-shop"), pod("web") };
    PodList list = { .items = items, .n_items = 2 };

    assert_list_fits(&list, 40,
                     "POD                   STATE  READY\n"
                     "database-of-the-shop  ready  1/1\n"
                     "web                   ready  1/1\n");
    assert_list_fits(&list, 60,
                     "POD                   STATE  READY   CPU  MEMORY  SINCE\n"
                     "database-of-the-shop  ready  1/1    0.1%     58M  12s ago\n"
                     "web                   ready  1/1    0.1%     58M  12s ago\n");
    assert_list_fits(&list, 24,
                     "POD         STATE  READY\n"
                     "databas...  ready  1/1\n"
                     "web         ready  1/1\n");
    schema_done(&pod_status_schema, &items[0]);
    schema_done(&pod_status_schema, &items[1]);
}

static void test_the_page_says_that_emulation_does_not_isolate(void **state)
{
    PodStatus s = pod("web");
    assert_success(id128_parse("12345678-1234-1234-1234-123456789abc", &s.uuid));

    assert_text(page(&s),
                "* web - Front page\n"
                "      State: ready since Mon 2026-11-23 17:59:48 UTC; 12s ago\n"
                "             (every container does what it should)\n"
                "       File: /etc/podvisor/pods.d/web.pod (generation 5)\n"
                "    Machine: qemu with tcg, NOT isolated by hardware (podvisor doctor says why)\n"
                "             process 4711, runner 4700, UUID 12345678-1234-1234-1234-123456789abc\n"
                "   Up since: Mon 2026-11-23 17:58:20 UTC; 1min ago\n"
                "     Kernel: 6.1.0-28-cloud-amd64\n"
                "     Memory: 58M resident\n"
                "        CPU: 0.1% (100ms)\n"
                "   Restarts: 1 restart of the machine\n"
                " Containers: 1 of 1 ready\n"
                "             httpd: running, started 20s ago\n");
    schema_done(&pod_status_schema, &s);
}

static void test_the_page_tells_of_a_lease_and_of_the_want_of_one(void **state)
{
    static const struct {
        const char *address, *server;
        usec_t expires;
        const char *trouble, *words;
    } rows[] = {
        { "10.0.0.57", "10.0.0.1", NOW + 90 * USEC_PER_SEC, NULL,
          "    Network: bridge br0, 10.0.0.57\n"
          "      Lease: of 10.0.0.1, until Mon 2026-11-23 18:01:30 UTC; in 1min" },
        { "10.0.0.57", "10.0.0.1", 0, NULL, "      Lease: of 10.0.0.1, for ever\n" },
        { "", NULL, 0, "it ran\nout",
          "    Network: bridge br0, no address\n"
          "             it ran\\x0aout\n" },
    };

    TABLE_FOREACH (row, rows) {
        PodStatus s = pod("web");
        s.bridge = strdup("br0");
        s.address = strdup(row->address);
        assert_success(str_replace(&s.lease_server, row->server));
        assert_success(str_replace(&s.lease_trouble, row->trouble));
        s.lease_expires = row->expires;
        _cleanup_(freep) char *text = page(&s);
        if (!strstr(text, row->words))
            fail_msg("%s", text);
        schema_done(&pod_status_schema, &s);
    }
}

static void test_the_page_of_a_failure_has_cause_console_and_errors(void **state)
{
    PodStatus s = pod("web");
    s.state = POD_BACKOFF;
    s.vmm_pid = 0;
    s.restarts = 0;
    s.reason = END_BOOT_TIMEOUT;
    s.message = strdup("no word within 90s\033[31m");
    s.next_start = NOW + 4 * USEC_PER_SEC;
    assert_success(strv_append(&s.console_tail, "Kernel panic - not syncing"));
    assert_success(strv_append(&s.console_tail, "---[ end"));
    assert_success(strv_append(&s.errors, "web.pod:3: memroy: unknown key"));
    assert_success(strv_append(&s.pending, "memory \"128M\" -> \"192M\""));
    s.containers[0].state = CONTAINER_BACKOFF;
    s.containers[0].restarts = 2;
    s.containers[0].exit_signal = 9;
    s.containers[0].oom_killed = true;
    s.containers[0].ended = NOW - USEC_PER_SEC;

    _cleanup_(freep) char *text = page(&s);
    assert_non_null(strstr(text, "    Machine: qemu, none runs\n"));
    assert_non_null(
        strstr(text, "             httpd: backoff; 2 restarts; killed by SIGKILL, out of memory, 1s ago\n"));
    assert_non_null(
        strstr(text, "   Last end: the guest's agent did not speak in time (boot-timeout)\n"
                     "             no word within 90s\\x1b[31m\n"
                     "    Console: Kernel panic - not syncing\n"
                     "             ---[ end\n"
                     " Next start: in 4s\n"
                     "     Errors: web.pod:3: memroy: unknown key\n"
                     "             (the last good definition, generation 5, goes on until this is mended)\n"
                     "    Pending: memory \"128M\" -> \"192M\"\n"));
    schema_done(&pod_status_schema, &s);
}

static void test_the_page_tells_what_containers_are_and_what_their_probes_said(void **state)
{
    PodStatus s = pod("web");
    ContainerReport *c = field_append(schema_field(&pod_status_schema, "containers"), &s);
    assert_success(str_replace(&c->name, "migrate"));
    c->role = CONTAINER_INIT;
    c->state = CONTAINER_ENDED;
    c->exit_code = 0;
    c->ended = NOW - USEC_PER_SEC;
    c = field_append(schema_field(&pod_status_schema, "containers"), &s);
    assert_success(str_replace(&c->name, "proxy"));
    c->role = CONTAINER_SIDECAR;
    c->state = CONTAINER_RUNNING;
    c->started = NOW - 9 * USEC_PER_SEC;
    c->restarts = 1;
    assert_success(str_replace(&c->message, "alive probe failed: no answer within 1s"));
    assert_success(str_replace(&c->probe_failure, "alive probe failed: no answer within 1s"));
    s.containers[0].unready = true;
    assert_success(str_replace(&s.containers[0].probe_failure, "ready probe failed: HTTP status 503\033"));
    s.containers[0].probe_failed = NOW - 2 * USEC_PER_SEC;

    _cleanup_(freep) char *text = page(&s);
    assert_non_null(strstr(text, "httpd: running, not ready, started 20s ago; "
                                 "ready probe failed: HTTP status 503\\x1b (2s ago)\n"));
    assert_non_null(strstr(text, "migrate (init): ended; exit status 0, 1s ago\n"));
    assert_non_null(strstr(text, "proxy (sidecar): running, started 9s ago; 1 restart; "
                                 "alive probe failed: no answer within 1s\n"));
    schema_done(&pod_status_schema, &s);
}

static void test_the_status_of_a_machines_process_is_none_of_its_containers(void **state)
{
    PodStatus s = pod("job");
    s.state = POD_FAILED;
    s.reason = END_COMPLETED;
    s.exit_code = 0; /* QEMU's own, and in order */
    assert_success(str_replace(&s.message, "container work ended with exit status 3"));

    _cleanup_(freep) char *text = page(&s);
    assert_non_null(strstr(text, "all containers ended, and none is to be started again (completed)\n"));
    assert_non_null(strstr(text, "container work ended with exit status 3\n"));
    schema_done(&pod_status_schema, &s);
}

static void test_the_page_tells_why_podvisord_ended_a_machine(void **state)
{
    static const struct {
        const char *cause, *text;
        EndReason reason;
        bool overdue;
    } rows[] = {
        { "its definition changed", "its definition changed; it stopped as asked (stopped)\n", END_STOPPED },
        { "an operator killed it", "an operator killed it; it was killed as asked (killed)\n", END_KILLED },
        { "an operator stopped it",
          "an operator stopped it; it did not stop in time, and was killed (killed)\n", END_KILLED, true },
    };

    TABLE_FOREACH (row, rows) {
        PodStatus s = pod("web");
        s.reason = row->reason;
        s.end_cause = strdup(row->cause);
        s.overdue = row->overdue;
        _cleanup_(freep) char *text = page(&s), *expected = strf("   Last end: %s", row->text);
        assert_non_null(strstr(text, expected));
        schema_done(&pod_status_schema, &s);
    }
}

static void test_an_empty_status_is_shown_all_the_same(void **state)
{
    PodStatus s;

    for (int i = 0; i < POD_STATE_MAX; i++) {
        assert_success(schema_init(&pod_status_schema, &s));
        s.state = (PodState)i;
        _cleanup_(freep) char *text = page(&s);
        assert_null(strstr(text, "(null)"));
        schema_done(&pod_status_schema, &s);
    }
}

static void test_doubt_is_not_taken_for_nothing(void **state)
{
    PodStatus s = pod("web");
    s.state = POD_INDETERMINATE;
    s.vmm_pid = 0;

    _cleanup_(freep) char *text = page(&s);
    assert_non_null(strstr(text, "    Machine: qemu, it is not known whether one runs\n"));
    assert_non_null(
        strstr(text, "`podvisor adopt web` if the machine is the pod's, `podvisor forget web` if none runs"));
    schema_done(&pod_status_schema, &s);
}

static void test_a_failure_is_told_with_what_to_look_at(void **state)
{
    PodStatus s = pod("web");
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    s.state = POD_FAILED;
    s.reason = END_GUEST_PANIC;
    assert_success(strv_append(&s.console_tail, "Kernel panic"));

    pod_failure_print(&s, "did not start", NOW, f);
    (void)fclose(f);

    assert_text(text, "web did not start: the guest's kernel panicked (guest-panic)\n"
                      "  the guest's console, last lines:\n"
                      "    Kernel panic\n"
                      "  look at: podvisor status web; podvisor logs web\n");
    schema_done(&pod_status_schema, &s);
}

static void test_of_a_pod_that_starts_the_end_before_is_not_told(void **state)
{
    PodStatus s = pod("web");
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    s.state = POD_STARTING;
    s.vmm_pid = 0;
    s.reason = END_KILLED;
    s.message = strdup("the last time");
    s.phase = strdup("the guest's agent");
    assert_success(strv_append(&s.console_tail, "of before"));
    s.containers[0].state = CONTAINER_FAILED;

    pod_failure_print(&s, "did not start in time", NOW, f);
    (void)fclose(f);

    assert_text(text, "web did not start in time: its machine starts, waiting for the guest's agent\n"
                      "  look at: podvisor status web; podvisor logs web\n");
    schema_done(&pod_status_schema, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_rounded),
        cmocka_unit_test(test_processor_time_is_over_the_life),
        cmocka_unit_test(test_times_are_relative),
        cmocka_unit_test(test_ends_are_exact),
        cmocka_unit_test(test_text_of_strangers_cannot_steer_the_terminal),
        cmocka_unit_test(test_columns_are_aligned_and_no_line_ends_with_a_blank),
        cmocka_unit_test(test_a_narrow_terminal_cuts_what_may_be_cut),
        cmocka_unit_test(test_columns_are_left_out_before_any_is_cut),
        cmocka_unit_test(test_colours_do_not_move_columns),
        cmocka_unit_test(test_wide_characters_take_their_room),
        cmocka_unit_test(test_a_cell_that_was_lost_fails_the_table),
        cmocka_unit_test(test_the_list_is_as_the_manual_shows_it),
        cmocka_unit_test(test_the_list_can_be_read_in_forty_columns),
        cmocka_unit_test(test_the_page_says_that_emulation_does_not_isolate),
        cmocka_unit_test(test_the_page_tells_of_a_lease_and_of_the_want_of_one),
        cmocka_unit_test(test_the_page_of_a_failure_has_cause_console_and_errors),
        cmocka_unit_test(test_the_page_tells_what_containers_are_and_what_their_probes_said),
        cmocka_unit_test(test_the_status_of_a_machines_process_is_none_of_its_containers),
        cmocka_unit_test(test_the_page_tells_why_podvisord_ended_a_machine),
        cmocka_unit_test(test_an_empty_status_is_shown_all_the_same),
        cmocka_unit_test(test_doubt_is_not_taken_for_nothing),
        cmocka_unit_test(test_a_failure_is_told_with_what_to_look_at),
        cmocka_unit_test(test_of_a_pod_that_starts_the_end_before_is_not_told),
    };
    assert(setenv("TZ", "UTC", 1) == 0);
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
