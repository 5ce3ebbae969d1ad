/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor cp: files and directories into and out of a container, as a tar archive over a stream. */
#include <signal.h>

#include "archive/open.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/copy-child.h"
#include "cli/exec-session.h"
#include "cli/exit-status.h"
#include "cli/target.h"
#include "cli/text.h"
#include "cli/verbs.h"

/* One of the two arguments. */
typedef struct Place {
    const char *word;
    const char *path; /* in the container; NULL: the place is on this host */
    bool stream;      /* "-": an archive as it is */
} Place;

/* What starts like a path of this host is one, whatever stands behind it. */
static Place place_parse(const char *word)
{
    size_t n = strcspn(word, ":");
    bool there = word[n] && target_is(word, n);

    return (Place){ .word = word, .path = there ? word + n + 1 : NULL, .stream = streq(word, "-") };
}

static int complain(const char *why)
{
    log_error("podvisor cp: %s", why);
    return STATUS_USAGE;
}

static int check_places(const Place *from, const Place *to)
{
    const Place *there = from->path ? from : to;

    if (!from->path == !to->path)
        return complain(from->path ? "both places are in containers; copy by way of this host"
                                   : "none of the places is in a container, as POD/CONTAINER:PATH is");
    if (str_empty(there->path))
        return complain("there is no path behind the \":\"");
    if (to->stream && isatty(STDOUT_FILENO))
        return complain("an archive is not for a terminal; send it to a file or a program");
    return STATUS_OK;
}

/* --- the copy ------------------------------------------------------------------------------------------------------------- */

typedef struct Copy {
    const Place *from, *to;
    Target target;
    char *name; /* "web/httpd:/etc", for messages */
    int stream;
    CopyChild child; /* pid 0: none */
    int pipe;        /* our end */
    Bytes words;     /* of the agent, each ended by a NUL */
    CopyResult result;
} Copy;

static void copy_done(Copy *c)
{
    target_done(&c->target);
    free(c->name);
    safe_close(c->stream);
    safe_close(c->pipe);
    bytes_done(&c->words);
    copy_result_done(&c->result);
}

static int begin(Copy *c, Client *client)
{
    const Place *there = c->from->path ? c->from : c->to;
    _cleanup_(freep) char *word = strndup(there->word, (size_t)(there->path - 1 - there->word));

    int status = word ? target_parse(client, word, &c->target) : STATUS_FAILURE;
    if (status != STATUS_OK)
        return status;
    _cleanup_(freep) char *path = text_safe(there->path);
    c->name = strf("%s:%s", c->target.name, path ?: "?");
    TaskCall call = {
        .pod = c->target.pod,
        .container = c->target.container,
        .task = c->from->path ? TASK_COPY_OUT : TASK_COPY_IN,
        .path = there->path,
        .directory = c->from->stream,
    };
    return client_task(client, &call, &c->stream);
}

static int start_child(Copy *c, bool power)
{
    bool pack = !c->from->path;
    const Place *here = pack ? c->from : c->to;
    _cleanup_(tree_path_done) TreePath asked = { 0 };
    CopyJob job = { .pack = pack, .path = here->word, .power = power, .not_for_it = c->stream };

    if (here->stream)
        return STATUS_OK;
    int r = pack ? 0 : tree_path_parse(c->from->path, &asked);
    /* What is in a directory may be called anything. */
    job.tree = pack || asked.contents ? NULL : asked.name;
    if (r >= 0)
        r = copy_child_start(&job, &c->child, &c->pipe);
    if (r < 0)
        log_error_errno(r, "The copy cannot be started");
    return r < 0 ? STATUS_FAILURE : STATUS_OK;
}

static int carry(Copy *c)
{
    bool in = !c->from->path;
    ExecSession session = {
        .stream = c->stream,
        .streams = { in ? (c->child.pid > 0 ? c->pipe : STDIN_FILENO) : -1,
                     in ? -1 : (c->child.pid > 0 ? c->pipe : STDOUT_FILENO), -1 },
        .words = &c->words,
        .target = c->name,
    };
    int status = exec_session_run(&session);

    c->stream = safe_close(c->stream);
    c->pipe = safe_close(c->pipe);
    return status;
}

/* --- what became of it ---------------------------------------------------------------------------------------------------- */

static void print_words(const Bytes *words, const char *where)
{
    for (size_t i = 0; i < words->size; i += strnlen((const char *)words->data + i, words->size - i) + 1) {
        _cleanup_(freep) char *raw = strndup((const char *)words->data + i, words->size - i);
        _cleanup_(freep) char *text = text_safe(raw);
        if (!str_empty(text))
            log_warning("%s: %s", where, text);
    }
}

/* Of an error that only follows from what went wrong at the other end. */
static bool is_consequence(const Copy *c, int status)
{
    int error = c->result.trouble.error;
    return status != STATUS_OK && (error == -EPIPE || error == -EBADMSG);
}

/* What a signal at either end means; false: none ended it. */
static bool tell_signal(const Copy *c, int status)
{
    const char *where = c->from->path ? c->to->word : c->name;

    if (status <= STATUS_SIGNAL || status == STATUS_SIGNAL + SIGPIPE)
        return false;
    if (status == STATUS_SIGNAL + SIGKILL)
        log_error("%s: what copied in the machine was killed, as for want of memory; what was copied before "
                  "is left",
                  where);
    else
        log_error("%s: interrupted; what was copied before is left there", where);
    return true;
}

static int finish(Copy *c, int status)
{
    if (c->child.pid > 0 && copy_child_end(&c->child, &c->result) < 0)
        return STATUS_FAILURE;
    bool failed = c->result.trouble.error < 0 && !is_consequence(c, status);
    print_words(&c->result.notes, "note");
    if (failed) {
        _cleanup_(freep) char *text = text_safe(c->result.trouble.text);
        log_error("%s", text ?: "?");
        return STATUS_FAILURE;
    }
    print_words(&c->words, status == STATUS_OK ? "note" : c->name);
    /* As of any program whose reader has gone. */
    bool unread = c->child.pid == 0 && status == STATUS_SIGNAL + SIGPIPE;
    return tell_signal(c, status) || unread || status == STATUS_OK ? status : STATUS_FAILURE;
}

static int copy(const Context *context, Client **client, const Place *from, const Place *to)
{
    _cleanup_(copy_done) Copy c = { .from = from, .to = to, .stream = -1, .pipe = -1, .child.words = -1 };

    int status = begin(&c, *client);
    *client = client_free(*client);
    if (status == STATUS_OK)
        status = start_child(&c, option_given(context, OPTION_KEEP_SETUID));
    return status == STATUS_OK ? finish(&c, carry(&c)) : status;
}

int verb_cp(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    Place from = place_parse(c->arguments[0]), to = place_parse(c->arguments[1]);

    int status = check_places(&from, &to);
    if (status == STATUS_OK)
        status = client_open(c, &client);
    return status == STATUS_OK ? copy(c, &client, &from, &to) : status;
}
