/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/order.h"
#include "tests/unit/test.h"

enum { NODES = 4 };

static char a[] = "a", b[] = "b", c[] = "c", d[] = "d";
static char *const names[NODES] = { a, b, c, d };

static Order *order_make(OrderFunc func, void *userdata)
{
    Order *o;

    assert_success(order_new(&o, func, userdata));
    return o;
}

static void says(Order *o, const char *name, const char *after, const char *requires)
{
    _cleanup_(strv_freep) char **afters = strv_split(after, " "), **required = strv_split(requires, " ");
    _cleanup_(freep) char *file = strf("/x/%s.pod", name);
    const OrderRule rule = {
        .file = file, .after = afters, .requires = required, .after_line = 3, .requires_line = 4
    };

    assert_success(order_set(o, name, &rule));
}

static char *cycle(Order *o, const char *name)
{
    const OrderNode *n = order_find(o, name);

    return n && n->cycle ? strv_join(n->cycle, " ") : strdup("");
}

static void assert_cycle(Order *o, const char *name, const char *expected)
{
    _cleanup_(freep) char *found = cycle(o, name);
    assert_string_equal(found, expected);
}

/* --- every graph of four pods -------------------------------------------------------------------------------------- */

/* Bit from * NODES + to: an edge. */
static bool edge(unsigned graph, int from, int to)
{
    return graph >> (from * NODES + to) & 1;
}

static void set_node(Order *o, unsigned graph, int node)
{
    char *after[NODES + 1] = { NULL };
    size_t n = 0;

    for (int to = 0; to < NODES; to++)
        if (edge(graph, node, to))
            after[n++] = names[to];
    assert_success(order_set(o, names[node], &(OrderRule){ .after = after }));
}

/* The length of the shortest way from a node back to itself; 0: there is none. */
static int shortest(unsigned graph, int node)
{
    unsigned last = 1U << node;

    for (int length = 1; length <= NODES; length++) {
        unsigned next = 0;
        for (int from = 0; from < NODES; from++)
            if (last >> from & 1)
                next |= graph >> (from * NODES) & ((1U << NODES) - 1);
        if (next >> node & 1)
            return length;
        last = next;
    }
    return 0;
}

static void check_node(Order *o, unsigned graph, int node)
{
    const OrderNode *n = order_find(o, names[node]);
    int length = shortest(graph, node);

    assert_non_null(n);
    assert_int_equal(n->cycle ? (int)strv_length(n->cycle) - 1 : 0, length);
    for (int i = 0; i < length; i++)
        assert_true(edge(graph, n->cycle[i][0] - 'a', n->cycle[i + 1][0] - 'a'));
    if (length > 0) {
        assert_string_equal(n->cycle[0], names[node]);
        assert_string_equal(n->cycle[length], names[node]);
    }
}

static void each_graph_has_its_circles_however_it_came_to_be(void **state)
{
    Order *o = order_make(NULL, NULL);
    unsigned graph = 0;

    /* One node changes at a time, so that each graph follows many others. */
    for (unsigned seed = 1, i = 0; i < 1U << 17; i++) {
        seed = seed * 1103515245 + 12345;
        int node = (int)(seed >> 16 & 3);
        unsigned edges = seed >> 20 & 15;
        graph = (graph & ~(15U << (node * NODES))) | edges << (node * NODES);
        set_node(o, graph, node);
        for (int j = 0; i >= NODES * 8 && j < NODES; j++)
            check_node(o, graph, j);
    }
    order_free(o);
}

static void every_sequence_leads_to_the_same(void **state)
{
    for (unsigned graph = 0; graph < 1U << 16; graph += 7) {
        Order *up = order_make(NULL, NULL), *down = order_make(NULL, NULL);
        for (int i = 0; i < NODES; i++) {
            set_node(up, graph, i);
            set_node(down, graph, NODES - 1 - i);
        }
        for (int i = 0; i < NODES; i++) {
            _cleanup_(freep) char *path = cycle(up, names[i]);
            assert_cycle(down, names[i], path);
            check_node(up, graph, i);
        }
        order_free(up);
        order_free(down);
    }
}

/* --- what is said and what is told ---------------------------------------------------------------------------------- */

static void requires_includes_after_and_they_are_one_edge(void **state)
{
    Order *o = order_make(NULL, NULL);
    OrderEdge *e;
    int n = 0;

    says(o, "web", "db log db", "db");
    TAILQ_FOREACH(e, &order_find(o, "web")->out, out_entry)
    {
        n++;
        assert_int_equal(e->requires, streq(e->to->name, "db"));
    }
    assert_int_equal(n, 2);
    assert_false(order_find(o, "db")->said);
    order_free(o);
}

static void a_name_that_nobody_says_is_forgotten(void **state)
{
    Order *o = order_make(NULL, NULL);

    says(o, "web", "db", "");
    says(o, "db", "", "");
    order_remove(o, "db");
    assert_non_null(order_find(o, "db"));
    says(o, "web", "", "");
    assert_null(order_find(o, "db"));
    order_remove(o, "web");
    order_remove(o, "web");
    assert_null(order_find(o, "web"));
    order_free(o);
}

static void note(void *userdata, const OrderNode *node)
{
    assert_success(strv_append(userdata, node->name));
}

static void all_who_are_on_a_circle_are_told_and_nobody_else(void **state)
{
    _cleanup_(strv_freep) char **told = NULL;
    Order *o = order_make(note, &told);

    says(o, "front", "web", "");
    says(o, "web", "db", "");
    says(o, "db", "disk", "");
    assert_int_equal(strv_length(told), 0);
    says(o, "disk", "", "web");
    assert_int_equal(strv_length(told), 3);
    assert_cycle(o, "web", "web db disk web");
    assert_cycle(o, "disk", "disk web db disk");
    assert_cycle(o, "front", "");
    /* A word that changes nothing is told to nobody. */
    told = strv_free(told);
    says(o, "front", "web db", "");
    assert_int_equal(strv_length(told), 0);
    order_remove(o, "db");
    assert_int_equal(strv_length(told), 3);
    assert_cycle(o, "web", "");
    order_free(o);
}

static void the_complaint_names_the_path_and_each_place(void **state)
{
    Order *o = order_make(NULL, NULL);
    unsigned line;

    says(o, "web", "db", "");
    says(o, "db", "", "web");
    _cleanup_(freep) char *web = order_complaint(o, order_find(o, "web"), &line);
    assert_string_equal(web, "after: it would wait for itself: web -> db (/x/db.pod:4) -> web");
    assert_int_equal(line, 3);
    _cleanup_(freep) char *db = order_complaint(o, order_find(o, "db"), &line);
    assert_string_equal(db, "requires: it would wait for itself: db -> web (/x/web.pod:3) -> db");
    assert_int_equal(line, 4);
    says(o, "self", "self", "");
    _cleanup_(freep) char *self = order_complaint(o, order_find(o, "self"), &line);
    assert_string_equal(self, "after: it would wait for itself: self -> self");
    order_free(o);
}

static void what_is_required_is_found_through_others(void **state)
{
    Order *o = order_make(NULL, NULL);

    says(o, "front", "cache", "web");
    says(o, "web", "", "db");
    says(o, "db", "disk", "");
    _cleanup_(strv_freep) char **required = order_required(o, "front"), **none = order_required(o, "other");
    _cleanup_(freep) char *text = strv_join(required, " ");
    assert_string_equal(text, "web db");
    assert_int_equal(strv_length(none), 0);
    order_free(o);
}

static void assert_stop_order(Order *o, const char *given, const char *expected)
{
    _cleanup_(strv_freep) char **list = strv_split(given, " ");

    assert_success(order_sort_to_stop(o, list));
    _cleanup_(freep) char *text = strv_join(list, " ");
    assert_string_equal(text, expected);
}

static void whoever_comes_after_is_stopped_before(void **state)
{
    Order *o = order_make(NULL, NULL);

    says(o, "front", "", "web");
    says(o, "web", "db", "");
    says(o, "db", "", "");
    assert_stop_order(o, "db web front", "front web db");
    assert_stop_order(o, "front web db", "front web db");
    assert_stop_order(o, "db x front y", "x front db y");
    assert_stop_order(o, "x y z", "x y z");
    assert_stop_order(o, "", "");
    /* A circle has no order, and no end of it is lost. */
    says(o, "db", "front", "");
    _cleanup_(strv_freep) char **list = strv_split("db web front", " ");
    assert_success(order_sort_to_stop(o, list));
    assert_true(strv_length(list) == 3 && strv_contains(list, "db") && strv_contains(list, "web"));
    order_free(o);
}

static void a_long_chain_is_no_burden(void **state)
{
    enum { LENGTH = 3000 };
    Order *o = order_make(NULL, NULL);

    for (int i = 0; i < LENGTH; i++) {
        _cleanup_(freep) char *name = strf("p%d", i), *after = i > 0 ? strf("p%d", i - 1) : strdup("");
        says(o, name, after, "");
    }
    says(o, "p0", "", "");
    assert_cycle(o, "p2999", "");
    order_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_graph_has_its_circles_however_it_came_to_be),
        cmocka_unit_test(every_sequence_leads_to_the_same),
        cmocka_unit_test(requires_includes_after_and_they_are_one_edge),
        cmocka_unit_test(a_name_that_nobody_says_is_forgotten),
        cmocka_unit_test(all_who_are_on_a_circle_are_told_and_nobody_else),
        cmocka_unit_test(the_complaint_names_the_path_and_each_place),
        cmocka_unit_test(what_is_required_is_found_through_others),
        cmocka_unit_test(whoever_comes_after_is_stopped_before),
        cmocka_unit_test(a_long_chain_is_no_burden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
