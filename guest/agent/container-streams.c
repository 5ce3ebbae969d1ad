/* SPDX-License-Identifier: Apache-2.0 */
/* The standard streams of a container's program: pipes, or the other side of its terminal. */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "guest/agent/agent.h"

static int open_input(Container *c, int *ret_read)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ret_read = fds[0];
    c->input = fds[1];
    return fcntl(c->input, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int container_streams_open(Container *c, int theirs[3])
{
    const ContainerDefinition *d = &c->config->definition;

    if (d->terminal)
        return 0;
    int r = d->keep_stdin ? open_input(c, &theirs[0]) : 0;
    if (r >= 0)
        r = container_output_open(&c->outputs[0], &theirs[1]);
    return r < 0 ? r : container_output_open(&c->outputs[1], &theirs[2]);
}

int container_streams_take(Container *c, const int outputs[2])
{
    int out = container_output_take(&c->outputs[0], outputs[0], false);
    int err = container_output_take(&c->outputs[1], outputs[1], false);

    return MIN(out, err);
}

void container_streams_close(Container *c)
{
    container_input_end(c);
    container_output_close(&c->outputs[0]);
    container_output_close(&c->outputs[1]);
}

int container_input(const Container *c)
{
    return c->config->definition.terminal ? c->outputs[0].fd : c->input;
}

void container_input_end(Container *c)
{
    c->input = safe_close(c->input);
}

int container_resize(const Container *c, unsigned rows, unsigned columns)
{
    struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

    if (!c->config->definition.terminal || c->outputs[0].fd < 0)
        return -ENOTTY;
    return ioctl(c->outputs[0].fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}
