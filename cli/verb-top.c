/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor top: the processes of containers. */
#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exit-status.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/task-answer.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "schemas/statistics.h"

/* One container's. */
typedef struct Top {
    char *container;
    ProcessList list;
} Top;

typedef struct Tops {
    Top *items;
    size_t n_items;
} Tops;

static void tops_done(Tops *t)
{
    for (size_t i = 0; i < t->n_items; i++) {
        free(t->items[i].container);
        schema_done(&process_list_schema, &t->items[i].list);
    }
    free(t->items);
}

static int finish(int r)
{
    if (r >= 0)
        return STATUS_OK;
    log_error_errno(r, "The result cannot be shown");
    return STATUS_FAILURE;
}

static int ask(Client *client, const char *pod, const char *container, Tops *tops)
{
    TaskCall call = { .pod = pod, .container = container, .task = TASK_PROCESSES };
    _cleanup_(closep) int stream = -1;
    _cleanup_(freep) char *name = strf("%s/%s", pod, container);
    Top *items = reallocarray(tops->items, tops->n_items + 1, sizeof *items);
    Top top = { .container = strdup(container) };

    if (items)
        tops->items = items;
    int status = items && name && top.container ? client_task(client, &call, &stream) : finish(-ENOMEM);
    if (status == STATUS_OK)
        status = task_answer(stream, name, CLIENT_CALL_TIMEOUT, &process_list_schema, &top.list);
    if (status == STATUS_OK)
        tops->items[tops->n_items++] = top;
    else
        free(top.container);
    return status;
}

/* Of all containers that run. */
static int ask_all(Client *client, const char *pod, Tops *tops)
{
    PodStatus status;

    int r = client_get(client, pod, &status, NULL);
    if (r != STATUS_OK)
        return r;
    for (size_t i = 0; r == STATUS_OK && i < status.n_containers; i++)
        if (status.containers[i].state == CONTAINER_RUNNING && status.containers[i].name)
            r = ask(client, pod, status.containers[i].name, tops);
    if (r == STATUS_OK && tops->n_items == 0) {
        log_error("%s is %s; no container runs in it", pod,
                  enum_to_string(&pod_state_table, (int)status.state));
        r = STATUS_WRONG_STATE;
    }
    schema_done(&pod_status_schema, &status);
    return r;
}

/* --- what is shown ------------------------------------------------------------------------------------------------------ */

typedef struct TopColumn {
    Column column;
    char *(*text)(const Top *t, const ProcessReport *p);
} TopColumn;

static char *cell_container(const Top *t, const ProcessReport *p)
{
    return text_safe(t->container);
}

static char *cell_pid(const Top *t, const ProcessReport *p)
{
    return strf("%llu", (unsigned long long)p->pid);
}

static char *cell_parent(const Top *t, const ProcessReport *p)
{
    return strf("%llu", (unsigned long long)p->parent);
}

static char *cell_user(const Top *t, const ProcessReport *p)
{
    return str_empty(p->user) ? strf("%llu", (unsigned long long)p->uid) : text_safe(p->user);
}

static char *cell_state(const Top *t, const ProcessReport *p)
{
    return text_safe(str_empty(p->state) ? "?" : p->state);
}

static char *cell_cpu(const Top *t, const ProcessReport *p)
{
    return text_cpu(p->cpu_time, 1, usec_add(p->age, 1));
}

static char *cell_time(const Top *t, const ProcessReport *p)
{
    return text_processor_time(p->cpu_time);
}

static char *cell_memory(const Top *t, const ProcessReport *p)
{
    return text_memory(p->memory);
}

static char *cell_age(const Top *t, const ProcessReport *p)
{
    return text_age(1, usec_add(p->age, 1));
}

static char *cell_command(const Top *t, const ProcessReport *p)
{
    return text_safe(p->command);
}

static const TopColumn top_columns[] = {
    { { "CONTAINER", .shrink = true, .drop = 1 }, cell_container },
    { { "PID", .right = true }, cell_pid },
    { { "PARENT", .right = true, .drop = 2 }, cell_parent },
    { { "USER", .shrink = true }, cell_user },
    { { "S", .drop = 3 }, cell_state },
    { { "CPU", .right = true }, cell_cpu },
    { { "TIME", .right = true, .drop = 5 }, cell_time },
    { { "MEMORY", .right = true }, cell_memory },
    { { "STARTED", .drop = 4 }, cell_age },
    { { "COMMAND", .shrink = true }, cell_command },
};

static int print_table(const Context *c, const Tops *tops)
{
    Column columns[ELEMENTSOF(top_columns)];
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    for (size_t i = 0; i < ELEMENTSOF(top_columns); i++)
        columns[i] = top_columns[i].column;
    int r = table_new(columns, ELEMENTSOF(columns), &table);
    if (r < 0)
        return r;
    for (size_t i = 0; i < tops->n_items; i++)
        for (size_t k = 0; k < tops->items[i].list.n_processes; k++)
            TABLE_FOREACH (column, top_columns)
                table_add(table, column->text(&tops->items[i], &tops->items[i].list.processes[k]),
                          COLOUR_NONE);
    return table_print(table, &style, stdout);
}

/* A process with the container that it is of. */
static int print_json(const Context *c, const Tops *tops)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < tops->n_items; i++)
        for (size_t k = 0; k < tops->items[i].list.n_processes; k++) {
            Json *process = schema_to_json(&process_report_schema, &tops->items[i].list.processes[k]);
            int r = process ? json_put(process, "container", json_text(tops->items[i].container)) : -ENOMEM;
            if (r >= 0)
                r = json_append(array, process);
            else
                json_release(process);
            if (r < 0)
                return r;
        }
    return json_print(array, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

static int show(const Context *c, const Tops *tops)
{
    if (option_given(c, OPTION_JSON))
        return finish(print_json(c, tops));
    Pager pager = pager_open(c);
    int r = print_table(c, tops);
    pager_close(&pager);
    for (size_t i = 0; i < tops->n_items; i++)
        if (tops->items[i].list.left_out > 0)
            log_warning("%s: %llu processes more are not shown", tops->items[i].container,
                        (unsigned long long)tops->items[i].list.left_out);
    return finish(r);
}

int verb_top(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_(tops_done) Tops tops = { 0 };
    _cleanup_(target_done) Target target = { 0 };
    const char *word = c->arguments[0];

    int status = client_open(c, &client);
    if (status == STATUS_OK && !strchr(word, '/'))
        status = ask_all(client, word, &tops);
    else if (status == STATUS_OK && (status = target_parse(client, word, &target)) == STATUS_OK)
        status = ask(client, target.pod, target.container, &tops);
    return status == STATUS_OK ? show(c, &tops) : status;
}
