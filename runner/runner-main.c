/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/strings.h"
#include "runner/runner-main.h"
#include "runner/runner.h"
#include "runner/unit.h"
#include "schemas/schema-json.h"

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "Usage: %s --run-path DIR [--unit]\n\n"
            "Looks after the machine of one pod. Started by podvisord.\n\n"
            "  --run-path DIR   the pod's run path, with its frozen definition\n"
            "  --unit           it is the main process of a unit: SIGTERM stops the pod\n"
            "  --log-level L    debug, info, notice, warning, err\n"
            "  --describe       print what the backend finds on this host, as JSON, and do nothing else\n"
            "  --qemu PROGRAM   with --describe: the QEMU program\n"
            "  --version        print the version\n"
            "  --help           print this\n",
            program);
    return status;
}

typedef struct Arguments {
    const char *path;
    const char *qemu;
    int level;
    bool unit;
    bool describe;
} Arguments;

static int arguments_read(int argc, char **argv, Arguments *ret)
{
    static const struct option options[] = {
        { "run-path", required_argument, NULL, 'p' }, { "log-level", required_argument, NULL, 'l' },
        { "unit", no_argument, NULL, 'u' },           { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },           { "describe", no_argument, NULL, 'd' },
        { "qemu", required_argument, NULL, 'q' },     { NULL, 0, NULL, 0 },
    };

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (c == 'v')
            return puts(PODVISOR_VERSION) < 0 ? RUNNER_EXIT_FAILURE : 0;
        if (c == 'h')
            return usage(argv[0], 0);
        if (c == 'p')
            ret->path = optarg;
        else if (c == 'u')
            ret->unit = true;
        else if (c == 'd')
            ret->describe = true;
        else if (c == 'q')
            ret->qemu = optarg;
        else if (c != 'l' || (ret->level = log_level_from_string(optarg)) < 0)
            return usage(argv[0], RUNNER_EXIT_USAGE);
    }
    return (ret->path || ret->describe) && optind == argc ? -1 : usage(argv[0], RUNNER_EXIT_USAGE);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    Runner *r = userdata;

    if (!r->unit)
        return sd_event_exit(r->event, RUNNER_EXIT_INTERRUPTED);
    if (info->ssi_signo == SIGINT)
        unit_restart(r);
    else
        unit_stop(r);
    return 0;
}

/* For the whole life of the process. */
static int signals_prepare(Runner *r)
{
    /* The last one is what asks a systemd, and so a machine of machinectl, to power off. */
    const int numbers[] = { SIGTERM, SIGINT, SIGRTMIN + 4 };
    sigset_t set;
    int e = 0;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    TABLE_FOREACH (number, numbers)
        sigaddset(&set, *number);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    TABLE_FOREACH (number, numbers)
        if (e >= 0)
            e = sd_event_add_signal(r->event, NULL, *number, on_signal, r);
    return e;
}

static int run(const Backend *backend, const char *path, bool unit)
{
    _cleanup_(runner_freep) Runner *r = NULL;

    int dir = dir_reach_at(AT_FDCWD, path);
    if (dir < 0)
        return log_error_errno(dir, "The run path %s cannot be opened", path);
    int e = runner_new(backend, dir, unit, &r);
    if (e >= 0)
        e = signals_prepare(r);
    if (e >= 0)
        e = sd_event_set_watchdog(r->event, unit);
    if (e >= 0)
        e = runner_begin(r);
    if (e < 0)
        return log_error_errno(e, "The runner of %s cannot work", path);
    return sd_event_loop(r->event);
}

static int describe(const Backend *backend, const char *qemu)
{
    BackendDescription d;

    int r = schema_init(&backend_description_schema, &d);
    if (r < 0)
        return r;
    d.usable = true;
    if ((r = str_replace(&d.name, backend->name)) >= 0)
        r = str_replace(&d.version, PODVISOR_VERSION);
    if (r >= 0 && backend->describe)
        r = backend->describe(qemu ?: "/usr/bin/qemu-system-x86_64", &d);
    _cleanup_(json_releasep) Json *json = r >= 0 ? schema_to_json(&backend_description_schema, &d) : NULL;
    if (r >= 0)
        r = json_print(json, JSON_SHORT, stdout);
    schema_done(&backend_description_schema, &d);
    return r < 0 ? log_error_errno(r, "The %s backend cannot be described", backend->name) : 0;
}

int runner_main(const Backend *backend, int argc, char **argv)
{
    Arguments a = { .level = LOG_INFO };

    int status = arguments_read(argc, argv, &a);
    if (status >= 0)
        return status;
    log_open(program_invocation_short_name, a.level);
    /* A core would hold tokens, and what the guest's containers wrote. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    int r = a.describe ? describe(backend, a.qemu) : run(backend, a.path, a.unit);
    return r < 0 ? RUNNER_EXIT_FAILURE : r;
}
