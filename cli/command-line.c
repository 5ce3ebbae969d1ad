/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "base/strings.h"
#include "cli/command-line.h"
#include "schemas/formats.h"

typedef struct Parser {
    Context *context;
    char **rest; /* what is still to be read */
    bool options_ended;
    bool command_begun; /* the -- between POD/CONTAINER and its command was there */
    char *complaint;
} Parser;

static int _printf_(2, 3) complain(Parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    free(p->complaint);
    p->complaint = strf_va(format, args);
    va_end(args);
    return p->complaint ? -EINVAL : -ENOMEM;
}

/* ("list", NULL) or ("image", "import"); NULL when there is none. */
static const Verb *verb_find(const char *first, const char *second)
{
    _cleanup_(freep) char *name = second ? strf("%s %s", first, second) : strdup(first);

    for (const Verb *v = verbs; name && v < verbs + n_verbs; v++)
        if (streq(v->name, name))
            return v;
    return NULL;
}

/* True when verbs are grouped under this word: "image". */
static bool verb_is_group(const char *first)
{
    for (const Verb *v = verbs; v < verbs + n_verbs; v++) {
        const char *rest = str_after(v->name, first);
        if (rest && *rest == ' ')
            return true;
    }
    return false;
}

uint64_t verb_options(const Verb *verb)
{
    return OPTIONS_EVERYWHERE | (verb ? verb->options : 0);
}

/* The words that may stand after `first` ("" for the first word itself), for a suggestion. */
static const char *suggest_verb(const char *first, const char *word)
{
    const char *names[128];
    size_t n = 0;

    for (const Verb *v = verbs; v < verbs + n_verbs && n < ELEMENTSOF(names); v++) {
        const char *rest = str_after(v->name, first);
        if (rest && (!*first || *rest == ' '))
            names[n++] = *first ? rest + 1 : v->name;
    }
    return str_suggest(word, names, n);
}

static int refuse_verb(Parser *p, const char *group, const char *word)
{
    const char *meant = suggest_verb(group, word);
    const char *space = *group ? " " : "";

    if (meant)
        return complain(p, "there is no verb \"%s%s%s\"; did you mean \"%s%s%s\"?", group, space, word, group,
                        space, meant);
    return complain(p, "there is no verb \"%s%s%s\"", group, space, word);
}

static int refuse_option(Parser *p, const char *name)
{
    const char *names[OPTION_MAX];
    uint64_t allowed = p->context->verb ? verb_options(p->context->verb) : UINT64_MAX;
    size_t n = 0;

    for (int i = 0; i < OPTION_MAX; i++)
        if (allowed & OPTION_BIT(i))
            names[n++] = options[i].name;
    const char *meant = str_suggest(name, names, n);
    if (meant)
        return complain(p, "there is no option --%s; did you mean --%s?", name, meant);
    return complain(p, "there is no option --%s", name);
}

static int take_word(Parser *p, const Option *option, OptionValue *value)
{
    int index = enum_from_string(option->words, value->text);
    if (index >= 0) {
        value->number = (uint64_t)index;
        return 0;
    }
    _cleanup_(freep) char *list = enum_list(option->words);
    return complain(p, "--%s: \"%s\" is not accepted; expected %s", option->name, value->text, list ?: "?");
}

static int take_value(Parser *p, const Option *option, OptionValue *value)
{
    switch (option->kind) {
    case OPTION_FLAG:
    case OPTION_TEXT:
        return 0;
    case OPTION_LIST:
        return strv_append(&value->list, value->text);
    case OPTION_NUMBER:
        return parse_unsigned(value->text, &value->number) == 0
                   ? 0
                   : complain(p, "--%s: \"%s\" is not a whole number", option->name, value->text);
    case OPTION_DURATION:
        return duration_parse(value->text, &value->number) == 0
                   ? 0
                   : complain(p, "--%s: \"%s\" is not a duration such as \"10s\"", option->name, value->text);
    case OPTION_WORD:
        return take_word(p, option, value);
    }
    return -EINVAL;
}

/* text: what stood behind = or the letter; NULL: the next argument is the value. */
static int take_option(Parser *p, const Option *option, const char *text)
{
    OptionValue *value = &p->context->options[option - options];

    if (option->kind == OPTION_FLAG && text)
        return complain(p, "--%s takes no value", option->name);
    if (option->kind != OPTION_FLAG && !text && !(text = *p->rest ? *p->rest++ : NULL))
        return complain(p, "--%s needs a value: %s", option->name, option->value);
    value->given = true;
    value->text = text;
    return take_value(p, option, value);
}

static int parse_long(Parser *p, const char *text)
{
    _cleanup_(freep) char *name = strndup(text, strcspn(text, "="));

    if (!name)
        return -ENOMEM;
    for (int i = 0; i < OPTION_MAX; i++)
        if (streq(options[i].name, name))
            return take_option(p, &options[i], text[strlen(name)] ? text + strlen(name) + 1 : NULL);
    return refuse_option(p, name);
}

static const Option *option_by_letter(char letter)
{
    for (int i = 0; i < OPTION_MAX; i++)
        if (options[i].letter == letter)
            return &options[i];
    return NULL;
}

/* "-fn5": flags may stand together, and the last may have its value right behind it. */
static int parse_letters(Parser *p, const char *letters)
{
    for (; *letters; letters++) {
        const Option *option = option_by_letter(*letters);
        if (!option)
            return complain(p, "there is no option -%c", *letters);
        if (option->kind != OPTION_FLAG)
            return take_option(p, option, letters[1] ? letters + 1 : NULL);
        int r = take_option(p, option, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A word that is no option: the verb, the second word of the verb, or an argument. */
static int parse_word(Parser *p, const char *word)
{
    Context *c = p->context;

    if (c->verb) {
        if (c->verb->command)
            p->options_ended = true;
        return strv_append(&c->arguments, word);
    }
    if (c->group) {
        c->verb = p->options_ended ? NULL : verb_find(c->group, word);
        if (c->verb)
            return 0;
        /* A group may be a verb itself, for what is no second word of it. */
        c->verb = verb_find(c->group, NULL);
        return c->verb ? strv_append(&c->arguments, word) : refuse_verb(p, c->group, word);
    }
    /* Where other programs have a verb for it, people type that. */
    if (streq(word, "help")) {
        c->options[OPTION_HELP].given = true;
        return 0;
    }
    if (verb_is_group(word)) {
        c->group = word;
        return 0;
    }
    c->verb = verb_find(word, NULL);
    return c->verb ? 0 : refuse_verb(p, "", word);
}

/* Taken for a command, it would be one that is not found, with a status that looks like the command's. */
static bool is_option_too_late(const Parser *p, const char *argument)
{
    const Context *c = p->context;

    return argument[0] == '-' && c->verb && c->verb->command && !p->command_begun &&
           strv_length(c->arguments) == 1;
}

static int parse_argument(Parser *p, const char *argument)
{
    if (streq(argument, "--") && !p->options_ended) {
        p->options_ended = true;
        return 0;
    }
    if (streq(argument, "--") && !p->command_begun && strv_length(p->context->arguments) == 1 &&
        p->context->verb && p->context->verb->command) {
        p->command_begun = true;
        return 0;
    }
    if (is_option_too_late(p, argument)) {
        assert(p->context->arguments);
        return complain(p,
                        "%s: %s stands behind \"%s\": options come before it, and a command that begins with "
                        "a dash comes after --",
                        p->context->verb->name, argument, p->context->arguments[0]);
    }
    if (!p->options_ended && argument[0] == '-' && argument[1])
        return argument[1] == '-' ? parse_long(p, argument + 2) : parse_letters(p, argument + 1);
    return parse_word(p, argument);
}

static int check_options(Parser *p)
{
    uint64_t allowed = verb_options(p->context->verb);

    for (int i = 0; i < OPTION_MAX; i++)
        if (p->context->options[i].given && !(allowed & OPTION_BIT(i)))
            return complain(p, "%s takes no --%s", p->context->verb->name, options[i].name);
    return 0;
}

/* The words of a synopsis that stand for arguments, from the n-th on: "POD[/CONTAINER] and COMMAND". */
static char *missing_arguments(const Verb *verb, size_t n)
{
    _cleanup_(strv_freep) char **words = strv_split(verb->synopsis, " ");
    _cleanup_(strv_freep) char **missing = NULL;
    size_t i = 0;

    STRV_FOREACH (word, words) {
        const char *dots = strstr(*word, "...");
        bool optional = **word == '[', wanted = !optional && i++ >= n;
        if (wanted && strv_appendf(&missing, "%.*s", dots ? (int)(dots - *word) : INT_MAX, *word) < 0)
            return NULL;
    }
    return strv_join(missing, " and ");
}

static int check_number(Parser *p)
{
    const Verb *verb = p->context->verb;
    size_t n = strv_length(p->context->arguments);

    if (n < verb->min) {
        _cleanup_(freep) char *missing = missing_arguments(verb, n);
        return complain(p, "%s: %s %s missing: podvisor %s %s", verb->name, missing ?: "an argument",
                        verb->min - n > 1 ? "are" : "is", verb->name, verb->synopsis);
    }
    if (n > verb->max)
        return complain(p, "%s: \"%s\" is too much: podvisor %s%s%s", verb->name,
                        p->context->arguments[verb->max], verb->name, *verb->synopsis ? " " : "",
                        verb->synopsis);
    return 0;
}

static bool is_pod(const char *word)
{
    return format_name.valid(word);
}

static bool is_container(const char *word)
{
    const char *slash = strchr(word, '/');
    _cleanup_(freep) char *pod = slash ? strndup(word, (size_t)(slash - word)) : NULL;

    return slash ? pod && is_pod(pod) && is_pod(slash + 1) : is_pod(word);
}

/* What no pod can be called is a mistake of the command line, whatever there is on this host. */
static const struct {
    bool (*valid)(const char *word);
    const char *what;
} argument_checks[ARGUMENT_KIND_MAX] = {
    [ARGUMENT_POD] = { is_pod, "no name of a pod" },
    [ARGUMENT_CONTAINER] = { is_container, "neither POD nor POD/CONTAINER" },
};

static int check_names(Parser *p)
{
    const Verb *verb = p->context->verb;
    char *const *arguments = p->context->arguments;
    size_t n = verb->command ? 1 : strv_length(arguments);

    for (size_t i = 0; argument_checks[verb->argument].valid && i < n; i++)
        if (!argument_checks[verb->argument].valid(arguments[i]))
            return complain(p, "%s: \"%s\" is %s; expected %s", verb->name, arguments[i],
                            argument_checks[verb->argument].what, format_name.accepted);
    return 0;
}

static int check_arguments(Parser *p)
{
    int r = check_number(p);
    return r < 0 ? r : check_names(p);
}

static int check_whole(Parser *p)
{
    Context *c = p->context;

    if (!c->verb && c->group && !c->options[OPTION_HELP].given)
        c->verb = verb_find(c->group, NULL);
    if (!c->verb) {
        if (c->options[OPTION_HELP].given || c->options[OPTION_VERSION].given)
            return 1;
        return c->group ? complain(p, "%s needs a second word; `podvisor %s --help` lists them", c->group,
                                   c->group)
                        : complain(p, "a verb is missing");
    }
    int r = check_options(p);
    if (r < 0 || c->options[OPTION_HELP].given)
        return r;
    return check_arguments(p);
}

int command_line_parse(int argc, char **argv, Context *ret, char **ret_complaint)
{
    Context c = { 0 };
    Parser p = { .context = &c, .rest = argv + MIN(argc, 1) };
    int r = 0;

    while (r >= 0 && *p.rest) {
        const char *argument = *p.rest++;
        r = parse_argument(&p, argument);
    }
    if (r >= 0)
        r = check_whole(&p);
    if (r < 0) {
        *ret_complaint = p.complaint;
        *ret = (Context){ .verb = c.verb, .group = c.group };
        context_done(&c);
        return r;
    }
    *ret = c;
    return r;
}

void context_done(Context *c)
{
    for (int i = 0; i < OPTION_MAX; i++)
        strv_free(c->options[i].list);
    strv_free(c->arguments);
    paths_done(&c->paths);
    *c = (Context){ 0 };
}
