/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command-line.h"
#include "cli/exit-status.h"
#include "tests/unit/test.h"

/* An argv that nobody writes to. */
#define WORDS(...) ((char **)(uintptr_t)(const char *[]){ "podvisor", __VA_ARGS__, NULL })
#define PARSE(c, complaint, ...) parse(WORDS(__VA_ARGS__), c, complaint)
static int parse(char **argv, Context *c, char **complaint)
{
    *complaint = NULL;
    return command_line_parse((int)strv_length(argv), argv, c, complaint);
}

static void assert_refused(char **argv, const char *expected)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert_int_equal(parse(argv, &c, &complaint), -EINVAL);
    assert_string_equal(complaint, expected);
}
#define ASSERT_REFUSED(expected, ...) assert_refused(WORDS(__VA_ARGS__), expected)

static void test_options_may_stand_anywhere(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert_success(
        PARSE(&c, &complaint, "--root", "/x", "wait", "web", "--timeout=2min", "db", "--for", "stopped"));
    assert_string_equal(c.verb->name, "wait");
    assert_int_equal(strv_length(c.arguments), 2);
    assert_string_equal(c.arguments[1], "db");
    assert_string_equal(c.options[OPTION_ROOT].text, "/x");
    assert_int_equal(c.options[OPTION_TIMEOUT].number, 2 * USEC_PER_MINUTE);
    assert_true(option_given(&c, OPTION_FOR));
    assert_false(option_given(&c, OPTION_USER));
    context_done(&c);
}

static void test_letters_stand_together_and_the_last_has_its_value(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert_success(PARSE(&c, &complaint, "logs", "-fn5", "web"));
    assert_true(option_given(&c, OPTION_FOLLOW));
    assert_int_equal(c.options[OPTION_LINES].number, 5);
    context_done(&c);
}

static void test_two_words_make_a_verb(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert_success(PARSE(&c, &complaint, "image", "--json=short", "list"));
    assert_string_equal(c.verb->name, "image list");
    assert_int_equal(c.options[OPTION_JSON].number, JSON_SHORT);
    context_done(&c);
}

static void test_a_group_may_be_a_verb_of_its_own(void **state)
{
    const struct {
        char **words;
        const char *verb, *pod;
    } rows[] = {
        { WORDS("analyze"), "analyze", NULL },
        { WORDS("analyze", "web"), "analyze", "web" },
        { WORDS("analyze", "plot", "web"), "analyze plot", "web" },
        { WORDS("analyze", "--json=short", "critical-chain", "web"), "analyze critical-chain", "web" },
        { WORDS("analyze", "--", "plot"), "analyze", "plot" },
        { WORDS("help", "analyze", "blame"), "analyze blame", NULL },
    };

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *complaint = NULL;
        Context c;
        assert_success(parse(row->words, &c, &complaint));
        assert_string_equal(c.verb->name, row->verb);
        assert_true(row->pod ? streq(c.arguments[0], row->pod) : !c.arguments);
        context_done(&c);
    }
    ASSERT_REFUSED("analyze blame: POD is missing: podvisor analyze blame POD", "analyze", "blame");
    ASSERT_REFUSED("image needs a second word; `podvisor image --help` lists them", "image");
}

static void test_a_command_keeps_its_own_options(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    char *expected[] = {
        (char *)"web/httpd", (char *)"ls", (char *)"--root", (char *)"--", (char *)"-f", NULL
    };
    Context c;

    assert_success(PARSE(&c, &complaint, "exec", "-e", "A=1", "-e", "B=2", "web/httpd", "--", "ls", "--root",
                         "--", "-f"));
    assert_true(strv_equal(c.arguments, expected));
    assert_int_equal(strv_length(c.options[OPTION_ENVIRONMENT].list), 2);
    assert_false(option_given(&c, OPTION_ROOT));
    context_done(&c);

    assert_success(PARSE(&c, &complaint, "exec", "web/httpd", "ls", "--root", "--", "-f"));
    assert_true(strv_equal(c.arguments, expected));
    context_done(&c);
}

static void test_two_dashes_end_the_options(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert_success(PARSE(&c, &complaint, "check", "--", "--json", "-"));
    assert_string_equal(c.arguments[0], "--json");
    assert_string_equal(c.arguments[1], "-");
    context_done(&c);
}

static void test_help_needs_neither_verb_nor_arguments(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    assert_int_equal(PARSE(&c, &complaint, "--help"), 1);
    context_done(&c);
    assert_int_equal(PARSE(&c, &complaint, "image", "-h"), 1);
    assert_string_equal(c.group, "image");
    context_done(&c);
    assert_int_equal(PARSE(&c, &complaint, "exec", "--help"), 0);
    context_done(&c);
    assert_int_equal(PARSE(&c, &complaint, "help"), 1);
    context_done(&c);
    assert_int_equal(PARSE(&c, &complaint, "help", "image", "tag"), 0);
    assert_true(option_given(&c, OPTION_HELP) && streq(c.verb->name, "image tag"));
    context_done(&c);
}

static void test_what_is_misspelt_is_suggested(void **state)
{
    ASSERT_REFUSED("there is no verb \"strat\"; did you mean \"start\"?", "strat");
    ASSERT_REFUSED("there is no verb \"image lsit\"; did you mean \"image list\"?", "image", "lsit");
    ASSERT_REFUSED("there is no option --jsno; did you mean --json?", "list", "--jsno");
    ASSERT_REFUSED("there is no verb \"frobnicate\"", "frobnicate");
    ASSERT_REFUSED("there is no option -x", "list", "-x");
}

static void test_values_are_checked(void **state)
{
    ASSERT_REFUSED("--json: \"xml\" is not accepted; expected short or pretty", "list", "--json=xml");
    ASSERT_REFUSED("--timeout: \"soon\" is not a duration such as \"10s\"", "wait", "a", "--timeout", "soon");
    ASSERT_REFUSED("--lines: \"-1\" is not a whole number", "logs", "a", "-n-1");
    ASSERT_REFUSED("--root needs a value: DIR", "list", "--root");
    ASSERT_REFUSED("--no-legend takes no value", "list", "--no-legend=1");
}

static void test_an_option_behind_the_pod_is_no_command(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    ASSERT_REFUSED("exec: --user=1 stands behind \"web\": options come before it, and a command that begins "
                   "with a dash comes after --",
                   "exec", "web", "--user=1", "--", "id");
    ASSERT_REFUSED("exec: -e stands behind \"web\": options come before it, and a command that begins with a "
                   "dash comes after --",
                   "exec", "web", "-e", "A=1", "env");
    assert_success(PARSE(&c, &complaint, "exec", "web", "--", "-command", "-x"));
    assert_string_equal(c.arguments[1], "-command");
    context_done(&c);
}

static void test_the_number_of_arguments_is_checked(void **state)
{
    ASSERT_REFUSED("a verb is missing", "--user");
    ASSERT_REFUSED("image needs a second word; `podvisor image --help` lists them", "image");
    ASSERT_REFUSED("start: POD is missing: podvisor start POD...", "start");
    ASSERT_REFUSED("image tag: NAME is missing: podvisor image tag IMAGE NAME", "image", "tag", "a");
    ASSERT_REFUSED("image tag: IMAGE and NAME are missing: podvisor image tag IMAGE NAME", "image", "tag");
    ASSERT_REFUSED("list: \"web\" is too much: podvisor list", "list", "web");
    ASSERT_REFUSED("list takes no --timeout", "list", "--timeout=1s");
    ASSERT_REFUSED("exec: COMMAND is missing: podvisor exec POD[/CONTAINER] [--] COMMAND...", "exec", "web",
                   "--");
}

#define ACCEPTED "a name of a-z, 0-9 and -, at most 63 characters, with no - at its ends"

static void test_what_no_pod_can_be_called_is_refused(void **state)
{
    _cleanup_(freep) char *complaint = NULL;
    Context c;

    ASSERT_REFUSED("start: \"web.pod\" is no name of a pod; expected " ACCEPTED, "start", "db", "web.pod");
    ASSERT_REFUSED("status: \"\" is no name of a pod; expected " ACCEPTED, "status", "");
    ASSERT_REFUSED("logs: \"web/\" is neither POD nor POD/CONTAINER; expected " ACCEPTED, "logs", "web/");
    ASSERT_REFUSED("exec: \"../x\" is neither POD nor POD/CONTAINER; expected " ACCEPTED, "exec", "../x",
                   "ls");
    assert_success(PARSE(&c, &complaint, "exec", "web/httpd", "/bin/sh"));
    context_done(&c);
}

static void test_a_refusal_says_how_far_the_line_was_understood(void **state)
{
    _cleanup_(freep) char *one = NULL, *two = NULL, *three = NULL;
    Context c;

    assert_int_equal(PARSE(&c, &one, "image", "tag", "--frobnicate"), -EINVAL);
    assert_string_equal(c.verb->name, "image tag");
    assert_int_equal(PARSE(&c, &two, "image", "frobnicate"), -EINVAL);
    assert_null(c.verb);
    assert_string_equal(c.group, "image");
    assert_int_equal(PARSE(&c, &three, "frobnicate"), -EINVAL);
    assert_true(!c.verb && !c.group);
}

static void test_the_rows_are_whole(void **state)
{
    for (int i = 0; i < OPTION_MAX; i++) {
        const Option *o = &options[i];
        assert_non_null(o->name);
        assert_non_null(o->help);
        assert_int_equal(o->kind == OPTION_WORD, o->words != NULL);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(o->name, options[j].name);
            assert_true(!o->letter || o->letter != options[j].letter);
        }
    }
    for (const Verb *v = verbs; v < verbs + n_verbs; v++) {
        assert_true(v->run && v->help && v->description && v->synopsis);
        assert_true(v->min <= v->max);
        assert_int_equal(v->max > 0, *v->synopsis != 0);
        assert_int_equal(v->options & OPTIONS_EVERYWHERE, 0);
        assert_true(str_ends_with(v->description, "."));
        assert_false(str_ends_with(v->help, "."));
    }
    for (size_t i = 1; i < n_exit_statuses; i++)
        assert_true(exit_statuses[i].number > exit_statuses[i - 1].number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_may_stand_anywhere),
        cmocka_unit_test(test_letters_stand_together_and_the_last_has_its_value),
        cmocka_unit_test(test_two_words_make_a_verb),
        cmocka_unit_test(test_a_group_may_be_a_verb_of_its_own),
        cmocka_unit_test(test_a_command_keeps_its_own_options),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_help_needs_neither_verb_nor_arguments),
        cmocka_unit_test(test_what_is_misspelt_is_suggested),
        cmocka_unit_test(test_values_are_checked),
        cmocka_unit_test(test_an_option_behind_the_pod_is_no_command),
        cmocka_unit_test(test_the_number_of_arguments_is_checked),
        cmocka_unit_test(test_what_no_pod_can_be_called_is_refused),
        cmocka_unit_test(test_a_refusal_says_how_far_the_line_was_understood),
        cmocka_unit_test(test_the_rows_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
