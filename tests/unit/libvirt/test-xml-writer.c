/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "backends/libvirt/xml-writer.h"

static void assert_text(XmlWriter *w, const char *wanted)
{
    _cleanup_(freep) char *text = NULL;

    assert_success(xml_finish(w, &text));
    assert_string_equal(text, wanted);
}

static void test_elements_are_indented_and_attributes_without_value_left_out(void **state)
{
    XmlWriter w = { 0 };

    xml_open(&w, "a", "x", "1", "y", NULL, NULL);
    xml_empty(&w, "b", NULL);
    xml_leaf(&w, "text", "c", "z", "2", NULL);
    xml_close(&w, "a");
    assert_text(&w, "<a x=\"1\">\n  <b/>\n  <c z=\"2\">text</c>\n</a>");
}

static void test_what_means_something_to_xml_is_escaped_in_text_and_attributes(void **state)
{
    XmlWriter w = { 0 };

    xml_leaf(&w, "]]>&<>\"' \t\r\n", "a", "b", "<&>\"' \t\r\n", NULL);
    assert_text(
        &w,
        "<a b=\"&lt;&amp;&gt;&quot;&apos; &#9;&#13;&#10;\">]]&gt;&amp;&lt;&gt;&quot;&apos; \t&#13;\n</a>");
}

static void test_letters_of_any_language_stay(void **state)
{
    XmlWriter w = { .compact = true };

    xml_leaf(&w, "d\xc3\xa9j\xc3\xa0 \xf0\x9f\x90\xa7", "a", NULL);
    assert_text(&w, "<a>d\xc3\xa9j\xc3\xa0 \xf0\x9f\x90\xa7</a>");
}

static void test_what_xml_cannot_say_fails_the_whole_text(void **state)
{
    static const char *const texts[] = { "\x01",         "a\x1f",        "\xff",        "\xc3",
                                         "\xed\xa0\x80", "\xef\xbf\xbe", "\xef\xbf\xbf" };

    TABLE_FOREACH (text, texts) {
        XmlWriter w = { 0 };
        char *untouched = NULL;
        xml_open(&w, "a", "b", *text, NULL);
        xml_close(&w, "a");
        assert_int_equal(xml_finish(&w, &untouched), -EINVAL);
        assert_null(untouched);
        xml_leaf(&w, *text, "a", NULL);
        assert_int_equal(xml_finish(&w, &untouched), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_are_indented_and_attributes_without_value_left_out),
        cmocka_unit_test(test_what_means_something_to_xml_is_escaped_in_text_and_attributes),
        cmocka_unit_test(test_letters_of_any_language_stay),
        cmocka_unit_test(test_what_xml_cannot_say_fails_the_whole_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
