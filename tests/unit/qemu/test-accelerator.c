/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "backends/accelerator.h"
#include "backends/tsc.h"

static void test_a_flag_is_found_as_a_whole_word_of_the_first_processor(void **state)
{
    const char *text =
        "processor\t: 0\nflags\t\t: fpu vmx_not constant_tsc\nbugs\t: svm\n\nprocessor\t: 1\nflags\t: svm\n";

    assert_true(cpuinfo_has_flag(text, "fpu"));
    assert_true(cpuinfo_has_flag(text, "constant_tsc"));
    assert_false(cpuinfo_has_flag(text, "vmx"));
    assert_false(cpuinfo_has_flag(text, "svm"));
    assert_false(cpuinfo_has_flag("", "svm"));
}

typedef struct Choice {
    Accelerator wanted;
    KvmFacts facts;
    int result;
    Accelerator chosen;
    const char *why; /* a part of it */
} Choice;

static const Choice choices[] = {
    { ACCELERATOR_AUTO, { 0, true, 0 }, 0, ACCELERATOR_KVM, NULL },
    { ACCELERATOR_KVM, { 0, true, 0 }, 0, ACCELERATOR_KVM, NULL },
    { ACCELERATOR_TCG, { 0, true, 0 }, 0, ACCELERATOR_TCG, NULL },
    { ACCELERATOR_TCG, { -ENOENT, false, 0 }, 0, ACCELERATOR_TCG, NULL },
    { ACCELERATOR_AUTO, { -ENOENT, true, 0 }, 0, ACCELERATOR_TCG, "no /dev/kvm" },
    { ACCELERATOR_AUTO, { -EACCES, true, 0 }, 0, ACCELERATOR_TCG, "Permission denied" },
    { ACCELERATOR_AUTO, { 0, false, 0 }, 0, ACCELERATOR_TCG, "neither vmx nor svm" },
    { ACCELERATOR_AUTO, { 0, true, -EBUSY }, 0, ACCELERATOR_TCG, "makes no machine" },
    { ACCELERATOR_KVM, { 0, false, 0 }, -ENODEV, ACCELERATOR_MAX, "neither vmx nor svm" },
};

static void test_kvm_is_taken_only_when_device_processor_and_machine_agree(void **state)
{
    TABLE_FOREACH (c, choices) {
        Accelerator chosen = ACCELERATOR_MAX;
        _cleanup_(freep) char *why = NULL;
        assert_int_equal(accelerator_choose(c->wanted, &c->facts, &chosen, &why), c->result);
        assert_int_equal(chosen, c->chosen);
        if (c->why)
            assert_non_null(strstr(why, c->why));
        else
            assert_null(why);
    }
}

static void test_the_rate_of_the_counter_is_rounded_and_never_made_up(void **state)
{
    TscSample a = { .ticks = 1000, .nsec = 0 }, b = { .ticks = 1000 + 5000001, .nsec = 2000000 };

    assert_int_equal(tsc_khz(&a, &b), 2500001);
    assert_int_equal(tsc_distance(&a, &b), 2000);
    assert_int_equal(tsc_khz(&b, &a), 0);
    assert_int_equal(tsc_khz(&a, &a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flag_is_found_as_a_whole_word_of_the_first_processor),
        cmocka_unit_test(test_kvm_is_taken_only_when_device_processor_and_machine_agree),
        cmocka_unit_test(test_the_rate_of_the_counter_is_rounded_and_never_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
