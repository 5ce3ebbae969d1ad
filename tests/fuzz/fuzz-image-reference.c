/* SPDX-License-Identifier: Apache-2.0 */
/* What people, pod files and scripts say is to be pulled, or call an image. */
#include "base/strings.h"
#include "images/image-reference.h"
#include "tests/fuzz/target.h"

/* Whatever was accepted is one word that skopeo takes for a source, and comes back from a file's name as it was. */
static void check(const ImageReference *reference)
{
    _cleanup_(freep) char *source = image_reference_source(reference, reference->digest);
    _cleanup_(freep) char *file = image_name_to_file(reference->name);
    _cleanup_(freep) char *back = file ? image_name_from_file(file) : NULL;
    _cleanup_(freep) char *again = NULL;

    assert(source && str_after(source, "docker://") && strpbrk(source, " \t\n\"'\\$`;") == NULL);
    assert(back && streq(back, reference->name) && !strchr(file, '/') && *file != '.');
    assert(image_name_canonical(reference->name, &again) == 0 && streq(again, reference->name));
    assert(!reference->digest || image_digest_valid(reference->digest));
    assert(str_after(reference->repository, reference->registry)[0] == '/');
}

void fuzz_one(const uint8_t *data, size_t size)
{
    _cleanup_(freep) char *text = strndup((const char *)data ?: "", size);
    _cleanup_(freep) char *error = NULL;
    ImageReference reference;

    if (!text)
        return;
    int r = image_reference_parse(text, &reference, &error);
    assert((r < 0) == (error != NULL));
    if (r < 0)
        return;
    check(&reference);
    image_reference_done(&reference);
}
