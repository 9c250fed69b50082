/* What the tests of graph/ share: a small spec made by hand, weights drawn from a formula, and
 * the text of the messages in a diag_t. */
#ifndef REFORMERC_TESTS_GRAPH_SMALL_H
#define REFORMERC_TESTS_GRAPH_SMALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/evaluate.h"
#include "support/hash.h"

static layer_kind_t small_layers[] = {LAYER_LOCAL, LAYER_LSH};

/* local, lsh; chunks of 8; 64 positions as 8 x 8; hidden 16 = 2 heads x 8; 12 words; 2 rounds, 4
 * buckets */
static inline spec_t small_spec(arch_t architecture) {
    return (spec_t){
        .path = "small.yaml",
        .architecture = architecture,
        .attention_head_size = 8,
        .hidden_size = 16,
        .num_attention_heads = 2,
        .feed_forward_size = 20,
        .vocab_size = 12,
        .max_position_embeddings = 64,
        .n_layers = 2,
        .attn_layers = small_layers,
        .axial_pos_embds = true,
        .n_axial = 2,
        .axial_pos_shape = {8, 8},
        .axial_pos_embds_dim = {4, 12},
        .layer_norm_eps = 1e-12,
        .hidden_act = ACT_RELU,
        .is_decoder = architecture == ARCH_CAUSAL_LM,
        .local_attn_chunk_length = 8,
        .local_num_chunks_before = 1,
        .lsh_attn_chunk_length = 8,
        .lsh_num_chunks_before = 1,
        .n_bucket_factors = 1,
        .num_buckets = {4},
        .num_hashes = 2,
        .num_labels = 2,
    };
}

/* ---- messages ------------------------------------------------------------------------------ */

static inline char *messages(diag_t *d) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    diag_print(d, f);
    fclose(f);
    return text;
}

static inline void assert_message(diag_t *d, const char *part) {
    char *text = messages(d);
    if (!strstr(text, part)) fail_msg("\"%s\" is not in:\n%s", part, text);
    free(text);
}

/* ---- weights ------------------------------------------------------------------------------- */

/* A value for every name: numbers in -0.5 … 0.5 from a hash of name and index; layer-norm
 * weights the same plus 1. Made on demand, kept in the arena. */
typedef struct {
    const graph_t *g;
    arena_t *a;
    const char *names[256];
    const float *data[256];
    int n;
} weights_t;

static inline const float *small_weights(void *ctx, const char *name) {
    weights_t *w = ctx;
    for (int i = 0; i < w->n; i++)
        if (strcmp(w->names[i], name) == 0) return w->data[i];
    const gnode_t *p = graph_find(w->g, name);
    assert_non_null(p);
    int64_t n = 1;
    for (int i = 0; i < p->rank; i++) n *= p->shape[i].c;
    float *data = ARENA_ARRAY(w->a, float, n);
    uint64_t h = hash64(HASH64_INIT, name, strlen(name));
    for (int64_t i = 0; i < n; i++) {
        h = h * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        data[i] = (float)(h >> 40) / (float)(1 << 24) - 0.5F;
        if (strstr(name, "norm.weight")) data[i] += 1;
    }
    assert_true(w->n < 256);
    w->names[w->n] = name;
    w->data[w->n++] = data;
    return data;
}

#endif
