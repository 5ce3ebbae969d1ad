/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/help.h"

enum { TEXT_WIDTH = 78 };

/* Words of text, broken at TEXT_WIDTH; every line but the first is indented. column: where the first begins. */
static void print_wrapped(const char *text, int indent, int column, FILE *f)
{
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > indent && column + 1 + n > TEXT_WIDTH) {
            fprintf(f, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent)
            column += fprintf(f, " ");
        column += fprintf(f, "%.*s", n, text);
        text += n + (text[n] == ' ');
    }
    fputc('\n', f);
}

static void print_row(const char *left, int width, const char *help, FILE *f)
{
    fprintf(f, "  %-*s  ", width, left);
    print_wrapped(help, width + 4, width + 4, f);
}

static char *verb_left(const Verb *v)
{
    return strf("%s%s%s", v->name, *v->synopsis ? " " : "", v->synopsis);
}

static char *option_left(const Option *o)
{
    _cleanup_(freep) char *words = NULL;

    if (o->kind == OPTION_WORD && !o->value)
        words = enum_list(o->words);
    const char *value = o->value ?: words;
    return o->letter ? strf("-%c, --%s%s%s", o->letter, o->name, value ? " " : "", value ?: "")
                     : strf("    --%s%s%s", o->name, value ? " " : "", value ?: "");
}

static void print_options(uint64_t set, FILE *f)
{
    enum { WIDTH = 24 };

    for (int i = 0; i < OPTION_MAX; i++) {
        if (!(set & OPTION_BIT(i)))
            continue;
        _cleanup_(freep) char *left = option_left(&options[i]);
        print_row(left ?: "?", WIDTH, options[i].help, f);
    }
}

static void print_verbs(const char *group, FILE *f)
{
    int width = 0;

    for (const Verb *v = verbs; v < verbs + n_verbs; v++)
        width = MAX(width, (int)(strlen(v->name) + strlen(v->synopsis) + 1));
    for (const Verb *v = verbs; v < verbs + n_verbs; v++) {
        const char *rest = group ? str_after(v->name, group) : NULL;
        if (group && (!rest || (*rest && *rest != ' ')))
            continue;
        _cleanup_(freep) char *left = verb_left(v);
        print_row(left ?: "?", width, v->help, f);
    }
}

void help_program(const char *group, FILE *f)
{
    fprintf(f, "podvisor [OPTION...] %s%sVERB [ARGUMENT...]\n\n", group ?: "", group ? " " : "");
    if (!group)
        fprintf(f, "Small virtual machines with containers inside, declared by files.\n\n");
    fprintf(f, "Verbs:\n");
    print_verbs(group, f);
    fprintf(f, "\nOptions:\n");
    print_options(OPTIONS_EVERYWHERE, f);
    fprintf(f, "\nOptions of the verbs that show something:\n");
    print_options(OPTIONS_SHOW, f);
    fprintf(f, "\n`podvisor VERB --help` says more about a verb; podvisor(1) is the manual.\n");
}

void help_verb(const Verb *verb, FILE *f)
{
    fprintf(f, "podvisor [OPTION...] %s%s%s\n\n", verb->name, *verb->synopsis ? " " : "", verb->synopsis);
    print_wrapped(verb->description, 0, 0, f);
    fprintf(f, "\nOptions:\n");
    print_options(verb_options(verb), f);
}
