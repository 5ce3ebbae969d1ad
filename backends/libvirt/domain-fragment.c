/* SPDX-License-Identifier: Apache-2.0 */
#include <expat.h>

#include "backends/libvirt/domain-fragment.h"
#include "backends/libvirt/domain-xml.h"
#include "backends/libvirt/fragment-rules.h"
#include "backends/libvirt/xml-writer.h"
#include "base/strings.h"

/* What stands before and behind the fragment, so that it has one root. */
#define BEFORE "<domain>"
#define BEHIND "</domain>"

typedef struct Reader {
    XML_Parser parser;
    const char *xml;
    XmlWriter out[FRAGMENT_PLACE_MAX];
    FragmentPlace place; /* where elements are judged, when `taken` is 0 */
    unsigned depth;      /* of open elements, BEFORE's too */
    unsigned taken;      /* those among them that are being copied */
    unsigned elements;
    char *device; /* the element of <devices> that is being copied */
    char *message;
    int error;
} Reader;

/* --- saying no ------------------------------------------------------------------------------------------------------ */

static void refuse_at(Reader *r, unsigned long line, unsigned long column, const char *sentence)
{
    _cleanup_(freep) char *escaped = str_escape(sentence, strlen(sentence));

    r->message = escaped ? strf("line %lu, column %lu: %s", line, column, escaped) : NULL;
    r->error = r->message ? -EBADMSG : -ENOMEM;
}

/* Only the first counts. */
static void _printf_(2, 3) refuse(Reader *r, const char *format, ...)
{
    unsigned long line = XML_GetCurrentLineNumber(r->parser), column = XML_GetCurrentColumnNumber(r->parser);
    va_list args;

    if (r->error < 0)
        return;
    va_start(args, format);
    _cleanup_(freep) char *sentence = strf_va(format, args);
    va_end(args);
    r->error = -ENOMEM;
    if (sentence)
        refuse_at(r, line, column + 1 - (line == 1 ? strlen(BEFORE) : 0), sentence);
    (void)XML_StopParser(r->parser, XML_FALSE);
}

/* The parser stops where it has lost the thread: at the letter behind "<!". */
static bool is_declaration(const Reader *r)
{
    XML_Index at = XML_GetCurrentByteIndex(r->parser) - (XML_Index)strlen(BEFORE);

    return at >= 2 && (size_t)at <= strlen(r->xml) && str_after(r->xml + at - 2, "<!");
}

static const char *parser_complaint(const Reader *r)
{
    static const struct {
        enum XML_Error code;
        const char *sentence;
    } rows[] = {
        { XML_ERROR_UNDEFINED_ENTITY, "there are no entities but &lt; &gt; &amp; &quot; &apos;" },
        { XML_ERROR_MISPLACED_XML_PI, "an XML declaration has no place inside of <domain>" },
    };
    enum XML_Error code = XML_GetErrorCode(r->parser);

    TABLE_FOREACH (row, rows)
        if (row->code == code)
            return row->sentence;
    if (code == XML_ERROR_INVALID_TOKEN && is_declaration(r))
        return "a document type or an entity cannot be declared here";
    return XML_ErrorString(code);
}

/* --- what may stand where ------------------------------------------------------------------------------------------- */

static const char *const place_names[FRAGMENT_PLACE_MAX] = {
    [FRAGMENT_DOMAIN] = "domain",
    [FRAGMENT_METADATA] = "metadata",
    [FRAGMENT_FEATURES] = "features",
    [FRAGMENT_DEVICES] = "devices",
};

static bool is_namespace(const char *attribute)
{
    return streq(attribute, "xmlns") || str_after(attribute, "xmlns:");
}

/* Of ours, and of what says which is whose. */
static void judge_metadata(Reader *r, const char *name, const char **attributes)
{
    const char *colon = strchr(name, ':');
    _cleanup_(freep) char *declared = colon ? strf("xmlns:%.*s", (int)(colon - name), name) : strdup("xmlns");
    bool found = false;

    for (const char **a = attributes; *a; a += 2)
        if (declared && streq(*a, declared))
            found = true;
    if (!declared)
        r->error = -ENOMEM;
    else if (!found && r->taken == 0)
        refuse(r, "<%s>: an element of <metadata> declares its own namespace, here as %s=", name, declared);
    for (const char **a = attributes; *a; a += 2)
        if (is_namespace(*a) && streq(a[1], DOMAIN_XML_NAMESPACE))
            refuse(r, "<%s>: the namespace " DOMAIN_XML_NAMESPACE " is podvisor's own", name);
}

static void judge_namespaces(Reader *r, const char *name, const char **attributes)
{
    const char *found = strchr(name, ':') ? name : NULL;

    for (const char **a = attributes; *a && !found; a += 2)
        if (is_namespace(*a) || strchr(*a, ':'))
            found = *a;
    if (found)
        refuse(r,
               "%s: names with a namespace stand below <metadata> only; nothing of a pod file becomes an "
               "argument of QEMU",
               found);
}

/* An element right below one that is merged. */
static const FragmentElement *judge_place(Reader *r, const char *name)
{
    const FragmentElement *row = fragment_element(r->place, name);

    if (row && row->verdict != FRAGMENT_OWNED)
        return row;
    const char *meant = row ? NULL : fragment_suggest(r->place, name);
    if (row)
        refuse(r, "<%s> cannot be added: %s", name, row->why);
    else if (meant)
        refuse(r, "<%s> cannot be added to <%s>; did you mean <%s>?", name, place_names[r->place], meant);
    else
        refuse(r, "<%s> cannot be added to <%s>", name, place_names[r->place]);
    return NULL;
}

static void judge_device(Reader *r, const char *name, const char **attributes)
{
    const char *attribute = NULL, *child = r->taken == 1 ? name : NULL;

    if (r->place != FRAGMENT_DEVICES || r->taken > 1)
        return;
    if (r->taken == 0 && str_replace(&r->device, name) < 0) {
        r->error = -ENOMEM;
        return;
    }
    const char *why = fragment_refusal(r->device, child, (const char *const *)attributes, &attribute);
    if (!why)
        return;
    if (attribute)
        refuse(r, "<%s>: %s of <%s>: %s", r->device, attribute, name, why);
    else
        refuse(r, "<%s>: <%s>: %s", r->device, name, why);
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

static void judge_bounds(Reader *r)
{
    if (r->depth > FRAGMENT_DEPTH_MAX)
        refuse(r, "elements are nested deeper than %d", FRAGMENT_DEPTH_MAX);
    if (r->elements > FRAGMENT_ELEMENTS_MAX)
        refuse(r, "there are more than %d elements", FRAGMENT_ELEMENTS_MAX);
}

/* 0: descend into it; 1: it is copied. */
static bool judge(Reader *r, const char *name, const char **attributes)
{
    judge_bounds(r);
    if (r->place == FRAGMENT_METADATA) {
        judge_metadata(r, name, attributes);
        return true;
    }
    judge_namespaces(r, name, attributes);
    const FragmentElement *row = r->taken > 0 || r->error < 0 ? NULL : judge_place(r, name);
    if (row && row->verdict == FRAGMENT_MERGED) {
        if (*attributes)
            refuse(r, "<%s> has no attributes", name);
        r->place = row->into;
        return false;
    }
    judge_device(r, name, attributes);
    return true;
}

static void on_start(void *userdata, const char *name, const char **attributes)
{
    Reader *r = userdata;

    if (r->error < 0 || r->depth++ == 0)
        return;
    r->elements++;
    if (!judge(r, name, attributes) || r->error < 0)
        return;
    xml_open_with(&r->out[r->place], name, (const char *const *)attributes);
    r->taken++;
}

static void on_end(void *userdata, const char *name)
{
    Reader *r = userdata;

    if (r->error < 0)
        return;
    r->depth--;
    if (r->taken > 0) {
        xml_close(&r->out[r->place], name);
        r->taken--;
    } else if (r->depth == 1)
        r->place = FRAGMENT_DOMAIN;
    else if (XML_GetCurrentByteIndex(r->parser) < (XML_Index)(strlen(BEFORE) + strlen(r->xml)))
        refuse(r, "</%s> closes what was not opened here", name);
}

static void on_text(void *userdata, const char *text, int size)
{
    Reader *r = userdata;

    if (r->error < 0)
        return;
    if (r->taken > 0) {
        xml_text(&r->out[r->place], text, (size_t)size);
        return;
    }
    for (int i = 0; i < size; i++)
        if (!strchr(" \t\r\n", text[i])) {
            refuse(r, "there is text outside of elements");
            return;
        }
}

static bool parse(Reader *r, const char *text, bool last)
{
    return r->error >= 0 && XML_Parse(r->parser, text, (int)strlen(text), last) == XML_STATUS_OK;
}

static void read_all(Reader *r)
{
    if (strlen(r->xml) > FRAGMENT_SIZE_MAX) {
        refuse_at(r, 1, 1, "it is larger than 64K");
        return;
    }
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    bool whole = parse(r, BEFORE, false) && parse(r, r->xml, false);
    if (whole && r->depth > 1)
        refuse(r, "an element is not closed");
    if (!(whole && parse(r, BEHIND, true)))
        refuse(r, "%s", parser_complaint(r));
}

static void reader_done(Reader *r)
{
    if (r->parser)
        XML_ParserFree(r->parser);
    TABLE_FOREACH (out, r->out)
        bytes_done(&out->text);
    free(r->device);
    free(r->message);
}

int domain_fragment_read(const char *xml, DomainFragment *ret, char **ret_message)
{
    Reader r = { .xml = xml, .parser = XML_ParserCreate("UTF-8") };
    DomainFragment f = { 0 };

    TABLE_FOREACH (out, r.out)
        out->compact = true;
    if (r.parser)
        read_all(&r);
    else
        r.error = -ENOMEM;
    for (size_t i = 0; r.error >= 0 && i < FRAGMENT_PLACE_MAX; i++)
        r.error = xml_finish(&r.out[i], &f.text[i]);
    if (r.error == -EBADMSG && ret_message)
        *ret_message = take_ptr(r.message);
    int error = r.error;
    reader_done(&r);
    if (error < 0) {
        domain_fragment_done(&f);
        return error;
    }
    *ret = f;
    return 0;
}

void domain_fragment_done(DomainFragment *f)
{
    TABLE_FOREACH (text, f->text)
        free(take_ptr(*text));
}

int domain_fragment_check(const char *xml, char **ret_message)
{
    DomainFragment f;

    int r = domain_fragment_read(xml, &f, ret_message);
    if (r >= 0)
        domain_fragment_done(&f);
    return r;
}
