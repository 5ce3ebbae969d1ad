/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/loop.h"
#include "tests/unit/test.h"

static usec_t fake_now;
static char order[16];

static usec_t fake_clock(void)
{
    return fake_now;
}

static void note(void *userdata)
{
    size_t n = strlen(order);
    order[n] = *(const char *)userdata;
}

static void timers_run_in_the_order_of_their_deadlines(void **state)
{
    Timer a = { .func = note, .userdata = (char[]){ 'a' } },
          b = { .func = note, .userdata = (char[]){ 'b' } },
          c = { .func = note, .userdata = (char[]){ 'c' } };
    Loop l;

    assert_success(loop_init(&l, fake_clock));
    loop_timer_set(&l, &a, 30);
    loop_timer_set(&l, &b, 10);
    loop_timer_set(&l, &c, 20);
    loop_timer_set(&l, &b, 40);
    fake_now = 35;
    assert_success(loop_round(&l, false));
    assert_string_equal(order, "ca");
    loop_timer_clear(&l, &b);
    fake_now = 100;
    assert_success(loop_round(&l, false));
    assert_string_equal(order, "ca");
    assert_null(l.timers);
    loop_done(&l);
}

typedef struct Pair {
    Loop *loop;
    Watch watches[2];
    unsigned calls;
} Pair;

/* Whichever comes first takes the other away. */
static void remove_both(void *userdata, uint32_t events)
{
    Pair *p = userdata;

    p->calls++;
    loop_unwatch(p->loop, &p->watches[0]);
    loop_unwatch(p->loop, &p->watches[1]);
}

static void a_watch_that_is_removed_is_not_called_any_more(void **state)
{
    Loop l;
    int fds[2];

    assert_success(loop_init(&l, NULL));
    assert_success(pipe(fds));
    assert_int_equal(write(fds[1], "x", 1), 1);
    _cleanup_(closep) int first = fds[0], second = dup(fds[0]), writer = fds[1];
    Pair p = { .loop = &l };
    p.watches[0] = p.watches[1] = (Watch){ .func = remove_both, .userdata = &p };
    assert_success(loop_watch(&l, &p.watches[0], first, EPOLLIN));
    assert_success(loop_watch(&l, &p.watches[1], second, EPOLLIN));
    assert_success(loop_round(&l, true));
    assert_int_equal(p.calls, 1);
    (void)writer;
    loop_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_the_order_of_their_deadlines),
        cmocka_unit_test(a_watch_that_is_removed_is_not_called_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
