/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <signal.h>

#include "base/ip-address.h"
#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/pod-definition.h"

static bool valid_name(const char *s)
{
    size_t n = strlen(s);

    if (n == 0 || n > 63 || *s == '-' || s[n - 1] == '-')
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}
const Format format_name = {
    "a name of a-z, 0-9 and -, at most 63 characters, with no - at its ends",
    valid_name,
};

static bool valid_image(const char *s)
{
    size_t n = strlen(s);
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@";

    if (n == 0 || n > 255 || !isalnum((unsigned char)*s) || strspn(s, allowed) != n)
        return false;
    return !strstr(s, "..") && !strstr(s, "//") && s[n - 1] != '/' && s[n - 1] != ':';
}
const Format format_image = {
    "an image name such as \"busybox\" or \"example.org/app:1.2\"",
    valid_image,
};

static bool valid_registry(const char *s)
{
    size_t host = strcspn(s, ":");
    const char *port = s[host] ? s + host + 1 : "5000";
    size_t digits = strspn(port, "0123456789");

    if (host == 0 || host > 253 || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") < host)
        return false;
    return isalnum((unsigned char)*s) && isalnum((unsigned char)s[host - 1]) && digits > 0 && digits <= 5 &&
           !port[digits];
}
const Format format_registry = {
    "a registry: \"example.org\", \"localhost:5000\"",
    valid_registry,
};

static bool valid_absolute_path(const char *s)
{
    _cleanup_(strv_freep) char **steps = NULL;

    if (*s != '/' || strlen(s) >= 4096 || strstr(s, "//") || (s[1] && str_ends_with(s, "/")))
        return false;
    steps = strv_split(s, "/");
    return steps && !strv_contains(steps, ".") && !strv_contains(steps, "..");
}
const Format format_absolute_path = {
    "an absolute path such as \"/var/lib/app\", without . or .. in it",
    valid_absolute_path,
};

static bool valid_cpu_model(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n <= 64 && isalnum((unsigned char)*s) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}
const Format format_cpu_model = {
    "a processor's name such as \"maximum\" or \"EPYC-v2\"",
    valid_cpu_model,
};

static bool valid_user_part(const char *s, size_t n)
{
    uint64_t number;
    _cleanup_(freep) char *part = strndup(s, n);

    if (!part || n == 0 || n > 32)
        return false;
    if (isdigit((unsigned char)*part))
        return parse_unsigned(part, &number) == 0 && number < UINT32_MAX;
    return strspn(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n &&
           *part != '-';
}

static bool valid_user(const char *s)
{
    size_t user = strcspn(s, ":");

    return valid_user_part(s, user) && (!s[user] || valid_user_part(s + user + 1, strlen(s + user + 1)));
}
const Format format_user = {
    "a user such as \"www\", \"1000\" or \"1000:1000\"",
    valid_user,
};

static bool valid_group(const char *s)
{
    return valid_user_part(s, strlen(s));
}
const Format format_group = {
    "a group such as \"audio\" or \"1000\"",
    valid_group,
};

static bool valid_capability(const char *s)
{
    return *s && strlen(s) <= 32 && !str_after(s, "CAP_") &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(s);
}
const Format format_capability = {
    "a capability without CAP_, such as \"NET_BIND_SERVICE\"",
    valid_capability,
};

int signal_from_string(const char *word)
{
    const char *name = str_after(word, "SIG") ?: word;
    uint64_t number;

    if (parse_unsigned(word, &number) == 0)
        return number > 0 && number < (uint64_t)SIGRTMAX ? (int)number : -EINVAL;
    for (int i = 1; i < SIGRTMIN - 2; i++)
        if (sigabbrev_np(i) && streq(sigabbrev_np(i), name))
            return i;
    return -EINVAL;
}

char *signal_format(int signal)
{
    const char *name = sigabbrev_np(signal);
    return name ? strf("SIG%s", name) : strf("signal %d", signal);
}

static bool valid_signal(const char *s)
{
    return signal_from_string(s) > 0;
}
const Format format_signal = {
    "a signal such as \"TERM\" or \"15\"",
    valid_signal,
};

static bool valid_line(const char *s)
{
    for (const char *p = s; *p; p++)
        if (iscntrl((unsigned char)*p))
            return false;
    return str_is_utf8(s);
}
const Format format_line = {
    "text on one line",
    valid_line,
};

static bool valid_argument(const char *s)
{
    return strlen(s) < 131072;
}
const Format format_argument = {
    "text of less than 128 KiB",
    valid_argument,
};

int file_mode_from_string(const char *text)
{
    enum { DIGITS_MAX = 4, MODE_MAX = 0777 };
    size_t n = strlen(text);
    int mode = 0;

    if (n < 3 || n > DIGITS_MAX || strspn(text, "01234567") != n)
        return -EINVAL;
    for (const char *p = text; *p; p++)
        mode = mode * 8 + (*p - '0');
    return mode <= MODE_MAX ? mode : -EINVAL;
}

static bool valid_file_mode(const char *s)
{
    return file_mode_from_string(s) >= 0;
}
const Format format_file_mode = {
    "octal digits such as \"0400\", at most \"0777\"",
    valid_file_mode,
};

int owner_from_string(const char *text, uint32_t *ret_user, uint32_t *ret_group)
{
    const char *colon = strchr(text, ':');
    _cleanup_(freep) char *user = colon ? strndup(text, (size_t)(colon - text)) : NULL;
    uint64_t uid, gid;

    if (!user || parse_unsigned(user, &uid) < 0 || parse_unsigned(colon + 1, &gid) < 0 || uid >= UINT32_MAX ||
        gid >= UINT32_MAX)
        return -EINVAL;
    *ret_user = (uint32_t)uid;
    *ret_group = (uint32_t)gid;
    return 0;
}

static bool valid_owner(const char *s)
{
    uint32_t user, group;

    return owner_from_string(s, &user, &group) == 0;
}
const Format format_owner = {
    "the numbers of a user and a group, such as \"1000:1000\"",
    valid_owner,
};

static bool valid_credential(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n <= 255 && *s != '.' && !strchr(s, '/') && format_line.valid(s);
}
const Format format_credential = {
    "the name of a credential, without / and with no . at its beginning",
    valid_credential,
};

static bool valid_content(const char *s)
{
    return strlen(s) <= CONFIG_TEXT_MAX;
}
const Format format_content = {
    "text of at most 64 KiB",
    valid_content,
};

/* A subset of what the kernel takes: what every tool takes, too. */
static bool valid_interface(const char *s)
{
    enum { INTERFACE_MAX = 15 };
    size_t n = strlen(s);

    return n > 0 && n <= INTERFACE_MAX && isalnum((unsigned char)*s) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}
const Format format_interface = {
    "the name of a network interface such as \"br0\", of at most 15 characters",
    valid_interface,
};

static bool valid_ip(const char *s)
{
    IpAddress a;

    return ip_parse(s, &a) >= 0;
}
/* Of labels as those of the DNS, each of letters, digits and inner hyphens. */
static bool valid_host(const char *s)
{
    size_t n = strcspn(s, ":"), label = 0;
    IpAddress a;

    if (n == 0 || n > 253 || !s[n] || strchr(s, '/'))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool end = s[i] == '.';
        label = end ? 0 : label + 1;
        if (label > 63 || (end && (i == 0 || s[i - 1] == '.' || s[i - 1] == '-')) ||
            (!end && !isalnum((unsigned char)s[i]) && (s[i] != '-' || label == 1)))
            return false;
    }
    return s[n - 1] != '-' && s[n - 1] != '.' && ip_parse(s + n + 1, &a) >= 0;
}
const Format format_host = {
    "a name and its address such as \"db:10.0.0.3\"",
    valid_host,
};

static bool valid_ip_or_dhcp(const char *s)
{
    return streq(s, "dhcp") || valid_ip(s);
}
const Format format_ip_or_dhcp = {
    "an address of IPv4 or IPv6 such as \"10.0.0.2/24\", or \"dhcp\"",
    valid_ip_or_dhcp,
};

const Format format_ip = {
    "an address of IPv4 or IPv6 such as \"10.0.0.2/24\" or \"10.0.0.1\"",
    valid_ip,
};
