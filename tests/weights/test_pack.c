/* The packed file: every arrangement element by element, the bytes a forward binds, and the way back. */
#include "model.h"

#include <math.h>

#include "support/bf16.h"
#include "support/sbuf.h"

/* ---- a layout by hand ---------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    pack_kind_t kind;
    int count;
    const char *source[2];
    int64_t heads;
    int64_t floats; /* of one stacked tensor, counted by hand */
} entry_t;

static const entry_t hand[] = {
    {"embed.word", PACK_ROWS, 1, {"embeddings.word_embeddings.weight"}, 0, 32},
    {"embed.axis0", PACK_ROWS, 1, {"embeddings.position_embeddings.weights.0"}, 0, 32},
    {"embed.axis1", PACK_ROWS, 1, {"embeddings.position_embeddings.weights.1"}, 0, 32},
    {"attention.norm.weight",
     PACK_ROWS,
     2,
     {"encoder.layers.1.attention.layer_norm.weight",
      "encoder.layers.3.attention.layer_norm.weight"},
     0,
     32},
    {"lsh.query_key",
     PACK_HEAD_PANELS,
     2,
     {"encoder.layers.1.attention.self_attention.query_key.weight",
      "encoder.layers.3.attention.self_attention.query_key.weight"},
     2,
     2 * 1 * 4 * 32},
    {"ff.in.weight",
     PACK_PANELS,
     1,
     {"encoder.layers.1.feed_forward.dense.dense.weight"},
     0,
     3 * 37 * 32},
    {"ff.in.bias", PACK_ROWS, 1, {"encoder.layers.1.feed_forward.dense.dense.bias"}, 0, 96},
    {"lsh.rotations",
     PACK_ROTATIONS,
     2,
     {"layers.1.rotations", "layers.3.rotations"},
     0,
     2 * 2 * 3 * 4},
    {"lm_head.weight", PACK_PANELS, 1, {"lm_head.decoder.weight"}, 0, 1 * 8 * 32},
    {"lm_head.bias", PACK_ROWS, 1, {"lm_head.bias"}, 0, 32},
    {"ff.in.weight.2", /* the same once more */
     PACK_COLUMNS,
     1,
     {"encoder.layers.1.feed_forward.dense.dense.weight"},
     0,
     2 * 70 * 32},
};
enum { N_HAND = sizeof hand / sizeof *hand };

static const param_t *param_named(const char *name, int *index) {
    for (int i = 0; i < N_PARAMS; i++)
        if (strcmp(model_params[i].name, name) == 0) return *index = i, &model_params[i];
    fail_msg("no param '%s'", name);
    return NULL;
}

static bool has_panels(const entry_t *e) {
    return e->kind == PACK_PANELS || e->kind == PACK_HEAD_PANELS || e->kind == PACK_COLUMNS;
}

/* What is summed over, of a row of a panel. */
static int64_t depth_of(const entry_t *e, const param_t *p) {
    return e->kind == PACK_COLUMNS ? p->shape[0] : p->shape[1];
}

/* With panels of bf16, or of f32. */
static layout_t *hand_layout(arena_t *a, bool bf16) {
    layout_t *l = ARENA_NEW(a, layout_t);
    l->entries = ARENA_ARRAY(a, layout_entry_t, N_HAND);
    l->n = N_HAND;
    l->fingerprint = UINT64_C(0xFEDCBA9876543210);
    int64_t at = REFORMER_WEIGHTS_HEADER;
    for (int i = 0; i < N_HAND; i++) {
        layout_entry_t *e = &l->entries[i];
        int index;
        const param_t *p = param_named(hand[i].source[0], &index);
        *e = (layout_entry_t){.name = hand[i].name,
                              .kind = hand[i].kind,
                              .count = hand[i].count,
                              .source = ARENA_ARRAY(a, const char *, 2),
                              .rank = p->rank,
                              .heads = hand[i].heads,
                              .offset = at,
                              .bytes = 4 * hand[i].floats * hand[i].count};
        memcpy(e->shape, p->shape, sizeof p->shape);
        if (bf16 && has_panels(&hand[i])) {
            int64_t depth = depth_of(&hand[i], p);
            e->type = G_BF16;
            e->bytes = 2 * hand[i].floats / depth * (depth + depth % 2) * hand[i].count;
        }
        int64_t by_hand = e->bytes;
        layout_shape_entry(e);
        assert_int_equal(e->bytes, by_hand);
        for (int j = 0; j < e->count; j++) e->source[j] = hand[i].source[j];
        e->again = ARENA_ARRAY(a, bool, 2);
        e->again[0] = hand[i].kind == PACK_COLUMNS;
        at = (at + e->bytes + 63) / 64 * 64;
    }
    l->data_end = at;
    return l;
}

/* ---- what must stand where: the definition in weights/layout.h, one element at a time ----------------------- */

/* The source element at packed float k of entry e, or -1 for padding. */
static int64_t source_of(const entry_t *e, const param_t *p, int64_t k) {
    const int64_t *s = p->shape;
    int64_t lane = k % 32, depth, row;
    switch (e->kind) {
    case PACK_ROWS: return k < param_elements(p) ? k : -1;
    case PACK_PANELS: /* [panel][in][32] */
        depth = k / 32 % s[1];
        row = k / 32 / s[1] * 32 + lane;
        return row < s[0] ? row * s[1] + depth : -1;
    case PACK_COLUMNS: /* [panel][out][32] */
        depth = k / 32 % s[0];
        row = k / 32 / s[0] * 32 + lane;
        return row < s[1] ? depth * s[1] + row : -1;
    case PACK_HEAD_PANELS: { /* [H][panel][in][32], here one panel per head */
        int64_t d = s[0] / e->heads, head = k / 32 / s[1];
        depth = k / 32 % s[1];
        return lane < d ? (head * d + lane) * s[1] + depth : -1;
    }
    case PACK_ROTATIONS: { /* [H][n][d][R] of [H, d, n, R] */
        int64_t r = k % s[3], d = k / s[3] % s[1], n = k / s[3] / s[1] % s[2];
        int64_t h = k / s[3] / s[1] / s[2];
        return ((h * s[1] + d) * s[2] + n) * s[3] + r;
    }
    }
    return -1;
}

typedef struct {
    model_t m;
    layout_t *l;
    store_t *s;
    unsigned char *file;
    size_t bytes;
} packed_t;

static packed_t pack_as(const file_t *f, bool bf16) {
    packed_t p;
    model_open(&p.m);
    p.l = hand_layout(p.m.arena, bf16);
    store_options_t o = {.path = f ? model_file(f) : "random:3"};
    p.s = store_load(&p.m.graph, &o, p.m.d);
    assert_non_null(p.s);
    p.file = weights_pack(p.l, p.s, &p.bytes, p.m.d);
    assert_non_null(p.file);
    return p;
}

static packed_t pack(const file_t *f) {
    return pack_as(f, false);
}

static void unpacked_close(packed_t *p) {
    free(p->file);
    store_free(p->s);
    model_close(&p->m);
}

/* The file on disk. */
static const char *written(const packed_t *p) {
    const char *path = temporary("packed.weights");
    write_bytes(path, p->file, p->bytes);
    return path;
}

static void every_element_in_place(void **state) {
    (void)state;
    packed_t p = pack(&(file_t){.prefix = true, .dtype = ST_BF16});
    for (int i = 0; i < N_HAND; i++)
        for (int c = 0; c < hand[i].count; c++) {
            int index = -1;
            const param_t *q = param_named(hand[i].source[c], &index);
            const float *x = (const float *)(void *)(p.file + p.l->entries[i].offset);
            x += c * hand[i].floats;
            for (int64_t k = 0; k < hand[i].floats; k++) {
                int64_t from = source_of(&hand[i], q, k);
                float want = from < 0 ? 0 : model_value(index, from);
                if (x[k] != want) fail_msg("%s[%d][%d]", hand[i].name, c, (int)k);
            }
        }
    unpacked_close(&p);
}

/* Where element k of panels of pairs stands in panels of floats; -1: behind an odd depth. */
static int64_t without_pairs(int64_t k, int64_t depth) {
    int64_t pairs = (depth + 1) / 2, panel = k / (64 * pairs), at = k % (64 * pairs);
    int64_t lane = at % 64 / 2, d = at / 64 * 2 + at % 2;
    return d < depth ? (panel * depth + d) * 32 + lane : -1;
}

/* Rounded, and two of K beside each other; the way back gives what was rounded. */
static void pairs_in_place(void **state) {
    (void)state;
    packed_t p = pack_as(NULL, true);
    store_options_t o = {.path = written(&p)};
    store_t *back = store_load(&p.m.graph, &o, p.m.d);
    assert_non_null(back);
    int64_t padding = 0;
    for (int i = 0; i < N_HAND; i++)
        for (int c = 0; c < hand[i].count && has_panels(&hand[i]); c++) {
            int index = -1;
            const param_t *q = param_named(hand[i].source[c], &index);
            const layout_entry_t *e = &p.l->entries[i];
            int64_t n = e->bytes / 2 / e->count, depth = depth_of(&hand[i], q);
            const uint16_t *x = (const uint16_t *)(void *)(p.file + e->offset) + c * n;
            const float *given = store_find(p.s, q->name)->data;
            for (int64_t k = 0; k < n; k++) {
                int64_t at = without_pairs(k, depth);
                int64_t from = at < 0 ? -1 : source_of(&hand[i], q, at);
                padding += at < 0;
                if (x[k] != (from < 0 ? 0 : bf16_bits(given[from])))
                    fail_msg("%s[%d][%d]", hand[i].name, c, (int)k);
            }
            for (int64_t k = 0; k < param_elements(q); k++)
                assert_true(store_find(back, q->name)->data[k] == bf16_round(given[k]));
        }
    assert_true(padding > 0);
    store_free(back);
    unpacked_close(&p);
}

/* Of both numbers of a pair: no float that a rounded one is part of is looked at. */
static void counts_what_is_not_finite(void **state) {
    (void)state;
    packed_t p = pack_as(NULL, true);
    float *w =
        (float *)(uintptr_t)store_find(p.s, "encoder.layers.1.feed_forward.dense.dense.weight")
            ->data;
    reformer_weights_header_t h;
    w[0] = 3.4e38F; /* rounded, it is infinite: in two arrangements */
    w[1] = NAN;
    free(p.file);
    p.file = weights_pack(p.l, p.s, &p.bytes, p.m.d);
    memcpy(&h, p.file, sizeof h);
    assert_int_equal(h.nonfinite, 4);
    unpacked_close(&p);
}

static void header_and_contents(void **state) {
    (void)state;
    packed_t p = pack(&(file_t){0});
    reformer_weights_header_t h;
    memcpy(&h, p.file, sizeof h);
    assert_memory_equal(h.magic, REFORMER_WEIGHTS_MAGIC, 8);
    assert_int_equal(h.version, REFORMER_WEIGHTS_VERSION);
    assert_int_equal(h.bytes, p.bytes);
    assert_int_equal(h.data_end, p.l->data_end);
    assert_true(h.fingerprint == p.l->fingerprint);
    assert_int_equal(h.nonfinite, 0);
    assert_int_equal(weights_packed_bytes(p.l), p.bytes);
    for (size_t i = sizeof h; i < REFORMER_WEIGHTS_HEADER; i++) assert_int_equal(p.file[i], 0);
    assert_int_equal((uintptr_t)p.file % 64, 0);
    sbuf_t contents = {0};
    sbuf_write(&contents, p.file + h.data_end, p.bytes - h.data_end);
    static const char *const lines[] = {
        "reformer weights 2, panels of 32\n",
        "\nembed.word rows f32 offset=4096 bytes=128 packed=1x32 shape=5x4\n"
        "  embeddings.word_embeddings.weight\nembed.axis0",
        "\nlsh.query_key head_panels f32 ",
        " shape=6x4 heads=2\n  encoder.layers.1.attention.self_attention.query_key.weight\n"
        "  encoder.layers.3.attention.self_attention.query_key.weight\n",
        "  lm_head.bias\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(contents.data, lines[i])) fail_msg("%s not in\n%s", lines[i], contents.data);
    sbuf_free(&contents);
    unpacked_close(&p);
}

/* The runtime takes what the packer writes. */
static void binds(void **state) {
    (void)state;
    packed_t p = pack(NULL);
    reformer_variant_t v = {.target = REFORMER_CPU_X86_64, .max_length = 1, .padded = 1, .rows = 1};
    if (!reformer_cpu_supports(v.target)) v.target = REFORMER_CPU_AARCH64;
    reformer_desc_t d = {.size = sizeof(reformer_desc_t),
                         .abi = REFORMER_ABI,
                         .sizes = REFORMER_SIZES,
                         .fingerprint = p.l->fingerprint,
                         .weights_bytes = weights_packed_bytes(p.l),
                         .n_variants = 1,
                         .variants = &v};
    reformer_model_t m;
    assert_int_equal(reformer_bind(&m, &d, p.file, p.bytes), REFORMER_OK);
    assert_int_equal(reformer_check_weights(&d, &m), REFORMER_OK);
    p.file[p.bytes - 1] ^= 1;
    assert_int_equal(reformer_check_weights(&d, &m), REFORMER_E_CHECKSUM);
    unpacked_close(&p);
}

static void same_weights_same_bytes(void **state) {
    (void)state;
    packed_t a = pack(&(file_t){0});
    packed_t b = pack(&(file_t){.prefix = true, .hf_axes = true, .dtype = ST_F64});
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.file, b.file, a.bytes);
    unpacked_close(&a);
    unpacked_close(&b);
}

/* A tensor that two entries read is there for both, though its memory may go. */
static void spent_weights_same_bytes(void **state) {
    (void)state;
    packed_t a = pack(&(file_t){0}), b = pack(&(file_t){0});
    a.l->entries[0].source[0] = b.l->entries[0].source[0] = hand[1].source[0];
    memcpy(a.l->entries[0].shape, a.l->entries[1].shape, sizeof a.l->entries[0].shape);
    memcpy(b.l->entries[0].shape, a.l->entries[1].shape, sizeof a.l->entries[0].shape);
    a.l->entries[0].rank = b.l->entries[0].rank = a.l->entries[1].rank;
    free(a.file);
    free(b.file);
    a.file = weights_pack(a.l, a.s, &a.bytes, a.m.d);
    store_spend(b.s);
    b.file = weights_pack(b.l, b.s, &b.bytes, b.m.d);
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.file, b.file, a.bytes);
    unpacked_close(&a);
    unpacked_close(&b);
}

/* ---- and back --------------------------------------------------------------------------------------------- */

static void unpacks_to_hugging_face(void **state) {
    (void)state;
    packed_t p = pack(&(file_t){.prefix = true});
    const char *path = written(&p);
    st_file_t *f = st_open_weights(path, p.m.d);
    assert_non_null(f);
    assert_int_equal(st_count(f), N_PARAMS + 1); /* the bias under both names */
    const st_tensor_t *t = st_find(f, "reformer.embeddings.position_embeddings.weights.1");
    assert_non_null(t);
    assert_int_equal(t->rank, 3);
    assert_int_equal(t->shape[0], 1);
    assert_int_equal(t->shape[1], 2);
    assert_int_equal(t->shape[2], 3);
    t = st_find(f, "reformer.embeddings.position_embeddings.weights.0");
    assert_int_equal(t->shape[0], 3);
    assert_int_equal(t->shape[1], 1);
    assert_non_null(st_find(f, "lm_head.decoder.bias"));
    assert_non_null(st_find(f, "layers.3.rotations"));
    assert_null(st_find(f, "embeddings.word_embeddings.weight"));
    st_close(f);
    store_options_t o = {.path = path};
    store_t *again = store_load(&p.m.graph, &o, p.m.d);
    assert_non_null(again);
    assert_string_equal(messages(p.m.d), "");
    for (int i = 0; i < N_PARAMS; i++) {
        const tensor_t *a = store_find(p.s, model_params[i].name);
        const tensor_t *b = store_find(again, model_params[i].name);
        assert_memory_equal(a->data, b->data, (size_t)a->elements * sizeof(float));
    }
    size_t bytes;
    unsigned char *file = weights_pack(p.l, again, &bytes, p.m.d);
    assert_int_equal(bytes, p.bytes);
    assert_memory_equal(file, p.file, bytes);
    free(file);
    store_free(again);
    unpacked_close(&p);
}

/* Without a head there is no prefix; the table says it all, and no value is read for it. */
static void base_models_have_no_prefix(void **state) {
    (void)state;
    packed_t p = pack(NULL);
    p.l->n = 1;
    p.l->data_end = p.l->entries[1].offset;
    free(p.file);
    p.file = weights_pack(p.l, p.s, &p.bytes, p.m.d);
    st_file_t *f = st_open_names(written(&p), p.m.d);
    assert_non_null(f);
    assert_int_equal(st_count(f), 1);
    assert_string_equal(st_at(f, 0)->name, "embeddings.word_embeddings.weight");
    assert_null(st_at(f, 0)->data);
    st_close(f);
    unpacked_close(&p);
}

/* A file's types are those of its tensors: what was rounded comes back as it is, in as many bytes. */
static void types_come_back(void **state) {
    (void)state;
    packed_t p = pack_as(NULL, true);
    st_file_t *f = st_open_weights(written(&p), p.m.d);
    assert_non_null(f);
    const st_tensor_t *panels = st_find(f, "lm_head.decoder.weight"),
                      *rows = st_find(f, "lm_head.bias");
    assert_int_equal(panels->dtype, ST_BF16);
    assert_int_equal(panels->bytes, 2 * panels->elements);
    assert_int_equal(rows->dtype, ST_F32);
    const float *given = store_find(p.s, "lm_head.decoder.weight")->data;
    for (int64_t k = 0; k < panels->elements; k++) {
        uint16_t half;
        memcpy(&half, panels->data + 2 * k, sizeof half);
        assert_int_equal(half, bf16_bits(given[k]));
    }
    st_close(f);
    unpacked_close(&p);
}

static void refuses(const packed_t *p, size_t bytes, const char *says) {
    const char *path = temporary("wrong.weights");
    diag_t *d = diag_new();
    write_bytes(path, p->file, bytes);
    assert_null(packed_open(path, true, d));
    assert_says(d, "wrong.weights: error: ");
    assert_says(d, says);
    assert_null(st_open_weights(path, d));
    diag_free(d);
}

static void refuses_other_files(void **state) {
    (void)state;
    packed_t p = pack(&(file_t){0});
    static const struct {
        size_t at;
        const char *says;
    } cases[] = {
        {offsetof(reformer_weights_header_t, version), "of another version"},
        {offsetof(reformer_weights_header_t, bytes) + 7, "is truncated, or longer than"},
        {offsetof(reformer_weights_header_t, data_end) + 7, "its data end outside of it"},
        {offsetof(reformer_weights_header_t, checksum) + 3, "is damaged"},
        {REFORMER_WEIGHTS_HEADER + 12345, "is damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        p.file[cases[i].at] ^= 0x40;
        refuses(&p, p.bytes, cases[i].says);
        p.file[cases[i].at] ^= 0x40;
    }
    for (size_t n = 0; n < p.bytes; n += 999) refuses(&p, n, n < 72 ? "is trunc" : "truncated, or");
    assert_false(is_packed_file(temporary("nowhere")));
    unpacked_close(&p);
}

/* ---- tables of contents that nobody vouches for ------------------------------------------------------------ */

/* A file with another table, whose checksum is right. */
static const char *with_contents(const packed_t *p, const char *text, size_t bytes) {
    const char *path = temporary("forged.weights");
    reformer_weights_header_t h;
    memcpy(&h, p->file, sizeof h);
    size_t total = (size_t)h.data_end + bytes;
    unsigned char *file = malloc(total);
    assert_non_null(file);
    memcpy(file, p->file, (size_t)h.data_end);
    memcpy(file + h.data_end, text, bytes);
    h.bytes = total;
    h.checksum = reformer_checksum(file + REFORMER_WEIGHTS_HEADER, total - REFORMER_WEIGHTS_HEADER);
    memcpy(file, &h, sizeof h);
    write_bytes(path, file, total);
    free(file);
    return path;
}

static char *contents_of(const packed_t *p) {
    reformer_weights_header_t h;
    memcpy(&h, p->file, sizeof h);
    size_t n = p->bytes - (size_t)h.data_end;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memcpy(text, p->file + h.data_end, n);
    text[n] = 0;
    return text;
}

/* `from` becomes `to` in the table, once. */
static void refuses_table(const packed_t *p, const char *from, const char *to) {
    char *text = contents_of(p), *at = strstr(text, from);
    if (!at) fail_msg("no '%s' in the table", from);
    sbuf_t forged = {0};
    sbuf_printf(&forged, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    diag_t *d = diag_new();
    const char *path = with_contents(p, forged.data, forged.size);
    if (packed_open(path, true, d)) fail_msg("'%s' for '%s' was taken", to, from);
    assert_says(d, "is damaged: its table of contents is not one");
    assert_null(st_open_names(path, d));
    diag_free(d);
    sbuf_free(&forged);
    free(text);
}

static void refuses_wrong_tables(void **state) {
    (void)state;
    packed_t p = pack(NULL);
    static const char *const pairs[][2] = {
        {"offset=4096", "offset=4097"},
        {"offset=4096", "offset=64"},
        {"offset=4096", "offset=04096"},
        {"offset=4096", "offset=999999999999999999999"},
        {"offset=4096", "offset=1125899906842560"},
        {"bytes=128", "bytes=256"},
        {" rows f32", " row f32"},
        {" rows f32", " rows f64"},
        {" rows f32", " rows i8"},
        {" rows f32", " panels f32"},
        {"packed=1x32", "packed=1x64"},
        {"packed=1x32", "packed=1x32x1"},
        {"shape=5x4", "shape=0x4"},
        {"shape=5x4", "shape=5x7"},
        {"shape=5x4", "shape=5x"},
        {"shape=5x4", "shape=5x4 heads=2"},
        {"shape=5x4", "shape=1125899906842624x1125899906842624"},
        {" heads=2", " heads=4"},
        {" heads=2", ""},
        {"heads=2", "heads=0"},
        {"panels of 32", "panels of 16"},
        {"  embeddings.word_embeddings.weight\n", ""},
        {"  embeddings.word", "  two embeddings.word"},
        {"weights.1\n", "weights.7\n"},
        {"weights.1\n", "weights.x\n"},
        {"weights.1\n", "weights.01\n"},
        {"embed.axis0", "embed axis0"},
        {"embed.axis0", ""},
        {"  lm_head.bias\n", "  lm_head.bias"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        refuses_table(&p, pairs[i][0], pairs[i][1]);
    /* two tensors of one name, which are no two arrangements of one */
    refuses_table(&p, "encoder.layers.3.attention.layer_norm.weight",
                  "encoder.layers.1.attention.layer_norm.weight");
    refuses_table(&p, "  lm_head.bias\n", "  embeddings.word_embeddings.weight\n");
    unpacked_close(&p);
}

/* Whatever happens to the table, opening gives an error or tensors. Memory errors are the sanitizers' to find. */
static void fuzzed_tables(void **state) {
    (void)state;
    packed_t p = pack_as(NULL, true);
    const char *n = getenv("REFORMERC_FUZZ");
    uint64_t seed = 20261130;
    int taken = 0;
    for (int i = 0; i < (n ? atoi(n) : 500); i++) {
        char *text = contents_of(&p);
        size_t bytes = strlen(text);
        for (int k = 0; k < 1 + i % 3; k++) {
            static const char letters[] = "0123456789x= \n.abfi8";
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            text[(seed >> 33) % bytes] = letters[(seed >> 20) % (sizeof letters - 1)];
        }
        diag_t *d = diag_new();
        st_file_t *f = st_open_weights(with_contents(&p, text, bytes), d);
        assert_true((f != NULL) == (diag_errors(d) == 0));
        taken += f != NULL; /* another name */
        st_close(f);
        diag_free(d);
        free(text);
    }
    assert_true(taken > 0);
    unpacked_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_in_place),
        cmocka_unit_test(pairs_in_place),
        cmocka_unit_test(counts_what_is_not_finite),
        cmocka_unit_test(header_and_contents),
        cmocka_unit_test(binds),
        cmocka_unit_test(same_weights_same_bytes),
        cmocka_unit_test(spent_weights_same_bytes),
        cmocka_unit_test(unpacks_to_hugging_face),
        cmocka_unit_test(base_models_have_no_prefix),
        cmocka_unit_test(types_come_back),
        cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(refuses_wrong_tables),
        cmocka_unit_test(fuzzed_tables),
    };
    return RUN_TESTS(tests);
}
