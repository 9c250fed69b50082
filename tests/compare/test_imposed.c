/* Buckets that are imposed: each layer's stand where reformer_io_t looks for them, the user's stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compare/imposed.h"

enum { PADDED = 4, BATCH = 2 };

/* Two layers that hash: 2 x 3 x 1 and 2 x 1 x 2 rows of PADDED. */
static gnode_t first = {.id = 0, .op = G_LSH_HASH, .heads = 3, .rounds = 1};
static gnode_t between = {.id = 1, .op = G_ADD};
static gnode_t second = {.id = 2, .op = G_LSH_HASH, .heads = 1, .rounds = 2};
static gnode_t *nodes[] = {&first, &between, &second};
static const graph_t graph = {.nodes = nodes, .n_nodes = 3, .batch = BATCH};
enum { FIRST = BATCH * 3 * PADDED, SECOND = BATCH * 2 * PADDED };

static int32_t ours[SECOND], users[FIRST + SECOND];
static const result_t buckets = {.dtype = REFORMER_I32,
                                 .rank = 4,
                                 .shape = {BATCH, 1, 2, PADDED},
                                 .bytes = sizeof ours,
                                 .data = ours};

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < SECOND; i++) ours[i] = 100 + i;
    for (int i = 0; i < FIRST + SECOND; i++) users[i] = 1 + i;
    return 0;
}

static void layers_have_places(void **state) {
    (void)state;
    inputs_t in = {0};
    reformer_io_t io = {.size = sizeof io};
    imposed_t x = imposed_new(&graph, &in, &buckets);
    imposed_give(&x, &io);
    assert_int_equal(io.buckets_given[0] + io.buckets_given[1], 0);
    assert_true(impose(&x, graph_imposed(&graph, &second), &buckets));
    assert_int_equal(io.buckets_given[0], 0);
    assert_int_equal(io.buckets_given[1], 1);
    for (int i = 0; i < FIRST; i++) assert_int_equal(io.buckets[i], 0);
    assert_memory_equal(io.buckets + FIRST, ours, sizeof ours);
    assert_false(impose(&x, graph_imposed(&graph, &second), &buckets));
    imposed_free(&x);
}

static void the_users_stay(void **state) {
    (void)state;
    uint8_t given[] = {0, 1};
    inputs_t in = {.buckets = users, .buckets_given = given};
    imposed_t x = imposed_new(&graph, &in, &buckets);
    assert_false(impose(&x, graph_imposed(&graph, &second), &buckets));
    assert_int_equal(x.given[0], 0);
    assert_int_equal(x.given[1], 1);
    assert_memory_equal(x.all, users, sizeof users);
    imposed_free(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_have_places),
        cmocka_unit_test(the_users_stay),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
