/* SPDX-License-Identifier: Apache-2.0 */
/* A pod on one page, as systemctl status shows a unit: a label at the left, right-aligned, and what is known at the right. */
#include "base/strings.h"
#include "cli/pod-view.h"
#include "cli/text.h"

enum { LABEL_WIDTH = 11 };

typedef struct Page {
    const PodStatus *status;
    const PodMemory *memory; /* NULL: not looked at */
    usec_t now;
    bool colours;
    FILE *f;
} Page;

/* Takes text (malloc'ed). Further lines under one label have the label "". */
static void line(const Page *p, const char *label, char *text)
{
    fprintf(p->f, "%*s%s %s\n", LABEL_WIDTH, label, *label ? ":" : " ", text ?: "?");
    free(text);
}

static char *when(usec_t then, usec_t now)
{
    _cleanup_(freep) char *time = text_time(then), *age = text_age(then, now);
    return strf("%s; %s", time ?: "?", age ?: "?");
}

static void page_state(const Page *p)
{
    const PodStatus *s = p->status;
    _cleanup_(freep) char *since = s->since > 0 ? when(s->since, p->now) : NULL, *phase = text_safe(s->phase);
    bool starting = s->state == POD_STARTING && !str_empty(phase);

    line(p, "State",
         strf("%s%s%s%s%s%s%s", colour_begin(pod_state_colour(s->state), p->colours),
              enum_to_string(&pod_state_table, (int)s->state),
              colour_end(pod_state_colour(s->state), p->colours), since ? " since " : "", since ?: "",
              starting ? ", waiting for " : "", starting ? phase : ""));
    line(p, "", strf("(%s)", pod_state_table.rows[s->state].doc));
    if ((s->state == POD_WAITING || s->waits_for) && !str_empty(phase))
        line(p, "Waits for", strdup(phase));
}

static void page_names(const Page *p, const char *label, char **names)
{
    _cleanup_(freep) char *list = names ? strv_join(names, ", ") : NULL;

    if (list)
        line(p, label, text_safe(list));
}

/* Every right definition has containers. */
static bool was_ever_right(const PodStatus *s)
{
    return s->containers_total > 0;
}

static void page_file(const Page *p)
{
    _cleanup_(freep) char *file = text_safe(p->status->file);
    _cleanup_(freep) char *generation = strf(" (generation %llu)", (unsigned long long)p->status->generation);

    line(p, "File",
         strf("%s%s", str_empty(file) ? "none" : file, was_ever_right(p->status) ? generation : ""));
    page_names(p, "After", p->status->after);
    page_names(p, "Requires", p->status->requires);
    if (p->status->hold)
        line(p, "Hold",
             strf("stopped by an operator; `podvisor start %s` lifts it", p->status->name ?: "POD"));
}

static void page_machine(const Page *p)
{
    const PodStatus *s = p->status;
    char id[ID128_TEXT_SIZE];
    _cleanup_(freep) char *backend = text_safe(s->backend), *accelerator = text_safe(s->accelerator);
    _cleanup_(freep) char *kernel = text_safe(s->kernel);

    if (s->vmm_pid == 0) {
        const char *known = s->state == POD_INDETERMINATE ? "it is not known whether one runs" : "none runs";
        line(p, "Machine", strf("%s, %s", str_empty(backend) ? "?" : backend, known));
        return;
    }
    Colour colour = s->isolated ? COLOUR_NONE : COLOUR_WARNING;
    _cleanup_(freep) char *isolation =
        str_empty(accelerator)
            ? strdup("")
            : strf(" with %s, %s%s%s%s", accelerator, colour_begin(colour, p->colours),
                   s->isolated ? "isolated by hardware" : "NOT isolated by hardware",
                   s->isolated ? "" : " (podvisor doctor says why)", colour_end(colour, p->colours));
    line(p, "Machine", strf("%s%s", backend, isolation ?: ""));
    line(p, "",
         strf("process %llu, runner %llu, UUID %s", (unsigned long long)s->vmm_pid,
              (unsigned long long)s->runner_pid, id128_format(s->uuid, id)));
    if (s->vmm_started > 0)
        line(p, "Up since", when(s->vmm_started, p->now));
    if (!str_empty(s->started_by))
        line(p, "Started", text_safe(s->started_by));
    if (!str_empty(kernel))
        line(p, "Kernel", strdup(kernel));
}

static void page_lines(const Page *p, const char *label, char **lines)
{
    STRV_FOREACH (text, lines) {
        line(p, label, text_safe(*text));
        label = "";
    }
}

static void page_cost(const Page *p)
{
    _cleanup_(freep) char *guest = p->memory ? pod_memory_guest_text(p->memory) : NULL;

    if (!p->memory)
        return;
    line(p, "Cost", pod_memory_text(p->memory));
    if (!str_empty(guest))
        line(p, "", take_ptr(guest));
    page_lines(p, "", p->memory->missing);
}

static void page_use(const Page *p)
{
    const PodStatus *s = p->status;

    if (s->vmm_pid > 0) {
        _cleanup_(freep) char *cpu = text_cpu(s->cpu_time, s->vmm_started, p->now);
        _cleanup_(freep) char *memory = text_memory(s->memory), *used = duration_format(s->cpu_time);
        line(p, "Memory", strf("%s resident", memory ?: "?"));
        page_cost(p);
        line(p, "CPU", strf("%s (%s)", cpu ?: "?", used ?: "?"));
    }
    if (s->vmm_pid > 0 && s->scratch_size > 0) {
        _cleanup_(freep) char *used = text_memory(s->scratch_used), *size = size_format(s->scratch_size);
        line(p, "Scratch", strf("%s of %s on this host's disk", used ?: "?", size ?: "?"));
    }
    if (s->restarts > 0)
        line(p, "Restarts", text_count(s->restarts, "restart of the machine", "restarts of the machine"));
    if (s->verdict == VERDICT_ADOPTED && s->vmm_pid > 0)
        line(p, "Recovered", strdup(verdict_table.rows[s->verdict].doc));
}

static void page_lease(const Page *p)
{
    const PodStatus *s = p->status;
    _cleanup_(freep) char *server = text_safe(s->lease_server), *trouble = text_safe(s->lease_trouble);
    _cleanup_(freep) char *time = text_time(s->lease_expires), *left = text_until(s->lease_expires, p->now);

    if (!str_empty(server) && s->lease_expires == 0)
        line(p, "Lease", strf("of %s, for ever", server));
    else if (!str_empty(server))
        line(p, "Lease", strf("of %s, until %s; %s", server, time ?: "?", left ?: "?"));
    if (!str_empty(trouble))
        line(p, "",
             strf("%s%s%s", colour_begin(COLOUR_WARNING, p->colours), trouble,
                  colour_end(COLOUR_WARNING, p->colours)));
}

/* "user, 10.0.2.15", "bridge br0, 10.0.0.2", "lan, 10.89.0.2 (bridge pv-lan)" */
static char *network_text(const PodStatus *s)
{
    _cleanup_(freep) char *address = text_safe(s->address), *bridge = text_safe(s->bridge),
                          *network = text_safe(s->network);

    if (!str_empty(network))
        return strf("%s, %s (bridge %s)", network, address, bridge);
    return str_empty(bridge) ? strf("user, %s", address)
                             : strf("bridge %s, %s", bridge, str_empty(address) ? "no address" : address);
}

static void page_network(const Page *p)
{
    const PodStatus *s = p->status;
    _cleanup_(freep) char *lost = text_safe(s->network_lost), *stale = text_safe(s->names_stale);

    if (str_empty(s->address) && str_empty(s->bridge))
        return;
    line(p, "Network", network_text(s));
    page_lease(p);
    page_lines(p, "Published", s->published);
    if (!str_empty(stale))
        line(p, "", strf("the names of other pods there are old ones in its containers: %s", stale));
    if (!str_empty(lost))
        line(p, "",
             strf("%sthe network is gone: %s; it is made again%s", colour_begin(COLOUR_WARNING, p->colours),
                  lost, colour_end(COLOUR_WARNING, p->colours)));
}

static char *container_end(const ContainerReport *c, usec_t now)
{
    _cleanup_(freep) char *exit = text_exit(c->exit_code, c->exit_signal), *age = text_age(c->ended, now);

    if (c->ended == 0 || !exit || streq(exit, "-"))
        return strdup("");
    return strf("; %s%s%s%s %s", c->state == CONTAINER_RUNNING ? "before: " : "", exit,
                c->oom_killed ? ", out of memory" : "", age ? "," : "", age ?: "");
}

/* What is reported of a container outlives its machine. */
static const char *container_state(const PodStatus *s, const ContainerReport *c)
{
    if (c->state == CONTAINER_RUNNING && s->vmm_pid == 0)
        return "ended with the machine";
    return enum_to_string(&container_state_table, (int)c->state);
}

/* A word for what is neither of the usual kind nor told by its state. */
static const char *container_word(const ContainerReport *c)
{
    static const char *const words[CONTAINER_ROLE_MAX] = { "", " (init)", " (sidecar)" };
    return words[c->role < CONTAINER_ROLE_MAX ? c->role : CONTAINER_MAIN];
}

/* "; ready probe failed: exit status 1 (3s ago)". What ended it stands in its message already. */
static char *container_probe_text(const ContainerReport *c, usec_t now)
{
    _cleanup_(freep) char *failure = text_safe(c->probe_failure), *age = text_age(c->probe_failed, now);

    if (str_empty(failure) || streq_ptr(c->probe_failure, c->message))
        return strdup("");
    return strf("; %s%s%s%s", failure, age ? " (" : "", age ?: "", age ? ")" : "");
}

static char *container_line(const PodStatus *s, const ContainerReport *c, usec_t now)
{
    _cleanup_(freep) char *name = text_safe(c->name), *end = container_end(c, now),
                          *message = text_safe(c->message);
    _cleanup_(freep) char *age = text_age(c->started, now),
                          *restarts = text_count(c->restarts, "restart", "restarts");
    _cleanup_(freep) char *probe = container_probe_text(c, now);
    bool runs = c->state == CONTAINER_RUNNING && c->started > 0 && s->vmm_pid > 0;
    bool unready = runs && c->unready && c->role != CONTAINER_INIT;

    return strf("%s%s: %s%s%s%s%s%s%s%s%s%s", name, container_word(c), container_state(s, c),
                unready ? ", not ready" : "", runs ? ", started " : "", runs ? age : "",
                c->restarts > 0 ? "; " : "", c->restarts > 0 ? restarts : "", end ?: "",
                str_empty(message) ? "" : "; ", message ?: "", probe ?: "");
}

static void page_containers(const Page *p)
{
    const PodStatus *s = p->status;

    line(p, "Containers",
         strf("%llu of %llu ready", (unsigned long long)s->containers_ready,
              (unsigned long long)s->containers_total));
    for (size_t i = 0; i < s->n_containers; i++)
        line(p, "", container_line(s, &s->containers[i], p->now));
}

static const char *end_meaning(const PodStatus *s)
{
    if (s->overdue)
        return "it did not stop in time, and was killed";
    if (s->reason == END_KILLED && !str_empty(s->end_cause))
        return "it was killed as asked";
    return end_reason_table.rows[s->reason].doc;
}

static char *end_text(const PodStatus *s)
{
    _cleanup_(freep) char *cause = text_safe(s->end_cause);
    _cleanup_(freep) char *exit = text_exit(s->exit_code, s->exit_signal);
    /* Of a pod whose containers ended, the machine's own status is no answer to whether they ended well. */
    bool known = exit && !streq(exit, "-") && s->reason != END_COMPLETED;

    return strf("%s%s%s (%s%s%s)", cause ?: "", str_empty(cause) ? "" : "; ", end_meaning(s),
                enum_to_string(&end_reason_table, (int)s->reason), known ? ", " : "", known ? exit : "");
}

bool container_is_lost(const ContainerReport *c)
{
    return c->state == CONTAINER_FAILED ||
           (c->state == CONTAINER_ENDED && (c->exit_code != 0 || c->exit_signal != 0));
}

static void page_errors(const Page *p)
{
    const PodStatus *s = p->status;
    _cleanup_(freep) char *unsaved = text_safe(s->unsaved);

    page_lines(p, "Errors", s->errors);
    if (s->errors && was_ever_right(s))
        line(p, "",
             strf("(the last good definition, generation %llu, goes on until this is mended)",
                  (unsigned long long)s->generation));
    else if (s->errors)
        line(p, "", strf("(its definition was never right, so nothing can run)"));
    if (!str_empty(unsaved))
        line(p, "Unsaved", strf("what must be remembered of it cannot be written: %s", unsaved));
}

/* Of a machine that powered itself off in order, the console tells nothing but what a kernel always says. */
static bool console_tells(const PodStatus *s)
{
    return s->console_tail && s->reason != END_STOPPED && s->reason != END_COMPLETED;
}

static void page_end(const Page *p)
{
    const PodStatus *s = p->status;

    if (s->reason != END_NONE)
        line(p, "Last end", end_text(s));
    if (!str_empty(s->message))
        line(p, s->reason != END_NONE ? "" : "Cause", text_safe(s->message));
    if (console_tells(s))
        page_lines(p, "Console", s->console_tail);
    if (s->next_start > 0)
        line(p, "Next start", text_until(s->next_start, p->now));
}

int pod_page_print(const PodStatus *status, const PodMemory *memory, usec_t now, bool colours, FILE *f)
{
    Page p = { .status = status, .memory = memory, .now = now, .colours = colours, .f = f };
    _cleanup_(freep) char *name = text_safe(status->name), *description = text_safe(status->description);
    Colour colour = pod_state_colour(status->state);

    fprintf(f, "%s*%s %s%s%s\n", colour_begin(colour, colours), colour_end(colour, colours), name ?: "?",
            str_empty(description) ? "" : " - ", description ?: "");
    page_state(&p);
    page_file(&p);
    if (was_ever_right(status) || status->vmm_pid > 0 || status->state == POD_INDETERMINATE) {
        page_machine(&p);
        page_use(&p);
        page_network(&p);
        page_containers(&p);
    }
    if (status->vmm_pid > 0) {
        page_lines(&p, "Copies", status->copies);
        page_lines(&p, "Live", status->live);
        page_lines(&p, "Stale", status->stale_files);
    }
    page_end(&p);
    page_errors(&p);
    page_lines(&p, "Pending", status->pending);
    if (status->state == POD_INDETERMINATE)
        line(&p, "To do",
             strf("`podvisor adopt %s` if the machine is the pod's, `podvisor forget %s` if none runs",
                  name ?: "POD", name ?: "POD"));
    return ferror(f) ? -EIO : 0;
}

/* In these states the last end is what there is to tell; in the others something newer goes on. */
static bool is_over(const PodStatus *s)
{
    return s->reason != END_NONE && (s->state == POD_INACTIVE || s->state == POD_BACKOFF ||
                                     s->state == POD_SUCCEEDED || s->state == POD_FAILED);
}

static char *failure_cause(const PodStatus *s)
{
    _cleanup_(freep) char *message = text_safe(s->message), *phase = text_safe(s->phase);
    const char *doc = pod_state_table.rows[s->state].doc;
    bool told = (is_over(s) || s->state == POD_INDETERMINATE) && !str_empty(message);

    if (s->state == POD_WAITING && !str_empty(phase))
        return strf("it waits for %s", phase);
    if (!is_over(s) && !str_empty(phase))
        return strf("%s, waiting for %s", doc, phase);
    _cleanup_(freep) char *end = is_over(s) ? end_text(s) : strdup(doc);
    return strf("%s%s%s", end ?: "?", told ? ": " : "", told ? message : "");
}

static void print_lines(char *const *lines, const char *indent, FILE *f)
{
    STRV_FOREACH (text, (char **)lines) {
        _cleanup_(freep) char *safe = text_safe(*text);
        fprintf(f, "%s%s\n", indent, safe ?: "?");
    }
}

/* Of the machine that runs or was the last one; of one that only starts there is nothing to tell. */
static void print_containers(const PodStatus *s, usec_t now, FILE *f)
{
    for (size_t i = 0; (is_over(s) || s->vmm_pid > 0) && i < s->n_containers; i++) {
        const ContainerReport *c = &s->containers[i];
        _cleanup_(freep) char *text = container_line(s, c, now);
        bool well = c->state == CONTAINER_RUNNING ? c->restarts == 0 && !c->unready
                                                  : c->state == CONTAINER_ENDED && !container_is_lost(c);
        /* Of a pod that is over, a sidecar's end tells nothing. */
        bool tells = !is_over(s) || c->role != CONTAINER_SIDECAR || c->state != CONTAINER_ENDED;
        if (!well && tells)
            fprintf(f, "  %s\n", text ?: "?");
    }
}

void pod_failure_print(const PodStatus *s, const char *what, usec_t now, FILE *f)
{
    _cleanup_(freep) char *name = text_safe(s->name), *cause = failure_cause(s);
    _cleanup_(freep) char *next = text_until(s->next_start, now);

    fprintf(f, "%s %s: %s\n", name ?: "?", what, cause ?: "?");
    print_containers(s, now, f);
    if (is_over(s) && s->console_tail && console_tells(s)) {
        fprintf(f, "  the guest's console, last lines:\n");
        print_lines(s->console_tail, "    ", f);
    }
    print_lines(s->errors, "  ", f);
    if (s->hold)
        fprintf(f, "  it is held; `podvisor start %s` starts it\n", name ?: "?");
    else if (s->at_rest && s->state == POD_INACTIVE && !s->errors)
        fprintf(f, "  it is not started by itself; `podvisor start %s` starts it\n", name ?: "?");
    if (s->state == POD_BACKOFF)
        fprintf(f, "  it is started again %s\n", next ?: "?");
    fprintf(f, "  look at: podvisor status %s; podvisor logs %s\n", name ?: "?", name ?: "?");
}
