/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor logs and podvisor events: what is recorded. podvisord need not run. */
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/daemon-settings.h"
#include "cli/exit-status.h"
#include "cli/log-query.h"
#include "cli/log-view.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schemas/checkpoint.h"

/* The newest items, as many as were asked for; bounded, so that a long log costs no more than is shown. */
typedef struct Backlog {
    LogItem *items;
    size_t n_items, n_allocated;
    size_t oldest; /* where the next one goes when it is full */
    uint64_t limit;
    bool several; /* containers */
} Backlog;

static void backlog_done(Backlog *b)
{
    for (size_t i = 0; i < b->n_items; i++)
        log_item_done(&b->items[i]);
    free(b->items);
}

static LogItem *backlog_item(const Backlog *b, size_t i)
{
    return &b->items[(b->oldest + i) % b->n_items];
}

static int backlog_add(Backlog *b, LogItem *item)
{
    if (b->n_items > 0 && !streq_ptr(b->items[0].container, item->container))
        b->several = true;
    if (b->n_items == b->limit) {
        if (b->limit > 0) {
            log_item_done(&b->items[b->oldest]);
            b->items[b->oldest] = *item;
            b->oldest = (b->oldest + 1) % b->n_items;
        } else
            log_item_done(item);
        return 0;
    }
    if (b->n_items == b->n_allocated) {
        size_t n = MAX(b->n_allocated * 2, (size_t)64);
        LogItem *items = reallocarray(b->items, n, sizeof *items);
        if (!items)
            return -ENOMEM;
        b->items = items;
        b->n_allocated = n;
    }
    b->items[b->n_items++] = *item;
    return 0;
}

static int backlog_read(Backlog *b, LogSource *source)
{
    LogItem item;
    int r;

    while ((r = log_source_next(source, &item)) > 0)
        if ((r = backlog_add(b, &item)) < 0) {
            log_item_done(&item);
            return r;
        }
    return r;
}

static int backlog_show(const Backlog *b, LogView *view)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < b->n_items; i++)
        r = log_view_show(view, backlog_item(b, i));
    return r;
}

/* Shows what comes, until it is interrupted or nobody reads any more. */
static int follow(LogSource *source, LogView *view)
{
    for (;;) {
        LogItem item;
        int r = log_source_next(source, &item);
        if (r < 0)
            return r;
        if (r == 0) {
            if (fflush(view->out) == EOF || fflush(view->err) == EOF)
                return -errno;
            if ((r = log_source_wait(source, fileno(view->out))) < 0)
                return r;
            continue;
        }
        r = log_view_show(view, &item);
        log_item_done(&item);
        if (r < 0)
            return r;
    }
}

static int complain(const LogQuery *query, int error)
{
    /* Whoever read has read enough. */
    if (error == -EPIPE)
        return STATUS_OK;
    if (query->events)
        log_error_errno(error, "The recorded events cannot be shown");
    else
        log_error_errno(error, "%s: the recorded output cannot be shown", query->pod);
    return STATUS_FAILURE;
}

/* --- nothing is recorded: because nothing was written, or because there is nobody who could? --------------------- */

/* The frozen definition, where there is one and we may read it; the caller empties it by schema_done(). */
static bool read_frozen(const Paths *paths, const char *pod, RunDefinition *ret)
{
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS "/%s", paths->run, pod);
    _cleanup_(closep) int dir = path ? dir_open_at(AT_FDCWD, path) : -1;

    return dir >= 0 && checkpoint_read(dir, &run_definition_kind, ret, NULL, NULL) == CHECKPOINT_GOOD;
}

/* So that the first line has a name already. */
static bool has_several_containers(const Paths *paths, const char *pod)
{
    RunDefinition definition;

    if (!read_frozen(paths, pod, &definition))
        return false;
    bool several = pod_n_containers(&definition.pod) > 1;
    schema_done(&run_definition_schema, &definition);
    return several;
}

/* By its file or its run path: both are there to be seen without podvisord, and without the right to read them. */
static bool pod_exists(const Paths *paths, const char *pod)
{
    _cleanup_(freep) char *run = strf("%s/" PATHS_PODS "/%s", paths->run, pod);
    bool found = run && access(run, F_OK) == 0;

    STRV_FOREACH (directory, paths->definitions) {
        _cleanup_(freep) char *file = strf("%s/%s.pod", *directory, pod);
        found |= file && access(file, F_OK) == 0;
    }
    return found;
}

/* True unless it is certain that there is none. */
static bool container_may_exist(const Paths *paths, const LogQuery *query)
{
    RunDefinition definition;

    if (!query->container || !read_frozen(paths, query->pod, &definition))
        return true;
    bool found = pod_container_find(&definition.pod, query->container) >= 0;
    schema_done(&run_definition_schema, &definition);
    return found;
}

static int explain_no_events(const Paths *paths, const LogQuery *query)
{
    if (query->pod && !pod_exists(paths, query->pod)) {
        log_error("%s: there is no such pod, and no event of one is recorded", query->pod);
        return STATUS_NOT_FOUND;
    }
    log_info("No event is recorded");
    return STATUS_OK;
}

static int explain_nothing(const Paths *paths, const LogQuery *query)
{
    if (query->events)
        return explain_no_events(paths, query);
    if (!pod_exists(paths, query->pod)) {
        log_error("%s: there is no such pod, and no output of one is recorded", query->pod);
        return STATUS_NOT_FOUND;
    }
    if (!container_may_exist(paths, query)) {
        log_error("%s has no container %s, and no output of one is recorded", query->pod, query->container);
        return STATUS_NOT_FOUND;
    }
    log_info("%s%s%s has written nothing yet", query->pod, query->container ? "/" : "",
             query->container ?: "");
    return STATUS_OK;
}

static int show(const Context *c, const LogQuery *query, LogSource *source)
{
    _cleanup_(backlog_done) Backlog backlog = { .limit = query->last };
    _cleanup_(log_view_done) LogView view = {
        .format =
            option_given(c, OPTION_JSON) ? LOG_FORMAT_JSON : (LogFormat)c->options[OPTION_OUTPUT].number,
        .style = (JsonStyle)c->options[OPTION_JSON].number,
        .events = query->events,
        .out = stdout,
        .err = stderr,
        .out_safe = isatty(STDOUT_FILENO),
        .err_safe = isatty(STDERR_FILENO),
    };
    bool following = option_given(c, OPTION_FOLLOW);

    int r = backlog_read(&backlog, source);
    view.may_prefix = !query->container && !query->events;
    view.prefix = view.may_prefix && (backlog.several || has_several_containers(&c->paths, query->pod));
    if (r >= 0 && backlog.n_items == 0 && !log_query_is_narrow(query)) {
        int status = explain_nothing(&c->paths, query);
        if (status != STATUS_OK || !following)
            return status;
    }
    if (r >= 0) {
        Pager pager = following ? (Pager){ 0 } : pager_open(c);
        /* A pager owns the terminal: nothing may be written beside it. */
        view.err = pager.pid > 0 ? stdout : stderr;
        r = backlog_show(&backlog, &view);
        view.err = stderr;
        pager_close(&pager);
    }
    if (r >= 0 && following)
        r = follow(source, &view);
    return r < 0 ? complain(query, r) : STATUS_OK;
}

static int show_query(const Context *c, const LogQuery *query)
{
    _cleanup_(log_source_freep) LogSource *source = NULL;
    DaemonConfig config;

    int r = daemon_settings_load(c, &config);
    if (r < 0)
        return complain(query, r);
    LogTarget target = log_target_choose(config.log_target, c->paths.mode, journal_is_there());
    schema_done(&daemon_config_schema, &config);
    r = log_source_open(target, &c->paths, query, &source);
    /* No directory to look into: no podvisord has run here yet. */
    if (r == -ENOENT && !option_given(c, OPTION_FOLLOW))
        return explain_nothing(&c->paths, query);
    return r < 0 ? complain(query, r) : show(c, query, source);
}

int verb_logs(Context *c)
{
    _cleanup_(freep) char *word = strdup(c->arguments[0]);
    LogQuery query;

    int status = word ? log_query_read(c, word, &query) : STATUS_FAILURE;
    return status == STATUS_OK ? show_query(c, &query) : status;
}

int verb_events(Context *c)
{
    LogQuery query;

    int status = log_query_read(c, c->arguments ? c->arguments[0] : NULL, &query);
    query.events = true;
    return status == STATUS_OK ? show_query(c, &query) : status;
}
