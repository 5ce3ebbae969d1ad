/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor exec: a program in a container, with the standard streams of this process. */
#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exec-session.h"
#include "cli/exit-status.h"
#include "cli/raw-terminal.h"
#include "cli/target.h"
#include "cli/verbs.h"

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
        .streams = { exec_session_stream(STDIN_FILENO), exec_session_stream(STDOUT_FILENO),
                     exec_session_stream(STDERR_FILENO) },
        .terminal = own_terminal,
        .target = target->name,
    };

    int r = exec_session_hold_signals();
    if (r >= 0 && own_terminal)
        r = raw_terminal_begin(STDIN_FILENO, &raw);
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
