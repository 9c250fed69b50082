/* What the tests of number types share: graphs printed, passes that have to succeed, forwards of every architecture, and
 * how many of a forward's values a pass has to round. */
#ifndef REFORMERC_TESTS_GRAPH_ROUNDED_H
#define REFORMERC_TESTS_GRAPH_ROUNDED_H

#include "graph/ops.h"
#include "small.h"

static inline graph_t *must(graph_t *g, diag_t *d) {
    if (!g) fail_msg("%s", messages(d));
    return g;
}

static inline char *text_of(arena_t *a, const graph_t *g) {
    sbuf_t s = {0};
    graph_print(g, &s);
    char *text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return text;
}

/* Inputs of attentions: of shared queries and keys there is one. */
static inline int factors_of_attentions(const graph_t *g) {
    int n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!graph_is_attention(g->nodes[i])) continue;
        n += (g->nodes[i]->op == G_LSH_ATTENTION ? 2 : 3) - g->nodes[i]->shared_qk;
    }
    return n;
}

/* Of the small spec's forward: of each layer the rows of both norms, hidden ones, and what attention gives; its inputs;
 * the rows that the head's products read. */
static inline int rounded_values(const graph_t *g, arch_t architecture) {
    static const int of_head[] = {[ARCH_BASE] = 0,
                                  [ARCH_CAUSAL_LM] = 1,
                                  [ARCH_MASKED_LM] = 1,
                                  [ARCH_CLASSIFIER] = 2,
                                  [ARCH_QA] = 1};
    return 2 * 4 + factors_of_attentions(g) + of_head[architecture];
}

/* Forwards of every architecture: of three lengths and of any, with a gate and without. */
typedef void check_forward_fn(arena_t *a, graph_t *g, int values, diag_t *d);
static inline void check_forwards(check_forward_fn *check) {
    static const int64_t lengths[] = {5, 50, 64};
    for (int arch = ARCH_BASE; arch <= ARCH_QA; arch++)
        for (int i = 0; i < 8; i++) {
            spec_t spec = small_spec((arch_t)arch);
            spec.extensions.feed_forward_gate = i % 2;
            graph_options_t o = {.batch = 2, .length = lengths[i / 2 % 3]};
            if (i / 2 == 3) o = (graph_options_t){.batch = 1, .units = {2, 8}};
            arena_t *a = arena_new();
            diag_t *d = diag_new();
            graph_t *g = must(graph_build(a, &spec, &o, d), d);
            check(a, g, rounded_values(g, (arch_t)arch), d);
            diag_free(d);
            arena_free(a);
        }
}

#endif
