/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the completion script of its source: the line @tables@ is replaced by the verbs and options that the program
 * itself knows, as arrays of bash.
 *
 * usage: podvisor-completion podvisor.bash.in > podvisor
 */
#include <stdio.h>

#include "base/strings.h"
#include "cli/verb.h"
#include "schemas/pod-definition.h"

static void put_words(const EnumTable *table)
{
    for (int i = 0; i < table->n; i++)
        printf("%s%s", i > 0 ? " " : "", table->rows[i].name);
}

static void put_options(const Verb *verb)
{
    const char *gap = "";

    for (int i = 0; i < OPTION_MAX; i++) {
        if (!(verb_options(verb) & OPTION_BIT(i)))
            continue;
        printf("%s--%s", gap, options[i].name);
        gap = " ";
        if (options[i].letter)
            printf(" -%c", options[i].letter);
    }
}

static void put_verbs(void)
{
    printf("_podvisor_verbs='");
    for (const Verb *v = verbs; v < verbs + n_verbs; v++)
        printf("%s%s", v == verbs ? "" : "\n", v->name);
    puts("'");
    printf("_podvisor_backends='");
    put_words(&backend_kind_table);
    puts("'");
    puts("declare -gA _podvisor_options=(");
    for (const Verb *v = verbs; v < verbs + n_verbs; v++) {
        printf("    ['%s']='", v->name);
        put_options(v);
        puts("'");
    }
    puts(")\ndeclare -gA _podvisor_arguments=(");
    for (const Verb *v = verbs; v < verbs + n_verbs; v++)
        printf("    ['%s']='%s'\n", v->name, enum_to_string(&argument_kind_table, (int)v->argument));
    puts(")");
}

static void put_value(const char *dashes, const char *name, const Option *option)
{
    printf("    ['%s%s']='", dashes, name);
    if (option->kind == OPTION_WORD)
        put_words(option->words);
    puts("'");
}

/* What stands behind an option that takes a value: its words, or nothing where it is free. */
static void put_values(void)
{
    puts("declare -gA _podvisor_values=(");
    for (const Option *o = options; o < options + OPTION_MAX; o++) {
        if (o->kind == OPTION_FLAG)
            continue;
        put_value("--", o->name, o);
        if (o->letter)
            put_value("-", (char[]){ o->letter, 0 }, o);
    }
    puts(")");
}

int main(int argc, char **argv)
{
    _cleanup_(freep) char *line = NULL;
    FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
    size_t size = 0;

    if (!f) {
        fprintf(stderr, "usage: podvisor-completion podvisor.bash.in > podvisor\n");
        return 2;
    }
    while (getline(&line, &size, f) > 0) {
        if (streq(line, "@tables@\n")) {
            put_verbs();
            put_values();
        } else
            fputs(line, stdout);
    }
    (void)fclose(f);
    return fflush(stdout) == EOF || ferror(stdout);
}
