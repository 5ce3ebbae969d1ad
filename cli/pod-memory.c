/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "cli/pod-memory.h"

DEFINE_ENUM_TABLE(pod_memory_part, "part of a pod's memory",
                  POD_MEMORY_PART_MAX, [POD_MEMORY_GUEST] = { "guest", "what the machine's guest uses" },
                  [POD_MEMORY_VMM] = { "vmm", "the machine's process without that" },
                  [POD_MEMORY_RUNNER] = { "runner", "the runner" },
                  [POD_MEMORY_NETWORK] = { "network", "podvisor-uplink and passt" },
                  [POD_MEMORY_SHARES] = { "shares", "virtiofsd, for each share that is live" });

static const Field fields[] = {
    { F_BOOL(PodMemory, known), .doc = "Whether the machine's process and the runner could be looked at." },
    { F_SIZE(PodMemory, total), .doc = "All of it." },
    { F_SIZE(PodMemory, guest), .doc = "The guest's memory." },
    { F_SIZE(PodMemory, vmm), .doc = "The machine's process without that." },
    { F_SIZE(PodMemory, runner), .doc = "The runner." },
    { F_SIZE(PodMemory, network), .doc = "The processes that are its network." },
    { F_SIZE(PodMemory, shares), .doc = "The processes that give it directories of the host." },
    { F_SIZE(PodMemory, guest_size), .doc = "The memory that the guest has." },
    { F_SIZE(PodMemory, guest_resident), .doc = "What of that is in the host's memory." },
    { F_SIZE(PodMemory, guest_own), .doc = "What of that are not pages of its template." },
    { F_SIZE(PodMemory, swapped), .doc = "What is on the host's swap instead." },
    { F_STRV(PodMemory, missing), .doc = "What is not in the sum, and why." },
};
DEFINE_SCHEMA(pod_memory_schema, PodMemory, "memory of a pod", "What a pod costs of the host's memory.",
              fields);

static uint64_t *part_at(PodMemory *m, PodMemoryPart part)
{
    uint64_t *const parts[] = {
        [POD_MEMORY_GUEST] = &m->guest,   [POD_MEMORY_VMM] = &m->vmm,
        [POD_MEMORY_RUNNER] = &m->runner, [POD_MEMORY_NETWORK] = &m->network,
        [POD_MEMORY_SHARES] = &m->shares,
    };
    _Static_assert(ELEMENTSOF(parts) == POD_MEMORY_PART_MAX, "a part has no place");

    return parts[part];
}

uint64_t pod_memory_part(const PodMemory *memory, PodMemoryPart part)
{
    PodMemory copy = *memory;

    return *part_at(&copy, part);
}

/* --- which processes --------------------------------------------------------------------------------------------------- */

static const struct {
    PodMemoryPart part;
    const char *whose;
    ProcessMemoryDetail detail;
} helper_rows[] = {
    [HELPER_UPLINK] = { POD_MEMORY_NETWORK, "its network's", PROCESS_MEMORY_SUMS },
    [HELPER_SHARE] = { POD_MEMORY_SHARES, "a share's", PROCESS_MEMORY_MAPS },
};
_Static_assert(ELEMENTSOF(helper_rows) == HELPER_KIND_MAX, "a helper has no row");

size_t pod_memory_probes(const PodStatus *status, size_t pod, usec_t asked, PodProbe *ret_meaning,
                         MemoryProbe *ret_probes)
{
    size_t n = 2;

    if (status->vmm_pid == 0)
        return 0;
    ret_meaning[0] = (PodProbe){ .pod = pod, .whose = "the machine's", .part = POD_MEMORY_VMM };
    ret_probes[0] =
        (MemoryProbe){ .pid = (pid_t)status->vmm_pid, .asked = asked, .detail = PROCESS_MEMORY_MAPS };
    ret_meaning[1] = (PodProbe){ .pod = pod, .whose = "the runner's", .part = POD_MEMORY_RUNNER };
    ret_probes[1] = (MemoryProbe){ .pid = (pid_t)status->runner_pid, .asked = asked };
    for (size_t i = 0; i < MIN(status->n_helpers, (size_t)HELPERS_MAX); i++, n++) {
        const HelperReport *h = &status->helpers[i];
        ret_meaning[n] =
            (PodProbe){ .pod = pod, .whose = helper_rows[h->kind].whose, .part = helper_rows[h->kind].part };
        ret_probes[n] = (MemoryProbe){ .pid = (pid_t)h->pid,
                                       .start_time = h->start_time,
                                       .asked = asked,
                                       .detail = helper_rows[h->kind].detail,
                                       .with_children = true };
    }
    return n;
}

/* --- the sum --------------------------------------------------------------------------------------------------------------- */

static const struct {
    int error;
    const char *words;
} error_rows[] = {
    { -EACCES, "this user may not look at it; root may" },
    { -EPERM, "this user may not look at it; root may" },
    { -ESTALE, "it has begun only now" },
    { -ESRCH, "it has ended" },
    { -ETIMEDOUT, "the kernel does not tell in time" },
    { -EFBIG, "it has too many mappings" },
};

static const char *error_words(int error)
{
    TABLE_FOREACH (row, error_rows)
        if (row->error == error)
            return row->words;
    return strerror(-error);
}

/* A helper that has ended costs nothing. */
static bool is_gone(const PodProbe *meaning, const MemoryProbe *answer)
{
    return answer->error == -ESRCH && meaning->part != POD_MEMORY_VMM && meaning->part != POD_MEMORY_RUNNER;
}

int pod_memory_add(PodMemory *memory, const PodProbe *meaning, const MemoryProbe *answer)
{
    const ProcessMemory *m = &answer->memory;

    if (is_gone(meaning, answer))
        return 0;
    if (answer->error < 0) {
        memory->known &= meaning->part != POD_MEMORY_VMM && meaning->part != POD_MEMORY_RUNNER;
        return strv_appendf(&memory->missing, "process %d, %s: %s", (int)answer->pid, meaning->whose,
                            error_words(answer->error));
    }
    /* What is lent to a guest is the guest's, whoever maps it. */
    memory->guest += m->guest.proportional;
    *part_at(memory, meaning->part) += m->all.proportional - m->guest.proportional;
    memory->total += m->all.proportional;
    memory->swapped += m->all.swapped;
    if (meaning->part == POD_MEMORY_VMM) {
        memory->guest_resident = m->guest.resident;
        memory->guest_own = m->guest.own;
    }
    return 0;
}

static size_t count_helpers(const PodStatus *status, HelperKind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < status->n_helpers; i++)
        n += status->helpers[i].kind == kind;
    return n;
}

int pod_memory_add_unknown(PodMemory *memory, const PodStatus *status)
{
    static const char unknown[] =
        "its runner does not know which process that is; it was begun by an older one";
    bool qemu = status->vmm_pid > 0 && status->backend &&
                streq(status->backend, enum_to_string(&backend_kind_table, BACKEND_QEMU));
    bool user_network =
        !str_empty(status->address) && str_empty(status->bridge) && str_empty(status->network_lost);
    int r = 0;

    if (qemu && user_network && count_helpers(status, HELPER_UPLINK) == 0)
        r = strv_appendf(&memory->missing, "its network: %s", unknown);
    if (r >= 0 && qemu && count_helpers(status, HELPER_SHARE) < strv_length(status->live))
        r = strv_appendf(&memory->missing, "its shares: %s", unknown);
    return r;
}

/* --- all of it --------------------------------------------------------------------------------------------------------------- */

typedef struct Survey {
    PodProbe *meanings;
    MemoryProbe *probes;
    size_t n;
} Survey;

static void survey_done(Survey *s)
{
    free(s->meanings);
    free(s->probes);
}

static int survey_make(const PodList *list, usec_t asked, Survey *s)
{
    for (size_t i = 0; i < list->n_items; i++) {
        PodProbe *meanings = reallocarray(s->meanings, s->n + POD_PROBES_MAX, sizeof *meanings);
        if (meanings)
            s->meanings = meanings;
        MemoryProbe *probes = reallocarray(s->probes, s->n + POD_PROBES_MAX, sizeof *probes);
        if (probes)
            s->probes = probes;
        if (!meanings || !probes)
            return -ENOMEM;
        s->n += pod_memory_probes(&list->items[i], i, asked, meanings + s->n, probes + s->n);
    }
    return 0;
}

int pod_memories_read(const PodList *list, usec_t asked, PodMemory **ret)
{
    _cleanup_(survey_done) Survey s = { 0 };
    PodMemory *memories = calloc(MAX(list->n_items, 1U), sizeof *memories);

    if (!memories)
        return -ENOMEM;
    int r = survey_make(list, asked, &s);
    if (r >= 0)
        memory_survey(s.probes, s.n);
    for (size_t i = 0; r >= 0 && i < list->n_items; i++) {
        memories[i].known = list->items[i].vmm_pid > 0;
        memories[i].guest_size = list->items[i].memory_size;
    }
    for (size_t i = 0; r >= 0 && i < s.n; i++)
        r = pod_memory_add(&memories[s.meanings[i].pod], &s.meanings[i], &s.probes[i]);
    for (size_t i = 0; r >= 0 && i < list->n_items; i++)
        r = pod_memory_add_unknown(&memories[i], &list->items[i]);
    if (r < 0) {
        pod_memories_free(memories, list->n_items);
        return r;
    }
    *ret = memories;
    return 0;
}

void pod_memories_free(PodMemory *memories, size_t n)
{
    for (size_t i = 0; memories && i < n; i++)
        schema_done(&pod_memory_schema, &memories[i]);
    free(memories);
}
