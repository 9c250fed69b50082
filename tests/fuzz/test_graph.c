/* The short form of fuzz_graph for every build: graphs of small specs of every head, mutated by a seeded generator. Many
 * mutations keep to lines and words of the format, so that a good part of what they make is read, and of that a part is
 * a model. REFORMERC_FUZZ=N makes N mutations of each instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph_input.h"
#include "mutate.h"

enum { MAX_INPUTS = 16, ROUNDS = 150 };

static input_case_t inputs[MAX_INPUTS];
static int n_inputs;

/* ---- what is mutated ------------------------------------------------------------------------------- */

static const char model[] = "attn_layers: [local, lsh]\n"
                            "hidden_size: 16\nnum_attention_heads: 2\nattention_head_size: 8\n"
                            "feed_forward_size: 20\nvocab_size: 20\nnum_buckets: 4\nnum_hashes: 2\n"
                            "axial_pos_shape: [4, 8]\naxial_pos_embds_dim: [4, 12]\n"
                            "max_position_embeddings: 32\n"
                            "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 8\n";

static void add_input(const char *lines) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    loaded_model_t m;
    const char *text = arena_printf(a, "%s%s", model, lines);
    assert_true(model_parse(a, &m, "m.yaml", text, strlen(text), NULL, 0, d));
    assert_true(model_resolve(a, &m, false, false, false, d));
    plan_options_t o = {.name = "m", .n_targets = 1, .targets = {&targets[T_X86_64]}};
    plan_t *p = plan_of_model(a, &m, &o, d);
    assert_non_null(p);
    graph_t *graphs[MAX_GRAPHS];
    for (int i = 0; i < p->n_variants; i++) graphs[i] = p->variants[i].graph;
    sbuf_t printed = {0};
    model_print(p->spec, graphs, p->n_variants, &printed);
    inputs[n_inputs++] = (input_case_t){printed.data, printed.size};
    diag_free(d);
    arena_free(a);
}

static void make_inputs(void) {
    static const char *const heads[] = {"architectures: [ReformerModel]\n", "is_decoder: true\n",
                                        "architectures: [ReformerForMaskedLM]\n",
                                        "architectures: [ReformerForSequenceClassification]\n",
                                        "architectures: [ReformerForQuestionAnswering]\n"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        add_input(heads[i]);
        char text[256];
        snprintf(text, sizeof text, "%scompile: {sequence_length: dynamic}\n", heads[i]);
        add_input(text);
    }
}

/* ---- mutations ------------------------------------------------------------------------------------- */

static const char *const pieces[] = {
    "\n",
    " ",
    "_",
    "0",
    "1",
    "2",
    "7",
    "8",
    "16",
    "20",
    "32",
    "64",
    "1073741824",
    "8*U",
    "4+8*U",
    "none",
    "2x4",
    "=",
    ", ",
    "(",
    ")",
    "[",
    "]",
    " : f32[",
    " : i32[",
    "act=gelu",
    "act=tanh",
    "add(",
    "dense(",
    "concat(",
    "slice(",
    "activation(",
    "eps=1e-05",
    "causal=1",
    "causal=0",
    "chunk=",
    "before=",
    "layer=0",
    " layer=1",
    " trace=x",
    "#",
    "\xff",
    "-",
    "param()",
    "input()",
    "batch=3",
    "shorter=absent",
    "units=1..9",
    "length=",
    "logits",
    "loss",
    "y1",
    "embeddings",
    "mask",
    "\0",
};

/* A word of the format around `at`: letters, digits, '_' and '.'. */
static size_t word_at(const sbuf_t *s, size_t *at) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    size_t n = 0;
    while (*at > 0 && s->data[*at - 1] && strchr(letters, s->data[*at - 1])) --*at;
    while (*at + n < s->size && s->data[*at + n] && strchr(letters, s->data[*at + n])) n++;
    return n;
}

static size_t line_at(const sbuf_t *s, size_t *at) {
    size_t n = 0;
    while (*at > 0 && s->data[*at - 1] != '\n') --*at;
    while (*at + n < s->size && s->data[*at + n] != '\n') n++;
    return n + (*at + n < s->size);
}

/* A word is written over by another of the text; a number by another number. */
static void swap_words(sbuf_t *s) {
    size_t at = draw(s->size), from = draw(s->size);
    size_t n = word_at(s, &at), m = word_at(s, &from);
    char *copy = malloc(m + 1);
    assert_non_null(copy);
    memcpy(copy, s->data + from, m);
    if (n && m) replace_range(s, at, n, copy, m);
    free(copy);
}

static void swap_lines(sbuf_t *s) {
    size_t at = draw(s->size), from = draw(s->size);
    size_t n = line_at(s, &at), m = line_at(s, &from);
    char *copy = malloc(m + 1);
    assert_non_null(copy);
    memcpy(copy, s->data + from, m);
    replace_range(s, at, draw(2) ? n : 0, copy, m);
    free(copy);
}

/* A digit becomes another: sizes, attributes, layers. */
static void change_digit(sbuf_t *s) {
    size_t at = draw(s->size);
    while (at < s->size && (s->data[at] < '0' || s->data[at] > '9')) at++;
    if (at < s->size) s->data[at] = (char)('0' + draw(10));
}

static void mutate(sbuf_t *s) {
    if (s->size == 0) return;
    size_t at = draw(s->size);
    switch (draw(7)) {
    case 0: swap_words(s); break;
    case 1: swap_words(s); break;
    case 2: swap_lines(s); break;
    case 3: change_digit(s); break;
    case 4: {
        size_t n = line_at(s, &at);
        replace_range(s, at, n, "", 0);
        break;
    }
    case 5: {
        const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
        size_t n = draw(2) ? word_at(s, &at) : 0;
        replace_range(s, at, n, piece, *piece ? strlen(piece) : 1);
        break;
    }
    default:
        if (draw(4)) s->data[at] = (char)draw(256);
        else replace_range(s, at, s->size - at, "", 0);
    }
}

static int rounds(void) {
    const char *n = getenv("REFORMERC_FUZZ");
    return n ? atoi(n) : ROUNDS;
}

static void test_mutations(void **unused) {
    (void)unused;
    state = 20261129;
    make_inputs();
    int accepted = 0, lowered = 0, refused = 0, n = rounds();
    if (getenv("REFORMERC_FUZZ_SEED"))
        state = strtoull(getenv("REFORMERC_FUZZ_SEED"), NULL, 10) | 1;
    for (int round = 0; round < n; round++)
        for (int i = 0; i < n_inputs; i++) {
            sbuf_t s = {0};
            sbuf_write(&s, inputs[i].text, inputs[i].bytes);
            for (uint64_t k = 1 + draw(3); k > 0; k--) mutate(&s);
            char *exact = malloc(s.size + 1); /* so that a read behind the NUL is seen */
            assert_non_null(exact);
            memcpy(exact, s.data ? s.data : "", s.size);
            exact[s.size] = 0;
            fate_t fate = graph_one_input(exact, s.size);
            accepted += fate.accepted;
            lowered += fate.lowered;
            refused += !fate.accepted;
            free(exact);
            sbuf_free(&s);
        }
    print_message("%d refused, %d models, %d of them compiled\n", refused, accepted, lowered);
    /* All must be exercised, or the mutations are no test. */
    assert_true(refused > n && accepted > n / 4 && lowered > n / 8);
    for (int i = 0; i < n_inputs; i++) free(inputs[i].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
