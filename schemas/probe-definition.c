/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>

#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/probe-definition.h"

enum { HOST_MAX = 64, PATH_MAX_HERE = 1024 };

DEFINE_ENUM_TABLE(probe_kind, "probe",
                  PROBE_KIND_MAX, [PROBE_STARTUP] = { "startup", "whether the container has come up" },
                  [PROBE_READY] = { "ready", "whether it does its work now" },
                  [PROBE_ALIVE] = { "alive", "whether it is to go on, or to be started anew" });

/* --- texts --- */

static int parse_host(const char *host, size_t size, ProbeAddress *ret)
{
    char text[HOST_MAX];
    bool brackets = size >= 2 && host[0] == '[' && host[size - 1] == ']';

    if (size == 0 || (size == strlen("localhost") && strncmp(host, "localhost", size) == 0)) {
        host = "127.0.0.1";
        size = strlen(host);
    } else if (brackets) {
        host++;
        size -= 2;
    }
    if (size >= sizeof text)
        return -EINVAL;
    memcpy(text, host, size);
    text[size] = 0;
    ret->family = brackets ? AF_INET6 : AF_INET;
    return inet_pton(ret->family, text, ret->address) == 1 ? 0 : -EINVAL;
}

static int parse_port(const char *text, size_t size, uint16_t *ret)
{
    char digits[8];
    uint64_t port;

    if (size == 0 || size >= sizeof digits)
        return -EINVAL;
    memcpy(digits, text, size);
    digits[size] = 0;
    if (parse_unsigned(digits, &port) < 0 || port == 0 || port > UINT16_MAX)
        return -EINVAL;
    *ret = (uint16_t)port;
    return 0;
}

static int parse_address(const char *text, size_t size, ProbeAddress *ret)
{
    size_t colon = size;
    ProbeAddress address = { 0 };

    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon == 0 || parse_host(text, colon - 1, &address) < 0 ||
        parse_port(text + colon, size - colon, &address.port) < 0)
        return -EINVAL;
    *ret = address;
    return 0;
}

int probe_address_parse(const char *text, ProbeAddress *ret)
{
    return parse_address(text, strlen(text), ret);
}

/* What may stand in a request's first line. */
static bool path_valid(const char *path)
{
    for (const char *p = path; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '#')
            return false;
    return strlen(path) <= PATH_MAX_HERE;
}

int probe_url_parse(const char *text, ProbeUrl *ret)
{
    const char *host = str_after(text, "http://");
    size_t size = host ? strcspn(host, "/") : 0;
    ProbeAddress address;

    if (!host || parse_address(host, size, &address) < 0 || !path_valid(host + size))
        return -EINVAL;
    *ret = (ProbeUrl){
        .address = address, .host = host, .host_size = size, .path = host[size] ? host + size : "/"
    };
    return 0;
}

static int parse_code(const char *text, size_t size, unsigned *ret)
{
    unsigned code = 0;

    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -EINVAL;
        code = code * 10 + (unsigned)(text[i] - '0');
    }
    if (size != 3 || code < 100)
        return -EINVAL;
    *ret = code;
    return 0;
}

int probe_status_parse(const char *text, unsigned *ret_min, unsigned *ret_max)
{
    size_t first = strcspn(text, "-");
    unsigned min, max;

    if (parse_code(text, first, &min) < 0)
        return -EINVAL;
    max = min;
    if (text[first] && parse_code(text + first + 1, strlen(text + first + 1), &max) < 0)
        return -EINVAL;
    if (max < min)
        return -EINVAL;
    *ret_min = min;
    *ret_max = max;
    return 0;
}

bool probe_header_valid(const char *text)
{
    size_t name = strcspn(text, "=");

    if (name == 0 || !text[name] || strlen(text) > PATH_MAX_HERE)
        return false;
    for (size_t i = 0; i < name; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-_", text[i]))
            return false;
    for (const char *p = text + name + 1; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return true;
}

/* --- formats --- */

static bool valid_address(const char *s)
{
    return probe_address_parse(s, &(ProbeAddress){ 0 }) == 0;
}
static const Format format_address = {
    "an address such as \":5432\", \"127.0.0.1:5432\" or \"[::1]:5432\", with a port of 1 to 65535",
    valid_address,
};

static bool valid_url(const char *s)
{
    return probe_url_parse(s, &(ProbeUrl){ 0 }) == 0;
}
static const Format format_url = {
    "a URL such as \"http://:80/health\" or \"http://127.0.0.1:8080/\", with a port of 1 to 65535",
    valid_url,
};

static bool valid_status(const char *s)
{
    return probe_status_parse(s, &(unsigned){ 0 }, &(unsigned){ 0 }) == 0;
}
static const Format format_status = {
    "an HTTP status such as \"204\", or a range of them such as \"200-399\"",
    valid_status,
};

/* --- the keys --- */

static const Field fields[] = {
    { F_STRV(ProbeDefinition, exec), .min = 1, .max = 256, .format = &format_argument,
      .impact = IMPACT_REBOOT,
      .doc = "A program of the container's image and its arguments, run in the container as its own "
             "program is. It passes with exit status 0. What it writes is shown when it fails.",
      .example = "exec = [ \"test\", \"-e\", \"/run/ready\" ];" },
    { F_STRING(ProbeDefinition, tcp), .format = &format_address, .impact = IMPACT_REBOOT,
      .doc = "Where a connection must be taken. Without a host it is the pod itself, 127.0.0.1.",
      .example = "tcp = \":5432\";" },
    { F_STRING(ProbeDefinition, http), .format = &format_url, .impact = IMPACT_REBOOT,
      .doc = "What is fetched by HTTP. It passes when the answer's status is one of status; what else the "
             "answer holds is not looked at, and no redirection is followed. Without a host it is the pod "
             "itself.",
      .example = "http = \"http://:80/health\";" },
    { F_ENVIRONMENT(ProbeDefinition, headers), .impact = IMPACT_REBOOT,
      .doc = "Of http: further headers of the request. Host is the URL's unless it is given here.",
      .example = "headers = { Host = \"www.example.org\"; };" },
    { F_STRING(ProbeDefinition, status), .fallback = "200-399", .format = &format_status,
      .impact = IMPACT_REBOOT, .doc = "Of http: the statuses that pass." },
    { F_DURATION(ProbeDefinition, delay), .fallback = "0", .max = 24 * USEC_PER_HOUR, .impact = IMPACT_REBOOT,
      .doc = "How long to wait before the first try: from the start of the program, or, where there is a "
             "startup probe, from when that has passed." },
    { F_DURATION(ProbeDefinition, period), .fallback = "10s", .min = 100 * USEC_PER_MSEC,
      .max = 24 * USEC_PER_HOUR, .impact = IMPACT_REBOOT,
      .doc = "The time from the beginning of one try to that of the next; the next one waits for the end "
             "of the one before." },
    { F_DURATION(ProbeDefinition, timeout), .fallback = "1s", .min = 10 * USEC_PER_MSEC, .max = USEC_PER_HOUR,
      .impact = IMPACT_REBOOT,
      .doc = "How long a try may take. One that takes longer is ended, and has failed." },
    { F_UNSIGNED(ProbeDefinition, failures), .fallback = "3", .min = 1, .max = 100000,
      .impact = IMPACT_REBOOT,
      .doc = "How many tries in a row must fail before the probe counts as failed." },
    { F_UNSIGNED(ProbeDefinition, successes), .fallback = "1", .min = 1, .max = 1000, .impact = IMPACT_REBOOT,
      .doc = "Of ready: how many tries in a row must pass before it counts as passed." },
};
DEFINE_SCHEMA(probe_schema, ProbeDefinition, "probe",
              "How a container is asked whether it is well: by exactly one of exec, tcp and http.", fields);

bool probe_given(const ProbeDefinition *d)
{
    return d->exec || d->tcp || d->http;
}
