/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/image-reference.h"
#include "images/store-internal.h"

void image_reference_done(ImageReference *reference)
{
    free(reference->registry);
    free(reference->repository);
    free(reference->tag);
    free(reference->digest);
    free(reference->name);
    *reference = (ImageReference){ 0 };
}

/* As all container tools tell a registry from the first step of a path. */
static bool is_registry(const char *s, size_t n)
{
    return memchr(s, '.', n) || memchr(s, ':', n) || (n == strlen("localhost") && str_after(s, "localhost"));
}

/* What people bring along from other tools. */
static int refuse_form(const char *text, char **ret_error)
{
    _cleanup_(freep) char *escaped = str_escape(text, strnlen(text, IMAGE_NAME_MAX));
    const char *scheme = strstr(text, "://"), *rest = scheme ? scheme + strlen("://") : NULL;

    if (rest && image_name_valid(rest))
        return image_fail(ret_error, -EINVAL,
                          "\"%s\" is no reference of an image; leave out what stands before %s",
                          escaped ?: "?", rest);
    return image_fail(ret_error, -EINVAL,
                      "\"%s\" is no reference of an image; references look like \"example.org/app:1.2\" or "
                      "\"example.org/app@sha256:<64 digits>\", in lower case and of at most %d characters",
                      escaped ?: "?", IMAGE_NAME_MAX);
}

static int refuse_short(const char *text, char **ret_error)
{
    return image_fail(ret_error, -EINVAL,
                      "\"%s\" does not say from which registry; did you mean \"docker.io/%s%s\"?", text,
                      strchr(text, '/') ? "" : "library/", text);
}

static int fill(const char *text, ImageReference *reference)
{
    const char *pin = image_name_pin(text);
    size_t n = strcspn(text, "@");
    const char *slash = memrchr(text, '/', n);
    const char *colon = memchr(slash, ':', n - (size_t)(slash - text));
    size_t repository = colon ? (size_t)(colon - text) : n;

    reference->registry = strndup(text, strcspn(text, "/"));
    reference->repository = strndup(text, repository);
    reference->tag = colon ? strndup(colon + 1, n - repository - 1) : strdup("latest");
    if (!reference->registry || !reference->repository || !reference->tag)
        return -ENOMEM;
    int r = str_replace(&reference->digest, pin);
    return r < 0 ? r : image_name_canonical(text, &reference->name);
}

int image_reference_parse(const char *text, ImageReference *ret, char **ret_error)
{
    _cleanup_(image_reference_done) ImageReference reference = { 0 };
    size_t first = strcspn(text, "/");

    if (!image_name_valid(text))
        return refuse_form(text, ret_error);
    if (!text[first] || !is_registry(text, first))
        return refuse_short(text, ret_error);
    int r = fill(text, &reference);
    if (r < 0)
        return r;
    *ret = take_struct(reference);
    return 0;
}

char *image_reference_source(const ImageReference *reference, const char *digest)
{
    return digest ? strf("docker://%s@%s", reference->repository, digest)
                  : strf("docker://%s:%s", reference->repository, reference->tag);
}
