/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/device.h"
#include "tests/unit/test.h"

static void a_device_is_a_path_and_what_may_be_done_with_it(void **state)
{
    static const struct {
        const char *text, *path;
        unsigned access;
    } rows[] = {
        { "/dev/fuse", "/dev/fuse", DEVICE_ALL },
        { "/dev/net/tun:rw", "/dev/net/tun", DEVICE_READ | DEVICE_WRITE },
        { "/dev/hwrng:r", "/dev/hwrng", DEVICE_READ },
        { "/dev/fuse:mwr", "/dev/fuse", DEVICE_ALL },
        { "" },
        { "fuse" },
        { "/dev" },
        { "/dev/" },
        { "/dev/../etc/passwd" },
        { "/dev//fuse" },
        { "/etc/passwd" },
        { "/dev/fuse:" },
        { "/dev/fuse:rr" },
        { "/dev/fuse:x" },
        { "/dev/fuse:rwm:r" },
        { "/dev/a-name-that-is-longer-than-that-of-any-device-that-a-machine-may-have" },
    };

    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *path = NULL;
        unsigned access = 0;
        assert_int_equal(device_parse(row->text, &path, &access), row->path ? 0 : -EINVAL);
        assert_true(streq_ptr(path, row->path));
        assert_int_equal(access, row->access);
        assert_int_equal(format_device.valid(row->text), row->path != NULL);
    }
}

static void every_device_that_there_is_is_told(void **state)
{
    _cleanup_(freep) char *names = device_names();

    assert_string_equal(names, "/dev/fuse, /dev/net/tun, /dev/hwrng");
    for (size_t i = 0; i < n_guest_devices; i++)
        assert_ptr_equal(device_find(guest_devices[i].path), &guest_devices[i]);
    assert_null(device_find("/dev/sda"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_a_path_and_what_may_be_done_with_it),
        cmocka_unit_test(every_device_that_there_is_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
