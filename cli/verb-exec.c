/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor exec: a program in a container, with the standard streams of this process. */
#include <fcntl.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exec-session.h"
#include "cli/exit-status.h"
#include "cli/raw-terminal.h"
#include "cli/verbs.h"

typedef struct Target {
    char *pod;
    char *container; /* NULL: the only one that is neither of init nor a sidecar */
    char *name;      /* for messages */
} Target;

static void target_done(Target *t)
{
    free(t->pod);
    free(t->container);
    free(t->name);
}

static int complain_containers(const PodStatus *status)
{
    _cleanup_(strv_freep) char **names = NULL;

    for (size_t i = 0; i < status->n_containers; i++)
        if (status->containers[i].name && strv_append(&names, status->containers[i].name) < 0)
            return STATUS_EXEC_FAILED;
    _cleanup_(freep) char *list = strv_join(names, ", ");
    if (status->n_containers == 0)
        log_error("%s is %s; no container runs in it", status->name,
                  enum_to_string(&pod_state_table, (int)status->state));
    else
        log_error("%s has several containers; say which: %s/CONTAINER, of %s", status->name, status->name,
                  list ?: "?");
    return STATUS_EXEC_FAILED;
}

/* The container of a pod that was named alone: what the pod is for, where that is one. */
static int find_container(Client *client, Target *t)
{
    PodStatus status;

    if (client_get(client, t->pod, &status, NULL) != STATUS_OK)
        return STATUS_EXEC_FAILED;
    const char *only = NULL;
    size_t n = 0;
    for (size_t i = 0; i < status.n_containers; i++)
        if (status.containers[i].role == CONTAINER_MAIN && n++ == 0)
            only = status.containers[i].name;
    int r = STATUS_OK;
    if (n != 1 || str_replace(&t->container, only) < 0)
        r = complain_containers(&status);
    schema_done(&pod_status_schema, &status);
    return r;
}

static int target_parse(Client *client, const char *word, Target *ret)
{
    size_t pod = strcspn(word, "/");

    ret->pod = strndup(word, pod);
    if (word[pod])
        ret->container = strdup(word + pod + 1);
    int r = ret->pod ? STATUS_OK : STATUS_EXEC_FAILED;
    if (r == STATUS_OK && str_empty(ret->container))
        r = find_container(client, ret);
    if (r == STATUS_OK)
        ret->name = strf("%s/%s", ret->pod, ret->container ?: "?");
    return r;
}

/* A closed standard stream is no stream; what is opened later must not take its number. */
static int standard_stream(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

static bool wants_terminal(const Context *c)
{
    if (option_given(c, OPTION_NO_TERMINAL))
        return false;
    return option_given(c, OPTION_TERMINAL) || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

static int call_exec(Client *client, const Context *c, const Target *target, bool terminal, int *ret_fd)
{
    _cleanup_(strv_freep) char **environment = strv_copy(c->options[OPTION_ENVIRONMENT].list);
    ExecCall call = {
        .pod = target->pod,
        .container = target->container,
        .command = c->arguments + 1,
        .working_dir = c->options[OPTION_WORKING_DIR].text,
        .user = c->options[OPTION_AS].text,
        .terminal = terminal,
    };

    if (terminal && getenv("TERM") && strv_appendf(&environment, "TERM=%s", getenv("TERM")) < 0)
        return STATUS_EXEC_FAILED;
    call.environment = environment;
    if (terminal)
        terminal_size(STDIN_FILENO, &call.rows, &call.columns);
    return client_exec(client, &call, ret_fd);
}

static int run_session(const Target *target, bool terminal, int stream)
{
    RawTerminal raw = RAW_TERMINAL_NONE;
    bool own_terminal = terminal && isatty(STDIN_FILENO);
    ExecSession session = {
        .stream = stream,
        .streams = { standard_stream(STDIN_FILENO), standard_stream(STDOUT_FILENO),
                     standard_stream(STDERR_FILENO) },
        .terminal = own_terminal,
        .target = target->name,
    };

    int r = own_terminal ? raw_terminal_begin(STDIN_FILENO, &raw) : 0;
    if (r < 0) {
        log_error_errno(r, "The terminal cannot be used");
        return STATUS_EXEC_FAILED;
    }
    int status = exec_session_run(&session);
    raw_terminal_end(&raw);
    return status;
}

static int check_environment(char **variables)
{
    STRV_FOREACH (variable, variables)
        if (**variable == '=' || !strchr(*variable, '=')) {
            log_error("--environment: \"%s\" is not NAME=VALUE", *variable);
            return STATUS_EXEC_FAILED;
        }
    return STATUS_OK;
}

int verb_exec(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_(target_done) Target target = { 0 };
    _cleanup_(closep) int stream = -1;
    bool terminal = wants_terminal(c);

    if (check_environment(c->options[OPTION_ENVIRONMENT].list) != STATUS_OK)
        return STATUS_EXEC_FAILED;
    if (client_open(c, &client) != STATUS_OK || target_parse(client, c->arguments[0], &target) != STATUS_OK ||
        call_exec(client, c, &target, terminal, &stream) != STATUS_OK)
        return STATUS_EXEC_FAILED;
    client = client_free(client);
    return run_session(&target, terminal, stream);
}
