/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/libvirt/domain-fragment.h"
#include "base/strings.h"
#include "tests/fuzz/target.h"

static const char *const around[FRAGMENT_PLACE_MAX][2] = {
    [FRAGMENT_DOMAIN] = { "", "" },
    [FRAGMENT_METADATA] = { "<metadata>", "</metadata>" },
    [FRAGMENT_FEATURES] = { "<features>", "</features>" },
    [FRAGMENT_DEVICES] = { "<devices>", "</devices>" },
};

/* What was let through is let through again, and unchanged: nothing hides in how it was written. */
static void again(const DomainFragment *f, FragmentPlace place)
{
    _cleanup_(freep) char *xml = strf("%s%s%s", around[place][0], f->text[place], around[place][1]);
    DomainFragment second;

    assert(xml);
    if (strlen(xml) > FRAGMENT_SIZE_MAX)
        return;
    int r = domain_fragment_read(xml, &second, NULL);
    assert(r == 0);
    assert(streq(second.text[place], f->text[place]));
    domain_fragment_done(&second);
}

void fuzz_one(const uint8_t *data, size_t size)
{
    _cleanup_(freep) char *xml = strndup((const char *)data, size), *message = NULL;
    DomainFragment f;

    assert(xml);
    int r = domain_fragment_read(xml, &f, &message);
    assert(r == 0 || (r == -EBADMSG && message && str_is_utf8(message)));
    if (r < 0)
        return;
    for (int place = 0; place < FRAGMENT_PLACE_MAX; place++)
        again(&f, (FragmentPlace)place);
    domain_fragment_done(&f);
}
