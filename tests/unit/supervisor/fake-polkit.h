/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A polkit on a test's own bus that decides as the test says, and remembers what it was asked. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "tests/unit/test.h"

typedef enum PolkitMood {
    POLKIT_DENIES,
    POLKIT_ALLOWS,
    POLKIT_WANTS_A_PASSWORD,
    POLKIT_IS_SILENT,
    POLKIT_FAILS,
} PolkitMood;

enum { POLKIT_TEXT_MAX = 64 };

/* Shared with the process that plays polkit. */
typedef struct FakePolkit {
    PolkitMood read, manage, exec; /* for the actions */
    atomic_uint n_asked, n_cancelled;
    char action[POLKIT_TEXT_MAX], subject[POLKIT_TEXT_MAX], pod[POLKIT_TEXT_MAX], method[POLKIT_TEXT_MAX];
    uint32_t flags;
    int event; /* for each question and each cancellation */
    pid_t pid;
} FakePolkit;

static inline void polkit_note(char to[static POLKIT_TEXT_MAX], const char *text)
{
    (void)snprintf(to, POLKIT_TEXT_MAX, "%s", text);
}

static inline int polkit_read_details(FakePolkit *p, sd_bus_message *m)
{
    const char *key, *value;

    p->pod[0] = p->method[0] = 0;
    int r = sd_bus_message_enter_container(m, 'a', "{ss}");
    while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
        polkit_note(streq(key, "pod") ? p->pod : p->method, value);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static inline PolkitMood polkit_mood(const FakePolkit *p)
{
    return streq(p->action, "org.podvisor.read")     ? p->read
           : streq(p->action, "org.podvisor.manage") ? p->manage
           : streq(p->action, "org.podvisor.exec")   ? p->exec
                                                     : POLKIT_FAILS;
}

static inline int polkit_on_check(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const char *kind, *key, *name, *action, *id;
    FakePolkit *p = userdata;

    int r = sd_bus_message_read(m, "(sa{sv})", &kind, 1, &key, "s", &name);
    if (r >= 0)
        r = sd_bus_message_read(m, "s", &action);
    if (r >= 0)
        r = polkit_read_details(p, m);
    if (r >= 0)
        r = sd_bus_message_read(m, "us", &p->flags, &id);
    if (r < 0)
        return r;
    polkit_note(p->subject, name);
    polkit_note(p->action, action);
    PolkitMood mood = polkit_mood(p);
    p->n_asked++;
    assert_success(eventfd_write(p->event, 1));
    if (mood == POLKIT_IS_SILENT)
        return 1;
    if (mood == POLKIT_FAILS)
        return sd_bus_error_setf(error, "org.freedesktop.PolicyKit1.Error.Failed", "out of order");
    return sd_bus_reply_method_return(m, "(bba{ss})", mood == POLKIT_ALLOWS, mood == POLKIT_WANTS_A_PASSWORD,
                                      0);
}

static inline int polkit_on_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    FakePolkit *p = userdata;

    p->n_cancelled++;
    assert_success(eventfd_write(p->event, 1));
    return sd_bus_reply_method_return(m, "");
}

static _Noreturn inline void polkit_serve(FakePolkit *p, const char *address, int ready)
{
    static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", polkit_on_check,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CancelCheckAuthorization", "s", "", polkit_on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
    };
    sd_bus *bus;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 ||
        sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0 ||
        sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/PolicyKit1/Authority",
                                 "org.freedesktop.PolicyKit1.Authority", vtable, p) < 0 ||
        sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0) < 0 || write(ready, "x", 1) != 1)
        _exit(1);
    for (;;) {
        int r = sd_bus_process(bus, NULL);
        if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
            _exit(1);
    }
}

static inline _unused_ FakePolkit *fake_polkit_new(void)
{
    FakePolkit *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    p->event = eventfd(0, EFD_CLOEXEC);
    assert_true(p->event >= 0);
    return p;
}

/* Returns when it is there to be asked. */
static inline _unused_ void fake_polkit_start(FakePolkit *p, const char *address)
{
    int ready[2];
    char c;

    assert_success(pipe(ready));
    if ((p->pid = fork()) == 0)
        polkit_serve(p, address, ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
}

/* Until a counter has reached a number. */
static inline _unused_ void fake_polkit_wait(FakePolkit *p, const atomic_uint *counter, unsigned n)
{
    struct pollfd poll_fd = { .fd = p->event, .events = POLLIN };
    eventfd_t events;

    while (*counter < n) {
        if (poll(&poll_fd, 1, 30000) != 1)
            fail_msg("polkit hears nothing");
        assert_success(eventfd_read(p->event, &events));
    }
}

static inline _unused_ void fake_polkit_free(FakePolkit *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    close(p->event);
    munmap(p, sizeof *p);
}
