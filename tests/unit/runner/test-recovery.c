/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts: recovery, the reason of an end, the tail of the console. */
#include "backends/backend.h"
#include "runner/console-tail.h"
#include "runner/end.h"
#include "runner/recovery.h"
#include "tests/unit/test.h"

/* Calls func with each combination of facts that there can be. */
static void for_all_facts(void (*func)(const RecoveryFacts *facts, const RecoveryRow *row))
{
    for (int outcome = 0; outcome < CHECKPOINT_OUTCOME_MAX; outcome++)
        for (int runner = 0; runner < CHECKPOINT_OUTCOME_MAX; runner++)
            for (int step = 0; step < BACKEND_STEP_MAX; step++)
                for (unsigned bits = 0; bits < 64; bits++) {
                    BackendFacts b = {
                        .checkpoint = (CheckpointOutcome)outcome,
                        .step = (BackendStep)step,
                        .same_machine = bits & 1,
                        .same_boot = bits & 2,
                        .process = bits & 4,
                        .locked = bits & 8,
                    };
                    RecoveryFacts f = {
                        .backend = &b,
                        .runner = (CheckpointOutcome)runner,
                        .runner_same = bits & 16,
                        .runner_ended = bits & 32,
                    };
                    func(&f, recovery_find(&f));
                }
}

static void check_row(const RecoveryFacts *f, const RecoveryRow *row)
{
    const BackendFacts *b = f->backend;

    assert_non_null(row);
    if (b->locked || b->process) {
        /* Something may run: nothing is started, and no end is told. */
        assert_true(row->action != RECOVERY_START && row->action != RECOVERY_REPORT_END);
    }
    if (row->action == RECOVERY_ADOPT)
        assert_true(b->checkpoint == CHECKPOINT_GOOD && b->same_machine && b->same_boot && b->process);
    bool damaged = b->checkpoint > CHECKPOINT_ABSENT || f->runner > CHECKPOINT_ABSENT;
    if (damaged)
        assert_int_equal(row->verdict, VERDICT_INDETERMINATE);
    if (row->verdict == VERDICT_INDETERMINATE || row->verdict == VERDICT_FOREIGN)
        assert_int_equal(row->action, RECOVERY_WAIT);
}

static void every_combination_of_facts_has_a_safe_row(void **state)
{
    for_all_facts(check_row);
}

static bool row_used[64];

static void mark_row(const RecoveryFacts *f, const RecoveryRow *row)
{
    row_used[row - recovery_table] = true;
}

static void every_row_is_of_use(void **state)
{
    for_all_facts(mark_row);
    for (size_t i = 0; i < recovery_table_length; i++)
        if (!row_used[i])
            fail_msg("no facts lead to row %zu: %s", i, recovery_table[i].why);
}

static void an_end_is_seen_in_the_light_of_what_was_asked(void **state)
{
    static const struct {
        RunnerRecord record;
        EndReason seen, reason;
    } rows[] = {
        { { 0 }, END_GUEST_SHUTDOWN, END_GUEST_SHUTDOWN },
        { { .stop_asked = true }, END_GUEST_SHUTDOWN, END_STOPPED },
        { { .completed = true }, END_GUEST_SHUTDOWN, END_COMPLETED },
        { { .completed = true, .stop_asked = true }, END_GUEST_SHUTDOWN, END_STOPPED },
        { { .stop_asked = true }, END_LOST, END_STOPPED },
        { { .stop_asked = true }, END_VMM_SIGNAL, END_VMM_SIGNAL },
        { { .stop_asked = true, .kill_reason = END_KILLED }, END_VMM_SIGNAL, END_KILLED },
        { { .kill_reason = END_BOOT_TIMEOUT }, END_VMM_SIGNAL, END_BOOT_TIMEOUT },
        { { .kill_reason = END_BOOT_TIMEOUT }, END_GUEST_PANIC, END_GUEST_PANIC },
        { { .kill_reason = END_KILLED }, END_LOST, END_KILLED },
        { { 0 }, END_VMM_OOM, END_VMM_OOM },
        { { .power_button = true }, END_GUEST_SHUTDOWN, END_POWER_BUTTON },
        { { .power_button = true }, END_LOST, END_POWER_BUTTON },
        { { .power_button = true }, END_GUEST_PANIC, END_GUEST_PANIC },
        { { .power_button = true, .completed = true }, END_GUEST_SHUTDOWN, END_COMPLETED },
        { { .power_button = true, .stop_asked = true }, END_GUEST_SHUTDOWN, END_STOPPED },
        { { .power_button = true, .kill_reason = END_KILLED }, END_VMM_SIGNAL, END_KILLED },
    };

    TABLE_FOREACH (row, rows)
        assert_int_equal(end_reason_of(&row->record, row->seen), row->reason);
}

static char **tail_of(const char *text, size_t size, size_t lines)
{
    TestDir d = test_dir_new();
    char **v = NULL;

    assert_success(file_replace_at(d.fd, BACKEND_CONSOLE_FILE, text, size, 0600));
    assert_success(console_tail(d.fd, lines, &v));
    test_dir_done(&d);
    return v;
}

static void the_last_lines_of_the_console_are_escaped(void **state)
{
    static const char text[] = "one\r\n\r\ntwo\033[2J\nthree";
    _cleanup_(strv_freep) char **v = tail_of(text, sizeof text - 1, 2);

    assert_int_equal(strv_length(v), 2);
    assert_string_equal(v[0], "two\\x1b[2J");
    assert_string_equal(v[1], "three");
}

static void what_a_kernel_says_that_is_well_is_left_out(void **state)
{
    static const char text[] = "[    0.341587] PCI: Fatal: No config space access function found\r\n"
                               "[    0.34159x] PCI: Fatal: No config space access function found\n"
                               "one\n"
                               "[\n"
                               "[ 1234.000001] PCI: Fatal: No config space access function found\n"
                               "PCI: Fatal: No config space access function found\n"
                               "[    2.000000] PCI: Fatal: something else\n";
    _cleanup_(strv_freep) char **v = tail_of(text, sizeof text - 1, 10);

    assert_int_equal(strv_length(v), 4);
    assert_non_null(strstr(v[0], "0.34159x"));
    assert_string_equal(v[1], "one");
    assert_string_equal(v[2], "[");
    assert_non_null(strstr(v[3], "something else"));
}

static void noise_takes_no_room_from_the_last_lines(void **state)
{
    static const char text[] = "one\ntwo\n[    0.341587] PCI: Fatal: No config space access function found\n";
    _cleanup_(strv_freep) char **v = tail_of(text, sizeof text - 1, 2);

    assert_int_equal(strv_length(v), 2);
    assert_string_equal(v[0], "one");
}

static void a_line_without_end_is_cut(void **state)
{
    char *text = malloc(BACKEND_CONSOLE_MAX);
    assert_non_null(text);
    memset(text, 'x', BACKEND_CONSOLE_MAX);
    _cleanup_(strv_freep) char **v = tail_of(text, BACKEND_CONSOLE_MAX, 100);

    assert_int_equal(strv_length(v), 1);
    assert_int_equal(strlen(v[0]), CONSOLE_TAIL_LINE_MAX);
    free(text);
}

static void no_console_has_no_lines(void **state)
{
    TestDir d = test_dir_new();
    char **v = NULL;

    assert_success(console_tail(d.fd, 3, &v));
    assert_null(v);
    test_dir_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_of_facts_has_a_safe_row),
        cmocka_unit_test(every_row_is_of_use),
        cmocka_unit_test(an_end_is_seen_in_the_light_of_what_was_asked),
        cmocka_unit_test(the_last_lines_of_the_console_are_escaped),
        cmocka_unit_test(what_a_kernel_says_that_is_well_is_left_out),
        cmocka_unit_test(noise_takes_no_room_from_the_last_lines),
        cmocka_unit_test(a_line_without_end_is_cut),
        cmocka_unit_test(no_console_has_no_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
