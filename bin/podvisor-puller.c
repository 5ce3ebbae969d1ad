/* SPDX-License-Identifier: Apache-2.0 */
/* The process that pulls an image for podvisord: the main process of podvisor-pull@.service, or podvisord's child. */
#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "images/pull-request.h"
#include "schemas/paths.h"

static int usage(const char *program)
{
    fprintf(stderr,
            "Usage: %s [--root DIR | --user] ID\n\nStarted by podvisord, to pull what it has asked for under "
            "this number.\n",
            program);
    return 2;
}

static int serve(const Paths *paths, const char *id)
{
    _cleanup_(freep) char *requests = strf("%s/" PATHS_PULLS, paths->run);
    _cleanup_(closep) int pulls = requests ? dir_open_at(AT_FDCWD, requests) : -ENOMEM;
    _cleanup_(closep) int state = dir_open_at(AT_FDCWD, paths->state);

    return pulls < 0 ? pulls : state < 0 ? state : pull_request_serve(pulls, state, id, environ);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "root", required_argument, NULL, 'r' },
                                             { "user", no_argument, NULL, 'u' },
                                             { 0 } };
    const char *root = NULL;
    bool user = false;
    Paths paths;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?')
            return usage(argv[0]);
        root = c == 'r' ? optarg : root;
        user |= c == 'u';
    }
    if (optind != argc - 1 || !pull_request_id_valid(argv[optind]))
        return usage(argv[0]);
    log_open("podvisor-puller", LOG_INFO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    int r = paths_init(&paths, root, user);
    if (r >= 0) {
        r = serve(&paths, argv[optind]);
        paths_done(&paths);
    }
    /* Nobody wants it any more: podvisord has begun anew. */
    if (r < 0 && r != -ENOENT)
        log_error_errno(r, "What was to be pulled cannot be read, or what came of it cannot be written");
    return r < 0 && r != -ENOENT;
}
