/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/strings.h"
#include "cli/log-view.h"
#include "schemas/schema-json.h"

DEFINE_ENUM_TABLE(log_format, "log format",
                  LOG_FORMAT_MAX, [LOG_FORMAT_TEXT] = { "text", "what the container wrote" },
                  [LOG_FORMAT_TIME] = { "time", "the time before each line" },
                  [LOG_FORMAT_JSON] = { "json", "an object a line" });

static FILE *stream_of(const LogView *v, LogStream stream)
{
    return stream == LOG_STREAM_STDERR ? v->err : v->out;
}

/* Ends a line that goes on elsewhere, when something else comes in between. */
static void end_line(LogView *v)
{
    if (v->open_container)
        fputc('\n', stream_of(v, v->open_stream));
    free(v->open_container);
    v->open_container = NULL;
}

static int show_json(LogView *v, const LogItem *item)
{
    _cleanup_(json_releasep) Json *json = json_new_object();
    _cleanup_(freep) char *text = strndup((const char *)item->data.data ?: "", item->data.size);
    bool whole = text && strlen(text) == item->data.size;
    _cleanup_(freep) char *escaped = whole ? NULL : str_escape(item->data.data, item->data.size);

    if (json_put(json, "time", json_whole(item->time)) < 0 ||
        json_put(json, "container", json_text(item->container)) < 0 ||
        json_put(json, "stream", json_text(enum_to_string(&log_stream_table, (int)item->stream))) < 0 ||
        json_put(json, "partial", json_truth(item->partial)) < 0 ||
        json_put(json, "dropped", json_whole(item->dropped)) < 0 ||
        json_put(json, "message", json_text(whole ? text : escaped)) < 0)
        return -ENOMEM;
    return json_print(json, JSON_SHORT, v->out);
}

static void print_time(usec_t time, FILE *f)
{
    time_t seconds = (time_t)(time / USEC_PER_SEC);
    char text[64] = "?";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        (void)strftime(text, sizeof text, "%FT%T", &tm);
    fprintf(f, "%s.%06llu ", text, (unsigned long long)(time % USEC_PER_SEC));
}

static int print_data(const LogItem *item, bool safe, FILE *f)
{
    _cleanup_(freep) char *escaped = safe ? str_escape(item->data.data, item->data.size) : NULL;

    if (safe && !escaped)
        return -ENOMEM;
    if (safe) {
        /* A backslash and a tab do a terminal no harm. */
        for (const char *p = escaped; *p;) {
            bool backslash = str_after(p, "\\x5c") != NULL, tab = str_after(p, "\\x09") != NULL;
            fputc(tab ? '\t' : *p, f);
            p += backslash || tab ? 4 : 1;
        }
    } else if (item->data.size > 0)
        (void)fwrite(item->data.data, 1, item->data.size, f);
    return 0;
}

static int show_text(LogView *v, const LogItem *item)
{
    FILE *f = stream_of(v, item->stream);
    bool goes_on =
        v->open_container && v->open_stream == item->stream && streq_ptr(v->open_container, item->container);

    if (!goes_on) {
        end_line(v);
        /* Where both streams go to one file, the order of the lines is kept. */
        if (f == v->err)
            (void)fflush(v->out);
        if (v->format == LOG_FORMAT_TIME)
            print_time(item->time, f);
        if (v->prefix) {
            _cleanup_(freep) char *name = str_escape(item->container ?: "?", strlen(item->container ?: "?"));
            fprintf(f, "%s: ", name ?: "?");
        }
    }
    int r = print_data(item, f == v->err ? v->err_safe : v->out_safe, f);
    if (r < 0)
        return r;
    if (!item->partial) {
        fputc('\n', f);
        free(v->open_container);
        v->open_container = NULL;
    } else if (!goes_on) {
        v->open_stream = item->stream;
        if (!(v->open_container = strdup(item->container ?: "?")))
            return -ENOMEM;
    }
    return ferror(f) ? -EIO : 0;
}

static int notice_container(LogView *v, const char *container)
{
    if (!v->may_prefix || v->prefix)
        return 0;
    if (!v->first_container)
        return (v->first_container = strdup(container ?: "?")) ? 0 : -ENOMEM;
    v->prefix = !streq(v->first_container, container ?: "?");
    return 0;
}

int log_view_show(LogView *v, const LogItem *item)
{
    int r = notice_container(v, item->container);
    if (r < 0)
        return r;
    if (v->format == LOG_FORMAT_JSON)
        return show_json(v, item);
    if (item->dropped > 0) {
        end_line(v);
        fprintf(v->err, "-- %llu records are lost here: they came faster than they could be taken --\n",
                (unsigned long long)item->dropped);
    }
    return show_text(v, item);
}

void log_view_done(LogView *v)
{
    end_line(v);
    free(v->first_container);
    v->first_container = NULL;
}
