/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/strings.h"
#include "images/image-name.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { TAG_MAX = 128, HEX_DIGITS = SHA256_TEXT_SIZE - 1 };

/* One step of the path: words of a-z and 0-9 with . _ or - between them, several of one kind too ("a--b", "a__b"). */
static bool valid_step(const char *s, size_t n)
{
    if (n == 0 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(LOWER DIGITS "._-", s[i]) || (s[i] == '.' && s[i + 1] == '.'))
            return false;
    return true;
}

/* The first step may be a registry with a port. */
static bool valid_registry(const char *s, size_t n)
{
    const char *colon = memchr(s, ':', n);
    size_t host = colon ? (size_t)(colon - s) : n, port = colon ? n - host - 1 : 0;

    if (!valid_step(s, host))
        return false;
    return !colon || (port > 0 && port <= 5 && strspn(colon + 1, DIGITS) >= port);
}

static bool valid_path(const char *s, size_t n)
{
    for (bool first = true;; first = false) {
        const char *slash = memchr(s, '/', n);
        size_t step = slash ? (size_t)(slash - s) : n;
        if (!(first && slash ? valid_registry(s, step) : valid_step(s, step)))
            return false;
        if (!slash)
            return true;
        s += step + 1;
        n -= step + 1;
    }
}

static bool valid_tag(const char *s, size_t n)
{
    return n > 0 && n <= TAG_MAX && *s != '.' && *s != '-' && strspn(s, LOWER UPPER DIGITS "._-") >= n;
}

/* The colon before the tag, in the first n characters; NULL when there is no tag. */
static const char *tag_of(const char *name, size_t n)
{
    const char *slash = memrchr(name, '/', n);
    const char *from = slash ?: name;

    return memchr(from, ':', n - (size_t)(from - name));
}

const char *image_name_pin(const char *name)
{
    const char *at = strchr(name, '@');

    return at ? at + 1 : NULL;
}

bool image_name_valid(const char *name)
{
    const char *pin = image_name_pin(name);
    size_t n = strcspn(name, "@");
    const char *tag = tag_of(name, n);
    size_t path = tag ? (size_t)(tag - name) : n;

    if (strlen(name) > IMAGE_NAME_MAX || str_after(name, "sha256:") || (pin && !image_digest_valid(pin)))
        return false;
    return valid_path(name, path) && (!tag || valid_tag(tag + 1, n - path - 1));
}

int image_name_canonical(const char *name, char **ret)
{
    if (!image_name_valid(name))
        return -EINVAL;

    size_t n = strcspn(name, "@");
    const char *tag = tag_of(name, n), *rest = name + n;
    if (tag && strlen(":latest") == (size_t)(rest - tag) && str_after(tag, ":latest"))
        n = (size_t)(tag - name);
    char *canonical = strf("%.*s%s", (int)n, name, rest);
    if (!canonical)
        return -ENOMEM;
    *ret = canonical;
    return 0;
}

static char *with_replaced(const char *s, char from, char to)
{
    char *copy = strdup(s);

    for (char *p = copy; p && *p; p++)
        if (*p == from)
            *p = to;
    return copy;
}

char *image_name_to_file(const char *canonical)
{
    return with_replaced(canonical, '/', '+');
}

char *image_name_from_file(const char *file)
{
    return with_replaced(file, '+', '/');
}

static bool all_hex(const char *s)
{
    return strspn(s, DIGITS "abcdef") == strlen(s);
}

bool image_digest_valid(const char *digest)
{
    const char *hex = str_after(digest, "sha256:");

    return hex && strlen(hex) == HEX_DIGITS && all_hex(hex);
}

const char *image_digest_prefix(const char *s)
{
    const char *hex = str_after(s, "sha256:");
    size_t enough = hex ? 1 : IMAGE_DIGEST_PREFIX_MIN;

    hex = hex ?: s;
    return strlen(hex) >= enough && strlen(hex) <= HEX_DIGITS && all_hex(hex) ? hex : NULL;
}

void image_digest_format(const char hex[SHA256_TEXT_SIZE], char ret[IMAGE_DIGEST_TEXT_SIZE])
{
    snprintf(ret, IMAGE_DIGEST_TEXT_SIZE, "sha256:%s", hex);
}

char *image_digest_to_file(const char *digest, const char *suffix)
{
    assert(image_digest_valid(digest));
    return strf("sha256-%s%s", digest + strlen("sha256:"), suffix);
}

int image_digest_from_file(const char *file, const char *suffix, char ret[IMAGE_DIGEST_TEXT_SIZE])
{
    char digest[IMAGE_DIGEST_TEXT_SIZE];
    const char *hex = str_after(file, "sha256-");

    if (!hex || strlen(hex) < HEX_DIGITS || !streq(hex + HEX_DIGITS, suffix))
        return -EINVAL;
    snprintf(digest, sizeof digest, "sha256:%.*s", HEX_DIGITS, hex);
    if (!image_digest_valid(digest))
        return -EINVAL;
    memcpy(ret, digest, sizeof digest);
    return 0;
}
