/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/order.h"

#include <stdlib.h>

#include "base/strings.h"

struct Order {
    OrderNode **nodes; /* sorted by name */
    size_t n_nodes;
    unsigned mark; /* of the last search */
    OrderFunc func;
    void *userdata;
};

/* --- nodes by name ------------------------------------------------------------------------------------------------- */

static size_t position(const Order *o, const char *name, bool *ret_found)
{
    size_t low = 0, high = o->nodes ? o->n_nodes : 0;

    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, o->nodes[middle]->name);
        if (order == 0)
            *ret_found = true;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static OrderNode *find(const Order *o, const char *name)
{
    bool found;
    size_t i = position(o, name, &found);

    return found ? o->nodes[i] : NULL;
}

const OrderNode *order_find(const Order *o, const char *name)
{
    return find(o, name);
}

static OrderNode *node_free(OrderNode *n)
{
    free(n->name);
    free(n->file);
    strv_free(n->cycle);
    free(n);
    return NULL;
}
DEFINE_CLEANUP(OrderNode *, node_free)

static OrderNode *node_get(Order *o, const char *name)
{
    bool found;
    size_t i = position(o, name, &found);
    if (found)
        return o->nodes[i];

    _cleanup_(node_freep) OrderNode *n = calloc(1, sizeof *n);
    OrderNode **longer = reallocarray(o->nodes, o->n_nodes + 1, sizeof *longer);
    if (longer)
        o->nodes = longer;
    if (!n || !longer || !(n->name = strdup(name)))
        return NULL;
    TAILQ_INIT(&n->out);
    TAILQ_INIT(&n->in);
    memmove(longer + i + 1, longer + i, (o->n_nodes - i) * sizeof *longer);
    o->n_nodes++;
    return longer[i] = take_ptr(n);
}

static void node_settle(Order *o, OrderNode *n)
{
    bool found;

    if (n->said || !TAILQ_EMPTY(&n->out) || !TAILQ_EMPTY(&n->in))
        return;
    size_t i = position(o, n->name, &found);
    memmove(o->nodes + i, o->nodes + i + 1, (o->n_nodes - i - 1) * sizeof *o->nodes);
    o->n_nodes--;
    node_free(n);
}

/* --- edges --------------------------------------------------------------------------------------------------------- */

static void edge_free(Order *o, OrderEdge *e)
{
    TAILQ_REMOVE(&e->from->out, e, out_entry);
    TAILQ_REMOVE(&e->to->in, e, in_entry);
    if (e->to != e->from)
        node_settle(o, e->to);
    free(e);
}

static OrderEdge *edge_find(const OrderNode *from, const OrderNode *to)
{
    OrderEdge *e;

    TAILQ_FOREACH(e, &from->out, out_entry)
    if (e->to == to)
        return e;
    return NULL;
}

static int edges_add(Order *o, OrderNode *from, char *const *names, bool requires, unsigned line)
{
    for (; names && *names; names++) {
        OrderNode *to = node_get(o, *names);
        OrderEdge *e = to ? edge_find(from, to) : NULL;
        if (e) {
            e->requires |= requires;
            continue;
        }
        if (!to || !(e = calloc(1, sizeof *e))) {
            if (to)
                node_settle(o, to);
            return -ENOMEM;
        }
        *e = (OrderEdge){ .from = from, .to = to, .requires = requires, .line = line };
        TAILQ_INSERT_TAIL(&from->out, e, out_entry);
        TAILQ_INSERT_TAIL(&to->in, e, in_entry);
    }
    return 0;
}

static void edges_drop(Order *o, OrderNode *from)
{
    while (!TAILQ_EMPTY(&from->out))
        edge_free(o, TAILQ_FIRST(&from->out));
}

bool order_edge_void(const OrderEdge *edge)
{
    return edge->from->cycle && edge->to->cycle;
}

/* --- searching ----------------------------------------------------------------------------------------------------- */

/* Appends, nearest first, what can be reached from the nodes of list, those included; each node leads back by `via`. */
static void spread(Order *o, struct OrderNodes *list, bool required_only)
{
    OrderNode *n;

    TAILQ_FOREACH(n, list, found_entry)
    {
        OrderEdge *e;
        TAILQ_FOREACH(e, &n->out, out_entry)
        {
            if (e->to->mark == o->mark || (required_only && !e->requires))
                continue;
            e->to->mark = o->mark;
            e->to->via = n;
            TAILQ_INSERT_TAIL(list, e->to, found_entry);
        }
    }
}

static void search_begin(Order *o, struct OrderNodes *list, OrderNode *from)
{
    TAILQ_INIT(list);
    from->mark = ++o->mark;
    from->via = NULL;
    TAILQ_INSERT_TAIL(list, from, found_entry);
}

/* The names from node back to itself, where last is the one before it again. */
static char **path_back(const OrderNode *node, const OrderNode *last)
{
    size_t length = 2;

    for (const OrderNode *n = last; n != node; n = n->via)
        length++;
    _cleanup_(strv_freep) char **names = calloc(length + 1, sizeof *names);
    if (!names || !(names[0] = strdup(node->name)))
        return NULL;
    /* From behind; a NULL in between would hide what follows it. */
    size_t at = length - 1;
    const OrderNode *n = node;
    for (; at > 0; at--) {
        if (!(names[at] = strdup(n->name))) {
            for (size_t i = at + 1; i < length; i++)
                names[i] = (free(names[i]), NULL);
            return NULL;
        }
        n = at == length - 1 ? last : n->via;
    }
    return take_ptr(names);
}

/* The shortest circle through node; *ret is NULL when there is none. 0 or -ENOMEM. */
static int cycle_of(Order *o, OrderNode *node, char ***ret)
{
    struct OrderNodes reached;
    OrderNode *n;

    *ret = NULL;
    search_begin(o, &reached, node);
    spread(o, &reached, false);
    TAILQ_FOREACH(n, &reached, found_entry)
    if (edge_find(n, node)) {
        *ret = path_back(node, n);
        return *ret ? 0 : -ENOMEM;
    }
    return 0;
}

/* --- circles ------------------------------------------------------------------------------------------------------- */

static int node_review(Order *o, OrderNode *n)
{
    _cleanup_(strv_freep) char **cycle = NULL;

    int r = cycle_of(o, n, &cycle);
    if (r < 0 || (cycle && n->cycle && strv_equal(cycle, n->cycle)) || (!cycle && !n->cycle))
        return r;
    strv_free(n->cycle);
    n->cycle = take_ptr(cycle);
    if (o->func)
        o->func(o->userdata, n);
    return 0;
}

/* The names of what can be reached from node. */
static char **reach(Order *o, OrderNode *node, bool required_only)
{
    struct OrderNodes reached;
    OrderNode *n;
    char **names = calloc(1, sizeof *names);

    search_begin(o, &reached, node);
    spread(o, &reached, required_only);
    TAILQ_FOREACH(n, &reached, found_entry)
    if (names && n != node && strv_append(&names, n->name) < 0)
        names = strv_free(names);
    return names;
}

/* Of the node whose edges have changed, which was on a circle or is on one, and of all the others that may be on it. */
static int review(Order *o, const char *name, char *const *before)
{
    OrderNode *node = find(o, name);
    _cleanup_(strv_freep) char **now = node ? reach(o, node, false) : NULL;
    int r = node ? node_review(o, node) : 0;

    for (char *const *other = before; r >= 0 && other && *other; other++) {
        OrderNode *n = find(o, *other);
        r = n ? node_review(o, n) : 0;
    }
    STRV_FOREACH (other, now) {
        OrderNode *n = r >= 0 && !strv_contains(before, *other) ? find(o, *other) : NULL;
        r = n ? node_review(o, n) : r;
    }
    return r;
}

static int edges_replace(Order *o, OrderNode *node, const OrderRule *rule)
{
    edges_drop(o, node);
    node->said = rule != NULL;
    if (!rule)
        return 0;
    int r = str_replace(&node->file, rule->file);
    if (r >= 0)
        r = edges_add(o, node, rule->requires, true, rule->requires_line);
    if (r >= 0)
        r = edges_add(o, node, rule->after, false, rule->after_line);
    if (r < 0)
        edges_drop(o, node);
    return r;
}

static int change(Order *o, OrderNode *node, const OrderRule *rule)
{
    _cleanup_(freep) char *name = strdup(node->name);
    _cleanup_(strv_freep) char **before = node->cycle ? reach(o, node, false) : NULL, **cycle = NULL;
    bool was = node->cycle != NULL;

    if (!name || (was && !before))
        return -ENOMEM;
    int r = edges_replace(o, node, rule);
    if (r >= 0)
        r = cycle_of(o, node, &cycle);
    if (was || cycle || r < 0) {
        int error = review(o, name, before);
        r = r < 0 ? r : error;
    }
    if ((node = find(o, name)))
        node_settle(o, node);
    return r;
}

int order_set(Order *o, const char *name, const OrderRule *rule)
{
    OrderNode *node = node_get(o, name);

    return node ? change(o, node, rule) : -ENOMEM;
}

void order_remove(Order *o, const char *name)
{
    OrderNode *node = find(o, name);

    if (node)
        (void)change(o, node, NULL);
}

/* --- asking -------------------------------------------------------------------------------------------------------- */

void order_each(const Order *o, OrderFunc func, void *userdata)
{
    for (size_t i = 0; i < o->n_nodes; i++)
        func(userdata, o->nodes[i]);
}

/* The edge by which a circle leaves the node with this name for the next one. */
static const OrderEdge *cycle_edge(const Order *o, const char *from, const char *to)
{
    const OrderNode *a = find(o, from), *b = find(o, to);

    return a && b ? edge_find(a, b) : NULL;
}

char *order_complaint(const Order *o, const OrderNode *node, unsigned *ret_line)
{
    const OrderEdge *first = cycle_edge(o, node->cycle[0], node->cycle[1]);
    _cleanup_(strv_freep) char **steps = NULL;
    int r = strv_append(&steps, node->name);

    for (char **name = node->cycle + 1; r >= 0 && *name; name++) {
        const OrderEdge *e = name[1] ? cycle_edge(o, name[0], name[1]) : NULL;
        if (e && e->from->file && e->line > 0)
            r = strv_appendf(&steps, "%s (%s:%u)", *name, e->from->file, e->line);
        else
            r = strv_append(&steps, *name);
    }
    _cleanup_(freep) char *path = r < 0 ? NULL : strv_join(steps, " -> ");
    *ret_line = first ? first->line : 0;
    return path ? strf("%s: it would wait for itself: %s", first && first->requires ? "requires" : "after",
                       path)
                : NULL;
}

char **order_required(Order *o, const char *name)
{
    OrderNode *node = find(o, name);

    return node ? reach(o, node, true) : calloc(1, sizeof(char *));
}

/* Moves name, and behind it what of names it comes after, to the end of sorted. A circle is broken where it is met again. */
static void visit(Order *o, OrderNode *node, char **names, char **sorted, size_t *at)
{
    OrderEdge *e;

    node->mark = o->mark;
    TAILQ_FOREACH(e, &node->out, out_entry)
    if (e->to->mark != o->mark)
        visit(o, e->to, names, sorted, at);
    for (char **name = names; *name; name++)
        if (streq(*name, node->name))
            sorted[--*at] = *name;
}

int order_sort_to_stop(Order *o, char **names)
{
    size_t n = strv_length(names), at = n;
    _cleanup_(freep) char **sorted = calloc(n + 1, sizeof *sorted);

    if (!sorted)
        return -ENOMEM;
    o->mark++;
    for (size_t i = n; i-- > 0;) {
        OrderNode *node = find(o, names[i]);
        if (!node)
            sorted[--at] = names[i];
        else if (node->mark != o->mark)
            visit(o, node, names, sorted, &at);
    }
    memcpy(names, sorted, n * sizeof *names);
    return 0;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

int order_new(Order **ret, OrderFunc func, void *userdata)
{
    Order *o = calloc(1, sizeof *o);

    if (!o)
        return -ENOMEM;
    *o = (Order){ .func = func, .userdata = userdata };
    *ret = o;
    return 0;
}

Order *order_free(Order *o)
{
    if (!o)
        return NULL;
    while (o->n_nodes > 0) {
        OrderNode *n = o->nodes[o->n_nodes - 1];
        n->said = true; /* so that it outlives its edges */
        edges_drop(o, n);
        while (!TAILQ_EMPTY(&n->in))
            edge_free(o, TAILQ_FIRST(&n->in));
        n->said = false;
        node_settle(o, n);
    }
    free(o->nodes);
    free(o);
    return NULL;
}
