/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/strings.h"
#include "runner/runner-main.h"
#include "runner/runner.h"

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "Usage: %s --run-path DIR\n\n"
            "Looks after the machine of one pod. Started by podvisord.\n\n"
            "  --run-path DIR   the pod's run path, with its frozen definition\n"
            "  --log-level L    debug, info, notice, warning, err\n"
            "  --version        print the version\n"
            "  --help           print this\n",
            program);
    return status;
}

static int arguments_read(int argc, char **argv, const char **ret_path, int *ret_level)
{
    static const struct option options[] = {
        { "run-path", required_argument, NULL, 'p' },
        { "log-level", required_argument, NULL, 'l' },
        { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (c == 'v')
            return puts(PODVISOR_VERSION) < 0 ? RUNNER_EXIT_FAILURE : 0;
        if (c == 'h')
            return usage(argv[0], 0);
        if (c == 'p')
            *ret_path = optarg;
        else if (c != 'l' || (*ret_level = log_level_from_string(optarg)) < 0)
            return usage(argv[0], RUNNER_EXIT_USAGE);
    }
    return *ret_path && optind == argc ? -1 : usage(argv[0], RUNNER_EXIT_USAGE);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    return sd_event_exit(sd_event_source_get_event(source), RUNNER_EXIT_INTERRUPTED);
}

/* Both are for the whole life of the process. */
static int signals_prepare(sd_event *event)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, NULL);
    return r < 0 ? r : sd_event_add_signal(event, NULL, SIGINT, on_signal, NULL);
}

static int run(const Backend *backend, const char *path)
{
    _cleanup_(runner_freep) Runner *r = NULL;

    int dir = dir_open_at(AT_FDCWD, path);
    if (dir < 0)
        return log_error_errno(dir, "The run path %s cannot be opened", path);
    int e = runner_new(backend, dir, &r);
    if (e >= 0)
        e = signals_prepare(r->event);
    if (e >= 0)
        e = runner_begin(r);
    if (e < 0)
        return log_error_errno(e, "The runner of %s cannot work", path);
    return sd_event_loop(r->event);
}

int runner_main(const Backend *backend, int argc, char **argv)
{
    const char *path = NULL;
    int level = LOG_INFO;

    int status = arguments_read(argc, argv, &path, &level);
    if (status >= 0)
        return status;
    log_open(program_invocation_short_name, level);
    /* A core would hold tokens, and what the guest's containers wrote. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    int r = run(backend, path);
    return r < 0 ? RUNNER_EXIT_FAILURE : r;
}
