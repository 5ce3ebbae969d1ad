/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the templates of this host's machines, and makes them (--make, as a child of itself). Its standard input is the socket that it
 * listens on, or to who wants one made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "backends/qemu/template-keeper.h"
#include "backends/qemu/template-make.h"
#include "base/log.h"
#include "base/strings.h"

static int usage(const char *program)
{
    fprintf(stderr,
            "Usage: %s QEMU KERNEL INITRD DIRECTORY\n\nStarted where pods start from templates, by podvisord "
            "or by "
            "systemd.\n",
            program);
    return 2;
}

static int keep(char **argv)
{
    TemplateSettings settings = { .listen = STDIN_FILENO,
                                  .program = "/proc/self/exe",
                                  .qemu = argv[1],
                                  .kernel = argv[2],
                                  .initrd = argv[3],
                                  .work = argv[4] };

    int r = template_keeper_run(&settings);
    return r < 0 ? log_error_errno(r, "Templates cannot be kept") : 0;
}

int main(int argc, char **argv)
{
    bool make = argc == 3 && streq(argv[1], "--make");

    if ((!make && argc != 5) || sd_is_socket(STDIN_FILENO, AF_UNIX, SOCK_SEQPACKET, !make) <= 0)
        return usage(argv[0]);
    log_open("podvisor-templates", LOG_INFO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
    return make ? template_make_run(STDIN_FILENO, argv[2]) : keep(argv) < 0;
}
