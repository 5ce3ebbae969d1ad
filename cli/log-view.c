/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/strings.h"
#include "cli/log-view.h"

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

/* What is no text, or has bytes that JSON has not, is shown escaped. */
static Json *json_bytes(const Bytes *b)
{
    _cleanup_(freep) char *text = strndup((const char *)b->data ?: "", b->size);
    bool whole = text && strlen(text) == b->size;
    _cleanup_(freep) char *escaped = whole ? NULL : str_escape(b->data, b->size);

    return json_text(whole ? text : escaped);
}

static int put_output(Json *json, const LogItem *item)
{
    if (json_put(json, "container", json_text(item->container)) < 0 ||
        json_put(json, "stream", json_text(enum_to_string(&log_stream_table, (int)item->stream))) < 0 ||
        json_put(json, "partial", json_truth(item->partial)) < 0 ||
        json_put(json, "dropped", json_whole(item->dropped)) < 0)
        return -ENOMEM;
    return 0;
}

static int put_event(Json *json, const LogItem *item)
{
    if (json_put(json, "pod", json_text(item->pod)) < 0 ||
        json_put(json, "event", json_text(item->event)) < 0 ||
        json_put(json, "state", json_text(item->state)) < 0 ||
        json_put(json, "reason", json_text(item->reason)) < 0 ||
        json_put(json, "generation", json_whole(item->generation)) < 0)
        return -ENOMEM;
    return 0;
}

static int show_json(LogView *v, const LogItem *item)
{
    _cleanup_(json_releasep) Json *json = json_new_object();

    if (json_put(json, "time", json_whole(item->time)) < 0 ||
        (v->events ? put_event(json, item) : put_output(json, item)) < 0 ||
        json_put(json, "priority", json_whole((uint64_t)item->level)) < 0 ||
        json_put(json, "message", json_bytes(&item->data)) < 0)
        return -ENOMEM;
    return json_print(json, v->style, v->out);
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

/* Console and VMM have no container: their stream is their name. */
static const char *speaker(const LogItem *item)
{
    return item->container ?: enum_to_string(&log_stream_table, (int)item->stream);
}

static int show_text(LogView *v, const LogItem *item)
{
    FILE *f = stream_of(v, item->stream);
    bool goes_on =
        v->open_container && v->open_stream == item->stream && streq(v->open_container, speaker(item));

    if (!goes_on) {
        end_line(v);
        /* Where both streams go to one file, the order of the lines is kept. */
        if (f == v->err)
            (void)fflush(v->out);
        if (v->format == LOG_FORMAT_TIME)
            print_time(item->time, f);
        if (v->prefix) {
            _cleanup_(freep) char *name = str_escape(speaker(item), strlen(speaker(item)));
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
        if (!(v->open_container = strdup(speaker(item))))
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

/* Escaped wherever it goes: the words of an event are podvisor's, but names of files in them are not. */
static int show_event(LogView *v, const LogItem *item)
{
    enum { EVENT_WIDTH = 18 };
    _cleanup_(freep) char *event = str_escape(item->event ?: "?", strlen(item->event ?: "?"));

    if (!event)
        return -ENOMEM;
    print_time(item->time, v->out);
    fprintf(v->out, "%-*s ", EVENT_WIDTH, event);
    int r = print_data(item, true, v->out);
    fputc('\n', v->out);
    return r < 0 ? r : ferror(v->out) ? -EIO : 0;
}

int log_view_show(LogView *v, const LogItem *item)
{
    int r = notice_container(v, speaker(item));
    if (r < 0)
        return r;
    if (v->format == LOG_FORMAT_JSON)
        return show_json(v, item);
    if (v->events)
        return show_event(v, item);
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
