/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/command-line.h"
#include "cli/exit-status.h"
#include "cli/help.h"

/* A command line that is wrong; a program that may end with any small number itself did not do so. */
static int usage(const Context *understood, char *complaint)
{
    const char *about = understood->verb ? understood->verb->name : understood->group;

    log_error("%s", complaint ?: "out of memory");
    fprintf(stderr, "Try: podvisor %s%s--help\n", about ?: "", about ? " " : "");
    free(complaint);
    return understood->verb && understood->verb->of_program ? STATUS_EXEC_FAILED : STATUS_USAGE;
}

static int print_version(void)
{
    printf("podvisor %s\n", PODVISOR_VERSION);
    return STATUS_OK;
}

static int find_paths(Context *c)
{
    int r = paths_init(&c->paths, c->options[OPTION_ROOT].text, option_given(c, OPTION_USER));
    if (r == -EINVAL)
        log_error("--root and --user exclude each other");
    else if (r == -ENOENT)
        log_error("--user needs HOME and XDG_RUNTIME_DIR in the environment; is this a login session?");
    else if (r < 0)
        log_error_errno(r, "Paths cannot be told");
    return r < 0 ? STATUS_USAGE : STATUS_OK;
}

static int run(Context *c)
{
    if (option_given(c, OPTION_HELP)) {
        c->verb ? help_verb(c->verb, stdout) : help_program(c->group, stdout);
        return STATUS_OK;
    }
    if (option_given(c, OPTION_VERSION))
        return print_version();
    int status = find_paths(c);
    return status == STATUS_OK ? c->verb->run(c) : status;
}

/* A full disk or a closed pipe behind standard output is a failure like any other. */
static int flush(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno != EPIPE)
        log_error_errno(-errno, "Standard output cannot be written");
    return status == STATUS_OK ? STATUS_FAILURE : status;
}

int main(int argc, char **argv)
{
    Context c = { 0 };
    char *complaint = NULL;

    (void)setlocale(LC_CTYPE, "");
    log_open("podvisor", LOG_INFO);
    if (command_line_parse(argc, argv, &c, &complaint) < 0)
        return usage(&c, complaint);
    int status = flush(run(&c));
    context_done(&c);
    return status;
}
