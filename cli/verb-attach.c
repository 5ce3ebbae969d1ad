/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor attach: the standard streams of this process at a container's own program, which goes on without them. */
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exec-session.h"
#include "cli/exit-status.h"
#include "cli/raw-terminal.h"
#include "cli/target.h"
#include "cli/verbs.h"

typedef struct Attached {
    const Target *target;
    AttachAnswer program;
    int stream;
    int input;  /* standard input, if the program is to have it; else -1 */
    bool typed; /* that is a terminal */
    DetachKeys keys;
    const char *keys_text;
} Attached;

static int read_keys(const Context *c, Attached *a)
{
    a->keys_text =
        option_given(c, OPTION_DETACH_KEYS) ? c->options[OPTION_DETACH_KEYS].text : DETACH_KEYS_DEFAULT;
    if (detach_keys_parse(a->keys_text, &a->keys) == 0)
        return STATUS_OK;
    log_error("--detach-keys: \"%s\" is not accepted; expected %s", a->keys_text, detach_keys_accepted);
    return STATUS_EXEC_FAILED;
}

static int call_attach(Client *client, Attached *a)
{
    AttachCall call = { .pod = a->target->pod, .container = a->target->container };

    if (a->typed)
        terminal_size(a->input, &call.rows, &call.columns);
    return client_attach(client, &call, &a->stream, &a->program);
}

/* What a terminal's user cannot see from what comes. */
static void give_hint(const Attached *a)
{
    const char *name = a->target->name;

    if (!a->program.input)
        log_info("%s takes no input, for which its pod file has to say stdin = true; Ctrl-C leaves it", name);
    else if (a->keys.n > 0)
        log_info("Attached to %s; %s leaves it", name, a->keys_text);
    else
        log_info("Attached to %s; no key leaves it", name);
}

/* types: standard input is a terminal that the program is to have. */
static int begin_terminal(const Attached *a, bool types, RawTerminal *raw)
{
    int r = exec_session_hold_signals();

    if (r >= 0 && a->typed)
        give_hint(a);
    if (r >= 0 && types && a->program.terminal)
        r = raw_terminal_begin(a->input, raw);
    else if (r >= 0 && types && a->keys.n > 0)
        r = line_terminal_begin(a->input, a->keys.keys[a->keys.n - 1], raw);
    if (r < 0)
        log_error_errno(r, "The terminal cannot be used");
    return r;
}

static int run_session(Attached *a)
{
    RawTerminal raw = RAW_TERMINAL_NONE;
    bool types = a->typed && a->program.input, detached = false;
    /* A terminal is not read for nothing: what is typed there may be for who comes after. What else there is, the agent refuses in words. */
    int input = a->typed && !types ? -1 : a->input;
    ExecSession session = {
        .stream = a->stream,
        .streams = { input, exec_session_stream(STDOUT_FILENO), exec_session_stream(STDERR_FILENO) },
        .terminal = types && a->program.terminal,
        .target = a->target->name,
        .attached = true,
        .looks_only = input < 0 || !a->program.input,
        .keys = types && a->keys.n > 0 ? &a->keys : NULL,
        .detached = &detached,
    };

    if (begin_terminal(a, types, &raw) < 0)
        return STATUS_EXEC_FAILED;
    int status = exec_session_run(&session);
    raw_terminal_end(&raw);
    if (detached) {
        /* From where the keys were typed, behind what the program has there. */
        (void)fputc('\n', stderr);
        log_info("Left %s, which goes on", a->target->name);
    }
    return status;
}

int verb_attach(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_(target_done) Target target = { 0 };
    Attached a = { .target = &target, .stream = -1, .input = -1 };

    if (!option_given(c, OPTION_NO_STDIN))
        a.input = exec_session_stream(STDIN_FILENO);
    a.typed = a.input >= 0 && isatty(a.input);
    if (read_keys(c, &a) != STATUS_OK || client_open(c, &client) != STATUS_OK ||
        target_parse(client, c->arguments[0], &target) != STATUS_OK || call_attach(client, &a) != STATUS_OK)
        return STATUS_EXEC_FAILED;
    client = client_free(client);
    int status = run_session(&a);
    safe_close(a.stream);
    return status;
}
