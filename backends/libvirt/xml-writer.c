/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "backends/libvirt/xml-writer.h"
#include "base/strings.h"

static void put(XmlWriter *w, const void *data, size_t size)
{
    if (w->error >= 0)
        w->error = bytes_append(&w->text, data, size);
}

static void put_string(XmlWriter *w, const char *s)
{
    put(w, s, strlen(s));
}

static void line(XmlWriter *w)
{
    if (w->compact || w->text.size == 0)
        return;
    put_string(w, "\n");
    for (unsigned i = 0; i < w->depth; i++)
        put_string(w, "  ");
}

/* Line breaks of attributes would be read as blanks, a carriage return as nothing at all. */
static const char *const references[128] = {
    ['\t'] = "&#9;",   ['\n'] = "&#10;", ['\r'] = "&#13;", ['"'] = "&quot;",
    ['\''] = "&apos;", ['&'] = "&amp;",  ['<'] = "&lt;",   ['>'] = "&gt;",
};

static bool may_stand(unsigned char c)
{
    return c >= ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* U+FFFE and U+FFFF are UTF-8 and no characters of XML. */
static bool is_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!may_stand((unsigned char)text[i]))
            return false;
    return utf8_prefix(text, size) == size && !memmem(text, size, "\xef\xbf\xbe", 3) &&
           !memmem(text, size, "\xef\xbf\xbf", 3);
}

static void escape(XmlWriter *w, const char *text, size_t size, bool blanks)
{
    size_t done = 0;

    if (!is_text(text, size) && w->error >= 0)
        w->error = -EINVAL;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *reference = c < ELEMENTSOF(references) ? references[c] : NULL;
        if (!reference || (!blanks && (c == '\t' || c == '\n')))
            continue;
        put(w, text + done, i - done);
        put_string(w, reference);
        done = i + 1;
    }
    put(w, text + done, size - done);
}

static void attribute(XmlWriter *w, const char *name, const char *value)
{
    put_string(w, " ");
    put_string(w, name);
    put_string(w, "=\"");
    escape(w, value, strlen(value), true);
    put_string(w, "\"");
}

static void begin(XmlWriter *w, const char *name, va_list attributes)
{
    const char *key;

    line(w);
    put_string(w, "<");
    put_string(w, name);
    while ((key = va_arg(attributes, const char *))) {
        const char *value = va_arg(attributes, const char *);
        if (value)
            attribute(w, key, value);
    }
}

static void end(XmlWriter *w, const char *name)
{
    put_string(w, "</");
    put_string(w, name);
    put_string(w, ">");
}

void xml_open(XmlWriter *w, const char *name, ...)
{
    va_list attributes;

    va_start(attributes, name);
    begin(w, name, attributes);
    va_end(attributes);
    put_string(w, ">");
    w->depth++;
}

void xml_close(XmlWriter *w, const char *name)
{
    assert(w->depth > 0);
    w->depth--;
    line(w);
    end(w, name);
}

void xml_empty(XmlWriter *w, const char *name, ...)
{
    va_list attributes;

    va_start(attributes, name);
    begin(w, name, attributes);
    va_end(attributes);
    put_string(w, "/>");
}

void xml_leaf(XmlWriter *w, const char *text, const char *name, ...)
{
    va_list attributes;

    va_start(attributes, name);
    begin(w, name, attributes);
    va_end(attributes);
    put_string(w, ">");
    escape(w, text, strlen(text), false);
    end(w, name);
}

void xml_open_with(XmlWriter *w, const char *name, const char *const *attributes)
{
    line(w);
    put_string(w, "<");
    put_string(w, name);
    for (; attributes && *attributes; attributes += 2)
        attribute(w, attributes[0], attributes[1]);
    put_string(w, ">");
    w->depth++;
}

void xml_text(XmlWriter *w, const char *text, size_t size)
{
    escape(w, text, size, false);
}

void xml_raw(XmlWriter *w, const char *text)
{
    if (*text)
        line(w);
    put_string(w, text);
}

int xml_finish(XmlWriter *w, char **ret)
{
    int r = w->error >= 0 ? bytes_terminate(&w->text) : w->error;

    if (r >= 0)
        *ret = (char *)take_ptr(w->text.data);
    bytes_done(&w->text);
    *w = (XmlWriter){ .compact = w->compact };
    return r;
}
