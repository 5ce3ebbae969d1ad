/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start as an SVG: a row for each step, its bar from what it waited for to when it was done, in the colour of its part; what the whole
 * waited for is framed. Names stand left of the axis, times right of the bars.
 */
#include "base/strings.h"
#include "cli/start-view.h"
#include "cli/text.h"

#define NAME_CHARACTER 7.9 /* how wide one is, in the bold fonts that there may be */

enum {
    AXIS_WIDTH = 860,
    MARGIN = 24,
    TITLE_HEIGHT = 76,
    LEGEND_HEIGHT = 34,
    AXIS_HEIGHT = 26,
    ROW_HEIGHT = 20,
    BAR_HEIGHT = 12,
    LABEL_WIDTH = 80,
    FRAME_MIN = 4, /* a narrower bar would be nothing but its frame */
    TICKS_MAX = 12,
};

static const char *const colours_of_parts[START_PART_MAX] = {
    [START_PART_PODVISORD] = "#6a7f9c", [START_PART_RUNNER] = "#2f9e8f",     [START_PART_MACHINE] = "#d08a1d",
    [START_PART_AGENT] = "#8557b0",     [START_PART_CONTAINERS] = "#3f7fd0",
};

typedef struct Plot {
    const PodStatus *pod;
    const StartAnalysis *a;
    int rows[START_POINTS_MAX]; /* points with a bar, by their time */
    int n_rows;
    usec_t span;     /* that the axis has */
    int names_width; /* of the column left of it */
    FILE *f;
} Plot;

static void put_text(const Plot *p, double x, double y, const char *class, const char *text)
{
    _cleanup_(freep) char *safe = text_safe(text);

    fprintf(p->f, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    for (const char *c = safe ?: ""; *c; c++) {
        if (*c == '<' || *c == '>' || *c == '&')
            fprintf(p->f, "&#%d;", *c);
        else
            fputc(*c, p->f);
    }
    fprintf(p->f, "</text>\n");
}

static double x_of(const Plot *p, usec_t at)
{
    return MARGIN + p->names_width + (double)usec_sub(at, p->a->begin) / (double)p->span * AXIS_WIDTH;
}

static int rows_top(void)
{
    return TITLE_HEIGHT + LEGEND_HEIGHT + AXIS_HEIGHT;
}

/* --- the axis -------------------------------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten microseconds, so that there are at most TICKS_MAX of them. */
static usec_t tick_of(usec_t span)
{
    static const unsigned steps[] = { 2, 5, 10 };
    usec_t power = 1, tick = 1;

    while (span / tick > TICKS_MAX && power < USEC_INFINITY / 100) {
        for (size_t i = 0; i < ELEMENTSOF(steps) && span / tick > TICKS_MAX; i++)
            tick = power * steps[i];
        power *= 10;
    }
    return tick;
}

/* Ticks are round numbers, and all of them in the same unit. */
static char *tick_text(usec_t at, usec_t tick)
{
    if (tick >= USEC_PER_SEC)
        return strf("%llus", (unsigned long long)(at / USEC_PER_SEC));
    if (tick >= 100 * USEC_PER_MSEC)
        return strf("%.1fs", (double)at / (double)USEC_PER_SEC);
    return tick >= USEC_PER_MSEC ? strf("%llums", (unsigned long long)(at / USEC_PER_MSEC))
                                 : strf("%lluus", (unsigned long long)at);
}

static void put_axis(const Plot *p)
{
    usec_t tick = tick_of(p->span);
    int top = rows_top(), bottom = top + p->n_rows * ROW_HEIGHT;

    for (usec_t at = 0; at <= p->span; at += tick) {
        _cleanup_(freep) char *text = tick_text(at, tick);
        double x = x_of(p, p->a->begin + at);
        fprintf(p->f, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" class=\"grid\"/>\n", x, top - 4, x,
                bottom);
        put_text(p, x, top - 9, "tick", text);
    }
}

/* --- bars ------------------------------------------------------------------------------------------------------------- */

static void put_stripe(const Plot *p, int row)
{
    fprintf(p->f, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"stripe\"/>\n", MARGIN,
            rows_top() + row * ROW_HEIGHT, p->names_width + AXIS_WIDTH + LABEL_WIDTH, ROW_HEIGHT);
}

static void put_row(const Plot *p, int row)
{
    const StartPoint *point = &p->a->points[p->rows[row]];
    double from = x_of(p, usec_sub(point->at, point->took)), to = x_of(p, point->at), width = to - from;
    double y = rows_top() + row * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2.0, base = y + BAR_HEIGHT - 2;
    _cleanup_(freep) char *took = start_span(point->took), *name = start_point_name(point);

    put_text(p, MARGIN + p->names_width - 10, base, point->critical ? "name critical" : "name", name);
    fprintf(p->f,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"1.5\" fill=\"%s\" class=\"%s\">"
            "<title>%s</title></rect>\n",
            from, y, width < 2 ? 2 : width, BAR_HEIGHT, colours_of_parts[point->part],
            point->critical && width >= FRAME_MIN ? "chain" : "bar", point->doc);
    put_text(p, to + 6, base, "took", took);
}

/* --- around it ---------------------------------------------------------------------------------------------------------- */

static void put_legend(const Plot *p)
{
    double x = MARGIN, y = TITLE_HEIGHT;

    for (int i = 0; i < START_PART_MAX; i++) {
        _cleanup_(freep) char *span = start_span(p->a->parts[i]);
        _cleanup_(freep) char *text = strf("%s %s", enum_to_string(&start_part_table, i), span ?: "?");
        fprintf(p->f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" rx=\"1.5\" fill=\"%s\"/>\n", x,
                y, colours_of_parts[i]);
        put_text(p, x + 18, y + 10.5, "key", text);
        x += 40 + 7.0 * text_width(text ?: "");
    }
    fprintf(
        p->f,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" rx=\"1.5\" class=\"chain\" fill=\"none\"/>\n",
        x, y);
    put_text(p, x + 18, y + 10.5, "key", "what the whole waited for");
}

static char *title_of(const Plot *p)
{
    static const char *const words[START_OUTCOME_MAX] = {
        [START_UNKNOWN] = "unknown",
        [START_UNDER_WAY] = "on its way, so far",
        [START_FINISHED] = "ready after",
        [START_FAILED] = "failed after",
    };
    _cleanup_(freep) char *total = start_span(p->a->total);

    return strf("%s: %s %s", p->pod->name, words[p->a->outcome], total ?: "?");
}

/* "qemu, tcg, Linux 6.1.0-44-cloud-amd64; the machine's own times are known to within 0.3ms" */
static char *subtitle_of(const Plot *p)
{
    _cleanup_(freep) char *doubt = start_span(p->a->doubt);
    const PodStatus *s = p->pod;

    return strf("podvisor " PODVISOR_VERSION ", %s%s%s%s%s%s%s", s->backend ?: "?",
                str_empty(s->accelerator) ? "" : ", ", s->accelerator ?: "",
                str_empty(s->kernel) ? "" : ", Linux ", s->kernel ?: "",
                p->a->doubt > 0 ? "; times inside of the machine are known to within " : "",
                p->a->doubt > 0 ? doubt ?: "?" : "");
}

static void put_head(const Plot *p)
{
    static const char style[] =
        "text{font-family:'DejaVu Sans','Liberation "
        "Sans',Helvetica,Arial,sans-serif;font-size:11.5px;fill:#222}"
        ".title{font-size:19px;font-weight:bold}.about{fill:#555;font-size:12px}.tick{text-anchor:middle;"
        "fill:#555;font-size:10.5px}"
        ".name{text-anchor:end}.critical{font-weight:bold}.took{fill:#444;font-size:10.5px}.left{text-anchor:"
        "end}"
        ".grid{stroke:#d8d8d8;stroke-width:1}.stripe{fill:#f6f6f8}.chain{stroke:#b01818;stroke-width:1.4}";
    int width = 2 * MARGIN + p->names_width + AXIS_WIDTH + LABEL_WIDTH;
    int height = rows_top() + p->n_rows * ROW_HEIGHT + MARGIN;
    _cleanup_(freep) char *title = title_of(p), *about = subtitle_of(p);

    fprintf(p->f,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
            "<style>%s</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            width, height, width, height, style, width, height);
    put_text(p, MARGIN, 34, "title", title);
    put_text(p, MARGIN, 56, "about", about);
}

int start_print_svg(const PodStatus *pod, const StartAnalysis *a, FILE *f)
{
    Plot p = { .pod = pod, .a = a, .f = f, .span = 1 };
    int order[START_POINTS_MAX];

    start_order_by_time(a, order);
    for (int i = 0; i < a->n_points; i++) {
        const StartPoint *point = &a->points[order[i]];
        if (point->before < 0)
            continue;
        p.rows[p.n_rows++] = order[i];
        p.span = MAX(p.span, usec_sub(point->at, a->begin));
        _cleanup_(freep) char *name = start_point_name(point);
        p.names_width = MAX(p.names_width, (int)(text_width(name ?: "") * NAME_CHARACTER) + 14);
    }
    put_head(&p);
    put_legend(&p);
    for (int i = 1; i < p.n_rows; i += 2)
        put_stripe(&p, i);
    put_axis(&p);
    for (int i = 0; i < p.n_rows; i++)
        put_row(&p, i);
    fprintf(f, "</svg>\n");
    return ferror(f) ? -EIO : 0;
}
