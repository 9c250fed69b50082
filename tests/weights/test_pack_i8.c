/* Matrices of integers in the packed file: every byte of their arrays, and the way back. */
#include "model.h"

#include <math.h>

/* By hand, with what stands between them: places count from the header's end. */
static const struct {
    const char *name;
    pack_kind_t kind;
    gtype_t type;
    int count;
    const char *source[2];
    int64_t heads, rows;
    int64_t at, bytes, scales, starts;
} hand[] = {
    {"embed.word", PACK_ROWS, G_I8, 1, {"embeddings.word_embeddings.weight"}, 0, 32, 0, 64, 64, 0},
    {"norm",
     PACK_ROWS,
     G_F32,
     1,
     {"encoder.layers.1.attention.layer_norm.weight"},
     0,
     0,
     192,
     128,
     0,
     0},
    {"query_key",
     PACK_HEAD_PANELS,
     G_I8,
     2,
     {"encoder.layers.1.attention.self_attention.query_key.weight",
      "encoder.layers.3.attention.self_attention.query_key.weight"},
     2,
     64,
     320,
     2 * 2 * 32 * 4,
     832,
     1344},
    /* 70 rows in 3 panels, 37 columns in 10 fours */
    {"dense",
     PACK_PANELS,
     G_I8,
     1,
     {"encoder.layers.1.feed_forward.dense.dense.weight"},
     0,
     96,
     1856,
     3 * 10 * 32 * 4,
     5696,
     6080},
};
enum { N_HAND = sizeof hand / sizeof *hand, DATA = 6464 };

static layout_t *hand_layout(arena_t *a) {
    layout_t *l = ARENA_NEW(a, layout_t);
    const int64_t base = REFORMER_WEIGHTS_HEADER;
    l->entries = ARENA_ARRAY(a, layout_entry_t, N_HAND);
    l->n = N_HAND;
    l->fingerprint = 5;
    l->data_end = base + DATA;
    for (int i = 0; i < N_HAND; i++) {
        const param_t *p = model_params;
        while (strcmp(p->name, hand[i].source[0]) != 0) p++;
        layout_entry_t *e = &l->entries[i];
        *e = (layout_entry_t){.name = hand[i].name,
                              .kind = hand[i].kind,
                              .count = hand[i].count,
                              .source = ARENA_ARRAY(a, const char *, 2),
                              .rank = p->rank,
                              .heads = hand[i].heads,
                              .type = hand[i].type,
                              .packed_rank = 1,
                              .packed = {hand[i].bytes},
                              .offset = base + hand[i].at,
                              .bytes = hand[i].bytes,
                              .rows = hand[i].rows,
                              .scales_at = hand[i].scales ? base + hand[i].scales : 0,
                              .starts_at = hand[i].starts ? base + hand[i].starts : 0};
        memcpy(e->shape, p->shape, sizeof p->shape);
        for (int j = 0; j < e->count; j++) e->source[j] = hand[i].source[j];
    }
    return l;
}

typedef struct {
    model_t m;
    layout_t *l;
    store_t *s;
    unsigned char *file;
    size_t bytes;
} packed_t;

static void repack(packed_t *p) {
    free(p->file);
    p->file = weights_pack(p->l, p->s, &p->bytes, p->m.d);
    assert_non_null(p->file);
}

static packed_t pack(void) {
    packed_t p = {0};
    model_open(&p.m);
    p.l = hand_layout(p.m.arena);
    p.s = store_load(&p.m.graph, &(store_options_t){.path = "random:3"}, p.m.d);
    assert_non_null(p.s);
    repack(&p);
    return p;
}

static void done(packed_t *p) {
    free(p->file);
    store_free(p->s);
    model_close(&p->m);
}

static float *values_of(const packed_t *p, const char *name) {
    return (float *)(uintptr_t)store_find(p->s, name)->data;
}

/* The greatest magnitude over 127, and what an element is then. */
static float scale_of(const float *row, int64_t n) {
    float max = 0;
    for (int64_t k = 0; k < n; k++) max = fmaxf(max, fabsf(row[k]));
    return max / 127;
}

static int q_of(const float *row, int64_t n, int64_t k) {
    float max = 0;
    for (int64_t j = 0; j < n; j++) max = fmaxf(max, fabsf(row[j]));
    return max > 0 ? (int)nearbyintf(row[k] * (127 / max)) : 0;
}

/* What the arrays of an entry are to hold, row by row. */
static void expect(unsigned char *file, int i, int member, const float *x) {
    const int64_t *s = NULL;
    for (int k = 0; k < N_PARAMS; k++)
        if (strcmp(model_params[k].name, hand[i].source[member]) == 0) s = model_params[k].shape;
    int64_t fours = (s[1] + 3) / 4;
    for (int64_t o = 0; o < s[0]; o++, x += s[1]) {
        int64_t d = hand[i].heads ? s[0] / hand[i].heads : s[0];
        int64_t panel = o / d * ((d + 31) / 32) + o % d / 32, lane = o % d % 32;
        bool table = hand[i].kind == PACK_ROWS;
        int64_t own = member * hand[i].rows + (table ? o : panel * 32 + lane);
        unsigned char *to = file + hand[i].at + hand[i].bytes / hand[i].count * member;
        float scale = scale_of(x, s[1]);
        int32_t sum = 0;
        for (int64_t k = 0; k < s[1]; k++) {
            int q = q_of(x, s[1], k);
            to[table ? o * s[1] + k : panel * fours * 128 + k / 4 * 128 + lane * 4 + k % 4] =
                (unsigned char)(signed char)q;
            sum -= 128 * q;
        }
        memcpy(file + hand[i].scales + 4 * own, &scale, 4);
        if (!table) memcpy(file + hand[i].starts + 4 * own, &sum, 4);
    }
}

static void every_byte_in_place(void **state) {
    (void)state;
    packed_t p = pack();
    unsigned char want[DATA] = {0};
    for (int i = 0; i < N_HAND; i++)
        for (int j = 0; j < hand[i].count; j++) {
            const float *x = values_of(&p, hand[i].source[j]);
            if (hand[i].type == G_I8) expect(want, i, j, x);
            else memcpy(want + hand[i].at, x, 4 * sizeof *x);
        }
    const unsigned char *got = p.file + REFORMER_WEIGHTS_HEADER;
    for (int k = 0; k < DATA; k++)
        if (got[k] != want[k]) fail_msg("byte %d is %d, not %d", k, got[k], want[k]);
    done(&p);
}

/* Rows without a scale, and with one that is no number: a start of 0 each. */
static void rows_of_any_kind(void **state) {
    (void)state;
    packed_t p = pack();
    float *w = values_of(&p, hand[3].source[0]), scale;
    int32_t start;
    memset(w + 37, 0, 37 * sizeof *w);
    w[2 * 37] = INFINITY;
    w[2 * 37 + 5] = NAN; /* in the same row */
    repack(&p);
    const unsigned char *data = p.file + REFORMER_WEIGHTS_HEADER;
    for (int row = 1; row < 3; row++) {
        memcpy(&scale, data + hand[3].scales + 4 * row, 4);
        memcpy(&start, data + hand[3].starts + 4 * row, 4);
        assert_true(row == 1 ? scale == 0 : isnan(scale));
        assert_int_equal(start, 0);
        for (int k = 0; k < 40; k++)
            assert_int_equal(data[hand[3].at + k / 4 * 128 + row * 4 + k % 4], 0);
    }
    reformer_weights_header_t h;
    memcpy(&h, p.file, sizeof h);
    assert_int_equal(h.nonfinite, 1); /* a row counts once */
    done(&p);
}

/* The way back gives each integer times its scale. */
static void unpacks(void **state) {
    (void)state;
    packed_t p = pack();
    for (int i = 0; i < N_HAND; i++)
        for (int j = 0; j < hand[i].count; j++) {
            const tensor_t *t = store_find(p.s, hand[i].source[j]);
            const float *x = t->data;
            float *y = calloc((size_t)t->elements, sizeof *y);
            assert_non_null(y);
            weights_unpack_tensor(&p.l->entries[i], j, p.file, y);
            int64_t width = t->rank == 2 ? t->shape[1] : t->elements;
            for (int64_t k = 0; k < t->elements; k++) {
                const float *row = x + k / width * width;
                float want = hand[i].type == G_F32
                                 ? x[k]
                                 : (float)q_of(row, width, k % width) * scale_of(row, width);
                assert_true(y[k] == want);
            }
            free(y);
        }
    done(&p);
}

static void contents(void **state) {
    (void)state;
    packed_t p = pack();
    static const char *const lines[] = {
        "\nembed.word rows i8 offset=4096 bytes=64 scales=4160 packed=64 shape=5x4\n",
        "\nnorm rows f32 offset=4288 bytes=128 packed=128 shape=4\n",
        "\nquery_key head_panels i8 offset=4416 bytes=512 scales=4928 starts=5440 ",
    };
    sbuf_t s = {0};
    sbuf_write(&s, p.file + p.l->data_end, p.bytes - (size_t)p.l->data_end);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(s.data, lines[i])) fail_msg("%s not in\n%s", lines[i], s.data);
    assert_int_equal(weights_packed_bytes(p.l), p.bytes);
    sbuf_free(&s);
    done(&p);
}

/* Whatever sources are given back meanwhile. */
static void spent_weights_same_bytes(void **state) {
    (void)state;
    packed_t a = pack(), b = pack();
    store_spend(b.s);
    repack(&b);
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.file, b.file, a.bytes);
    done(&a);
    done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_place),
        cmocka_unit_test(rows_of_any_kind),
        cmocka_unit_test(unpacks),
        cmocka_unit_test(contents),
        cmocka_unit_test(spent_weights_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
