/* What must hold for any bytes read as a .graph file; shared by the fuzzer and by the seeded test. */
#ifndef REFORMERC_TESTS_FUZZ_GRAPH_INPUT_H
#define REFORMERC_TESTS_FUZZ_GRAPH_INPUT_H

#include "must.h"
#include "plan/plan.h"

/* What was accepted prints to a text that is read again, and prints the same. */
static void is_read_again(const loaded_model_t *m) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    sbuf_t first = {0}, second = {0};
    model_print(m->spec, m->graphs, m->n_graphs, &first);
    loaded_model_t again;
    if (!model_parse(a, &again, "again.graph", first.data, first.size, NULL, 0, d)) {
        size_t size;
        fprintf(stderr, "%s\n%s", first.data, told(d, &size));
        abort();
    }
    model_print(again.spec, again.graphs, again.n_graphs, &second);
    MUST(strcmp(first.data, second.data) == 0);
    sbuf_free(&first), sbuf_free(&second);
    diag_free(d);
    arena_free(a);
}

static double elements_of(const loaded_model_t *m) {
    const graph_t *g = m->graphs[m->n_graphs - 1];
    double sum = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        double n = 1;
        for (int k = 0; k < g->nodes[i]->rank; k++)
            n *= (double)dim_at(g->nodes[i]->shape[k], g->units.max);
        sum += n;
    }
    return sum;
}

/* Compiled, or refused at a line; never more. Large ones take long. */
static void is_lowered_or_refused(arena_t *a, const loaded_model_t *m, diag_t *d) {
    plan_options_t o = {
        .name = "fuzz", .n_targets = 1, .targets = {&targets[T_X86_64]}, .decodes = true};
    pass_options_t passes = {0};
    int before = diag_errors(d);
    if (elements_of(m) > 1e8) return;
    plan_t *p = plan_of_model(a, m, &o, d);
    bool ok = p && plan_lower(p, &passes, d);
    MUST(ok == (diag_errors(d) == before));
}

typedef struct {
    bool accepted, lowered; /* to loops, where it was accepted */
} fate_t;

static fate_t graph_one_input(const char *text, size_t bytes) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    loaded_model_t m;
    fate_t fate = {false, false};
    fate.accepted = model_parse(a, &m, "fuzz.graph", text, bytes, NULL, 0, d);
    MUST(fate.accepted == (diag_errors(d) == 0));
    if (fate.accepted) {
        is_read_again(&m);
        is_lowered_or_refused(a, &m, d);
        fate.lowered = diag_errors(d) == 0;
    }
    must_be_told_well(d, fate.lowered);
    diag_free(d);
    arena_free(a);
    return fate;
}

#endif
