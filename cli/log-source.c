/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "cli/log-source.h"

struct LogSource {
    const LogSourceType *type;
    void *state;
};

static const LogSourceType *const types[LOG_TARGET_MAX] = {
    [LOG_TARGET_JOURNAL] = &log_source_journal,
    [LOG_TARGET_FILES] = &log_source_files,
};

void log_item_done(LogItem *item)
{
    free(item->container);
    free(item->pod);
    free(item->event);
    free(item->state);
    free(item->reason);
    bytes_done(&item->data);
    *item = (LogItem){ 0 };
}

int log_source_open(LogTarget target, const Paths *paths, const LogQuery *query, LogSource **ret)
{
    _cleanup_(freep) LogSource *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->type = types[target];
    int r = s->type->open(paths, query, &s->state);
    if (r < 0)
        return r;
    *ret = take_ptr(s);
    return 0;
}

LogSource *log_source_free(LogSource *s)
{
    if (s)
        s->type->close(s->state);
    free(s);
    return NULL;
}

int log_source_next(LogSource *s, LogItem *ret)
{
    return s->type->next(s->state, ret);
}

int log_source_wait(LogSource *s, int out)
{
    int fd = s->type->fd(s->state);
    /* No event is asked of out: a pipe without a reader shows by itself, before the next line would. */
    struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = out } };

    if (fd < 0)
        return fd;
    if (poll(p, ELEMENTSOF(p), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (p[1].revents & (POLLERR | POLLNVAL))
        return -EPIPE;
    return p[0].revents ? s->type->drain(s->state) : 0;
}
