/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod costs of the host's memory, as a line and as a table. */
#include "base/strings.h"
#include "cli/pod-view.h"
#include "cli/text.h"

static const char *const part_words[POD_MEMORY_PART_MAX] = {
    [POD_MEMORY_GUEST] = "guest",     [POD_MEMORY_VMM] = "VMM",       [POD_MEMORY_RUNNER] = "runner",
    [POD_MEMORY_NETWORK] = "network", [POD_MEMORY_SHARES] = "shares",
};

/* --- the line ---------------------------------------------------------------------------------------------------------- */

char *pod_memory_text(const PodMemory *memory)
{
    _cleanup_(freep) char *total = text_memory(memory->total);

    if (!memory->known)
        return strdup("not known");
    char *text = strf("%s%s", memory->missing ? "more than " : "", total ?: "?");
    for (int i = 0; text && i < POD_MEMORY_PART_MAX; i++) {
        uint64_t bytes = pod_memory_part(memory, (PodMemoryPart)i);
        _cleanup_(freep) char *part = text_memory(bytes), *before = text;
        text = bytes > 0
                   ? strf("%s%s%s %s", before, strchr(before, ':') ? " + " : ": ", part_words[i], part ?: "?")
                   : take_ptr(before);
    }
    return text;
}

char *pod_memory_guest_text(const PodMemory *memory)
{
    uint64_t shared = memory->guest_resident - MIN(memory->guest_own, memory->guest_resident);
    _cleanup_(freep) char *size = text_memory(memory->guest_size),
                          *resident = text_memory(memory->guest_resident),
                          *own = text_memory(memory->guest_own), *others = text_memory(shared),
                          *swapped = text_memory(memory->swapped);
    _cleanup_(freep) char *split = strf(": %s its own, %s of the template", own ?: "?", others ?: "?");
    _cleanup_(freep) char *swap = strf("; %s of the pod's are on the host's swap", swapped ?: "?");

    if (!memory->known || memory->guest_resident == 0)
        return strdup("");
    return strf("of the guest's %s, %s are in memory%s%s", size ?: "?", resident ?: "?",
                shared > 0 ? split : "", memory->swapped > 0 ? swap : "");
}

/* --- the table --------------------------------------------------------------------------------------------------------- */

typedef struct MemoryColumn {
    Column column;
    char *(*text)(const PodStatus *status, const PodMemory *memory);
} MemoryColumn;

static char *amount(const PodMemory *memory, uint64_t bytes)
{
    return memory->known && bytes > 0 ? text_memory(bytes) : strdup("-");
}

static char *cell_name(const PodStatus *s, const PodMemory *m)
{
    return text_safe(str_empty(s->name) ? "-" : s->name);
}

static char *cell_state(const PodStatus *s, const PodMemory *m)
{
    return strdup(enum_to_string(&pod_state_table, (int)s->state));
}

static char *cell_size(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->guest_resident > 0 ? m->guest_size : 0);
}

static char *cell_resident(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->guest_resident);
}

static char *cell_guest(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->guest);
}

static char *cell_vmm(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->vmm);
}

static char *cell_runner(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->runner);
}

static char *cell_network(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->network);
}

static char *cell_shares(const PodStatus *s, const PodMemory *m)
{
    return amount(m, m->shares);
}

/* "57M", "57M+" for more than that. */
static char *cell_cost(const PodStatus *s, const PodMemory *m)
{
    _cleanup_(freep) char *cost = amount(m, m->total);

    return cost ? strf("%s%s", cost, m->known && m->missing ? "+" : "") : NULL;
}

static const MemoryColumn memory_columns[] = {
    { { "POD", .shrink = true }, cell_name },
    { { "STATE", .drop = 3 }, cell_state },
    { { "SIZE", .right = true, .drop = 4 }, cell_size },
    { { "RESIDENT", .right = true, .drop = 2 }, cell_resident },
    { { "GUEST", .right = true }, cell_guest },
    { { "VMM", .right = true }, cell_vmm },
    { { "RUNNER", .right = true, .drop = 5 }, cell_runner },
    { { "NETWORK", .right = true, .drop = 6 }, cell_network },
    { { "SHARES", .right = true, .drop = 1 }, cell_shares },
    { { "COST", .right = true }, cell_cost },
};

static void print_sum(const PodList *list, const PodMemory *memories, FILE *f)
{
    uint64_t total = 0;
    size_t n = 0, unknown = 0;

    for (size_t i = 0; i < list->n_items; i++) {
        n += memories[i].known;
        unknown += memories[i].missing != NULL;
        total += memories[i].known ? memories[i].total : 0;
    }
    _cleanup_(freep) char *text = text_memory(total), *pods = text_count(n, "pod", "pods");
    if (n > 0)
        fprintf(f, "\n%s cost %s together.\n", pods ?: "?", text ?: "?");
    if (unknown > 0)
        fprintf(f, "%sOf some, not all could be looked at; `podvisor status` says why.\n", n > 0 ? "" : "\n");
}

int pod_memory_table_print(const PodList *list, const PodMemory *memories, const TableStyle *style, FILE *f)
{
    Column columns[ELEMENTSOF(memory_columns)];
    _cleanup_(table_freep) Table *table = NULL;

    for (size_t i = 0; i < ELEMENTSOF(memory_columns); i++)
        columns[i] = memory_columns[i].column;
    int r = table_new(columns, ELEMENTSOF(columns), &table);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list->n_items; i++)
        TABLE_FOREACH (column, memory_columns)
            table_add(table, column->text(&list->items[i], &memories[i]),
                      column->text == cell_state ? pod_state_colour(list->items[i].state) : COLOUR_NONE);
    r = table_print(table, style, f);
    if (r >= 0 && style->legend)
        print_sum(list, memories, f);
    return r;
}
