/* A .graph file as a model: head and graphs print and read back to the byte, facts are what nodes say, and what is no
 * model is refused at its line. */
#include "graph/facts.h"
#include "graph/model.h"
#include "small.h"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    loaded_model_t m;
    bool ok;
    char *told; /* the messages */
} reading_t;

static reading_t read_text(const char *text, size_t bytes, const setting_t *sets, int n) {
    reading_t r = {.arena = arena_new(), .diag = diag_new()};
    char *kept = arena_copy(r.arena, text, bytes + 1);
    r.ok = model_parse(r.arena, &r.m, "m.graph", kept, bytes, sets, n, r.diag);
    assert_true(r.ok == (diag_errors(r.diag) == 0));
    r.told = messages(r.diag);
    return r;
}

static void tells(const reading_t *r, const char *part) {
    if (!strstr(r->told, part)) fail_msg("\"%s\" is not in:\n%s", part, r->told);
}

static void done(reading_t *r) {
    free(r->told);
    diag_free(r->diag);
    arena_free(r->arena);
}

/* The text of a spec's graphs of these lengths, the last one for any when `any`. */
static void print_spec(const spec_t *s, const int64_t *lengths, int n, bool any, sbuf_t *out) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_t *graphs[8];
    for (int i = 0; i < n; i++) {
        graph_options_t o = {.batch = 2, .length = lengths[i], .bucket_length = 64};
        if (any && i == n - 1) o.units = (units_t){2, 8};
        graphs[i] = graph_build(a, s, &o, d);
        if (!graphs[i]) fail_msg("%s", messages(d));
        graphs[i]->shorter = !any ? SHORTER_PADDED : i == 0 ? SHORTER_ABSENT : SHORTER_UNPADDED;
    }
    model_print(s, graphs, n, out);
    diag_free(d);
    arena_free(a);
}

static void assert_read_back(const spec_t *s, const int64_t *lengths, int n, bool any) {
    sbuf_t first = {0}, second = {0};
    print_spec(s, lengths, n, any, &first);
    reading_t r = read_text(first.data, first.size, NULL, 0);
    if (!r.ok) fail_msg("%s\n%s", r.told, first.data);
    model_print(r.m.spec, r.m.graphs, r.m.n_graphs, &second);
    assert_string_equal(first.data, second.data);
    assert_int_equal(r.m.n_graphs, n);
    facts_t want = facts_of_spec(r.arena, s), have = r.m.facts;
    assert_int_equal(have.head, s->architecture);
    assert_int_equal(have.hidden, want.hidden);
    assert_int_equal(have.vocab, want.vocab);
    assert_int_equal(have.labels, s->architecture == ARCH_CLASSIFIER ? s->num_labels : 2);
    assert_int_equal(have.positions, want.positions);
    assert_int_equal(have.n_layers, want.n_layers);
    assert_int_equal(have.n_lsh, want.n_lsh);
    assert_int_equal(have.heads, want.heads);
    for (int i = 0; i < have.n_layers; i++)
        assert_int_equal(facts_layer_is_lsh(&have, i), facts_layer_is_lsh(&want, i));
    done(&r);
    sbuf_free(&first);
    sbuf_free(&second);
}

static void every_head_is_read_back(void **unused) {
    (void)unused;
    for (int arch = ARCH_BASE; arch <= ARCH_QA; arch++) {
        spec_t s = small_spec((arch_t)arch);
        assert_read_back(&s, (int64_t[]){64}, 1, false);
        assert_read_back(&s, (int64_t[]){5, 50, 64}, 3, false);
        assert_read_back(&s, (int64_t[]){8, 64}, 2, true);
    }
    for (int p = PROBLEM_UNSET; p <= PROBLEM_MULTI_LABEL; p++) {
        spec_t s = small_spec(ARCH_CLASSIFIER);
        s.problem_type = (problem_t)p;
        assert_read_back(&s, (int64_t[]){64}, 1, false);
    }
}

static void the_head_holds_what_no_node_says(void **unused) {
    (void)unused;
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    int64_t eos[] = {3, 7};
    s.eos_tokens = eos;
    s.n_eos_tokens = 2;
    s.has_hash_seed = true;
    s.hash_seed = -4;
    s.compile.name = "null"; /* quoted, it is a text */
    s.compile.text = TEXT_SENTENCEPIECE;
    s.compile.sentencepiece = "a \"b\": #c.model";
    s.compile.decode = DECODE_HUGGINGFACE;
    s.expect.has_workspace = s.expect.has_flops = true;
    s.expect.workspace = 12345678;
    s.expect.flops_per_token = 1.5e9;
    s.expect.flops_strict = true;
    assert_read_back(&s, (int64_t[]){64}, 1, false);
    sbuf_t text = {0};
    print_spec(&s, (int64_t[]){64}, 1, false, &text);
    reading_t r = read_text(text.data, text.size, NULL, 0);
    assert_string_equal(r.m.spec->compile.name, "null");
    assert_string_equal(r.m.spec->compile.sentencepiece, "a \"b\": #c.model");
    assert_int_equal(r.m.spec->eos_tokens[1], 7);
    assert_int_equal(r.m.spec->hash_seed, -4);
    assert_true(r.m.spec->expect.flops_per_token == 1.5e9 && r.m.spec->expect.flops_strict);
    done(&r);
    sbuf_free(&text);
}

static void settings_change_the_head_alone(void **unused) {
    (void)unused;
    static const struct {
        const char *key, *value, *message; /* NULL: it is taken */
    } rows[] = {
        {"compile.batch_size", "3", NULL},
        {"eos_token_id", "5", NULL},
        {"hidden_size", "64", "--set hidden_size: error: the nodes of a graph say 'hidden_size'"},
        {"num_hashes", "4", "the nodes of a graph say 'num_hashes'"},
        {"train.steps", "4", NULL},
        {"train.optimizer", "{type: sgd, betas: [0.1, 0.2]}",
         "'train.optimizer.betas' has no effect"},
        {"use_cache", "true", "'use_cache' is nothing that a graph asks for"},
        {"compile.text", "bytes", "'bytes' needs 258 tokens (id = byte + 2), the graph has"},
        {"compile.dtype", "int8", NULL},
        {"compile.dtype", "int4", "'compile.dtype' must be one of float32, bfloat16, int8, not"},
        {"extensions.layers.0.dtype", "int8", "the nodes of a graph say 'extensions.layers'"},
        {"hiden_size", "4", "unknown key 'hiden_size'"},
    };
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    sbuf_t text = {0};
    print_spec(&s, (int64_t[]){64}, 1, false, &text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setting_t set = {.key = rows[i].key, .value = rows[i].value};
        reading_t r = read_text(text.data, text.size, &set, 1);
        if (r.ok == (rows[i].message != NULL)) fail_msg("%s: %s", rows[i].key, r.told);
        if (rows[i].message) tells(&r, rows[i].message);
        else assert_true(r.m.spec->train.optimizer.lr == 0.001 && r.m.spec->train.batch_size == 8);
        done(&r);
    }
    sbuf_free(&text);
}

/* Replaces `from` in the text, once. */
static char *edit(arena_t *a, const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    if (!at) fail_msg("the text has no '%s'", from);
    return arena_printf(a, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

#define NORM                                                                                       \
    "layers.0.attention_norm = layer_norm(embeddings, "                                            \
    "encoder.layers.0.attention.layer_norm.weight, encoder.layers.0.attention.layer_norm.bias)"

static void edits_are_refused_at_their_line(void **unused) {
    (void)unused;
    static const struct {
        const char *from, *to, *message;
    } rows[] = {
        {"graph batch", "hidden_size: 8\ngraph batch", "the nodes of a graph say 'hidden_size'"},
        {"graph batch", "hiden: 8\ngraph batch", "unknown key 'hiden'"},
        {"graph batch", "compile: {bach: 1}\ngraph batch", "unknown key 'compile.bach'"},
        {"batch=2", "batch=0", "batch, length and units do not agree"},
        {"batch=2", "batch=2000000", "is"},
        {"padded=64", "padded=60", "batch, length and units do not agree"},
        {"padded=64", "padded=4611686018427387904", "the number is too large"},
        {NORM " eps=", NORM " eps=-", "eps is a number from 0 to 1"},
        {NORM " eps=1e-12", NORM " eps=2", "eps is a number from 0 to 1"},
        {NORM " eps=1e-12", NORM, "expected attribute 'eps='"},
        {NORM " eps=1e-12", NORM " eps=1e-12 chunk=8", "expected ':'"},
        {"trace=layers.0.y1", "trace=layers.0.y2", "something else is traced as layers.0.y2"},
        {"trace=layers.0.y1", "trace=logits", "something else is traced as logits"},
        {"trace=layers.0.y1", "trace=layers.1.mine",
         "layers.0.y1: what layer 0 shows is called layers.0.…, not layers.1.mine"},
        {"trace=layers.0.y1", "trace=layers.0", "what layer 0 shows is called layers.0.…"},
        {"trace=layers.1.buckets", "trace=my.buckets", "what layer 1 shows is called layers.1.…"},
        {"trace=embeddings", "trace=logit",
         "embeddings: what no layer shows is called embeddings or layers.…, not logit"},
        {"ids = pad_ids(input_ids)", "more = param() : f32[4]\nids = pad_ids(input_ids)",
         "nobody reads more"},
        {"ids = pad_ids(input_ids)", "9ids = pad_ids(input_ids)", "a name begins with a letter"},
        {"ids = pad_ids(input_ids)", "ids = pad_ids(attention_mask)",
         "input ids cannot be the caller's attention_mask"},
        {"mask = pad_mask(attention_mask)", "mask = pad_mask(_)", "attention_mask is missing"},
        {"loss = cross_entropy(logits, labels)", "loss = cross_entropy(logits, input_ids)",
         "input labels cannot be the caller's input_ids"},
        {"loss = cross_entropy", "loss_f32 = cross_entropy", "the graph has no loss of it"},
        {"loss = cross_entropy", "lost = cross_entropy", "nobody reads lost"},
        {"last_hidden_state = slice(hidden)", "z = slice(hidden)", "is not made above"},
        {"before=1", "before=1025", "before is a number from 0 to 1024"},
        {"chunk=8", "chunk=0", "chunk must be positive"},
        {"rounds=2", "rounds=300", "rounds"},
        {"pad_token=0", "pad_token=100000", "is none of the"},
        {"layers.1.rotations = param()", "layers.1.rotated = param()", "is not made above"},
    };
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    sbuf_t text = {0};
    print_spec(&s, (int64_t[]){64}, 1, false, &text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena_t *a = arena_new();
        char *edited = edit(a, text.data, rows[i].from, rows[i].to);
        reading_t r = read_text(edited, strlen(edited), NULL, 0);
        if (r.ok) fail_msg("accepted: %s", rows[i].to);
        tells(&r, rows[i].message);
        tells(&r, "m.graph:");
        done(&r);
        arena_free(a);
    }
    sbuf_free(&text);
}

/* Graphs of one file are one model. */
static void graphs_agree(void **unused) {
    (void)unused;
    spec_t s = small_spec(ARCH_CAUSAL_LM), wide = s;
    sbuf_t a = {0}, b = {0}, both = {0};
    wide.vocab_size += 2;
    print_spec(&s, (int64_t[]){64}, 1, false, &a);
    print_spec(&wide, (int64_t[]){64}, 1, false, &b);
    const char *second = strstr(b.data, "graph batch");
    sbuf_printf(&both, "%s%s", a.data, second);
    reading_t r = read_text(both.data, both.size, NULL, 0);
    assert_false(r.ok);
    tells(&r, "graphs stand by ascending length: 64 follows 64");
    tells(&r, "the number of tokens is");
    tells(&r, "has no such param");
    done(&r);
    sbuf_free(&a), sbuf_free(&b), sbuf_free(&both);
}

/* All that is wrong in one run: head, syntax and shapes. */
static void all_errors_are_told(void **unused) {
    (void)unused;
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    sbuf_t text = {0};
    print_spec(&s, (int64_t[]){64}, 1, false, &text);
    arena_t *a = arena_new();
    char *edited = edit(a, text.data, "graph batch", "hidden_size: 8\ngraph batch");
    edited = edit(a, edited, "mask = pad_mask(", "mask = pad_musk(");
    edited = edit(a, edited, NORM " eps=", NORM " eps=-");
    reading_t r = read_text(edited, strlen(edited), NULL, 0);
    tells(&r, "hidden_size");
    tells(&r, "did you mean 'pad_mask'?");
    tells(&r, "eps is a number from 0 to 1");
    assert_int_equal(diag_errors(r.diag), 3);
    done(&r);
    arena_free(a);
    sbuf_free(&text);
}

static void a_text_without_graphs_is_a_spec(void **unused) {
    (void)unused;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    loaded_model_t m;
    static const char spec[] = "hidden_size: 32\naxial_pos_embds_dim: [16, 16]\n";
    assert_true(model_parse(a, &m, "m.yaml", spec, sizeof spec - 1, NULL, 0, d));
    assert_true(!m.graphs && m.spec->hidden_size == 32 && !m.spec->of_graph);
    assert_false(model_parse(a, &m, "m.graph", spec, sizeof spec - 1, NULL, 0, d));
    assert_message(d, "the text holds no graph");
    diag_free(d);
    arena_free(a);
}

/* A step that follows from a forward is the one that is built of its spec. */
static void a_step_follows_from_the_forward(void **unused) {
    (void)unused;
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        s.compile.decode = dynamic ? DECODE_HUGGINGFACE : DECODE_CORRECTED;
        graph_options_t o = {.batch = 1, .length = 64};
        if (dynamic) o.units = (units_t){2, 8};
        graph_t *forward = graph_build(a, &s, &o, d);
        sbuf_t built = {0}, followed = {0};
        graph_print(graph_build_step(a, forward, 1, d), &built);
        graph_t *step = graph_step_of(a, forward, 1, d);
        if (!step) fail_msg("%s", messages(d));
        graph_print(step, &followed);
        assert_string_equal(built.data, followed.data);
        sbuf_free(&built), sbuf_free(&followed);
    }
    diag_free(d);
    arena_free(a);
}

static void not_every_forward_has_steps(void **unused) {
    (void)unused;
    static const struct {
        const char *from, *to, *why;
    } rows[] = {
        {"causal=1", "causal=0", "is not causal, or looks at later chunks"},
        {"after=0 causal=1", "after=1 causal=1", "is not causal, or looks at later chunks"},
        {"lsh_attention(layers.1.query_key, layers.1.value",
         "lsh_attention(layers.1.value, layers.1.query_key",
         "is sorted by the hashes of something else"},
    };
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    sbuf_t text = {0};
    print_spec(&s, (int64_t[]){64}, 1, false, &text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena_t *a = arena_new();
        const char *why = NULL, *edited = edit(a, text.data, rows[i].from, rows[i].to);
        reading_t r = read_text(edited, strlen(edited), NULL, 0);
        if (!r.ok) fail_msg("%s", r.told);
        assert_non_null(graph_step_fault(r.m.graphs[0], &why));
        assert_string_equal(why, rows[i].why);
        done(&r);
        arena_free(a);
    }
    sbuf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_is_read_back),
        cmocka_unit_test(the_head_holds_what_no_node_says),
        cmocka_unit_test(settings_change_the_head_alone),
        cmocka_unit_test(edits_are_refused_at_their_line),
        cmocka_unit_test(graphs_agree),
        cmocka_unit_test(all_errors_are_told),
        cmocka_unit_test(a_text_without_graphs_is_a_spec),
        cmocka_unit_test(a_step_follows_from_the_forward),
        cmocka_unit_test(not_every_forward_has_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
