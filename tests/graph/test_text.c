/* Graph as text: the printer's text is read back to the same text; wrong text is refused with
 * its line. */
#include "small.h"

static graph_t *parse(arena_t *a, const char *text, diag_t *d) {
    return graph_parse(a, "g.txt", text, strlen(text), d);
}

static void assert_same_text(arena_t *a, const graph_t *g, diag_t *d) {
    sbuf_t first = {0}, second = {0};
    graph_print(g, &first);
    graph_t *read = graph_parse(a, "g.txt", first.data, first.size, d);
    if (!read) fail_msg("%s", messages(d));
    graph_print(read, &second);
    assert_string_equal(first.data, second.data);
    assert_int_equal(read->n_nodes, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *x = g->nodes[i], *y = read->nodes[i];
        assert_int_equal(x->op, y->op);
        assert_int_equal(x->n_in, y->n_in);
        for (int k = 0; k < x->n_in; k++)
            assert_int_equal(x->in[k] ? x->in[k]->id : -1, y->in[k] ? y->in[k]->id : -1);
        assert_memory_equal(&x->eps, &y->eps, sizeof *x - offsetof(gnode_t, eps));
        assert_int_equal(x->layer, y->layer);
    }
    assert_int_equal(read->units.max, g->units.max);
    assert_int_equal(read->n_factors, g->n_factors);
    sbuf_free(&first);
    sbuf_free(&second);
}

static void assert_round_trip(const spec_t *spec, graph_options_t o) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_t *g = graph_build(a, spec, &o, d);
    assert_non_null(g);
    assert_same_text(a, g, d);
    diag_free(d);
    arena_free(a);
}

/* A forward of so many tokens that keeps what a step of three rows reads, and that step. */
static void assert_generation_round_trip(const spec_t *spec, int64_t length) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_options_t like = {.batch = 1, .length = 64},
                    o = {.batch = 1, .length = length, .bucket_length = 64};
    graph_t *step = graph_build_step(a, graph_build(a, spec, &like, d), 3, d);
    graph_t *prefill = graph_build(a, spec, &o, d);
    assert_true(step && prefill && graph_keep(prefill, step, d));
    int states = 0, keeps = 0;
    for (size_t i = 0; i < prefill->n_nodes; i++) {
        states += graph_is_state(prefill->nodes[i]);
        keeps += graph_is_keep(prefill->nodes[i]);
    }
    assert_int_equal(states, spec->n_layers);
    assert_int_equal(keeps, spec->n_layers);
    assert_same_text(a, step, d);
    assert_same_text(a, prefill, d);
    diag_free(d);
    arena_free(a);
}

static void test_generation(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    assert_generation_round_trip(&spec, 64);
    assert_generation_round_trip(&spec, 5); /* exact attention keeps too, without buckets */
}

static void test_round_trip(void **unused) {
    (void)unused;
    static const int64_t lengths[] = {5, 8, 50, 64};
    for (int arch = ARCH_BASE; arch <= ARCH_QA; arch++) {
        spec_t spec = small_spec((arch_t)arch);
        for (int i = 0; i < 4; i++)
            assert_round_trip(&spec, (graph_options_t){.batch = 2, .length = lengths[i]});
        assert_round_trip(&spec, (graph_options_t){.batch = 1, .units = {2, 8}});
    }
}

static void test_round_trip_of_attributes(void **unused) {
    (void)unused;
    for (int act = 0; act < ACT_COUNT; act++) {
        spec_t spec = small_spec(ARCH_MASKED_LM);
        spec.hidden_act = (act_t)act;
        spec.layer_norm_eps = 0.1 / 3 / (1 + act);
        spec.n_bucket_factors = 2;
        spec.num_buckets[1] = 2;
        spec.lsh_num_chunks_after = 3;
        spec.pad_token_id = 5;
        spec.axial_pos_embds = act % 2;
        assert_round_trip(&spec, (graph_options_t){.batch = 1, .length = 64});
    }
}

static const char head[] = "# a comment, an empty line\n"
                           "\n"
                           "graph batch=1 length=3 padded=4\n"
                           "input_ids = input() : i32[1,3]\n"
                           "ids = pad_ids(input_ids) pad_token=0 : i32[1,4]  # and one here\n"
                           "w = param() : f32[9,2]\n"
                           "p = param() : f32[6,2]\n"
                           "x = embed(ids, w, p) axial_shape=none : f32[1,4,2]\n";

static void test_by_hand(void **unused) {
    (void)unused;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_t *g = parse(a, head, d);
    if (!g) fail_msg("%s", messages(d));
    assert_int_equal(g->n_nodes, 5);
    assert_ptr_equal(g->nodes[4]->in[1], graph_find(g, "w"));
    assert_int_equal(g->nodes[4]->at.line, 8);
    diag_free(d);
    arena_free(a);
}

/* One more line after `head`, number 9, and what is said of it. */
static void test_errors(void **unused) {
    (void)unused;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"y", "g.txt:9:2: error: expected '='"},
        {"= add(x, x) : f32[1,4,2]", "g.txt:9:1: error: expected a name"},
        {"x = add(x, x) : f32[1,4,2]", "g.txt:9:1: error: 'x' is made twice"},
        {"y = ad(x, x) : f32[1,4,2]", "g.txt:9:5: error: there is no operation 'ad'"},
        {"y = ad(x, x) : f32[1,4,2]", "did you mean 'add'?"},
        {"y = add(x, z) : f32[1,4,2]", "g.txt:9:12: error: 'z' is not made above"},
        {"y = add(x, y) : f32[1,4,2]", "g.txt:9:12: error: 'y' is not made above"},
        {"y = add(x, x : f32[1,4,2]", "g.txt:9:14: error: expected ')'"},
        {"y = add(x, x) f32[1,4,2]", "g.txt:9:15: error: expected ':'"},
        {"y = add(x, x) : f16[1,4,2]", "g.txt:9:17: error: expected 'f32', 'bf16', 'i8' or 'i32'"},
        {"y = add(x, x) : f32[1,4,2,1,1]", "at most 4 dimensions"},
        {"y = add(x, x) : f32[1,4,]", "g.txt:9:25: error: expected a number"},
        {"y = add(x, x) : f32[1,99999999999999999999]", "the number is too large"},
        {"y = add(x, x) : f32[1,4,2] and more", "g.txt:9:28: error: unexpected text"},
        {"y = add(x, x) shift=1 : f32[1,4,2]", "g.txt:9:15: error: expected ':'"},
        {"y = activation(x) : f32[1,4,2]", "expected attribute 'act='"},
        {"y = activation(x) act=rely : f32[1,4,2]", "there is no activation 'rely'"},
        {"y = add(x, x, x, x, x, x, x, x, x) : f32[1,4,2]", "at most 8 inputs"},
        {"y = layer_norm(x, w, w) eps=1e : f32[1,4,2]", "g.txt:9:29: error: expected a number"},
        {"y = layer_norm(x, w, w) eps=inf : f32[1,4,2]", "g.txt:9:29: error: expected a number"},
        {"y = add(x, x) : f32[1,4,2] layer=4096", "the number is too large"},
        /* the checker's, at the same place */
        {"y = add(x, x) : f32[1,4,3]", "g.txt:9:1: error: y: the result is not what add gives"},
        {"y = add(x) : f32[1,4,2]", "y: input y of add is missing"},
        {"y = add(x, _) : f32[1,4,2]", "y: input y of add is missing"},
        {"y = add(x, x, x) : f32[1,4,2]", "y: 3 inputs are too many for add"},
        {"y = add(x, ids) : f32[1,4,2]", "y: input y is i32, not f32"},
        {"y = add(x, w) : f32[1,4,2]", "y: input y must not come from param"},
        {"y = dense(x, p) : f32[1,4,6]", NULL},
        {"y = dense(x, x) : f32[1,4,6]", "y: input weight must not come from embed"},
        {"y = dense(x, w, w) : f32[1,4,9]", "y: input bias has 2 dimensions, not 1"},
        {"y = slice(x) : f32[1,3,2]", NULL},
        {"y = column(x) shift=2 : f32[1,4]", "y: there is no column 2"},
        {"labelz = input() : i32[1,3]", "there is no input named labelz"},
        {"labels = input() : i32[1,4]", "input labels has the wrong type or shape"},
        {"q = param() : f32[3*U]", "param q depends on the length"},
        {"q = param() : f32[0]", "dimension 0 is not positive, or the tensor too large"},
        {"q = param() : f32[1000000000,1000000000,1000000000]", "or the tensor too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        char *text = arena_printf(a, "%s%s\n", head, cases[i].line);
        graph_t *g = parse(a, text, d);
        if (!cases[i].message && !g) fail_msg("%s: %s", cases[i].line, messages(d));
        if (cases[i].message && g) fail_msg("accepted: %s", cases[i].line);
        if (cases[i].message) assert_message(d, cases[i].message);
        diag_free(d);
        arena_free(a);
    }
}

/* What a state says of itself is what its step and its buckets say. */
static void test_states(void **unused) {
    (void)unused;
    static const char step[] =
        "graph batch=1 length=1 padded=1\n"
        "input_ids = input() : i32[1,1]\n"
        "positions = input() : i32[1,1]\n"
        "w = param() : f32[9,4]\n"
        "p = param() : f32[6,4]\n"
        "x = embed_at(input_ids, positions, w, p) axial_shape=none : f32[1,1,4]\n"
        "s = local_state() heads=2 head_size=2 chunk=4 before=1 as_huggingface=0 : f32[1,4]\n"
        "t = lsh_state() heads=2 head_size=2 rounds=1 factors=2 chunk=4 before=1 as_huggingface=0 : "
        "f32[1,4]\n"
        "r = param() : f32[2,2,1,1]\n";
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"y = local_step(x, x, x, positions, s) heads=2 head_size=2 chunk=4 before=1 after=0 "
         "as_huggingface=0 : f32[1,1,4]",
         NULL},
        {"y = local_step(x, x, x, positions, s) heads=2 head_size=2 chunk=2 before=1 after=0 "
         "as_huggingface=0 : f32[1,1,4]",
         "y: chunk differs from that of s"},
        {"y = local_step(x, x, x, positions, t) heads=2 head_size=2 chunk=4 before=1 after=0 "
         "as_huggingface=0 : f32[1,1,4]",
         "y: input state must not come from lsh_state"},
        {"y = local_step(x, x, x, positions, x) heads=2 head_size=2 chunk=4 before=1 after=0 "
         "as_huggingface=0 : f32[1,1,4]",
         "y: input state must not come from embed_at"},
        {"y = lsh_step(x, x, positions, t, r) heads=2 head_size=2 rounds=1 factors=2 chunk=4 "
         "before=1 after=0 as_huggingface=0 : f32[1,1,4]",
         NULL},
        {"y = lsh_step(x, x, positions, t, _) heads=2 head_size=2 rounds=1 factors=2 chunk=4 "
         "before=1 after=0 as_huggingface=0 : f32[1,1,4]",
         "y: rotations go with factors"},
        {"y = lsh_step(x, x, positions, t, r) heads=2 head_size=2 rounds=1 factors=4 chunk=4 "
         "before=1 after=0 as_huggingface=0 : f32[1,1,4]",
         "y: factors differs from that of t"},
        {"y = local_keep(x, x, s) heads=2 head_size=2 : f32[1,4]", NULL},
        {"y = local_keep(x, x, s) heads=4 head_size=1 : f32[1,4]",
         "y: heads differs from that of s"},
        {"y = lsh_keep(x, x, t, x) heads=2 head_size=2 : f32[1,4]",
         "y: input buckets must not come from embed_at"},
        {"y = add(s, s) : f32[1,4]", "y: input x must not come from local_state"},
        {"u = local_state() heads=2 head_size=2 chunk=0 before=1 as_huggingface=0 : f32[1,4]",
         "u: chunk must be positive"},
        {"u = lsh_state() heads=2 head_size=2 rounds=1 factors=3 chunk=4 before=1 as_huggingface=0 : "
         "f32[1,4]",
         "u: 3 buckets: an even number is needed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        graph_t *g = parse(a, arena_printf(a, "%s%s\n", step, cases[i].line), d);
        if (!cases[i].message && !g) fail_msg("%s: %s", cases[i].line, messages(d));
        if (cases[i].message && g) fail_msg("accepted: %s", cases[i].line);
        if (cases[i].message) assert_message(d, cases[i].message);
        diag_free(d);
        arena_free(a);
    }
}

/* A wrong line is reported once; lines that only use its result are not. All wrong lines are. */
static void test_all_errors(void **unused) {
    (void)unused;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    char *text = arena_printf(
        a, "%sy = ad(x, x) : f32[1,4,2]\nz = add(y, x) : f32[1,4,2]\nv = add(u)\n", head);
    assert_null(parse(a, text, d));
    assert_int_equal(diag_errors(d), 2);
    assert_message(d, "g.txt:11:9: error: 'u' is not made above");
    diag_free(d);
    arena_free(a);
}

static void test_header(void **unused) {
    (void)unused;
    static const char *const texts[] = {
        "",
        "# nothing\n",
        "graf batch=1 length=1 padded=1\n",
        "graph batch=0 length=1 padded=1\n",
        "graph batch=1 length=4 padded=3\n",
        "graph batch=1 length=4*U padded=4*U\n",
        "graph batch=1 length=4*U padded=4*U units=3..2\n",
        "graph batch=1 length=4*U padded=4*U units=1..2000000000\n",
        "graph batch=1 length=4 padded=8 shorter=somehow\n",
        "graph batch=1 length=4*U padded=4*U units=1..8 shorter=absent\n",
        "graph batch=1 length=4 padded=8 factors=2 more\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        if (parse(a, texts[i], d)) fail_msg("accepted: %s", texts[i]);
        assert_int_equal(diag_errors(d), 1);
        diag_free(d);
        arena_free(a);
    }
}

/* Any text: an error or a graph, never a crash; and a graph prints to text that is read again. */
static void test_damaged(void **unused) {
    (void)unused;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    graph_options_t o = {.batch = 1, .units = {2, 8}};
    sbuf_t text = {0};
    graph_print(graph_build(a, &spec, &o, d), &text);
    diag_free(d);
    static const char bytes[] = "019*+,()[]=:._x Uf\n#\0\xff";
    uint64_t seed = 1;
    int accepted = 0;
    for (int i = 0; i < 1500; i++) {
        arena_t *scratch = arena_new();
        d = diag_new();
        char *damaged = arena_copy(scratch, text.data, text.size);
        for (int k = 0; k < 1 + i % 3; k++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            damaged[(seed >> 33) % text.size] = bytes[(seed >> 20) % (sizeof bytes - 1)];
        }
        size_t size = i % 5 ? text.size : (size_t)(seed >> 33) % text.size;
        graph_t *g = graph_parse(scratch, "g.txt", damaged, size, d);
        assert_true(g ? diag_errors(d) == 0 : diag_errors(d) > 0);
        sbuf_t again = {0};
        if (g) graph_print(g, &again);
        if (g) assert_non_null(graph_parse(scratch, "again", again.data, again.size, d));
        accepted += g != NULL;
        sbuf_free(&again);
        diag_free(d);
        arena_free(scratch);
    }
    assert_true(accepted < 1500);
    sbuf_free(&text);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_round_trip_of_attributes),
        cmocka_unit_test(test_by_hand),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_all_errors), cmocka_unit_test(test_header),
        cmocka_unit_test(test_damaged),    cmocka_unit_test(test_generation),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
