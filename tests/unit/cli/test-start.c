/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of the times of a start: those that are whole, those that lack something, and those that a guest has made up. */
#include <stdio.h>

#include "base/strings.h"
#include "cli/start-view.h"
#include "tests/unit/test.h"

#define MSEC(n) ((n)*USEC_PER_MSEC)
#define HOST(n) (USEC_PER_HOUR + MSEC(n)) /* so many milliseconds after the beginning */
#define GUEST(n) MSEC((n)-200)            /* the same moment by a guest's clock that began at 200 ms */

/* A cold start of a second: an init container, and one that stays. */
static StartContainer containers[2];
static char first[] = "first", app[] = "app", web[] = "web";

static StartTimes whole(void)
{
    containers[0] = (StartContainer){ .name = first };
    containers[1] = (StartContainer){ .name = app };
    StartTimes t = {
        .at = { [START_SEEN] = HOST(0),
                [START_READ] = HOST(50),
                [START_DECIDED] = HOST(51),
                [START_TURN] = HOST(52),
                [START_FROZEN] = HOST(55),
                [START_RUNNER] = HOST(60),
                [START_BEGUN] = HOST(62),
                [START_SPAWNED] = HOST(65),
                [START_GREETED] = HOST(90),
                [START_PROVED] = HOST(95),
                [START_INIT] = GUEST(600),
                [START_MODULES] = GUEST(700),
                [START_PORT] = GUEST(720),
                [START_WELCOME] = HOST(722),
                [START_CONFIGURE] = HOST(730),
                [START_TOLD] = GUEST(731),
                [START_SETUP] = GUEST(735),
                [START_CONFIGURED] = HOST(750),
                [START_READY] = HOST(1000) },
        .guest_zero = (int64_t)HOST(200),
        .guest_doubt = 300,
        .containers = containers,
        .n_containers = 2,
    };
    const usec_t times[2][START_STEP_MAX] = {
        { [START_STEP_CALLED] = GUEST(736),
          [START_STEP_CREATED] = GUEST(740),
          [START_STEP_STARTED] = GUEST(760),
          [START_STEP_DONE] = GUEST(860) },
        { [START_STEP_CALLED] = GUEST(861),
          [START_STEP_CREATED] = GUEST(880),
          [START_STEP_STARTED] = GUEST(950),
          [START_STEP_DONE] = GUEST(990),
          [START_STEP_OUTPUT] = HOST(1100) },
    };
    memcpy(containers[0].at, times[0], sizeof times[0]);
    memcpy(containers[1].at, times[1], sizeof times[1]);
    return t;
}

static StartAnalysis analysis_of(const StartTimes *t)
{
    StartAnalysis a;

    start_analyse(t, HOST(60000), &a);
    return a;
}

static const StartPoint *find(const StartAnalysis *a, const char *container, const char *word)
{
    for (int i = 0; i < a->n_points; i++)
        if (streq(a->points[i].word, word) && streq_ptr(a->points[i].container, container))
            return &a->points[i];
    return NULL;
}

/* What must be so of any start, whatever a guest says: times go forward, and the parts are the whole. */
static void assert_sane(const StartAnalysis *a)
{
    usec_t sum = 0;

    for (int i = 0; i < START_PART_MAX; i++)
        sum += a->parts[i];
    assert_int_equal(sum, a->total);
    assert_true(a->n_points <= START_POINTS_MAX);
    for (int i = 0; i < a->n_points; i++) {
        const StartPoint *p = &a->points[i];
        assert_true(p->before < i);
        assert_true(p->before < 0 || p->at == a->points[p->before].at + p->took);
        assert_true(p->at <= a->end || streq(p->word, "output"));
    }
}

static void a_start_is_the_sum_of_its_parts(void **state)
{
    StartTimes t = whole();
    StartAnalysis a = analysis_of(&t);

    assert_sane(&a);
    assert_int_equal(a.outcome, START_FINISHED);
    assert_int_equal(a.total, MSEC(1000));
    assert_int_equal(a.parts[START_PART_PODVISORD], MSEC(55));
    assert_int_equal(a.parts[START_PART_RUNNER], MSEC(10));
    assert_int_equal(a.parts[START_PART_MACHINE], MSEC(535));
    assert_int_equal(a.parts[START_PART_AGENT], MSEC(135));
    assert_int_equal(a.parts[START_PART_CONTAINERS], MSEC(265));
}

static void the_chain_goes_by_what_was_waited_for_last(void **state)
{
    StartTimes t = whole();
    StartAnalysis a = analysis_of(&t);

    /* QEMU had answered long before the guest was up, and the container waited for init, not for the pod. */
    assert_false(find(&a, NULL, "greeted")->critical);
    assert_true(find(&a, NULL, "kernel")->critical);
    assert_int_equal(find(&a, NULL, "kernel")->took, MSEC(135));
    assert_int_equal(find(&a, "app", "called")->took, MSEC(1));
    assert_true(find(&a, "first", "done")->critical);
    assert_false(find(&a, "app", "output")->critical);
    /* The other way round: QEMU is what is slow. */
    t.at[START_GREETED] = HOST(640);
    t.at[START_PROVED] = HOST(721);
    a = analysis_of(&t);
    assert_sane(&a);
    assert_true(find(&a, NULL, "proved")->critical);
    assert_false(find(&a, NULL, "init")->critical);
    assert_int_equal(a.total, MSEC(1000));
}

static void an_operators_word_begins_a_start_as_a_file_does(void **state)
{
    StartTimes t = whole();

    t.at[START_SEEN] = t.at[START_READ] = 0;
    t.at[START_ASKED] = HOST(50);
    StartAnalysis a = analysis_of(&t);
    assert_sane(&a);
    assert_int_equal(a.total, MSEC(950));
    assert_int_equal(find(&a, NULL, "decided")->took, MSEC(1));
}

static void what_is_not_known_belongs_to_what_came_of_it(void **state)
{
    static const StartMark lacking[] = { START_BEGUN,   START_SPAWNED, START_MODULES,
                                         START_WELCOME, START_SETUP,   START_TURN };
    TABLE_FOREACH (mark, lacking) {
        StartTimes t = whole();
        t.at[*mark] = 0;
        StartAnalysis a = analysis_of(&t);
        assert_sane(&a);
        assert_int_equal(a.total, MSEC(1000));
        assert_null(find(&a, NULL, start_mark_rows[*mark].word));
    }
}

static void of_an_older_agent_the_steps_on_the_host_are_left(void **state)
{
    StartTimes t = whole();

    for (size_t i = 0; i < START_MARK_MAX; i++)
        t.at[i] = start_mark_rows[i].guest ? 0 : t.at[i];
    memset(containers[0].at, 0, sizeof containers[0].at);
    memset(containers[1].at, 0, sizeof containers[1].at);
    t.guest_zero = 0;
    t.guest_doubt = 0;
    StartAnalysis a = analysis_of(&t);
    assert_sane(&a);
    assert_true(a.guest_silent);
    assert_int_equal(a.total, MSEC(1000));
    assert_int_equal(find(&a, NULL, "welcome")->took, MSEC(722 - 95));
    assert_null(find(&a, NULL, "kernel"));
}

static void the_boot_of_a_guest_that_was_restored_is_no_part_of_its_start(void **state)
{
    StartTimes t = whole();

    t.at[START_RESTORED] = HOST(93);
    /* It had booted an hour before; the agent's later steps are of this start. */
    t.guest_zero -= (int64_t)USEC_PER_HOUR;
    for (size_t i = START_TOLD; i <= START_SETUP; i++)
        t.at[i] += USEC_PER_HOUR;
    for (size_t i = 0; i < START_STEP_OUTPUT; i++) {
        containers[0].at[i] += USEC_PER_HOUR;
        containers[1].at[i] += USEC_PER_HOUR;
    }
    StartAnalysis a = analysis_of(&t);
    assert_sane(&a);
    assert_null(find(&a, NULL, "kernel"));
    assert_null(find(&a, NULL, "init"));
    assert_non_null(find(&a, NULL, "setup"));
    assert_int_equal(find(&a, NULL, "proved")->took, MSEC(2));
    assert_int_equal(a.total, MSEC(1000));
    assert_int_equal(find(&a, "app", "started")->took, MSEC(70));
}

static void a_guest_that_lies_gets_no_time_that_cannot_be(void **state)
{
    static const usec_t lies[] = {
        1, MSEC(799), USEC_PER_HOUR, (usec_t)INT64_MAX, (usec_t)INT64_MAX + 1, UINT64_MAX
    };
    static const int64_t zeros[] = { 0, INT64_MIN, INT64_MAX, -1, (int64_t)HOST(200) };

    TABLE_FOREACH (lie, lies)
        TABLE_FOREACH (zero, zeros) {
            StartTimes t = whole();
            t.guest_zero = *zero;
            for (size_t i = 0; i < START_MARK_MAX; i++)
                t.at[i] = start_mark_rows[i].guest ? *lie : t.at[i];
            for (size_t i = 0; i < START_STEP_OUTPUT; i++)
                containers[0].at[i] = containers[1].at[i] = *lie;
            StartAnalysis a = analysis_of(&t);
            assert_sane(&a);
            assert_int_equal(a.total, MSEC(1000));
        }
}

static void a_little_doubt_moves_a_time_and_does_not_lose_it(void **state)
{
    StartTimes t = whole();

    t.at[START_PORT] = GUEST(730); /* the host had its word 8 ms before */
    t.at[START_TOLD] = GUEST(728); /* and it was told 2 ms before the host said it */
    StartAnalysis a = analysis_of(&t);
    assert_sane(&a);
    assert_int_equal(find(&a, NULL, "welcome")->took, 0);
    assert_int_equal(find(&a, NULL, "told")->took, 0);
    assert_int_equal(a.total, MSEC(1000));
}

/* As one does that goes by ticks, and loses a tenth of them. */
static void a_clock_that_goes_slowly_loses_no_step(void **state)
{
    StartTimes t = whole();

    for (size_t i = START_INIT; i <= START_SETUP; i++)
        if (start_mark_rows[i].guest)
            t.at[i] = t.at[i] / 10 * 9;
    for (size_t i = 0; i < START_STEP_OUTPUT; i++) {
        containers[0].at[i] = containers[0].at[i] / 10 * 9;
        containers[1].at[i] = containers[1].at[i] / 10 * 9;
    }
    t.guest_zero += (int64_t)MSEC(52);
    StartAnalysis a = analysis_of(&t);
    assert_sane(&a);
    assert_non_null(find(&a, NULL, "port"));
    assert_non_null(find(&a, "app", "done"));
    assert_int_equal(a.total, MSEC(1000));
}

static char *summary_of(PodStatus *pod, StartTimes t)
{
    StartAnalysis a = analysis_of(&t);
    char *text = NULL;
    size_t size;

    assert_sane(&a);
    pod->name = web;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_success(start_print_summary(pod, &a, HOST(60000), f));
    assert_int_equal(fclose(f), 0);
    return text;
}

static void the_summary_is_a_sentence(void **state)
{
    PodStatus pod = { .attempt = 1, .kernel = (char[]){ "6.1" } };
    _cleanup_(freep) char *text = summary_of(&pod, whole());

    assert_string_equal(text,
                        "Startup of web finished in 55ms (podvisord) + 10ms (runner) + 535ms (vmm+kernel) + "
                        "135ms (agent) + 265ms (containers) = 1.000s.\n"
                        "Times inside of the machine are by its own clock, known to within 300us.\n");
}

static void a_start_that_failed_says_how_far_it_came_and_why(void **state)
{
    PodStatus pod = { .attempt = 1,
                      .reason = END_BOOT_TIMEOUT,
                      .message = (char[]){ "the guest said nothing\x1b[1m" } };
    StartTimes t = { .at = { [START_ASKED] = HOST(0),
                             [START_DECIDED] = HOST(1),
                             [START_RUNNER] = HOST(10),
                             [START_SPAWNED] = HOST(20),
                             [START_PROVED] = HOST(40),
                             [START_ENDED] = HOST(30040) } };
    _cleanup_(freep) char *text = summary_of(&pod, t);

    assert_non_null(strstr(
        text,
        "Startup of web failed after 1.0ms (podvisord) + 19ms (runner) + 30.020s (vmm+kernel) = 30.040s: "
        "it came to \"proved\"; the guest's agent did not speak in time: the guest said nothing"));
    assert_null(strchr(text, '\x1b'));
}

static void a_start_that_goes_on_says_what_it_waits_for(void **state)
{
    PodStatus pod = { .attempt = 1, .phase = (char[]){ "the agent's first word" } };
    StartTimes t = { .at = {
                         [START_SEEN] = HOST(0), [START_RUNNER] = HOST(10), [START_SPAWNED] = HOST(20) } };
    _cleanup_(freep) char *text = summary_of(&pod, t);

    assert_string_equal(text, "Startup of web is under way for 1min 0.000s: it came to \"spawned\", and "
                              "waits for the agent's first word.\n");
}

static void of_what_was_never_started_that_is_said(void **state)
{
    PodStatus never = { 0 }, waits = { .state = POD_WAITING, .phase = (char[]){ "its image" } },
              old = { .attempt = 3 };
    _cleanup_(freep) char *one = summary_of(&never, (StartTimes){ 0 }),
                          *two = summary_of(&waits, (StartTimes){ 0 }),
                          *three = summary_of(&old, (StartTimes){ 0 });

    assert_string_equal(one, "Pod web has never been started.\n");
    assert_string_equal(two, "Pod web has not been started yet: it waits for its image.\n");
    assert_non_null(strstr(three, "it was started by an older podvisor"));
}

static void a_picture_has_a_row_for_each_step_and_nothing_of_a_name_is_markup(void **state)
{
    StartTimes t = whole();
    containers[1].name = (char[]){ "a<b&c" };
    StartAnalysis a = analysis_of(&t);
    PodStatus pod = { .name = (char[]){ "web" },
                      .backend = (char[]){ "qemu" },
                      .kernel = (char[]){ "<script>" } };
    _cleanup_(freep) char *text = NULL;
    size_t size, bars = 0;

    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_success(start_print_svg(&pod, &a, f));
    assert_int_equal(fclose(f), 0);
    for (const char *at = text; (at = strstr(at, "<title>")); at++)
        bars++;
    assert_int_equal(bars, (size_t)a.n_points - 1);
    assert_non_null(strstr(text, "web: ready after 1.000s"));
    assert_non_null(strstr(text, "a&#60;b&#38;c done"));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "nan"));
}

static void a_picture_of_hardly_anything_is_one_too(void **state)
{
    StartTimes t = { .at = { [START_DECIDED] = HOST(0) } };
    StartAnalysis a = analysis_of(&t);
    PodStatus pod = { .name = (char[]){ "web" } };
    _cleanup_(freep) char *text = NULL;
    size_t size;

    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_success(start_print_svg(&pod, &a, f));
    assert_int_equal(fclose(f), 0);
    assert_non_null(strstr(text, "</svg>"));
    assert_true(size < 4096);
}

static void spans_are_written_as_people_read_them(void **state)
{
    static const struct {
        usec_t time;
        const char *text;
    } rows[] = {
        { 0, "0us" },         { 999, "999us" },         { 1000, "1.0ms" },
        { MSEC(87), "87ms" }, { MSEC(1000), "1.000s" }, { 62 * USEC_PER_SEC, "1min 2.000s" },
    };

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *text = start_span(row->time);
        assert_string_equal(text, row->text);
    }
}

static void each_mark_comes_after_those_that_it_waits_for(void **state)
{
    for (size_t i = 0; i < START_MARK_MAX; i++) {
        assert_true(start_mark_rows[i].after < (UINT64_C(1) << i));
        assert_true(str_ends_with(start_mark_rows[i].doc, "."));
    }
    for (int i = 0; i < START_OUTCOME_MAX; i++)
        assert_int_equal(enum_from_string(&start_outcome_table, enum_to_string(&start_outcome_table, i)), i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_the_sum_of_its_parts),
        cmocka_unit_test(the_chain_goes_by_what_was_waited_for_last),
        cmocka_unit_test(an_operators_word_begins_a_start_as_a_file_does),
        cmocka_unit_test(what_is_not_known_belongs_to_what_came_of_it),
        cmocka_unit_test(of_an_older_agent_the_steps_on_the_host_are_left),
        cmocka_unit_test(the_boot_of_a_guest_that_was_restored_is_no_part_of_its_start),
        cmocka_unit_test(a_guest_that_lies_gets_no_time_that_cannot_be),
        cmocka_unit_test(a_little_doubt_moves_a_time_and_does_not_lose_it),
        cmocka_unit_test(a_clock_that_goes_slowly_loses_no_step),
        cmocka_unit_test(the_summary_is_a_sentence),
        cmocka_unit_test(a_start_that_failed_says_how_far_it_came_and_why),
        cmocka_unit_test(a_start_that_goes_on_says_what_it_waits_for),
        cmocka_unit_test(of_what_was_never_started_that_is_said),
        cmocka_unit_test(a_picture_has_a_row_for_each_step_and_nothing_of_a_name_is_markup),
        cmocka_unit_test(a_picture_of_hardly_anything_is_one_too),
        cmocka_unit_test(spans_are_written_as_people_read_them),
        cmocka_unit_test(each_mark_comes_after_those_that_it_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
