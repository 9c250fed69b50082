/* A small model made by hand: its params, its layout, and a file of weights to break. */
#ifndef REFORMERC_TESTS_WEIGHTS_MODEL_H
#define REFORMERC_TESTS_WEIGHTS_MODEL_H

#include "files.h"

typedef struct {
    const char *name;
    int rank;
    int64_t shape[4];
} param_t;

/* Head size 3 in 2 heads, so that no panel is full; four layers, of which the second and fourth hash. */
static const param_t model_params[] = {
    {"embeddings.word_embeddings.weight", 2, {5, 4}},
    {"embeddings.position_embeddings.weights.0", 2, {3, 1}},
    {"embeddings.position_embeddings.weights.1", 2, {2, 3}},
    {"encoder.layers.1.attention.layer_norm.weight", 1, {4}},
    {"encoder.layers.3.attention.layer_norm.weight", 1, {4}},
    {"encoder.layers.1.attention.self_attention.query_key.weight", 2, {6, 4}},
    {"encoder.layers.3.attention.self_attention.query_key.weight", 2, {6, 4}},
    {"encoder.layers.1.feed_forward.dense.dense.weight", 2, {70, 37}},
    {"encoder.layers.1.feed_forward.dense.dense.bias", 1, {70}},
    {"layers.1.rotations", 4, {2, 3, 2, 4}},
    {"layers.3.rotations", 4, {2, 3, 2, 4}},
    {"lm_head.decoder.weight", 2, {5, 8}},
    {"lm_head.bias", 1, {5}},
};
enum { N_PARAMS = sizeof model_params / sizeof *model_params };

static layer_kind_t model_layers[] = {LAYER_LOCAL, LAYER_LSH, LAYER_LOCAL, LAYER_LSH};

typedef struct {
    arena_t *arena;
    spec_t spec;
    graph_t graph;
    diag_t *d;
} model_t;

static inline void model_open(model_t *m) {
    *m = (model_t){.arena = arena_new(), .d = diag_new()};
    m->spec.n_layers = 4;
    m->spec.attn_layers = model_layers;
    m->spec.has_hash_seed = true;
    m->spec.hash_seed = 42;
    m->spec.initializer_range = 0.5;
    m->spec.axial_norm_std = 2;
    m->graph.arena = m->arena;
    m->graph.spec = &m->spec;
    m->graph.nodes = ARENA_ARRAY(m->arena, gnode_t *, N_PARAMS + 1);
    for (int i = 0; i < N_PARAMS; i++) {
        gnode_t *n = ARENA_NEW(m->arena, gnode_t);
        n->op = G_PARAM;
        n->name = model_params[i].name;
        n->rank = model_params[i].rank;
        for (int j = 0; j < n->rank; j++) n->shape[j] = dim(model_params[i].shape[j]);
        m->graph.nodes[i] = n;
    }
    m->graph.nodes[N_PARAMS] = ARENA_NEW(m->arena, gnode_t);
    m->graph.nodes[N_PARAMS]->op = G_ADD; /* is no param, has no weights */
    m->graph.nodes[N_PARAMS]->name = "sum";
    m->graph.n_nodes = N_PARAMS + 1;
}

static inline void model_close(model_t *m) {
    diag_free(m->d);
    arena_free(m->arena);
}

static inline int64_t param_elements(const param_t *p) {
    int64_t n = 1;
    for (int i = 0; i < p->rank; i++) n *= p->shape[i];
    return n;
}

/* Value i of param p: different everywhere, exact in bfloat16 and float16. */
static inline float model_value(int p, int64_t i) {
    return (float)((p * 31 + i * 7) % 127) / 64.0f - 0.75f;
}

/* How a test's file differs from a good one. */
typedef struct {
    bool prefix, decoder_bias, no_bias, hf_axes, buffers, no_rotations;
    int skip;             /* 1 + param to leave out */
    int reshape;          /* 1 + param to write with its dimensions reversed */
    int poison;           /* 1 + param with a bad value at element 3 */
    float value;          /* the bad value */
    float other_bias;     /* added to lm_head.decoder.bias */
    st_dtype_t dtype;     /* of all tensors: ST_F32, ST_BF16, ST_F64; 0: F32 */
    const char *extra[2]; /* tensors that nobody asked for */
} file_t;

static inline void add_values(st_writer_t *w, const char *name, st_dtype_t t, int rank,
                              const int64_t *shape, const float *x, int64_t n) {
    void *to = st_writer_space(w, name, t, rank, shape);
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        uint16_t high = (uint16_t)(bits >> 16);
        double wide = (double)x[i];
        if (t == ST_BF16) memcpy((char *)to + 2 * i, &high, 2);
        else if (t == ST_F64) memcpy((char *)to + 8 * i, &wide, 8);
        else if (t == ST_F32) memcpy((char *)to + 4 * i, x + i, 4);
        else memset((char *)to + i, 1, 1);
    }
}

static inline void add_param(st_writer_t *w, const file_t *f, int p) {
    const param_t *q = &model_params[p];
    int64_t n = param_elements(q), shape[8];
    int rank = q->rank;
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = model_value(p, i);
    if (f->poison == p + 1) x[3 % n] = f->value;
    memcpy(shape, q->shape, sizeof q->shape);
    if (f->reshape == p + 1)
        for (int i = 0; i < rank; i++) shape[i] = q->shape[rank - 1 - i];
    if (f->hf_axes && strstr(q->name, "weights.0"))
        shape[0] = 3, shape[1] = 1, shape[2] = 1, rank = 3;
    if (f->hf_axes && strstr(q->name, "weights.1"))
        shape[0] = 1, shape[1] = 2, shape[2] = 3, rank = 3;
    st_dtype_t t = f->dtype ? f->dtype : ST_F32;
    char name[200];
    bool inner = q->name[0] == 'e';
    snprintf(name, sizeof name, "%s%s", f->prefix && inner ? "reformer." : "", q->name);
    bool bias = strcmp(q->name, "lm_head.bias") == 0;
    if (!bias || !f->no_bias) add_values(w, name, t, rank, shape, x, n);
    for (int64_t i = 0; i < n; i++) x[i] += f->other_bias;
    if (bias && f->decoder_bias) add_values(w, "lm_head.decoder.bias", t, rank, shape, x, n);
    free(x);
}

static inline const char *model_file(const file_t *f) {
    st_writer_t *w = st_writer_new();
    for (int p = 0; p < N_PARAMS; p++) {
        if (f->skip == p + 1) continue;
        if (f->no_rotations && strstr(model_params[p].name, "rotations")) continue;
        add_param(w, f, p);
    }
    static const float mask = -1e9f;
    if (f->buffers) {
        st_writer_add(w, "reformer.encoder.layers.1.attention.self_attention.mask_value_float32",
                      ST_F32, 0, NULL, &mask);
        st_writer_add(w, "encoder.layers.1.attention.self_attention.self_mask_value_float16",
                      ST_F32, 0, NULL, &mask);
    }
    for (int i = 0; i < 2; i++)
        if (f->extra[i]) st_writer_add(w, f->extra[i], ST_F32, 0, NULL, &mask);
    const char *path = temporary("model.safetensors");
    diag_t *d = diag_new();
    assert_true(st_writer_save(w, path, d));
    diag_free(d);
    st_writer_free(w);
    return path;
}

#endif
