/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/agent.h"
#include "tests/unit/test.h"

static void a_message_carries_its_body(void **state)
{
    AgentData sent = { .stream = 3, .channel = STREAM_STDERR };
    Bytes wire = { 0 };
    Message m;

    assert_success(bytes_append(&sent.data, "a\0b", 3));
    assert_success(message_to_bytes(&agent_protocol, AGENT_DATA, 0, &sent, &wire));
    assert_success(message_from_bytes(&agent_protocol, wire.data, wire.size, &m));
    const AgentData *got = m.body;
    assert_int_equal(got->stream, 3);
    assert_int_equal(got->channel, STREAM_STDERR);
    assert_int_equal(got->data.size, 3);
    assert_memory_equal(got->data.data, "a\0b", 3);
    message_done(&m);
    bytes_done(&sent.data);
    bytes_done(&wire);
}

static int parse(const char *bytes, size_t size)
{
    Message m;
    int r = message_from_bytes(&agent_protocol, bytes, size, &m);
    if (r >= 0)
        message_done(&m);
    return r;
}

#define PARSE(text) parse(text, sizeof text - 1)

static void an_unknown_type_is_told_from_broken_bytes(void **state)
{
    assert_int_equal(PARSE("\x81\xa4type\xa4ping"), 0);
    assert_int_equal(PARSE("\x81\xa4type\xa4pong"), -ENOTSUP);
    assert_int_equal(PARSE("\x81\xa4type\x01"), -EBADMSG);
    assert_int_equal(PARSE("\x80"), -EBADMSG);
    assert_int_equal(PARSE("\x90"), -EBADMSG);
    assert_int_equal(PARSE("\x81\xa4type\xa4"
                           "data"),
                     -EBADMSG);
    assert_int_equal(PARSE("\x82\xa4type\xa4ping\xa2id\xff"), -EBADMSG);
}

static void text_with_a_nul_inside_is_refused(void **state)
{
    assert_int_equal(PARSE("\x82\xa4type\xa5reply\xa4"
                           "body\x81\xa7message\xa3"
                           "a\0b"),
                     -EBADMSG);
}

static void a_message_beyond_the_limit_is_not_sent(void **state)
{
    AgentData sent = { .stream = 1 };
    Bytes wire = { 0 };

    assert_non_null(bytes_reserve(&sent.data, AGENT_MESSAGE_SIZE_MAX));
    memset(sent.data.data, 0, AGENT_MESSAGE_SIZE_MAX);
    sent.data.size = AGENT_MESSAGE_SIZE_MAX;
    assert_int_equal(message_to_bytes(&agent_protocol, AGENT_DATA, 0, &sent, &wire), -EMSGSIZE);
    bytes_done(&sent.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_carries_its_body),
        cmocka_unit_test(an_unknown_type_is_told_from_broken_bytes),
        cmocka_unit_test(text_with_a_nul_inside_is_refused),
        cmocka_unit_test(a_message_beyond_the_limit_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
