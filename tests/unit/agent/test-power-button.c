/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's messages mean. That it sends them when the button is pressed, and that nothing else is needed, tests/host shows. */
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "guest/agent/power-button.h"
#include "tests/unit/test.h"

enum { FAMILY_ID = 27, GROUP_ID = 9 };

/* --- messages, as the kernel makes them ------------------------------------------------------------------------------- */

typedef struct Made {
    _Alignas(4) uint8_t data[512];
    size_t size;
} Made;

static void put(Made *m, const void *data, size_t size)
{
    assert_true(m->size + NLA_ALIGN(size) <= sizeof m->data);
    memcpy(m->data + m->size, data, size);
    m->size += NLA_ALIGN(size);
}

static size_t open_attribute(Made *m, uint16_t type)
{
    size_t at = m->size;
    put(m, &(struct nlattr){ .nla_type = type }, sizeof(struct nlattr));
    return at;
}

static void close_attribute(Made *m, size_t at, size_t size)
{
    uint16_t length = (uint16_t)size;
    memcpy(m->data + at, &length, sizeof length);
}

static void put_attribute(Made *m, uint16_t type, const void *data, size_t size)
{
    size_t at = open_attribute(m, type);
    put(m, data, size);
    close_attribute(m, at, NLA_HDRLEN + size);
}

static size_t open_message(Made *m, uint16_t type, uint8_t command)
{
    size_t at = m->size;
    put(m, &(struct nlmsghdr){ .nlmsg_type = type }, sizeof(struct nlmsghdr));
    put(m, &(struct genlmsghdr){ .cmd = command, .version = 1 }, sizeof(struct genlmsghdr));
    return at;
}

static void close_message(Made *m, size_t at)
{
    uint32_t length = (uint32_t)(m->size - at);
    memcpy(m->data + at, &length, sizeof length);
}

static void put_event(Made *m, uint16_t family, const char *class)
{
    char event[44] = { 0 };
    size_t at = open_message(m, family, 1);

    (void)snprintf(event, 20, "%s", class);
    put_attribute(m, 1, event, sizeof event);
    close_message(m, at);
}

static void put_group(Made *m, const char *name, uint32_t id)
{
    size_t group = open_attribute(m, 1);
    put_attribute(m, CTRL_ATTR_MCAST_GRP_ID, &id, sizeof id);
    put_attribute(m, CTRL_ATTR_MCAST_GRP_NAME, name, strlen(name) + 1);
    close_attribute(m, group, m->size - group);
}

static Made family_answer(const char *group)
{
    Made m = { 0 };
    uint16_t id = FAMILY_ID;
    size_t message = open_message(&m, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY);

    put_attribute(&m, CTRL_ATTR_FAMILY_NAME, "acpi_event", 11);
    put_attribute(&m, CTRL_ATTR_FAMILY_ID, &id, sizeof id);
    size_t groups = open_attribute(&m, CTRL_ATTR_MCAST_GROUPS | NLA_F_NESTED);
    put_group(&m, "another", 3);
    put_group(&m, group, GROUP_ID);
    close_attribute(&m, groups, m.size - groups);
    close_message(&m, message);
    return m;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void the_group_of_the_family_is_found(void **state)
{
    Made m = family_answer("acpi_mc_group");
    PowerButtonGroup g = { 0 };

    assert_success(power_button_group_from(m.data, m.size, &g));
    assert_int_equal(g.family, FAMILY_ID);
    assert_int_equal(g.group, GROUP_ID);
}

static void an_answer_that_is_none_is_an_error(void **state)
{
    Made m = family_answer("acpi_mc_groups");
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
    } no = { .head = { .nlmsg_len = sizeof no, .nlmsg_type = NLMSG_ERROR }, .error.error = -ENOENT };
    PowerButtonGroup g;

    assert_int_equal(power_button_group_from(m.data, m.size, &g), -EBADMSG);
    assert_int_equal(power_button_group_from(&no, sizeof no, &g), -ENOENT);
    m = family_answer("acpi_mc_group");
    for (size_t n = 0; n < m.size; n++)
        assert_int_equal(power_button_group_from(m.data, n, &g), -EBADMSG);
}

static void only_the_power_button_is_a_press(void **state)
{
    static const struct {
        uint16_t family;
        const char *class;
        bool pressed;
    } rows[] = {
        { FAMILY_ID, "button/power", true },      { FAMILY_ID, "button/sleep", false },
        { FAMILY_ID, "button/powerx", false },    { FAMILY_ID, "", false },
        { FAMILY_ID + 1, "button/power", false },
    };

    TABLE_FOREACH (row, rows) {
        Made m = { 0 };
        put_event(&m, row->family, row->class);
        assert_int_equal(power_button_pressed_in(m.data, m.size, FAMILY_ID), row->pressed);
        for (size_t n = 0; n < m.size; n++)
            assert_false(power_button_pressed_in(m.data, n, FAMILY_ID));
    }
}

static void a_press_is_found_behind_other_events(void **state)
{
    Made m = { 0 };

    put_event(&m, FAMILY_ID, "processor");
    put_event(&m, FAMILY_ID, "button/power");
    assert_true(power_button_pressed_in(m.data, m.size, FAMILY_ID));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_group_of_the_family_is_found),
        cmocka_unit_test(an_answer_that_is_none_is_an_error),
        cmocka_unit_test(only_the_power_button_is_a_press),
        cmocka_unit_test(a_press_is_found_behind_other_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
