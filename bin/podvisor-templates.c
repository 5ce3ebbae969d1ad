/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the templates of this host's machines, and makes them and their spares (--make, --spare, as children of itself).
 * Its standard input is the socket that it listens on, or to who wants one made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "backends/qemu/spare-make.h"
#include "backends/qemu/template-keeper.h"
#include "backends/qemu/template-make.h"
#include "base/log.h"
#include "base/strings.h"
#include "schemas/daemon-config.h"

static int usage(const char *program)
{
    fprintf(stderr,
            "Usage: %s QEMU KERNEL INITRD DIRECTORY\n\nStarted where pods start from templates, by podvisord "
            "or by "
            "systemd.\n",
            program);
    return 2;
}

static int keep(const char *qemu, const char *kernel, const char *initrd, const char *work, bool spares)
{
    TemplateSettings settings = { .listen = STDIN_FILENO,
                                  .spares = spares,
                                  .program = "/proc/self/exe",
                                  .qemu = qemu,
                                  .kernel = kernel,
                                  .initrd = initrd,
                                  .work = work };

    int r = template_keeper_run(&settings);
    return r < 0 ? log_error_errno(r, "Templates cannot be kept") : 0;
}

/* As a unit: the host's own settings. What is wrong with them podvisord says. */
static int keep_for_host(void)
{
    Diagnostics diagnostics = { 0 };
    DaemonConfig config;
    Paths paths;

    int r = paths_init(&paths, NULL, false);
    if (r < 0)
        return log_error_errno(r, "The paths cannot be determined");
    if ((r = daemon_config_load(paths.config, &config, &diagnostics)) < 0 && r != -ENOMEM)
        log_warning_errno(r, "%s cannot be read; its defaults are taken", paths.config);
    diagnostics_done(&diagnostics);
    _cleanup_(freep) char *kernel = strf("%s/vmlinux", paths.guest), *initrd = strf("%s/initrd", paths.guest);
    if (r == -ENOMEM || !kernel || !initrd)
        return log_error_errno(-ENOMEM, "Templates cannot be kept");
    r = keep(config.qemu, config.kernel ?: kernel, config.initrd ?: initrd, "/tmp", false);
    schema_done(&daemon_config_schema, &config);
    paths_done(&paths);
    return r;
}

int main(int argc, char **argv)
{
    bool make = argc == 3 && streq(argv[1], "--make"), spare = argc == 3 && streq(argv[1], "--spare");

    if ((!make && !spare && argc != 1 && argc != 5) ||
        sd_is_socket(STDIN_FILENO, AF_UNIX, SOCK_SEQPACKET, !make && !spare) <= 0)
        return usage(argv[0]);
    log_open("podvisor-templates", LOG_INFO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    if (make)
        return template_make_run(STDIN_FILENO, argv[2]);
    if (spare)
        return spare_make_run(STDIN_FILENO, argv[2]);
    return (argc == 1 ? keep_for_host() : keep(argv[1], argv[2], argv[3], argv[4], true)) < 0;
}
