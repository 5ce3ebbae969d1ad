/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/strings.h"
#include "schemas/publish.h"
#include "schemas/user-network.h"
#include "uplink/passt.h"

static const char *const fixed[] = {
    "--foreground",
    "--quiet",
    "--no-dhcp",
    "--no-dhcpv6",
    "--no-ra",
    "--mac-addr",
    USER_NETWORK_HOST_MAC,
    "--address",
    USER_NETWORK_ADDRESS,
    "--netmask",
    USER_NETWORK_BITS,
    "--gateway",
    USER_NETWORK_GATEWAY,
    "--address",
    USER_NETWORK_ADDRESS6,
    "--gateway",
    USER_NETWORK_GATEWAY6,
    "--dns-forward",
    USER_NETWORK_DNS,
};

static const char *const options[PUBLISH_PROTOCOL_MAX] = {
    [PUBLISH_TCP] = "--tcp-ports",
    [PUBLISH_UDP] = "--udp-ports",
};

/* "127.0.0.1/5000-5010:6000-6010"; NULL = no memory. */
static char *port_words(const Publish *p)
{
    _cleanup_(freep) char *address = publish_format_address(p);
    unsigned more = p->count - 1U;

    if (!address)
        return NULL;
    const char *slash = *address ? "/" : "";
    if (more == 0)
        return strf("%s%s%u:%u", address, slash, p->host, p->guest);
    return strf("%s%s%u-%u:%u-%u", address, slash, p->host, p->host + more, p->guest, p->guest + more);
}

static int add_ports(char ***v, char *const *publish, PublishProtocol protocol)
{
    bool any = false;
    Publish p;

    STRV_FOREACH (text, (char **)publish) {
        if (publish_parse(*text, &p, NULL) < 0)
            return -EINVAL;
        if (p.protocol != protocol)
            continue;
        _cleanup_(freep) char *words = port_words(&p);
        int r = words ? strv_append(v, options[protocol]) : -ENOMEM;
        if (r < 0 || (r = strv_append(v, words)) < 0)
            return r;
        any = true;
    }
    if (any)
        return 0;
    int r = strv_append(v, options[protocol]);
    return r < 0 ? r : strv_append(v, "none");
}

int passt_arguments(const UplinkBegin *begin, const PasstInputs *inputs, char ***ret)
{
    _cleanup_(strv_freep) char **v = NULL;

    int r = strv_append(&v, begin->passt);
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fixed); i++)
        r = strv_append(&v, fixed[i]);
    if (r >= 0 && inputs->offline && (r = strv_append(&v, "--interface")) >= 0)
        r = strv_append(&v, "lo");
    if (r >= 0)
        r = strv_append(&v, "--fd");
    if (r >= 0)
        r = strv_appendf(&v, "%d", inputs->guest);
    if (r >= 0)
        r = strv_append(&v, "--pid");
    if (r >= 0)
        r = strv_appendf(&v, PASST_FD, inputs->ready);
    for (int protocol = 0; r >= 0 && protocol < PUBLISH_PROTOCOL_MAX; protocol++)
        r = add_ports(&v, begin->network.publish, (PublishProtocol)protocol);
    if (r < 0)
        return r;
    *ret = take_ptr(v);
    return 0;
}

/* --- the host's routes --------------------------------------------------------------------------------------------------- */

enum { ROUTE_WORDS = 10 };

/* "eth0 00000000 0100A8C0 ...": destination and mask. */
static bool is_default4(char *const *words)
{
    return strv_length(words) >= 8 && streq(words[1], "00000000") && streq(words[7], "00000000");
}

/* "0{32} 00 ... eth0"; the one that answers "unreachable" is of lo. */
static bool is_default6(char *const *words)
{
    return strv_length(words) >= ROUTE_WORDS && strspn(words[0], "0") == 32 && streq(words[1], "00") &&
           !streq(words[ROUTE_WORDS - 1], "lo");
}

static bool file_has(const char *path, bool (*is_default)(char *const *words))
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    while (f && !found && getline(&line, &size, f) > 0) {
        _cleanup_(strv_freep) char **words = strv_split(line, " \t\n");
        found = words && is_default(words);
    }
    free(line);
    if (f)
        (void)fclose(f);
    return found;
}

bool passt_is_offline(void)
{
    return !file_has("/proc/net/route", is_default4) && !file_has("/proc/net/ipv6_route", is_default6);
}
