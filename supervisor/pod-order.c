/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/pod-order.h"

#include "base/strings.h"
#include "supervisor/supervisor.h"

enum {
    ORDER_DECLARED = 1 << 0,
    ORDER_DEFINED = 1 << 1,
    ORDER_HELD = 1 << 2,
    ORDER_WANTED = 1 << 3,    /* to run, by itself or for others */
    ORDER_SATISFIED = 1 << 4, /* ready, or has succeeded, and stays so */
    ORDER_FAILED = 1 << 5,    /* for good */
    ORDER_GONE = 1 << 6,      /* not to run any more, or not as it is */
    ORDER_ALIVE = 1 << 7,     /* a machine may live, and is not in doubt */
    ORDER_ENDS = 1 << 8,      /* and is to end */
    ORDER_BUSY = 1 << 9,      /* a machine may live, or its runner has not left yet */
};

/* --- the bits ------------------------------------------------------------------------------------------------------ */

static bool in_doubt(const PodObserved *o)
{
    return o->doubt || (o->reported && o->linked && o->state == RUNNER_INDETERMINATE);
}

static unsigned bits_of(const Pod *pod)
{
    const PodWanted *w = &pod->wanted;
    const PodObserved *o = &pod->observed;
    bool failed = reconcile_failed(w, o), ends = reconcile_ends(w, o);
    bool gone = !w->declared || w->hold || w->all_end || failed || ends || o->bereft;
    bool ready = pod->state == POD_READY || reconcile_succeeded(w, o);
    bool wanted = w->declared && !w->hold && !w->all_end && !failed &&
                  (w->autostart || w->asked || o->needed || !w->defined);
    const struct {
        bool holds;
        unsigned bit;
    } rows[] = {
        { w->declared, ORDER_DECLARED },
        { w->defined, ORDER_DEFINED },
        { w->hold, ORDER_HELD },
        { wanted, ORDER_WANTED },
        { ready && !gone, ORDER_SATISFIED },
        { failed, ORDER_FAILED },
        { gone, ORDER_GONE },
        { reconcile_alive(o) && !in_doubt(o), ORDER_ALIVE },
        { ends, ORDER_ENDS },
        { (reconcile_alive(o) || o->runner) && !in_doubt(o), ORDER_BUSY },
    };
    unsigned bits = 0;

    TABLE_FOREACH (row, rows)
        bits |= row->holds ? row->bit : 0;
    return bits;
}

/* --- neighbours ---------------------------------------------------------------------------------------------------- */

static const OrderNode *node_of(const Pod *pod)
{
    return order_find(pod->supervisor->order, pod->name);
}

/* Only a pod that is there says of itself that it is gone: one that never was stops nobody. */
static bool look_bereft(Supervisor *s, const OrderNode *node)
{
    const OrderEdge *e;

    TAILQ_FOREACH(e, &node->out, out_entry)
    {
        const Pod *to = e->requires && !order_edge_void(e) ? supervisor_find(s, e->to->name) : NULL;
        if (to && to->order_bits & ORDER_GONE)
            return true;
    }
    return false;
}

static bool look_needed(Supervisor *s, const OrderNode *node)
{
    const OrderEdge *e;

    TAILQ_FOREACH(e, &node->in, in_entry)
    {
        const Pod *from = e->requires && !order_edge_void(e) ? supervisor_find(s, e->from->name) : NULL;
        if (from && from->order_bits & ORDER_WANTED)
            return true;
    }
    return false;
}

/* Why a start waits for the pod at the edge's end: a clause, or NULL. */
static const char *why_awaited(Supervisor *s, const OrderEdge *e)
{
    const Pod *to = supervisor_find(s, e->to->name);
    unsigned bits = to ? to->order_bits : 0;
    bool released = !e->requires && !(bits & ORDER_WANTED);

    if (!(bits & ORDER_DECLARED))
        return "is not declared";
    if (bits & ORDER_SATISFIED || released)
        return NULL;
    if (!(bits & ORDER_DEFINED))
        return "has a definition that was never right";
    if (bits & ORDER_HELD)
        return "was stopped by an operator";
    return bits & ORDER_FAILED ? "has failed" : "is not ready";
}

/* Whether the pod at the edge's beginning is to end before the one at its end does. */
static bool ends_before(Supervisor *s, const OrderEdge *e)
{
    const Pod *from = order_edge_void(e) ? NULL : supervisor_find(s, e->from->name);

    return from && from->order_bits & ORDER_ALIVE && (e->requires || from->order_bits & ORDER_ENDS);
}

static void tell_neighbours(Supervisor *s, const OrderNode *node)
{
    const OrderEdge *e;

    TAILQ_FOREACH(e, &node->in, in_entry)
    {
        Pod *from = e->from != node ? supervisor_find(s, e->from->name) : NULL;
        if (from)
            pod_due(from);
    }
    TAILQ_FOREACH(e, &node->out, out_entry)
    {
        Pod *to = e->to != node ? supervisor_find(s, e->to->name) : NULL;
        if (to)
            pod_due(to);
    }
}

/* --- for the pod --------------------------------------------------------------------------------------------------- */

static void set_bits(Pod *pod, unsigned bits, const OrderNode *node)
{
    unsigned changed = pod->order_bits ^ bits;

    pod->order_bits = bits;
    if (changed & ORDER_BUSY)
        pod->supervisor->n_busy += bits & ORDER_BUSY ? 1 : -1U;
    if (changed && node)
        tell_neighbours(pod->supervisor, node);
}

void pod_order_update(Pod *pod)
{
    const OrderNode *node = node_of(pod);

    pod->observed.bereft = node && look_bereft(pod->supervisor, node);
    pod->observed.needed = node && look_needed(pod->supervisor, node);
    set_bits(pod, bits_of(pod), node);
}

void pod_order_look(Pod *pod)
{
    const OrderNode *node = node_of(pod);
    const OrderEdge *e;

    pod->observed.awaits = pod->observed.depended = false;
    if (!node)
        return;
    TAILQ_FOREACH(e, &node->out, out_entry)
    pod->observed.awaits |= why_awaited(pod->supervisor, e) != NULL;
    TAILQ_FOREACH(e, &node->in, in_entry)
    pod->observed.depended |= ends_before(pod->supervisor, e);
}

void pod_order_say(Pod *pod, const PodDefinition *definition, PodLines lines)
{
    const OrderRule rule = {
        .file = pod->record.file,
        .after = definition->after,
        .requires = definition->requires,
        .after_line = lines.after,
        .requires_line = lines.requires,
    };

    /* Those who were named before are to know, too. */
    const OrderNode *before = node_of(pod);
    if (before)
        tell_neighbours(pod->supervisor, before);
    int r = order_set(pod->supervisor->order, pod->name, &rule);
    if (r < 0)
        pod_log(pod, LOG_ERR, r, "%s: its order among the pods is lost", pod->name);
    const OrderNode *node = node_of(pod);
    if (node)
        tell_neighbours(pod->supervisor, node);
}

void pod_order_forget(Pod *pod)
{
    const OrderNode *node = node_of(pod);

    set_bits(pod, 0, node);
    order_remove(pod->supervisor->order, pod->name);
}

/* --- circles ------------------------------------------------------------------------------------------------------- */

static char *describe_cycle(const Pod *pod, const OrderNode *node)
{
    unsigned line;
    _cleanup_(freep) char *text = order_complaint(pod->supervisor->order, node, &line);

    if (!text)
        return NULL;
    return line > 0 && node->file ? strf("%s:%u: %s", node->file, line, text) : strdup(text);
}

char *pod_order_error(const Pod *pod)
{
    const OrderNode *node = node_of(pod);

    return node && node->cycle ? describe_cycle(pod, node) : NULL;
}

void pod_order_cycle(void *userdata, const OrderNode *node)
{
    Pod *pod = supervisor_find(userdata, node->name);
    _cleanup_(freep) char *text = pod && node->cycle ? describe_cycle(pod, node) : NULL;

    if (!pod)
        return;
    pod->observed.cyclic = node->cycle != NULL;
    if (node->cycle)
        pod_log_event(pod, EVENT_ORDER_CYCLE, 0, "%s: %s", pod->name, text ?: "it would wait for itself");
    pod_due(pod);
}

/* --- what is shown ------------------------------------------------------------------------------------------------- */

bool pod_order_awaits_operator(const Pod *pod)
{
    const OrderNode *node = node_of(pod);
    const OrderEdge *e;

    if (!node)
        return false;
    TAILQ_FOREACH(e, &node->out, out_entry)
    {
        const Pod *to = supervisor_find(pod->supervisor, e->to->name);
        unsigned bits = to ? to->order_bits : 0;
        bool comes = bits & ORDER_DEFINED && bits & ORDER_DECLARED && !(bits & (ORDER_HELD | ORDER_FAILED));
        if (!comes && why_awaited(pod->supervisor, e))
            return true;
    }
    return false;
}

int pod_order_waits(const Pod *pod, char ***names, char ***words)
{
    const OrderNode *node = node_of(pod);
    const OrderEdge *e;
    int r = 0;

    if (!node)
        return 0;
    TAILQ_FOREACH(e, &node->out, out_entry)
    {
        const char *why = pod->rule == RULE_AWAITS ? why_awaited(pod->supervisor, e) : NULL;
        if (why && (r = strv_append(names, e->to->name)) >= 0)
            r = strv_appendf(words, "%s, which %s", e->to->name, why);
        if (r < 0)
            return r;
    }
    TAILQ_FOREACH(e, &node->in, in_entry)
    {
        if (pod->rule != RULE_DEPENDED || !ends_before(pod->supervisor, e))
            continue;
        if ((r = strv_append(names, e->from->name)) >= 0)
            r = strv_appendf(words, "the end of %s", e->from->name);
        if (r < 0)
            return r;
    }
    return 0;
}
