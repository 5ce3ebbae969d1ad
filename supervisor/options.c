/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "base/log.h"
#include "supervisor/options.h"

typedef struct Option {
    const char *name;
    const char *argument; /* what stands behind it; NULL: nothing */
    const char *doc;
    int (*take)(Options *options, const char *argument); /* as options_parse() */
} Option;

static int take_root(Options *o, const char *argument)
{
    o->root = argument;
    return 1;
}

static int take_user(Options *o, const char *argument)
{
    o->user = true;
    return 1;
}

static int take_log_level(Options *o, const char *argument)
{
    if (log_level_from_string(argument) < 0) {
        fprintf(stderr, "podvisord: --log-level takes debug, info, notice, warning or err, not \"%s\"\n",
                argument);
        return -EINVAL;
    }
    o->log_level = argument;
    return 1;
}

static int take_version(Options *o, const char *argument)
{
    printf("podvisord " PODVISOR_VERSION "\n");
    return 0;
}

static int take_help(Options *o, const char *argument);

static const Option table[] = {
    { "root", "DIR", "put definitions, run paths, state and sockets below DIR", take_root },
    { "user", NULL, "work for the calling user", take_user },
    { "log-level", "LEVEL", "log what is at least so important", take_log_level },
    { "version", NULL, "show the version", take_version },
    { "help", NULL, "show this", take_help },
};

static int take_help(Options *o, const char *argument)
{
    printf("podvisord [OPTION...]\n\nKeeps the pods that are declared on this host running.\n\n");
    TABLE_FOREACH (row, table)
        printf("  --%s%s%-*s  %s\n", row->name, row->argument ? "=" : "",
               16 - (int)(strlen(row->name) + (row->argument != NULL)), row->argument ?: "", row->doc);
    printf("\nSIGTERM and SIGINT end podvisord, and leave the pods running. SIGHUP reads all definitions "
           "again.\n"
           "See podvisord(8).\n");
    return 0;
}

int options_parse(int argc, char **argv, Options *ret)
{
    struct option options[ELEMENTSOF(table) + 1] = { 0 };
    int index, c;

    for (size_t i = 0; i < ELEMENTSOF(table); i++)
        options[i] =
            (struct option){ table[i].name, table[i].argument ? required_argument : no_argument, NULL, 0 };
    *ret = (Options){ 0 };
    while ((c = getopt_long(argc, argv, "", options, &index)) == 0) {
        int r = table[index].take(ret, optarg);
        if (r <= 0)
            return r;
    }
    if (c != -1)
        return -EINVAL;
    if (optind < argc) {
        fprintf(stderr, "podvisord: \"%s\" is not understood; podvisord takes options only\n", argv[optind]);
        return -EINVAL;
    }
    return 1;
}
