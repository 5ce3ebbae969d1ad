/* SPDX-License-Identifier: Apache-2.0 */
/* podvisord: one straight line from the command line to the event loop. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/journal-log.h"
#include "base/strings.h"
#include "schemas/log-fields.h"
#include "supervisor/options.h"
#include "supervisor/supervisor.h"

static const PathsMode mode_with_journal[] = { PATHS_SYSTEM, PATHS_USER };

static void open_journal(bool echo)
{
    static LogFields lost;

    log_fields_init(&lost);
    log_fields_set_event(&lost, &operator_events[EVENT_OUTPUT_LOST]);
    journal_log_open("podvisord", lost.rows, echo);
}

/* The journal itself, with the fields, where standard error is nobody's terminal; never below --root. */
static void choose_log(const Paths *paths)
{
    TABLE_FOREACH (mode, mode_with_journal)
        if (paths->mode == *mode && !isatty(STDERR_FILENO) && journal_is_there())
            open_journal(false);
}

/* A file that is not there is an empty one; one with errors stops the start, since nobody knows what was meant. */
static int read_config(const Paths *paths, DaemonConfig *ret)
{
    Diagnostics diagnostics = { 0 };

    int r = daemon_config_load(paths->config, ret, &diagnostics);
    if (r < 0 && r != -ENOMEM) {
        schema_done(&daemon_config_schema, ret);
        diagnostics_done(&diagnostics);
        return log_error_errno(r, "%s cannot be read", paths->config);
    }
    for (size_t i = 0; i < diagnostics.n_items; i++) {
        _cleanup_(freep) char *line = diagnostic_format(&diagnostics.items[i]);
        log_error("%s", line ?: "out of memory");
    }
    diagnostics_done(&diagnostics);
    if (r > 0)
        schema_done(&daemon_config_schema, ret);
    return r > 0 ? -EINVAL : r;
}

/* The command line wins, for the runners too. */
static int set_log_level(const Options *options, DaemonConfig *config)
{
    if (options->log_level && str_replace(&config->log_level, options->log_level) < 0)
        return -ENOMEM;
    int level = log_level_from_string(config->log_level);
    if (level < 0)
        return log_full(LOG_ERR, level, NULL, "log_level \"%s\" is none of debug, info, notice, warning, err",
                        config->log_level);
    log_open("podvisord", level);
    return 0;
}

/* --- signals --------------------------------------------------------------------------------------------------------- */

static void leave(void *userdata)
{
    Supervisor *supervisor = userdata;

    const char *pods = supervisor->all_end ? "with its pods" : "and the pods go on";

    notify_stopping(supervisor->notify,
                    supervisor->all_end ? "Leaving with the pods" : "Leaving, the pods go on");
    log_info("podvisord ends, %s", pods);
    (void)sd_event_exit(supervisor->event, 0);
}

static int on_end(sd_event_source *s, const struct signalfd_siginfo *info, void *userdata)
{
    Supervisor *supervisor = userdata;

    inhibitor_leave(supervisor->inhibitor, leave, supervisor);
    return 0;
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *info, void *userdata)
{
    _cleanup_(strv_freep) char **errors = NULL;
    Supervisor *supervisor = userdata;

    notify_reloading(supervisor->notify);
    int r = supervisor_reload(supervisor, &errors);
    if (r < 0)
        log_error_errno(r, "The definitions cannot be read again");
    STRV_FOREACH (error, errors)
        log_error("%s", *error);
    notify_reloaded(supervisor->notify);
    return 0;
}

static int block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int add_signals(sd_event *event, Supervisor *supervisor)
{
    int r = sd_event_add_signal(event, NULL, SIGTERM, on_end, supervisor);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT, on_end, supervisor);
    return r < 0 ? r : sd_event_add_signal(event, NULL, SIGHUP, on_reload, supervisor);
}

/* Three descriptors a pod; the usual soft limit is for programs that use select(2), which is not here. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const Paths *paths, const DaemonConfig *config)
{
    sd_event *event = NULL;
    Supervisor *supervisor = NULL;

    int r = block_signals();
    if (r >= 0)
        r = sd_event_default(&event);
    if (r >= 0) {
        /* Events belong where the pods' output goes, whoever reads along on standard error. */
        if (!journal_log_is_open() &&
            log_target_choose(config->log_target, paths->mode, journal_is_there()) == LOG_TARGET_JOURNAL)
            open_journal(true);
        journal_log_attach(event);
    }
    if (r >= 0)
        r = supervisor_new(&supervisor, event, paths, config);
    if (r >= 0)
        r = add_signals(event, supervisor);
    if (r >= 0) {
        notify_started(supervisor->notify);
        r = sd_event_loop(event);
    }
    supervisor_free(supervisor);
    sd_event_unref(event);
    return r;
}

int main(int argc, char **argv)
{
    Options options;
    DaemonConfig config = { 0 };
    Paths paths;

    log_open("podvisord", LOG_INFO);
    umask(0077);
    int r = options_parse(argc, argv, &options);
    if (r <= 0)
        return r < 0 ? 2 : 0;
    if ((r = paths_init(&paths, options.root, options.user)) < 0) {
        log_error_errno(r, options.user ? "--user needs HOME and XDG_RUNTIME_DIR, and goes without --root"
                                        : "The paths cannot be determined");
        return 1;
    }
    choose_log(&paths);
    raise_descriptor_limit();
    if ((r = read_config(&paths, &config)) >= 0) {
        r = set_log_level(&options, &config);
        if (r >= 0 && (r = run(&paths, &config)) < 0 && r != -EBUSY)
            log_error_errno(r, "podvisord cannot work");
        schema_done(&daemon_config_schema, &config);
    }
    journal_log_close();
    paths_done(&paths);
    return r < 0;
}
