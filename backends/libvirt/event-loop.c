/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "backends/libvirt/event-loop.h"
#include "base/macro.h"
#include "base/units.h"

enum { EVENTS_AT_ONCE = 16 };

/* A descriptor or a timer that libvirt waits for. */
typedef struct Waiter {
    struct Waiter *next;
    int id;      /* libvirt's name for it, never used twice */
    bool timer;  /* else a descriptor */
    int fd;      /* our duplicate; -1: a timer */
    int number;  /* libvirt's own descriptor, which it is told of */
    int events;  /* VIR_EVENT_HANDLE_* */
    int timeout; /* milliseconds; negative: disabled */
    usec_t due;  /* CLOCK_MONOTONIC */
    bool removed;
    union {
        virEventHandleCallback handle;
        virEventTimeoutCallback timeout;
    } func;
    void *opaque;
    virFreeCallback free_opaque;
} Waiter;

/* libvirt has one loop in a process, so there is one here. */
static struct {
    pthread_mutex_t mutex; /* of all that follows but `source` and `timer`, which are of the loop's thread */
    Waiter *waiters;
    int last_id;
    int poll; /* epoll of all descriptors, and of `wake` */
    int wake; /* the timers, or the list of what was removed, have changed */
    bool registered;
    sd_event *event;
    sd_event_source *source, *timer;
} loop = { .mutex = PTHREAD_MUTEX_INITIALIZER, .poll = -1, .wake = -1 };

static void wake_up(void)
{
    uint64_t one = 1;
    (void)!write(loop.wake, &one, sizeof one);
}

/* --- what libvirt calls, from any thread ------------------------------------------------------------------------------ */

static const struct {
    int libvirt;
    uint32_t epoll;
} event_rows[] = {
    { VIR_EVENT_HANDLE_READABLE, EPOLLIN },
    { VIR_EVENT_HANDLE_WRITABLE, EPOLLOUT },
    { VIR_EVENT_HANDLE_ERROR, EPOLLERR },
    { VIR_EVENT_HANDLE_HANGUP, EPOLLHUP },
};

static uint32_t to_epoll(int events)
{
    uint32_t result = 0;

    TABLE_FOREACH (row, event_rows)
        if (events & row->libvirt)
            result |= row->epoll;
    return result;
}

static int from_epoll(uint32_t events)
{
    int result = 0;

    TABLE_FOREACH (row, event_rows)
        if (events & row->epoll)
            result |= row->libvirt;
    return result;
}

/* Called with the lock held. Nothing wanted: not even hang-ups are told, which epoll would tell again and again. */
static int handle_watch(Waiter *w, int events)
{
    struct epoll_event e = { .events = to_epoll(events), .data.fd = w->id };
    int before = w->events;

    w->events = events;
    if (!before && !events)
        return 0;
    int operation = !before ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    return epoll_ctl(loop.poll, operation, w->fd, &e) < 0 ? -errno : 0;
}

static void timer_set(Waiter *w, int timeout)
{
    w->timeout = timeout;
    w->due = timeout < 0 ? USEC_INFINITY : now_usec(CLOCK_MONOTONIC) + (usec_t)timeout * USEC_PER_MSEC;
}

static Waiter *waiter_find(int id, bool timer)
{
    for (Waiter *w = loop.waiters; w; w = w->next)
        if (w->id == id && w->timer == timer && !w->removed)
            return w;
    return NULL;
}

static int waiter_add(Waiter *w)
{
    (void)pthread_mutex_lock(&loop.mutex);
    int id = w->id = ++loop.last_id, events = w->events;
    w->events = 0;
    w->next = loop.waiters;
    loop.waiters = w;
    int r = w->timer ? 0 : handle_watch(w, events);
    if (r < 0)
        loop.waiters = w->next;
    (void)pthread_mutex_unlock(&loop.mutex);
    wake_up();
    return r < 0 ? r : id;
}

static int add_handle(int fd, int events, virEventHandleCallback func, void *opaque,
                      virFreeCallback free_opaque)
{
    Waiter *w = calloc(1, sizeof *w);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), id = -1;

    if (w && copy >= 0) {
        *w = (Waiter){ .fd = copy, .number = fd, .events = events, .opaque = opaque };
        w->func.handle = func;
        w->free_opaque = free_opaque;
        id = waiter_add(w);
    }
    if (id >= 0)
        return id;
    safe_close(copy);
    free(w);
    return -1;
}

static void update_handle(int id, int events)
{
    (void)pthread_mutex_lock(&loop.mutex);
    Waiter *w = waiter_find(id, false);
    if (w)
        (void)handle_watch(w, events);
    (void)pthread_mutex_unlock(&loop.mutex);
}

static int waiter_remove(int id, bool timer)
{
    (void)pthread_mutex_lock(&loop.mutex);
    Waiter *w = waiter_find(id, timer);
    if (w && !timer)
        (void)handle_watch(w, 0);
    if (w)
        w->removed = true;
    (void)pthread_mutex_unlock(&loop.mutex);
    wake_up();
    return w ? 0 : -1;
}

static int remove_handle(int id)
{
    return waiter_remove(id, false);
}

static int add_timeout(int timeout, virEventTimeoutCallback func, void *opaque, virFreeCallback free_opaque)
{
    Waiter *w = calloc(1, sizeof *w);

    if (!w)
        return -1;
    *w = (Waiter){ .timer = true, .fd = -1, .opaque = opaque, .free_opaque = free_opaque };
    w->func.timeout = func;
    timer_set(w, timeout);
    return waiter_add(w);
}

static void update_timeout(int id, int timeout)
{
    (void)pthread_mutex_lock(&loop.mutex);
    Waiter *w = waiter_find(id, true);
    if (w)
        timer_set(w, timeout);
    (void)pthread_mutex_unlock(&loop.mutex);
    wake_up();
}

static int remove_timeout(int id)
{
    return waiter_remove(id, true);
}

/* --- in the thread of the loop ---------------------------------------------------------------------------------------- */

/* A waiter is freed by this thread alone, so what was found under the lock stays; what was removed meanwhile is not called. */
static void handle_call(int id, uint32_t events)
{
    (void)pthread_mutex_lock(&loop.mutex);
    Waiter *w = waiter_find(id, false);
    Waiter found = w ? *w : (Waiter){ 0 };
    (void)pthread_mutex_unlock(&loop.mutex);
    if (w && (from_epoll(events) & (found.events | VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP)))
        found.func.handle(id, found.number, from_epoll(events), found.opaque);
}

static void handles_call(void)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    int n = epoll_wait(loop.poll, events, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < n; i++)
        if (events[i].data.fd)
            handle_call(events[i].data.fd, events[i].events);
}

/* One timer that is due, set anew; each is called once at most, so that one of 0 ms does not hold up all else. */
static bool timer_take(usec_t now, Waiter *ret)
{
    bool found = false;

    (void)pthread_mutex_lock(&loop.mutex);
    for (Waiter *w = loop.waiters; w && !found; w = w->next) {
        found = w->timer && !w->removed && w->due <= now;
        if (!found)
            continue;
        w->due = now + MAX((usec_t)w->timeout * USEC_PER_MSEC, 1);
        *ret = *w;
    }
    (void)pthread_mutex_unlock(&loop.mutex);
    return found;
}

static void timers_call(void)
{
    usec_t now = now_usec(CLOCK_MONOTONIC);
    Waiter w;

    while (timer_take(now, &w))
        w.func.timeout(w.id, w.opaque);
}

static Waiter *removed_take(void)
{
    Waiter *w = NULL;

    (void)pthread_mutex_lock(&loop.mutex);
    for (Waiter **p = &loop.waiters; *p && !w;) {
        if ((*p)->removed) {
            w = *p;
            *p = w->next;
        } else
            p = &(*p)->next;
    }
    (void)pthread_mutex_unlock(&loop.mutex);
    return w;
}

static void removed_free(void)
{
    for (Waiter *w; (w = removed_take());) {
        if (w->free_opaque)
            w->free_opaque(w->opaque);
        safe_close(w->fd);
        free(w);
    }
}

static usec_t earliest(void)
{
    usec_t due = USEC_INFINITY;

    (void)pthread_mutex_lock(&loop.mutex);
    for (Waiter *w = loop.waiters; w; w = w->next)
        if (w->timer && !w->removed)
            due = MIN(due, w->due);
    (void)pthread_mutex_unlock(&loop.mutex);
    return due;
}

static void run(void)
{
    uint64_t count;

    (void)!read(loop.wake, &count, sizeof count);
    handles_call();
    timers_call();
    removed_free();
    if (!loop.timer)
        return;
    usec_t due = earliest();
    (void)sd_event_source_set_time(loop.timer, due);
    (void)sd_event_source_set_enabled(loop.timer, due == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    run();
    return 0;
}

static int on_time(sd_event_source *source, uint64_t when, void *userdata)
{
    run();
    return 0;
}

/* --- the life of it --------------------------------------------------------------------------------------------------- */

static int loop_register(void)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = 0 };

    if (loop.registered)
        return 0;
    _cleanup_(closep) int poll = epoll_create1(EPOLL_CLOEXEC);
    _cleanup_(closep) int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (poll < 0 || wake < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, wake, &e) < 0)
        return -errno;
    loop.poll = take_fd(&poll);
    loop.wake = take_fd(&wake);
    loop.registered = true;
    virEventRegisterImpl(add_handle, update_handle, remove_handle, add_timeout, update_timeout,
                         remove_timeout);
    return 0;
}

int event_loop_attach(sd_event *event)
{
    if (loop.event)
        return -EBUSY;
    int r = loop_register();
    if (r >= 0)
        r = sd_event_add_io(event, &loop.source, loop.poll, EPOLLIN, on_ready, NULL);
    if (r >= 0)
        r = sd_event_add_time(event, &loop.timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, on_time, NULL);
    if (r < 0) {
        event_loop_detach();
        return r;
    }
    loop.event = sd_event_ref(event);
    wake_up();
    return 0;
}

void event_loop_detach(void)
{
    loop.source = sd_event_source_disable_unref(loop.source);
    loop.timer = sd_event_source_disable_unref(loop.timer);
    loop.event = sd_event_unref(loop.event);
    removed_free();
}
