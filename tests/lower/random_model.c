#include "random_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- a small generator of its own, so that seeds mean the same everywhere ---------------------------- */

static uint64_t rng;

uint32_t draw(uint32_t n) {
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng >> 33) % n);
}

void draw_begin(uint64_t seed, int index) {
    rng = seed * 1000003 + (uint64_t)index;
    for (int i = 0; i < 8; i++) draw(2);
}

int64_t draw_one(const int64_t *from, size_t n) {
    return from[draw((uint32_t)n)];
}

int64_t min_common_multiple(int64_t a, int64_t b) {
    int64_t x = a, y = b;
    while (y) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

/* ---- parts of a spec --------------------------------------------------------------------------------- */

enum { MAX_RANDOM_LAYERS = 16 };
static bool is_lsh[MAX_RANDOM_LAYERS];
static int n_layers;

int random_layers(sbuf_t *s, int n) {
    int hashed = 0;
    n_layers = n;
    sbuf_puts(s, "attn_layers: [");
    for (int i = 0; i < n; i++) {
        bool lsh = is_lsh[i] = draw(2);
        hashed += lsh;
        sbuf_printf(s, "%s%s", i ? ", " : "", lsh ? "lsh" : "local");
    }
    sbuf_puts(s, "]\n");
    return hashed;
}

/* Arguments are evaluated in no order that is the same everywhere: draws stand in statements of their own. */
void random_chunks(sbuf_t *s, bool causal, int64_t local, int64_t lsh) {
    uint32_t local_before = draw(4), lsh_before = draw(4);
    uint32_t local_after = causal ? 0 : draw(3), lsh_after = causal ? 0 : draw(3);
    sbuf_printf(s, "local_attn_chunk_length: %lld\nlsh_attn_chunk_length: %lld\n", (long long)local,
                (long long)lsh);
    sbuf_printf(s, "local_num_chunks_before: %u\nlsh_num_chunks_before: %u\n", local_before,
                lsh_before);
    sbuf_printf(s, "local_num_chunks_after: %u\nlsh_num_chunks_after: %u\n", local_after,
                lsh_after);
}

void random_positions(sbuf_t *s, int64_t hidden, int64_t longest) {
    int64_t a = 1 + draw(9), b = 1 + draw(6);
    sbuf_printf(s, "hidden_size: %lld\nmax_position_embeddings: %lld\n", (long long)hidden,
                (long long)(longest + draw(20)));
    if (draw(4) == 0) {
        sbuf_puts(s, "axial_pos_embds: false\n");
    } else if (draw(3) == 0) {
        int64_t c = (longest + a * b - 1) / (a * b);
        sbuf_printf(s, "axial_pos_shape: [%lld, %lld, %lld]\naxial_pos_embds_dim: [3, 2, %lld]\n",
                    (long long)a, (long long)b, (long long)c, (long long)(hidden - 5));
    } else {
        int64_t c = (longest + a - 1) / a;
        sbuf_printf(s, "axial_pos_shape: [%lld, %lld]\naxial_pos_embds_dim: [5, %lld]\n",
                    (long long)a, (long long)c, (long long)(hidden - 5));
    }
}

static const char *any_buckets(void) {
    static const char *const choices[] = {"2",      "4",         "6",    "10",  "[2, 4]",
                                          "[4, 6]", "[2, 2, 4]", "[34]", "null"};
    return choices[draw(9)];
}

void random_buckets(sbuf_t *s) {
    const char *buckets = any_buckets();
    uint32_t rounds = 1 + draw(4), seed = draw(1000);
    sbuf_printf(s, "num_buckets: %s\nnum_hashes: %u\nhash_seed: %u\n", buckets, rounds, seed);
}

void random_widths(sbuf_t *s) {
    uint32_t heads = 1 + draw(4);
    int64_t size = PICK(4, 7, 16, 20, 33), ff = PICK(8, 30, 64);
    sbuf_printf(s, "num_attention_heads: %u\nattention_head_size: %lld\nfeed_forward_size: %lld\n",
                heads, (long long)size, (long long)ff);
}

void random_norms(sbuf_t *s, const char *initializer_range) {
    act_t act = (act_t)draw(ACT_COUNT);
    sbuf_printf(s, "hidden_act: %s\ninitializer_range: %s\n", act_name(act), initializer_range);
    sbuf_printf(s, "layer_norm_eps: 1e-12\npad_token_id: %u\n", draw(5));
}

static int64_t any_divisor(int64_t n) {
    for (;;) {
        int64_t d = 1 + draw((uint32_t)n);
        if (n % d == 0) return d;
    }
}

/* A key in three is the layer's own. */
static void own_attention(sbuf_t *s, const char *kind, bool lsh, bool causal, int64_t unit) {
    int64_t chunk = any_divisor(unit), size = PICK(4, 7, 16, 20);
    uint32_t heads = 1 + draw(4), before = draw(3), after = causal ? 0 : draw(3),
             rounds = 1 + draw(4);
    const char *buckets = any_buckets();
    if (draw(3) == 0) sbuf_printf(s, "num_attention_heads: %u, ", heads);
    if (draw(3) == 0) sbuf_printf(s, "attention_head_size: %lld, ", (long long)size);
    if (draw(3) == 0) sbuf_printf(s, "%s_attn_chunk_length: %lld, ", kind, (long long)chunk);
    if (draw(3) == 0) sbuf_printf(s, "%s_num_chunks_before: %u, ", kind, before);
    if (draw(3) == 0) sbuf_printf(s, "%s_num_chunks_after: %u, ", kind, after);
    if (lsh && draw(2)) sbuf_printf(s, "num_hashes: %u, ", rounds);
    if (lsh && draw(3) == 0) sbuf_printf(s, "num_buckets: %s, ", buckets);
}

static void own_layer(sbuf_t *s, int layer, bool causal, int64_t unit, bool attention) {
    bool lsh = is_lsh[layer];
    act_t act = (act_t)draw(ACT_COUNT);
    int64_t inner = PICK(8, 30, 50);
    if (draw(3) == 0) {
        sbuf_puts(s, "null");
        return;
    }
    sbuf_puts(s, "{");
    if (attention) own_attention(s, lsh ? "lsh" : "local", lsh, causal, unit);
    if (draw(2)) sbuf_printf(s, "hidden_act: %s, ", act_name(act));
    if (draw(2)) sbuf_printf(s, "feed_forward_size: %lld", (long long)inner);
    sbuf_puts(s, "}");
}

void random_extensions(sbuf_t *s, bool causal, int64_t unit, bool attention) {
    bool gate = draw(2), rms = draw(2), own = draw(3);
    if (draw(3) == 0) return;
    sbuf_printf(s, "extensions: {feed_forward_gate: %s, norm: %s, layers: [",
                gate ? "true" : "false", rms ? "rms" : "layer");
    for (int i = 0; own && i < n_layers; i++) {
        own_layer(s, i, causal, unit, attention);
        sbuf_puts(s, i + 1 < n_layers ? ", " : "");
    }
    sbuf_puts(s, "]}\n");
}

static bool has_use_for(dtype_t dtype, int t) {
    bool dots =
        (dtype == DTYPE_BFLOAT16 && targets[t].dot2) || (dtype == DTYPE_INT8 && targets[t].dot4);
    return dots && reformer_cpu_supports(t);
}

const target_t *random_target(dtype_t dtype) {
    int best = T_X86_64;
    while (best < T_X86_64_V4 && reformer_cpu_supports(best + 1)) best++;
    int n = best + 1;
    for (int t = T_LEVELS; t < T_COUNT; t++) n += has_use_for(dtype, t);
    int which = (int)draw((uint32_t)n); /* beyond the best level: of those with a use */
    int t = which <= best ? which : T_LEVELS - 1;
    while (which > best) which -= has_use_for(dtype, ++t);
    return &targets[t];
}

/* ---- back ends, and the program ------------------------------------------------------------------------ */

bool others_parse(const char *text, others_t *o) {
    diag_t *d = diag_new();
    bool ok = true;
    char name[32];
    for (const char *p = text; ok && *p; p += strcspn(p, ","), p += *p == ',') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, ","), p);
        ok = o->n < MAX_BACKENDS && backend_parse(name, "the test", &o->backend[o->n++], d);
    }
    diag_print(d, stderr);
    diag_free(d);
    return ok && o->n > 0;
}

int run_models(int argc, char **argv, bool (*run)(int index, uint64_t seed, const others_t *o)) {
    others_t o = {.cc = argc > 4 ? argv[4] : NULL};
    if (argc < 4 || !others_parse(argv[1], &o)) {
        fprintf(stderr, "usage: %s BACKEND[,BACKEND] COUNT|=INDEX SEED|fresh [CC]\n", argv[0]);
        return 2;
    }
    bool one = argv[2][0] == '=';
    int first = one ? atoi(argv[2] + 1) : 0, count = one ? 1 : atoi(argv[2]), failed = 0;
    bool fresh = strcmp(argv[3], "fresh") == 0;
    uint64_t seed = fresh ? (uint64_t)time(NULL) : strtoull(argv[3], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = first; i < first + count; i++) failed += !run(i, seed, &o);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed > 0;
}
