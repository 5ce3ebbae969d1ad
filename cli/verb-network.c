/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor network: what podvisord knows of the networks that it manages. */
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/client.h"
#include "cli/exit-status.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

static const Column columns[] = {
    { "NETWORK" }, { "SUBNET" }, { "BRIDGE", .drop = 1 }, { "STATE" }, { "PODS", .shrink = true },
};

static const char *state_of(const NetworkStatus *s)
{
    if (s->errors)
        return "wrong";
    if (!s->declared)
        return "gone";
    return s->changed ? "changed" : s->made ? "in use" : "idle";
}

/* "db 10.89.0.2, web 10.89.0.3 (stopped)" */
static char *pods_text(const NetworkStatus *s)
{
    _cleanup_(strv_freep) char **words = NULL;

    for (size_t i = 0; i < s->n_pods; i++) {
        const NetworkPod *p = &s->pods[i];
        if (strv_appendf(&words, "%s %s%s", p->pod ?: "?", p->address ?: "?",
                         p->running ? "" : " (stopped)") < 0)
            return NULL;
    }
    _cleanup_(freep) char *text = words ? strv_join(words, ", ") : strdup("-");
    return text ? text_safe(text) : NULL;
}

static void add_network(Table *table, const NetworkStatus *s)
{
    table_add(table, text_safe(s->name), COLOUR_NONE);
    table_add(table, text_safe(s->subnet ?: "-"), COLOUR_NONE);
    table_add(table, text_safe(s->bridge ?: "-"), COLOUR_NONE);
    table_add(table, strdup(state_of(s)), s->errors ? COLOUR_BAD : COLOUR_NONE);
    table_add(table, pods_text(s), COLOUR_NONE);
}

static int print_table(const Context *c, const NetworkList *list)
{
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    int r = table_new(columns, ELEMENTSOF(columns), &table);
    for (size_t i = 0; r >= 0 && i < list->n_networks; i++)
        add_network(table, &list->networks[i]);
    if (r >= 0)
        r = table_print(table, &style, stdout);
    for (size_t i = 0; i < list->n_networks; i++)
        STRV_FOREACH (error, list->networks[i].errors) {
            _cleanup_(freep) char *text = text_safe(*error);
            log_warning("%s", text ?: "?");
        }
    return r;
}

static int print_json(const Context *c, const NetworkList *list)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < list->n_networks; i++) {
        int r = json_append(array, schema_to_json(&network_status_schema, &list->networks[i]));
        if (r < 0)
            return r;
    }
    return json_print(array, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

int verb_network_list(Context *c)
{
    _cleanup_(client_freep) Client *client = NULL;
    NetworkList list = { 0 };

    int status = client_open(c, &client);
    if (status == STATUS_OK)
        status = client_networks(client, &list);
    if (status == STATUS_OK) {
        int r = option_given(c, OPTION_JSON) ? print_json(c, &list) : print_table(c, &list);
        if (r < 0) {
            log_error_errno(r, "The result cannot be shown");
            status = STATUS_FAILURE;
        }
    }
    schema_done(&network_list_schema, &list);
    return status;
}
