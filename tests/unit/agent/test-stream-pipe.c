/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>

#include "guest/agent/stream-pipe.h"
#include "tests/unit/test.h"

static void an_output_sends_no_more_than_its_credit(void **state)
{
    _cleanup_(freep) uint8_t *buffer = malloc(AGENT_STREAM_CREDIT);
    StreamOutput o;
    Loop l;
    int fds[2];

    assert_success(loop_init(&l, NULL));
    assert_success(pipe2(fds, O_CLOEXEC));
    stream_output_init(&o);
    assert_success(stream_output_open(&o, &l, fds[0]));
    o.credit = 5;
    assert_int_equal(write(fds[1], "0123456789", 10), 10);
    assert_success(loop_round(&l, true));
    assert_int_equal(stream_output_read(&o, buffer, AGENT_STREAM_CREDIT), 5);
    assert_int_equal(stream_output_read(&o, buffer, AGENT_STREAM_CREDIT), -EAGAIN);
    assert_true(o.readable);
    o.credit += 100;
    assert_int_equal(stream_output_read(&o, buffer, AGENT_STREAM_CREDIT), 5);
    assert_int_equal(stream_output_read(&o, buffer, AGENT_STREAM_CREDIT), -EAGAIN);
    assert_false(o.readable);
    close(fds[1]);
    assert_success(loop_round(&l, true));
    assert_int_equal(stream_output_read(&o, buffer, AGENT_STREAM_CREDIT), 0);
    stream_output_close(&o, &l);
    loop_done(&l);
}

static void input_that_comes_before_its_pipe_is_kept(void **state)
{
    StreamInput i;
    char buffer[16];
    Loop l;
    int fds[2];

    assert_success(loop_init(&l, NULL));
    assert_success(pipe2(fds, O_CLOEXEC));
    stream_input_init(&i);
    assert_success(stream_input_push(&i, "early ", 6));
    assert_success(stream_input_open(&i, &l, fds[1]));
    assert_success(stream_input_push(&i, "late", 4));
    assert_success(stream_input_push(&i, "", 0));
    stream_input_write(&i, &l);
    assert_int_equal(read(fds[0], buffer, sizeof buffer), 10);
    assert_memory_equal(buffer, "early late", 10);
    assert_int_equal(read(fds[0], buffer, sizeof buffer), 0);
    close(fds[0]);
    loop_done(&l);
}

static void input_beyond_its_grant_is_refused(void **state)
{
    _cleanup_(freep) uint8_t *data = calloc(1, AGENT_STREAM_CREDIT + 1);
    StreamInput i;
    Loop l;

    assert_success(loop_init(&l, NULL));
    stream_input_init(&i);
    assert_int_equal(stream_input_push(&i, data, AGENT_STREAM_CREDIT + 1), -EMSGSIZE);
    assert_success(stream_input_push(&i, data, AGENT_STREAM_CREDIT));
    assert_int_equal(stream_input_push(&i, data, 1), -EMSGSIZE);
    stream_input_close(&i, &l);
    assert_int_equal(stream_input_grant(&i), AGENT_STREAM_CREDIT);
    assert_success(stream_input_push(&i, data, 1));
    stream_input_close(&i, &l);
    loop_done(&l);
}

static void a_program_that_does_not_read_holds_up_its_input_alone(void **state)
{
    _cleanup_(freep) uint8_t *data = calloc(1, AGENT_STREAM_CREDIT);
    StreamInput i;
    Loop l;
    int fds[2];

    assert_success(loop_init(&l, NULL));
    assert_success(pipe2(fds, O_CLOEXEC));
    stream_input_init(&i);
    assert_success(stream_input_open(&i, &l, fds[1]));
    assert_success(stream_input_push(&i, data, AGENT_STREAM_CREDIT));
    stream_input_write(&i, &l);
    assert_false(i.writable);
    assert_int_equal(i.pending.size + i.taken, AGENT_STREAM_CREDIT);
    close(fds[0]);
    assert_success(loop_round(&l, true));
    stream_input_write(&i, &l);
    assert_int_equal(i.fd, -1);
    assert_int_equal(stream_input_grant(&i), AGENT_STREAM_CREDIT);
    stream_input_close(&i, &l);
    loop_done(&l);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_sends_no_more_than_its_credit),
        cmocka_unit_test(input_that_comes_before_its_pipe_is_kept),
        cmocka_unit_test(input_beyond_its_grant_is_refused),
        cmocka_unit_test(a_program_that_does_not_read_holds_up_its_input_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
