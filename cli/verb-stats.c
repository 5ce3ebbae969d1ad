/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor stats: what pods and their containers use, as each machine's kernel counts it. */
#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exit-status.h"
#include "cli/pod-view.h"
#include "cli/table.h"
#include "cli/task-answer.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "schemas/statistics.h"

typedef struct PodStatistics {
    char *pod;
    Statistics statistics;
} PodStatistics;

typedef struct StatisticsList {
    PodStatistics *items;
    size_t n_items;
} StatisticsList;

static void list_done(StatisticsList *l)
{
    for (size_t i = 0; i < l->n_items; i++) {
        free(l->items[i].pod);
        schema_done(&statistics_schema, &l->items[i].statistics);
    }
    free(l->items);
}

static int finish(int r)
{
    if (r >= 0)
        return STATUS_OK;
    log_error_errno(r, "The result cannot be shown");
    return STATUS_FAILURE;
}

static int ask(Client *client, const char *pod, StatisticsList *list)
{
    TaskCall call = { .pod = pod, .task = TASK_STATISTICS };
    _cleanup_(closep) int stream = -1;
    PodStatistics *items = reallocarray(list->items, list->n_items + 1, sizeof *items);
    PodStatistics one = { .pod = strdup(pod) };

    if (items)
        list->items = items;
    int status = items && one.pod ? client_task(client, &call, &stream) : finish(-ENOMEM);
    if (status == STATUS_OK)
        status = task_answer(stream, pod, CLIENT_CALL_TIMEOUT, &statistics_schema, &one.statistics);
    if (status == STATUS_OK)
        list->items[list->n_items++] = one;
    else
        free(one.pod);
    return status;
}

/* All that run; those whose backend has no agent have nothing to tell. */
static int ask_all(Client *client, StatisticsList *list)
{
    PodList pods = { 0 };

    int status = client_list(client, &pods);
    for (size_t i = 0; i < pods.n_items; i++) {
        const PodStatus *s = &pods.items[i];
        bool runs = s->vmm_pid > 0 && s->kernel && (s->state == POD_READY || s->state == POD_RUNNING);
        int one = runs && s->name ? ask(client, s->name, list) : STATUS_OK;
        status = status == STATUS_OK ? one : status;
    }
    pod_list_done(&pods);
    return status;
}

static int ask_named(Client *client, char **names, StatisticsList *list)
{
    int status = STATUS_OK;

    STRV_FOREACH (name, names) {
        int one = ask(client, *name, list);
        status = status == STATUS_OK ? one : status;
    }
    return status;
}

/* --- what is shown ------------------------------------------------------------------------------------------------------ */

/* A line: of a container, or of a pod as a whole. */
typedef struct Line {
    const PodStatistics *pod;
    const ContainerStatistics *container; /* NULL: the pod */
} Line;

typedef struct StatisticsColumn {
    Column column;
    char *(*text)(const Line *l);
} StatisticsColumn;

static char *cell_name(const Line *l)
{
    _cleanup_(freep) char *container = l->container ? text_safe(l->container->name) : NULL;
    return strf("%s%s%s", l->pod->pod, container ? "/" : "", container ?: "");
}

static char *cell_cpu(const Line *l)
{
    const Statistics *s = &l->pod->statistics;
    return text_cpu(l->container ? l->container->cpu_time : s->cpu_time, 1, usec_add(s->uptime, 1));
}

static char *cell_time(const Line *l)
{
    return text_processor_time(l->container ? l->container->cpu_time : l->pod->statistics.cpu_time);
}

static char *cell_memory(const Line *l)
{
    return text_memory(l->container ? l->container->memory : l->pod->statistics.memory);
}

/* Of a pod: what its machine has. */
static char *cell_limit(const Line *l)
{
    uint64_t limit = l->container ? l->container->memory_limit : l->pod->statistics.memory_total;
    return limit == SIZE_INFINITY || limit == 0 ? strdup("-") : text_memory(limit);
}

static char *cell_peak(const Line *l)
{
    return l->container && l->container->memory_peak > 0 ? text_memory(l->container->memory_peak)
                                                         : strdup("-");
}

static char *cell_pids(const Line *l)
{
    return strf("%llu", (unsigned long long)(l->container ? l->container->pids : l->pod->statistics.pids));
}

static char *pair(uint64_t a, uint64_t b)
{
    _cleanup_(freep) char *x = text_memory(a), *y = text_memory(b);
    return x && y ? strf("%s/%s", x, y) : NULL;
}

static char *cell_io(const Line *l)
{
    return l->container ? pair(l->container->io_read, l->container->io_written) : strdup("-");
}

/* The interfaces are the machine's, and so those of all of its containers. */
static char *cell_network(const Line *l)
{
    const Statistics *s = &l->pod->statistics;
    uint64_t received = 0, sent = 0;

    if (l->container || s->n_interfaces == 0)
        return strdup("-");
    for (size_t i = 0; i < s->n_interfaces; i++) {
        received += s->interfaces[i].received;
        sent += s->interfaces[i].sent;
    }
    return pair(received, sent);
}

static char *cell_kills(const Line *l)
{
    return l->container ? strf("%llu", (unsigned long long)l->container->oom_kills) : strdup("-");
}

static const StatisticsColumn columns[] = {
    { { "POD", .shrink = true }, cell_name },
    { { "CPU", .right = true }, cell_cpu },
    { { "TIME", .right = true, .drop = 1 }, cell_time },
    { { "MEMORY", .right = true }, cell_memory },
    { { "LIMIT", .right = true, .drop = 5 }, cell_limit },
    { { "PEAK", .right = true, .drop = 3 }, cell_peak },
    { { "PIDS", .right = true, .drop = 6 }, cell_pids },
    { { "READ/WRITTEN", .right = true, .drop = 4 }, cell_io },
    { { "RECEIVED/SENT", .right = true, .drop = 7 }, cell_network },
    { { "OOM", .right = true, .drop = 2 }, cell_kills },
};

static void add_line(Table *table, const PodStatistics *pod, const ContainerStatistics *container)
{
    Line line = { pod, container };

    TABLE_FOREACH (column, columns)
        table_add(table, column->text(&line),
                  container && container->oom_kills > 0 && column->text == cell_kills ? COLOUR_WARNING
                                                                                      : COLOUR_NONE);
}

static int print_table(const Context *c, const StatisticsList *list)
{
    Column titles[ELEMENTSOF(columns)];
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    for (size_t i = 0; i < ELEMENTSOF(columns); i++)
        titles[i] = columns[i].column;
    int r = table_new(titles, ELEMENTSOF(titles), &table);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list->n_items; i++) {
        const PodStatistics *pod = &list->items[i];
        add_line(table, pod, NULL);
        for (size_t k = 0; k < pod->statistics.n_containers; k++)
            add_line(table, pod, &pod->statistics.containers[k]);
    }
    return table_print(table, &style, stdout);
}

static int print_json(const Context *c, const StatisticsList *list)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < list->n_items; i++) {
        Json *pod = schema_to_json(&statistics_schema, &list->items[i].statistics);
        int r = pod ? json_put(pod, "pod", json_text(list->items[i].pod)) : -ENOMEM;
        if (r >= 0)
            r = json_append(array, pod);
        else
            json_release(pod);
        if (r < 0)
            return r;
    }
    return json_print(array, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

static int show(const Context *c, const StatisticsList *list)
{
    if (option_given(c, OPTION_JSON))
        return finish(print_json(c, list));
    Pager pager = pager_open(c);
    int r = print_table(c, list);
    pager_close(&pager);
    return finish(r);
}

int verb_stats(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_(list_done) StatisticsList list = { 0 };

    int status = client_open(c, &client);
    if (status == STATUS_OK)
        status = c->arguments ? ask_named(client, c->arguments, &list) : ask_all(client, &list);
    if ((status == STATUS_OK || list.n_items > 0) && show(c, &list) != STATUS_OK)
        status = STATUS_FAILURE;
    return status;
}
