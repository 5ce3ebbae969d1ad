/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <strings.h>

#include "base/strings.h"
#include "guest/agent/probe-http.h"

static int append(Bytes *b, char *text)
{
    _cleanup_(freep) char *own = text;
    return own ? bytes_append(b, own, strlen(own)) : -ENOMEM;
}

static bool has_header(const ProbeDefinition *d, const char *name)
{
    size_t n = strlen(name);

    STRV_FOREACH (header, d->headers)
        if (strncasecmp(*header, name, n) == 0 && (*header)[n] == '=')
            return true;
    return false;
}

static int append_header(Bytes *b, const char *header)
{
    size_t name = strcspn(header, "=");
    return append(b, strf("%.*s: %s\r\n", (int)name, header, header + name + (header[name] == '=')));
}

static int append_headers(Bytes *b, const ProbeDefinition *d)
{
    static const char *const usual[] = { "User-Agent=podvisor-probe", "Accept=*/*", "Connection=close" };
    int r = 0;

    STRV_FOREACH (header, d->headers)
        if (r >= 0 && probe_header_valid(*header))
            r = append_header(b, *header);
    TABLE_FOREACH (header, usual) {
        _cleanup_(freep) char *name = strndup(*header, strcspn(*header, "="));
        if (r >= 0)
            r = !name ? -ENOMEM : has_header(d, name) ? 0 : append_header(b, *header);
    }
    return r;
}

int http_request(const ProbeDefinition *d, const ProbeUrl *url, Bytes *ret)
{
    bool port_alone = *url->host == ':';
    Bytes b = { 0 };

    int r = append(&b, strf("GET %s HTTP/1.1\r\n", url->path));
    if (r >= 0 && !has_header(d, "Host"))
        r = append(&b,
                   strf("Host: %s%.*s\r\n", port_alone ? "localhost" : "", (int)url->host_size, url->host));
    if (r >= 0)
        r = append_headers(&b, d);
    if (r >= 0)
        r = bytes_append(&b, "\r\n", 2);
    if (r < 0) {
        bytes_done(&b);
        return r;
    }
    *ret = b;
    return 0;
}

/* "HTTP/1.1 200": nothing else of the line matters. */
static int parse_line(const char *line, size_t size, unsigned *ret)
{
    static const char form[] = "HTTP/d.d ddd";
    enum { CODE = sizeof "HTTP/d.d " - 1, SIZE = sizeof form - 1 };

    if (size < SIZE)
        return -EBADMSG;
    for (size_t i = 0; i < SIZE; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != form[i])
            return -EBADMSG;
    if (size > SIZE && line[SIZE] != ' ')
        return -EBADMSG;
    *ret = (unsigned)(line[CODE] - '0') * 100 + (unsigned)(line[CODE + 1] - '0') * 10 +
           (unsigned)(line[CODE + 2] - '0');
    return 1;
}

int http_status_parse(const char *data, size_t size, unsigned *ret)
{
    const char *end = memchr(data, '\n', size);

    if (!end)
        return 0;
    size = (size_t)(end - data);
    if (size > 0 && data[size - 1] == '\r')
        size--;
    return parse_line(data, size, ret);
}
