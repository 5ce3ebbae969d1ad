/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/detach-keys.h"

const char detach_keys_accepted[] =
    "one key or several, with commas: a letter or digit, or ctrl- and a letter or one of "
    "@ [ ] ^ _, such as \"" DETACH_KEYS_DEFAULT "\"; \"\" for none";

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A control key is the code of its letter, or of what stands beside the capital letters, less 64. */
static int parse_key(const char *word, size_t size, uint8_t *ret)
{
    const char *control = str_after(word, "ctrl-"), *key = control ?: word;
    char c = *key;

    if (word + size != key + 1)
        return -EINVAL;
    if (!control && !is_letter(c) && !(c >= '0' && c <= '9'))
        return -EINVAL;
    if (control && !is_letter(c) && !strchr("@[]^_", c))
        return -EINVAL;
    *ret = (uint8_t)(control ? c & 0x1f : c);
    return 0;
}

int detach_keys_parse(const char *text, DetachKeys *ret)
{
    DetachKeys k = { .n = 0 };

    for (const char *word = text; *text;) {
        size_t size = strcspn(word, ",");
        if (k.n == DETACH_KEYS_MAX || parse_key(word, size, &k.keys[k.n]) < 0)
            return -EINVAL;
        k.n++;
        if (!word[size])
            break;
        word += size + 1;
    }
    *ret = k;
    return 0;
}

/* How many of the keys the end of (what is held and then `last`) begins: after "aab" of "aabaac" and an a, 1. */
static size_t held_after(const DetachKeys *k, uint8_t last)
{
    for (size_t n = MIN(k->held + 1, k->n); n > 0; n--) {
        size_t gone = k->held + 1 - n;
        if (k->keys[n - 1] == last && memcmp(k->keys, k->keys + gone, n - 1) == 0)
            return n;
    }
    return 0;
}

static int take_byte(DetachKeys *k, uint8_t byte, Bytes *to)
{
    size_t held = held_after(k, byte), gone = k->held + 1 - held;
    int r = bytes_append(to, k->keys, MIN(gone, k->held));

    if (r >= 0 && gone > k->held)
        r = bytes_append(to, &byte, 1);
    k->held = held;
    return r;
}

int detach_keys_take(DetachKeys *k, const uint8_t *data, size_t size, Bytes *to)
{
    if (k->n == 0)
        return bytes_append(to, data, size);
    for (size_t i = 0; i < size; i++) {
        int r = take_byte(k, data[i], to);
        if (r < 0)
            return r;
        if (k->held == k->n)
            return 1;
    }
    return 0;
}

int detach_keys_rest(DetachKeys *k, Bytes *to)
{
    int r = bytes_append(to, k->keys, k->held);

    k->held = 0;
    return r;
}
