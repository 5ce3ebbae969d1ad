/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

DEFINE_ENUM_TABLE(
    argument_kind, "argument", ARGUMENT_KIND_MAX, [ARGUMENT_NONE] = { "none", "nothing" },
    [ARGUMENT_FILE] = { "file", "a file or directory" }, [ARGUMENT_KEY] = { "key", "a key of a pod file" },
    [ARGUMENT_POD] = { "pod", "a pod's name" },
    [ARGUMENT_CONTAINER] = { "container", "POD or POD/CONTAINER" },
    [ARGUMENT_IMAGE] = { "image", "an image's name" }, [ARGUMENT_VERB] = { "verb", "a verb of podvisor" });

const Option options[OPTION_MAX] = {
    [OPTION_ROOT] = { "root", 0, OPTION_TEXT, "DIR", NULL,
                      "find definitions, run paths, state and sockets below DIR; also PODVISOR_ROOT" },
    [OPTION_USER] = { "user", 0, OPTION_FLAG, NULL, NULL, "speak with the user's own podvisord" },
    [OPTION_HELP] = { "help", 'h', OPTION_FLAG, NULL, NULL, "show this, and nothing else" },
    [OPTION_VERSION] = { "version", 0, OPTION_FLAG, NULL, NULL, "show podvisor's version" },
    [OPTION_JSON] = { "json", 0, OPTION_WORD, "short|pretty", &json_style_table, "show JSON for programs" },
    [OPTION_NO_LEGEND] = { "no-legend", 0, OPTION_FLAG, NULL, NULL, "leave out headings and summaries" },
    [OPTION_NO_PAGER] = { "no-pager", 0, OPTION_FLAG, NULL, NULL,
                          "write long output straight to the terminal" },
    [OPTION_DAEMON] = { "daemon", 0, OPTION_FLAG, NULL, NULL, "explain podvisord.conf instead of pod files" },
};

const Verb verbs[] = {
    { .name = "check",
      .synopsis = "[FILE|DIRECTORY...]",
      .max = ARGUMENTS_ANY,
      .options = OPTIONS_SHOW,
      .argument = ARGUMENT_FILE,
      .run = verb_check,
      .help = "check pod files, without podvisord",
      .description =
          "Reads pod files as podvisord would and shows all that is wrong with them, each error with "
          "its file and line. Of a directory, every *.pod in it is read; without arguments, every "
          "directory of definitions. Nothing is started or changed." },
    { .name = "explain",
      .synopsis = "[KEY]",
      .max = 1,
      .options = OPTION_BIT(OPTION_DAEMON) | OPTION_BIT(OPTION_NO_PAGER),
      .argument = ARGUMENT_KEY,
      .run = verb_explain,
      .help = "explain a key of a pod file: containers.restart.delay",
      .description = "Shows what a key means, what it accepts, its default, and what a change of it costs a "
                     "running pod. Without a key, all keys of the first level are listed." },
};
const size_t n_verbs = ELEMENTSOF(verbs);
