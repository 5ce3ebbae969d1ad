/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The order of pods, as a graph of names: who comes after whom, who requires whom, and where that goes round in a circle. Pure:
 * no files, no pods; podvisord and `podvisor check` ask the same graph.
 *
 * Theory of operation
 * -------------------
 * A node is a name that has said something (order_set()) or that another one names. An edge leads from a pod to one that it
 * comes after, and stands in the lists of both its ends: so the neighbours of a pod, in either direction, cost only what they
 * are. `requires` includes `after`.
 *
 * A circle is looked for when the edges of one node change. Any circle that comes or goes then leads through that node, so
 * nothing is looked at but what can be reached from it. Each node on a circle keeps the shortest one that leads through
 * itself, from itself to itself: { "web", "db", "web" }. What everyone keeps depends only on the edges, never on the
 * sequence in which they came.
 *
 * Invariants
 * - There is at most one edge from one node to another.
 * - A node that has said nothing and that nobody names is freed.
 */
#include <sys/queue.h>

#include "base/macro.h"

typedef struct Order Order;
typedef struct OrderNode OrderNode;
typedef struct OrderEdge OrderEdge;
TAILQ_HEAD(OrderEdges, OrderEdge);
TAILQ_HEAD(OrderNodes, OrderNode);

/* What a pod's definition says about its order. Lines: 0 for unknown. */
typedef struct OrderRule {
    const char *file; /* NULL: unknown */
    char *const *after;
    char *const *requires;
    unsigned after_line, requires_line;
} OrderRule;

struct OrderEdge {
    OrderNode *from, *to;
    bool requires;
    unsigned line; /* in from's file */
    TAILQ_ENTRY(OrderEdge) out_entry, in_entry;
};

struct OrderNode {
    char *name;
    char *file;
    bool said;             /* it has said something; else others only name it */
    struct OrderEdges out; /* to what it comes after */
    struct OrderEdges in;  /* from what comes after it */
    char **cycle;          /* of names, itself first and last; NULL: it is on no circle */
    /* The module's own: of the search under way. */
    unsigned mark;
    OrderNode *via;
    TAILQ_ENTRY(OrderNode) found_entry;
};

/* Told when `cycle` of a node has changed; may read the graph, not change it. */
typedef void (*OrderFunc)(void *userdata, const OrderNode *node);

/* func may be NULL. */
int order_new(Order **ret, OrderFunc func, void *userdata);
Order *order_free(Order *o);
DEFINE_CLEANUP(Order *, order_free)

/* What the pod says from now on; rule is copied. 0 or -ENOMEM. */
int order_set(Order *o, const char *name, const OrderRule *rule);
/* It says nothing any more. Repeatable. */
void order_remove(Order *o, const char *name);
/* NULL: it has said nothing, and nobody names it. */
const OrderNode *order_find(const Order *o, const char *name);

/* All nodes, by name: calls func for each. */
void order_each(const Order *o, OrderFunc func, void *userdata);
/* Both ends are on a circle: the edge orders nothing, since what goes round would wait for itself for ever. */
bool order_edge_void(const OrderEdge *edge);
/*
 * What is wrong with a node on a circle, for people: "after: it would wait for itself: web -> db (/x/db.pod:3) -> web", and in
 * *ret_line the line of its file. The caller frees; NULL: no memory.
 */
char *order_complaint(const Order *o, const OrderNode *node, unsigned *ret_line);

/* All that the pod requires, and what that requires, ...; without itself. NULL-terminated; the caller frees; NULL: no memory. */
char **order_required(Order *o, const char *name);
/* Sorts names so that each stands before all those that it comes after, as far as they are among them. 0 or -ENOMEM. */
int order_sort_to_stop(Order *o, char **names);
