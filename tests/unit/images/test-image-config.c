/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/image-config.h"
#include "tests/unit/images/fixture.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Lists are written as words with | between them. */
static const struct {
    const char *title;
    const char *image_entrypoint, *image_command, *container_command;
    int result;
    const char *command;
} commands[] = {
    { "nobody says what to run", NULL, NULL, NULL, -ENOENT, NULL },
    { "the entry point alone", "/init", NULL, NULL, 0, "/init" },
    { "the command alone", NULL, "sh|-c|x", NULL, 0, "sh|-c|x" },
    { "the command behind the entry point", "/init|--", "a|b", NULL, 0, "/init|--|a|b" },
    { "the pod file's command replaces both", "/init", "a|b", "c|d", 0, "c|d" },
    { "the pod file's command without an image's", NULL, NULL, "c", 0, "c" },
};

static const struct {
    const char *title;
    const char *image, *container, *environment;
} environments[] = {
    { "PATH is there in any case", NULL, NULL, PATH_DEFAULT },
    { "the image's PATH stays", "PATH=/x", NULL, "PATH=/x" },
    { "the pod file's value wins, in its place", "A=1|PATH=/x|B=2", "A=3", "A=3|PATH=/x|B=2" },
    { "what the pod file adds comes last", "PATH=/x", "C=1|D=", "PATH=/x|C=1|D=" },
    { "a key is not the beginning of another", "AB=1|PATH=/x", "A=2", "AB=1|PATH=/x|A=2" },
    { "a value may hold an equals sign", "A=b=c|PATH=/x", NULL, "A=b=c|PATH=/x" },
};

static const struct {
    const char *image, *container, *user, *working_dir, *stop_signal;
} words[] = {
    { NULL, NULL, "0", "/", "SIGTERM" }, { "i", NULL, "i", "i", "i" },    { "i", "c", "c", "c", "c" },
    { NULL, "c", "c", "c", "c" },        { "", "", "0", "/", "SIGTERM" },
};

static char **list(const char *text)
{
    return text ? strv_split(text, "|") : NULL;
}

static void assert_list(const char *title, char **v, const char *expected)
{
    char *joined = strv_join(v, "|");

    if (!streq(joined, expected))
        fail_msg("%s: %s instead of %s", title, joined, expected);
    free(joined);
}

static void the_command_is_the_pod_files_or_the_images(void **state)
{
    TABLE_FOREACH (row, commands) {
        ImageConfig image = { .entrypoint = list(row->image_entrypoint),
                              .command = list(row->image_command) };
        ContainerDefinition container = { .command = list(row->container_command) };
        ImageProcess process = { 0 };
        assert_int_equal(image_config_merge(&image, &container, &process), row->result);
        if (row->result == 0)
            assert_list(row->title, process.command, row->command);
        image_process_done(&process);
        schema_done(&image_config_schema, &image);
        schema_done(&container_schema, &container);
    }
}

static void the_environment_is_merged(void **state)
{
    TABLE_FOREACH (row, environments) {
        ImageConfig image = { .command = list("x"), .environment = list(row->image) };
        ContainerDefinition container = { .environment = list(row->container) };
        ImageProcess process = { 0 };
        assert_int_equal(image_config_merge(&image, &container, &process), 0);
        assert_list(row->title, process.environment, row->environment);
        image_process_done(&process);
        schema_done(&image_config_schema, &image);
        schema_done(&container_schema, &container);
    }
}

static void words_are_the_pod_files_or_the_images_or_the_usual(void **state)
{
    TABLE_FOREACH (row, words) {
        char *command[] = { (char *)"x", NULL }, *i = (char *)row->image, *c = (char *)row->container;
        ImageConfig image = { .command = command, .user = i, .working_dir = i, .stop_signal = i };
        ContainerDefinition container = { .user = c, .working_dir = c, .stop_signal = c };
        ImageProcess process = { 0 };
        assert_int_equal(image_config_merge(&image, &container, &process), 0);
        assert_string_equal(process.user, row->user);
        assert_string_equal(process.working_dir, row->working_dir);
        assert_string_equal(process.stop_signal, row->stop_signal);
        image_process_done(&process);
    }
}

static void both_sides_may_be_missing(void **state)
{
    ImageProcess process = { 0 };
    char *command[] = { (char *)"x", NULL };
    ContainerDefinition container = { .command = command };
    ImageConfig image = { .command = command };

    assert_int_equal(image_config_merge(NULL, NULL, &process), -ENOENT);
    assert_int_equal(image_config_merge(NULL, &container, &process), 0);
    image_process_done(&process);
    assert_int_equal(image_config_merge(&image, NULL, &process), 0);
    image_process_done(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_is_the_pod_files_or_the_images),
        cmocka_unit_test(the_environment_is_merged),
        cmocka_unit_test(words_are_the_pod_files_or_the_images_or_the_usual),
        cmocka_unit_test(both_sides_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
