/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/oci-json.h"
#include "images/store-internal.h"

enum { WORDS_MAX = 32 }; /* that a message lists */

int oci_json_parse(const void *data, size_t size, json_t **ret)
{
    json_t *value = json_loadb(data ?: "", size, 0, NULL);

    if (!value)
        return -EBADMSG;
    *ret = value;
    return 0;
}

const char *oci_json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool platform_fits(const json_t *descriptor, const char *architecture)
{
    const json_t *platform = json_object_get(descriptor, "platform");
    const char *os = oci_json_text(platform, "os"), *is = oci_json_text(platform, "architecture");

    return (!os || streq(os, "linux")) && (!is || streq(is, architecture));
}

size_t oci_fitting(const json_t *descriptors, const char *architecture, const json_t **ret)
{
    size_t i, n = 0;
    json_t *descriptor;

    *ret = NULL;
    json_array_foreach((json_t *)descriptors, i, descriptor)
    {
        if (platform_fits(descriptor, architecture))
            *ret = n++ == 0 ? descriptor : *ret;
    }
    return n;
}

int oci_fail_platform(const json_t *descriptors, const char *architecture, char **ret_error)
{
    size_t i;
    json_t *descriptor;
    _cleanup_(strv_freep) char **words = NULL;

    json_array_foreach((json_t *)descriptors, i, descriptor)
        oci_add_word(&words, oci_json_text(json_object_get(descriptor, "platform"), "architecture"));
    _cleanup_(freep) char *list = oci_join_words(words);
    return image_fail(ret_error, -ENOEXEC, "it is an image for %s; this host runs %s",
                      list ?: "something else", architecture);
}

void oci_add_word(char ***words, const char *word)
{
    _cleanup_(freep) char *escaped = word ? str_escape(word, strlen(word)) : NULL;

    if (escaped && strv_length(*words) < WORDS_MAX && !strv_contains(*words, escaped))
        (void)strv_append(words, escaped);
}

char *oci_join_words(char **words)
{
    return words ? strv_join(words, ", ") : strdup("none that has a name");
}
