/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor list and podvisor status. */
#include <time.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/pod-view.h"
#include "cli/verbs.h"

/* memories: NULL: not asked for. */
static int list_to_json(const PodList *list, const PodMemory *memories, JsonStyle style)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < list->n_items; i++) {
        _cleanup_(json_releasep) Json *item = schema_to_json(&pod_status_schema, &list->items[i]);
        int r = item ? 0 : -ENOMEM;
        if (r >= 0 && memories)
            r = json_put(item, "cost", schema_to_json(&pod_memory_schema, &memories[i]));
        if (r >= 0)
            r = json_append(array, take_ptr(item));
        if (r < 0)
            return r;
    }
    return json_print(array, style, stdout);
}

static int finish(int r)
{
    if (r >= 0)
        return STATUS_OK;
    log_error_errno(r, "The result cannot be shown");
    return STATUS_FAILURE;
}

/* What the table has no column for. */
static void print_hints(const PodList *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (list->items[i].errors)
            fprintf(stderr, "The file of %s has errors; `podvisor status %s` shows them.\n",
                    list->items[i].name, list->items[i].name);
}

static int show_list(const Context *c, const PodList *list, const PodMemory *memories)
{
    TableStyle style = table_style(c);

    if (option_given(c, OPTION_JSON))
        return finish(list_to_json(list, memories, (JsonStyle)c->options[OPTION_JSON].number));
    int r = memories ? pod_memory_table_print(list, memories, &style, stdout)
                     : pod_table_print(list, now_usec(CLOCK_REALTIME), &style, stdout);
    if (style.legend && isatty(STDERR_FILENO))
        print_hints(list);
    return finish(r);
}

int verb_list(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    usec_t asked = now_usec(CLOCK_BOOTTIME);
    PodMemory *memories = NULL;
    PodList list = { 0 };

    int status = client_open(c, &client);
    if (status == STATUS_OK)
        status = client_list(client, &list);
    if (status == STATUS_OK && option_given(c, OPTION_MEMORY))
        status = finish(pod_memories_read(&list, asked, &memories));
    if (status == STATUS_OK)
        status = show_list(c, &list, memories);
    pod_memories_free(memories, list.n_items);
    pod_list_done(&list);
    return status;
}

/* The named pods, or all of them; the pods that are not there have been complained about. */
static int get_pods(Client *client, char **names, PodList *ret)
{
    int status = STATUS_OK;

    if (!names)
        return client_list(client, ret);
    ret->items = calloc(strv_length(names), sizeof *ret->items);
    if (!ret->items)
        return finish(-ENOMEM);
    STRV_FOREACH (name, names) {
        int one = client_get(client, *name, &ret->items[ret->n_items], NULL);
        ret->n_items += one == STATUS_OK;
        status = status == STATUS_OK ? one : status;
    }
    return status;
}

static int show_pages(const Context *c, const PodList *list, const PodMemory *memories)
{
    usec_t now = now_usec(CLOCK_REALTIME);
    bool colours = terminal_has_colours(STDOUT_FILENO);
    int r = 0;

    if (option_given(c, OPTION_JSON))
        return finish(list_to_json(list, memories, (JsonStyle)c->options[OPTION_JSON].number));
    Pager pager = pager_open(c);
    for (size_t i = 0; r >= 0 && i < list->n_items; i++) {
        if (i > 0)
            putchar('\n');
        r = pod_page_print(&list->items[i], &memories[i], now, colours, stdout);
    }
    pager_close(&pager);
    return finish(r);
}

/* As systemctl: only what was asked for by name counts. */
static int status_of(const Context *c, const PodList *list)
{
    for (size_t i = 0; c->arguments && i < list->n_items; i++)
        if (!pod_state_runs(list->items[i].state))
            return STATUS_WRONG_STATE;
    return STATUS_OK;
}

int verb_status(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    usec_t asked = now_usec(CLOCK_BOOTTIME);
    PodMemory *memories = NULL;
    PodList list = { 0 };

    int status = client_open(c, &client);
    if (status == STATUS_OK)
        status = get_pods(client, c->arguments, &list);
    int shown = list.n_items > 0 ? finish(pod_memories_read(&list, asked, &memories)) : STATUS_OK;
    if (shown == STATUS_OK && list.n_items > 0)
        shown = show_pages(c, &list, memories);
    if (shown != STATUS_OK)
        status = shown;
    if (status == STATUS_OK)
        status = status_of(c, &list);
    pod_memories_free(memories, list.n_items);
    pod_list_done(&list);
    return status;
}
