/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor agent: one question to the agent in a pod's machine, and its answer as it is. For tests, and for those who look for a fault. */
#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exit-status.h"
#include "cli/target.h"
#include "cli/task-answer.h"
#include "cli/verbs.h"
#include "schemas/formats.h"
#include "schemas/statistics.h"

/* All that may be asked; nothing that changes anything. */
static const struct {
    Task task;
    const Schema *answer;
} requests[] = {
    { TASK_PING, &agent_pong_schema },
    { TASK_PROCESSES, &process_list_schema },
    { TASK_STATISTICS, &statistics_schema },
};

/* What a request may be told. */
typedef struct Arguments {
    char *container;
} Arguments;

static const Field arguments_fields[] = {
    { F_STRING(Arguments, container), .format = &format_name, .doc = "Of which container." },
};
DEFINE_SCHEMA(arguments_schema, Arguments, "arguments", "What a request may be told.", arguments_fields);

static int complain_request(const char *word)
{
    _cleanup_(strv_freep) char **names = NULL;

    TABLE_FOREACH (request, requests)
        if (strv_append(&names, enum_to_string(&task_table, (int)request->task)) < 0)
            return STATUS_FAILURE;
    _cleanup_(freep) char *list = strv_join(names, ", ");
    log_error("\"%s\" is nothing that an agent is asked; there are: %s", word, list ?: "?");
    return STATUS_USAGE;
}

static int read_arguments(const char *json, Arguments *ret)
{
    int r = json ? schema_from_json(&arguments_schema, ret, json, strlen(json))
                 : schema_init(&arguments_schema, ret);

    if (r < 0)
        log_error_errno(r, "\"%s\" is not what a request is told, as {\"container\": \"NAME\"} is",
                        json ?: "");
    return r < 0 ? STATUS_USAGE : STATUS_OK;
}

static int print_answer(const Context *c, const Schema *schema, const void *answer)
{
    _cleanup_(json_releasep) Json *json = schema_to_json(schema, answer);
    JsonStyle style = option_given(c, OPTION_JSON) ? (JsonStyle)c->options[OPTION_JSON].number : JSON_PRETTY;

    int r = json ? json_print(json, style, stdout) : -ENOMEM;
    if (r < 0)
        log_error_errno(r, "The answer cannot be shown");
    return r < 0 ? STATUS_FAILURE : STATUS_OK;
}

static int ask(const Context *c, Client *client, size_t request, const Target *target)
{
    const Schema *schema = requests[request].answer;
    TaskCall call = { .pod = target->pod, .container = target->container, .task = requests[request].task };
    _cleanup_(closep) int stream = -1;
    _cleanup_(freep) void *answer = calloc(1, schema->size);

    int status = answer ? client_task(client, &call, &stream) : STATUS_FAILURE;
    if (status == STATUS_OK)
        status = task_answer(stream, target->pod, CLIENT_CALL_TIMEOUT, schema, answer);
    if (status != STATUS_OK)
        return status;
    status = print_answer(c, schema, answer);
    schema_done(schema, answer);
    return status;
}

/* Whom it is about: of a request that is of a container, the one that was named, or the only one. */
static int find_target(Client *client, const char *pod, Task task, const Arguments *arguments, Target *ret)
{
    _cleanup_(freep) char *word =
        arguments->container ? strf("%s/%s", pod, arguments->container) : strdup(pod);

    if (word && task_is_of_container(task))
        return target_parse(client, word, ret);
    return word && (ret->pod = strdup(pod)) ? STATUS_OK : STATUS_FAILURE;
}

int verb_agent(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_(target_done) Target target = { 0 };
    Arguments arguments = { 0 };
    size_t i = 0;

    while (i < ELEMENTSOF(requests) &&
           !streq(c->arguments[1], enum_to_string(&task_table, (int)requests[i].task)))
        i++;
    if (i == ELEMENTSOF(requests))
        return complain_request(c->arguments[1]);
    int status = read_arguments(c->arguments[2], &arguments);
    if (status != STATUS_OK)
        return status;
    status = client_open(c, &client);
    if (status == STATUS_OK)
        status = find_target(client, c->arguments[0], requests[i].task, &arguments, &target);
    if (status == STATUS_OK)
        status = ask(c, client, i, &target);
    schema_done(&arguments_schema, &arguments);
    return status;
}
