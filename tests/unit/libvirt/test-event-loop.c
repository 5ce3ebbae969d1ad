/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's event loop, used as libvirt uses it, from the loop's thread and from others. */
#include "tests/unit/test.h"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "backends/libvirt/event-loop.h"
#include "base/units.h"

typedef struct Fixture {
    sd_event *event;
    int calls, freed;
    int fd, events; /* of the last call */
    int id;         /* to remove or change from inside of a call; 0: nothing */
} Fixture;

static Fixture fixture_new(void)
{
    Fixture f = { 0 };

    assert_success(sd_event_new(&f.event));
    assert_success(event_loop_attach(f.event));
    return f;
}

static void fixture_done(Fixture *f)
{
    event_loop_detach();
    sd_event_unref(f->event);
}

static void run_until(Fixture *f, const int *what, int n)
{
    usec_t end = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;

    while (*what < n && now_usec(CLOCK_MONOTONIC) < end)
        assert_success(sd_event_run(f->event, USEC_PER_SEC));
    assert_int_equal(*what, n);
}

/* All that is ready now, and no more. */
static void run_ready(Fixture *f)
{
    int r;

    while ((r = sd_event_run(f->event, 0)) > 0)
        ;
    assert_success(r);
}

static void on_handle(int id, int fd, int events, void *opaque)
{
    Fixture *f = opaque;
    uint64_t count;

    f->calls++;
    f->fd = fd;
    f->events = events;
    (void)!read(fd, &count, sizeof count);
    if (f->id)
        assert_int_equal(virEventRemoveHandle(f->id), 0);
    f->id = 0;
}

static void on_timeout(int id, void *opaque)
{
    Fixture *f = opaque;

    f->calls++;
    if (f->id)
        assert_int_equal(virEventRemoveTimeout(f->id), 0);
    f->id = 0;
}

static void on_free(void *opaque)
{
    Fixture *f = opaque;
    f->freed++;
}

static int ready_fd(void)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void a_descriptor_that_is_ready_is_told(void **state)
{
    Fixture f = fixture_new();
    int fd = ready_fd();
    int id = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, on_handle, &f, on_free);

    assert_true(id >= 0);
    run_until(&f, &f.calls, 1);
    assert_int_equal(f.fd, fd);
    assert_int_equal(f.events, VIR_EVENT_HANDLE_READABLE);
    assert_int_equal(virEventRemoveHandle(id), 0);
    run_until(&f, &f.freed, 1);
    assert_int_equal(virEventRemoveHandle(id), -1);
    safe_close(fd);
    fixture_done(&f);
}

static void what_is_not_wanted_is_not_told(void **state)
{
    Fixture f = fixture_new();
    int fd = ready_fd();
    int id = virEventAddHandle(fd, 0, on_handle, &f, on_free);

    run_ready(&f);
    assert_int_equal(f.calls, 0);
    virEventUpdateHandle(id, VIR_EVENT_HANDLE_READABLE);
    run_until(&f, &f.calls, 1);
    virEventUpdateHandle(id, 0);
    assert_int_equal(eventfd_write(fd, 1), 0);
    run_ready(&f);
    assert_int_equal(f.calls, 1);
    assert_int_equal(virEventRemoveHandle(id), 0);
    safe_close(fd);
    fixture_done(&f);
    assert_int_equal(f.freed, 1);
}

static void a_handle_may_remove_itself(void **state)
{
    Fixture f = fixture_new();
    int fd = ready_fd();

    f.id = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, on_handle, &f, on_free);
    run_until(&f, &f.freed, 1);
    assert_int_equal(eventfd_write(fd, 1), 0);
    run_ready(&f);
    assert_int_equal(f.calls, 1);
    safe_close(fd);
    fixture_done(&f);
}

/* libvirt's own number is reused by another file at once; what was removed must not be told of that. */
static void a_number_that_is_used_anew_is_another_descriptor(void **state)
{
    Fixture f = fixture_new();
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int id = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, on_handle, &f, NULL);

    assert_int_equal(virEventRemoveHandle(id), 0);
    safe_close(fd);
    int again = ready_fd();
    run_ready(&f);
    assert_int_equal(f.calls, 0);
    safe_close(again);
    fixture_done(&f);
}

static void a_timer_comes_again_until_it_is_disabled(void **state)
{
    Fixture f = fixture_new();
    int id = virEventAddTimeout(1, on_timeout, &f, on_free);

    run_until(&f, &f.calls, 3);
    virEventUpdateTimeout(id, -1);
    run_ready(&f);
    assert_int_equal(f.calls, 3);
    virEventUpdateTimeout(id, 0);
    run_until(&f, &f.calls, 4);
    f.id = id;
    run_until(&f, &f.freed, 1);
    fixture_done(&f);
}

/* --- other threads -------------------------------------------------------------------------------------------------------- */

/* The descriptor may be closed, and its number another's, by now. */
static void on_call(int id, int fd, int events, void *opaque)
{
    Fixture *f = opaque;
    f->calls++;
}

static void *add_and_remove(void *userdata)
{
    enum { ROUNDS = 500 };

    for (int i = 0; i < ROUNDS; i++) {
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        int handle = virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, on_call, userdata, on_free);
        int timeout = virEventAddTimeout(0, on_timeout, userdata, on_free);
        (void)virEventRemoveHandle(handle);
        (void)virEventRemoveTimeout(timeout);
        safe_close(fd);
    }
    return NULL;
}

static void other_threads_may_add_and_remove_while_the_loop_runs(void **state)
{
    enum { ALL = 2 * 500 };
    Fixture f = fixture_new();
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, add_and_remove, &f), 0);
    run_until(&f, &f.freed, ALL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fixture_done(&f);
}

static void one_loop_at_a_time(void **state)
{
    Fixture f = fixture_new();

    assert_int_equal(event_loop_attach(f.event), -EBUSY);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_that_is_ready_is_told),
        cmocka_unit_test(what_is_not_wanted_is_not_told),
        cmocka_unit_test(a_handle_may_remove_itself),
        cmocka_unit_test(a_number_that_is_used_anew_is_another_descriptor),
        cmocka_unit_test(a_timer_comes_again_until_it_is_disabled),
        cmocka_unit_test(other_threads_may_add_and_remove_while_the_loop_runs),
        cmocka_unit_test(one_loop_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
