/* SPDX-License-Identifier: Apache-2.0 */
/* What podvisord says to the service manager that listens. */
#include <sys/socket.h>
#include <sys/un.h>

#include "supervisor/supervisor.h"
#include "tests/unit/supervisor/loop.h"

enum { PODS = 4 };

typedef struct Fixture {
    TestDir dir;
    int socket;
    sd_event *event;
    Notify *notify;
    Pod pods[PODS];
} Fixture;

static int set_up(void **state)
{
    static const char *const names[PODS] = { "web", "db", "cache", "mail" };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    Fixture *f = calloc(1, sizeof *f);

    f->dir = test_dir_new();
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/n", f->dir.path);
    f->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_success(bind(f->socket, (struct sockaddr *)&address, sizeof address));
    assert_success(setenv("NOTIFY_SOCKET", address.sun_path, true));
    assert_success(sd_event_new(&f->event));
    assert_success(notify_new(&f->notify, f->event));
    for (int i = 0; i < PODS; i++)
        f->pods[i].name = (char *)(uintptr_t)names[i];
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    notify_free(f->notify);
    sd_event_unref(f->event);
    safe_close(f->socket);
    unsetenv("NOTIFY_SOCKET");
    test_dir_done(&f->dir);
    free(f);
    return 0;
}

static void set_state(Fixture *f, int pod, PodState state)
{
    f->pods[pod].state = state;
    notify_pod(f->notify, &f->pods[pod]);
}

static void set_states(Fixture *f, PodState web, PodState db, PodState cache, PodState mail)
{
    set_state(f, 0, web);
    set_state(f, 1, db);
    set_state(f, 2, cache);
    set_state(f, 3, mail);
}

/* The next message; "" when there is none. */
static const char *heard(Fixture *f)
{
    static char message[4096];
    ssize_t n = recv(f->socket, message, sizeof message - 1, 0);

    message[n < 0 ? 0 : n] = '\0';
    return message;
}

/* The next one, which may come only after a while. */
static const char *hear(Fixture *f)
{
    const char *message;

    loop_until(f->event, *(message = heard(f)));
    return message;
}

static void a_host_without_pods_is_ready_at_once(void **state)
{
    Fixture *f = *state;

    assert_string_equal(heard(f), "");
    notify_started(f->notify);
    assert_string_equal(heard(f), "READY=1\nSTATUS=No pods are declared");
}

static void ready_comes_before_pods_have_started(void **state)
{
    Fixture *f = *state;

    set_states(f, POD_READY, POD_QUEUED, POD_STARTING, POD_STARTING);
    notify_started(f->notify);
    assert_string_equal(heard(f), "READY=1\nSTATUS=1 of 4 pods ready, 2 starting, db queued");
}

static void ready_comes_when_all_that_runs_is_adopted(void **state)
{
    Fixture *f = *state;

    f->pods[0].observed.runner = f->pods[1].observed.runner = true;
    set_states(f, POD_RECOVERING, POD_RECOVERING, POD_READY, POD_READY);
    notify_started(f->notify);
    assert_string_equal(heard(f),
                        "EXTEND_TIMEOUT_USEC=50000000\nSTATUS=Adopting what runs, 2 of 4 pods to go");
    set_state(f, 0, POD_READY);
    assert_string_equal(hear(f), "STATUS=Adopting what runs, 1 of 4 pods to go");
    set_state(f, 1, POD_RUNNING);
    assert_string_equal(heard(f), "READY=1\nSTATUS=3 of 4 pods ready, db not ready yet");
}

static void a_machine_without_a_runner_is_not_waited_for(void **state)
{
    Fixture *f = *state;

    set_state(f, 0, POD_RECOVERING);
    notify_started(f->notify);
    assert_string_equal(heard(f), "READY=1\nSTATUS=0 of 1 pods ready, web being adopted");
}

static void the_line_names_one_and_counts_many(void **state)
{
    Fixture *f = *state;

    f->pods[0].observed.next_start = usec_add(now_usec(CLOCK_BOOTTIME), 40 * USEC_PER_SEC);
    set_states(f, POD_BACKOFF, POD_FAILED, POD_FAILED, POD_READY);
    notify_started(f->notify);
    const char *wait = str_after(heard(f), "READY=1\nSTATUS=1 of 4 pods ready, 2 failed, web in back-off ");
    assert_non_null(wait);
    assert_in_range(strtoul(wait, NULL, 10), 30, 40);
    assert_true(str_ends_with(wait, " s"));
}

static void a_long_wait_is_told_in_minutes(void **state)
{
    Fixture *f = *state;

    f->pods[0].observed.next_start = usec_add(now_usec(CLOCK_BOOTTIME), 5 * USEC_PER_MINUTE);
    set_state(f, 0, POD_BACKOFF);
    notify_started(f->notify);
    assert_string_equal(heard(f), "READY=1\nSTATUS=0 of 1 pods ready, web in back-off 5 min");
}

static void a_burst_of_changes_is_one_message(void **state)
{
    Fixture *f = *state;

    usec_t begun = now_usec(CLOCK_MONOTONIC);
    notify_started(f->notify);
    assert_string_not_equal(heard(f), "");
    for (int i = 0; i < 1000; i++)
        set_state(f, i % PODS, i % 2 ? POD_STARTING : POD_READY);
    set_states(f, POD_READY, POD_READY, POD_READY, POD_READY);
    assert_string_equal(hear(f), "STATUS=4 of 4 pods ready");
    assert_true(now_usec(CLOCK_MONOTONIC) - begun >= NOTIFY_INTERVAL);
    assert_string_equal(heard(f), "");
}

static void what_is_as_it_was_is_not_told_again(void **state)
{
    Fixture *f = *state;

    set_state(f, 0, POD_READY);
    notify_started(f->notify);
    assert_string_equal(heard(f), "READY=1\nSTATUS=1 of 1 pods ready");
    set_state(f, 0, POD_STARTING);
    set_state(f, 0, POD_READY);
    set_state(f, 1, POD_FAILED);
    notify_pod_gone(f->notify, &f->pods[1]);
    notify_reloading(f->notify);
    assert_true(str_after(heard(f), "RELOADING=1\nMONOTONIC_USEC=") != NULL);
    notify_reloaded(f->notify);
    assert_string_equal(heard(f), "READY=1\n");
}

static void an_end_of_all_pods_asks_for_time(void **state)
{
    Fixture *f = *state;

    set_states(f, POD_READY, POD_STOPPING, POD_INACTIVE, POD_FAILED);
    notify_started(f->notify);
    assert_string_not_equal(heard(f), "");
    notify_ending(f->notify, true);
    assert_string_equal(heard(f), "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=Ending all pods, 2 of 4 still run");
    assert_string_equal(hear(f), "EXTEND_TIMEOUT_USEC=30000000\n");
    notify_stopping(f->notify, "Leaving");
    assert_string_equal(heard(f), "STOPPING=1\nSTATUS=Leaving");
    set_state(f, 0, POD_STOPPING);
    assert_string_equal(heard(f), "");
}

static void without_a_listener_nothing_is_said(void **state)
{
    Fixture *f = *state;
    Notify *alone;

    assert_success(unsetenv("NOTIFY_SOCKET"));
    assert_success(notify_new(&alone, f->event));
    notify_started(alone);
    notify_ending(alone, true);
    notify_stopping(alone, "Leaving");
    notify_pod(NULL, &f->pods[0]);
    assert_string_equal(heard(f), "");
    notify_free(alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_host_without_pods_is_ready_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ready_comes_before_pods_have_started, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ready_comes_when_all_that_runs_is_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_machine_without_a_runner_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_line_names_one_and_counts_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_wait_is_told_in_minutes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_of_changes_is_one_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_as_it_was_is_not_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_of_all_pods_asks_for_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_listener_nothing_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
