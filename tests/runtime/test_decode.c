/* Room of prefills: a workspace that was asked for takes every shorter prompt as well, however the caller's rows are
 * padded, and whatever variant runs it. The fake schedule fills all that it was given. */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

enum { LONGEST = 40, EXTRA = 7, THREADS = 3 };

static const reformer_variant_t fake_step = {
    .target = BASELINE, .workspace_bytes = 10, .scratch_bytes = 10, .run = run_nothing};

/* What a schedule may write. */
static int fill(void *ctx, const reformer_variant_t *v, const reformer_call_t *call) {
    size_t units = (size_t)call->units;
    memset(call->workspace, 1, v->workspace_bytes + units * v->workspace_per_unit);
    for (int k = 0; k < call->threads; k++)
        memset(call->scratch + (size_t)k * call->scratch_stride, 1,
               v->scratch_bytes + units * v->scratch_per_unit);
    ++*(int *)ctx;
    return REFORMER_OK;
}

static void *guarded(size_t bytes) {
    unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    assert_non_null(p);
    memset(p, 0x5A, bytes + GUARD);
    return p;
}

static void check_guard(const void *p, size_t bytes) {
    for (int i = 0; i < GUARD; i++)
        assert_int_equal(((const unsigned char *)p)[bytes + (size_t)i], 0x5A);
}

/* Prompts of 1 … `longest` tokens, in rows that are wider, in a workspace for `longest`. */
static void read_prompts(reformer_engine_t *e, size_t longest) {
    size_t room = reformer_engine_bytes(e, longest, THREADS);
    size_t cache_bytes = reformer_cache_bytes(e->desc, LONGEST);
    assert_true(room > 0 && cache_bytes > 0);
    void *workspace = guarded(room), *cache = guarded(cache_bytes);
    assert_int_equal(reformer_cache_init(e->desc, cache, cache_bytes, LONGEST), REFORMER_OK);
    int runs = 0;
    e->ctx = &runs;
    for (size_t n = 1; n <= longest; n++) {
        int32_t ids[BATCH * (LONGEST + EXTRA)] = {0};
        uint8_t mask[BATCH * (LONGEST + EXTRA)] = {0};
        size_t width = n + EXTRA;
        for (size_t row = 0; row < BATCH; row++) memset(mask + row * width + row % 2 * EXTRA, 1, n);
        reformer_decode_t io = {.size = sizeof io,
                                .input_ids = ids,
                                .attention_mask = mask,
                                .length = width,
                                .threads = THREADS};
        assert_int_equal(reformer_engine_prefill(e, &io, cache, workspace, room), REFORMER_OK);
        assert_int_equal(reformer_cache_tokens(cache, BATCH - 1), n);
        check_guard(workspace, room);
        check_guard(cache, cache_bytes);
    }
    assert_int_equal(runs, (int)longest * BATCH);
    free(workspace);
    free(cache);
}

static void read_all(const reformer_variant_t *v) {
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    d.variants = d.prefills = v;
    d.steps = &fake_step;
    d.positions = LONGEST;
    reformer_engine_t e = {.size = sizeof e,
                           .desc = &d,
                           .prefills = v,
                           .step = &fake_step,
                           .n_prefills = 3,
                           .weights = (const unsigned char *)"",
                           .run = fill};
    for (size_t longest = 1; longest <= LONGEST; longest++) read_prompts(&e, longest);
}

static void padding_needs_no_room(void **state) {
    (void)state;
    read_all(fake_variants);
}

/* The first variant needs more than those for longer prompts. */
static void shorter_prompts_fit(void **state) {
    (void)state;
    reformer_variant_t v[] = {fake_variants[0], fake_variants[1], fake_variants[2]};
    v[0].workspace_bytes = 1 << 16;
    read_all(v);
}

/* A head that no call leaves behind is refused: int32 [BATCH] tokens, [BATCH] hashed, [BATCH][BATCH] in common behind
 * four uint64. */
static void damaged_heads(void **state) {
    (void)state;
    enum { HEAD = 32 };
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    d.steps = &fake_step;
    d.positions = LONGEST;
    size_t bytes = reformer_cache_bytes(&d, LONGEST);
    void *cache = guarded(bytes);
    static const struct {
        int at;
        int32_t value;
    } cases[] = {
        {0, -1}, {0, LONGEST + 1}, {BATCH - 1, INT32_MIN}, {BATCH, -1}, {2 * BATCH + 1, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(reformer_cache_init(&d, cache, bytes, LONGEST), REFORMER_OK);
        assert_int_equal(reformer_cache_copy_row(&d, cache, 0, 1), REFORMER_OK);
        memcpy((char *)cache + HEAD + 4 * cases[i].at, &cases[i].value, sizeof cases[i].value);
        assert_int_equal(reformer_cache_copy_row(&d, cache, 0, 1), REFORMER_E_CACHE);
    }
    uint64_t capacity = LONGEST + 1;
    assert_int_equal(reformer_cache_init(&d, cache, bytes, LONGEST), REFORMER_OK);
    memcpy((char *)cache + HEAD - 8, &capacity, sizeof capacity);
    assert_int_equal(reformer_cache_copy_row(&d, cache, 0, 1), REFORMER_E_CACHE);
    free(cache);
}

/* Rows of several parts, of rows and of tokens, are laid out one after the other, and copied whole; records up to the
 * tokens of the row. */
static void parts_of_a_cache(void **state) {
    (void)state;
    enum { FROM = 0, TO = 1, TOKENS = 2 };
    static const size_t rows[] = {64, 128}, records[] = {128, 64};
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    d.steps = &fake_step;
    d.positions = LONGEST;
    size_t head = reformer_cache_bytes(&d, LONGEST);
    d.cache_parts = rows;
    d.record_parts = records;
    d.n_cache_parts = d.n_record_parts = 2;
    size_t bytes = reformer_cache_bytes(&d, LONGEST);
    assert_int_equal(bytes, head + BATCH * (64 + 128) + LONGEST * BATCH * (128 + 64));
    unsigned char *cache = guarded(bytes);
    assert_int_equal(reformer_cache_init(&d, cache, bytes, LONGEST), REFORMER_OK);
    int32_t tokens = TOKENS;
    memcpy(cache + 32, &tokens, sizeof tokens); /* of row FROM */
    unsigned char *part[] = {cache + head, cache + head + BATCH * 64, cache + head + BATCH * 192};
    unsigned char *last = part[2] + LONGEST * BATCH * 128;
    memset(part[0], 1, 64);
    memset(part[1], 2, 128);
    for (int t = 0; t <= TOKENS; t++) {
        memset(part[2] + t * BATCH * 128, 3 + t, 128);
        memset(last + t * BATCH * 64, 13 + t, 64);
    }
    assert_int_equal(reformer_cache_copy_row(&d, cache, FROM, TO), REFORMER_OK);
    assert_int_equal(reformer_cache_tokens(cache, TO), TOKENS);
    assert_memory_equal(part[0] + 64, part[0], 64);
    assert_memory_equal(part[1] + 128, part[1], 128);
    for (int t = 0; t < TOKENS; t++) {
        assert_memory_equal(part[2] + (t * BATCH + TO) * 128, part[2] + t * BATCH * 128, 128);
        assert_memory_equal(last + (t * BATCH + TO) * 64, last + t * BATCH * 64, 64);
    }
    assert_int_equal(part[2][(TOKENS * BATCH + TO) * 128], 0x5A); /* no token of the row */
    check_guard(cache, bytes);
    free(cache);
}

/* ---- rows and steps -------------------------------------------------------------------------------- */

enum { RECORD = 64, RECORDS = 8 };

/* A cache with one record of a byte per token, that a schedule would write, and what a step is told. */
typedef struct {
    reformer_desc_t desc;
    reformer_engine_t engine;
    unsigned char *cache, *record, *workspace;
    size_t room;
    int32_t hashed;
} rows_t;

static const size_t record_bytes[] = {RECORD};

static int note_hashed(void *ctx, const reformer_variant_t *v, const reformer_call_t *call) {
    rows_t *r = ctx;
    if (v == r->engine.step) r->hashed = *(const int32_t *)call->slot[REFORMER_SLOT_HASHED];
    return REFORMER_OK;
}

static void open_rows(rows_t *r, size_t capacity) {
    r->desc = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    r->desc.prefills = fake_variants;
    r->desc.steps = &fake_step;
    r->desc.positions = LONGEST;
    size_t head = reformer_cache_bytes(&r->desc, capacity);
    r->desc.record_parts = record_bytes;
    r->desc.n_record_parts = 1;
    r->engine = (reformer_engine_t){.size = sizeof r->engine,
                                    .desc = &r->desc,
                                    .prefills = fake_variants,
                                    .step = &fake_step,
                                    .n_prefills = 3,
                                    .weights = (const unsigned char *)"",
                                    .ctx = r,
                                    .run = note_hashed};
    size_t bytes = reformer_cache_bytes(&r->desc, capacity);
    r->cache = guarded(bytes);
    r->record = r->cache + head;
    r->room = reformer_engine_bytes(&r->engine, LONGEST, 1);
    r->workspace = guarded(r->room);
    assert_int_equal(reformer_cache_init(&r->desc, r->cache, bytes, capacity), REFORMER_OK);
}

static void close_rows(rows_t *r) {
    free(r->cache);
    free(r->workspace);
}

/* Row 0 alone, or the one whose mask is set. */
static int prefill(rows_t *r, size_t row, size_t length, size_t room) {
    static const int32_t ids[BATCH * LONGEST] = {0};
    uint8_t mask[BATCH * LONGEST] = {0};
    memset(mask + row * length, 1, length);
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .attention_mask = mask,
                            .length = length,
                            .threads = 1};
    return reformer_engine_prefill(&r->engine, &io, r->cache, r->workspace, room);
}

static int step(rows_t *r) {
    static const int32_t id = 1;
    reformer_decode_t io = {.size = sizeof io, .input_ids = &id, .batch = 1, .threads = 1};
    return reformer_engine_step(&r->engine, &io, r->cache, r->workspace, r->room);
}

/* A cache takes as many tokens as were asked for, and not one more. */
static void steps_up_to_the_capacity(void **state) {
    (void)state;
    rows_t r;
    open_rows(&r, 7);
    assert_int_equal(prefill(&r, 0, 8, r.room), REFORMER_E_FULL);
    assert_int_equal(prefill(&r, 0, 5, r.room), REFORMER_OK);
    assert_int_equal(step(&r), REFORMER_OK);
    assert_int_equal(step(&r), REFORMER_OK);
    assert_int_equal(reformer_cache_tokens(r.cache, 0), 7);
    assert_int_equal(step(&r), REFORMER_E_FULL);
    assert_int_equal(reformer_cache_tokens(r.cache, 0), 7);
    close_rows(&r);
}

/* A prompt of 5 was hashed with 8 tokens. The step that reaches 8 sorts rows whose chunks are that long, and the next one
 * finds them sorted. */
static void steps_know_what_is_sorted(void **state) {
    (void)state;
    rows_t r;
    open_rows(&r, LONGEST);
    assert_int_equal(prefill(&r, 0, 5, r.room), REFORMER_OK);
    static const int32_t want[] = {8, 8, 8, 9, 10};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(step(&r), REFORMER_OK);
        assert_int_equal(r.hashed, want[i]);
    }
    close_rows(&r);
}

/* Room for the forward alone lacks that for the row's own tokens. */
static void prompts_need_room_for_themselves(void **state) {
    (void)state;
    rows_t r;
    open_rows(&r, LONGEST);
    reformer_desc_t one = r.desc;
    one.batch = 1;
    size_t forward = reformer_prepare_bytes(&one, fake_variants, 1, 5, 1);
    assert_int_equal(prefill(&r, 0, 5, forward), REFORMER_E_WORKSPACE);
    assert_int_equal(prefill(&r, 0, 5, forward + 64), REFORMER_OK);
    /* of rows of one and of 8 tokens the second has none: the first is not read either */
    static const int32_t ids[BATCH * 8] = {0};
    uint8_t mask[BATCH * 8] = {0, 1};
    memset(mask + 8, 1, 8);
    reformer_decode_t io = {
        .size = sizeof io, .input_ids = ids, .attention_mask = mask, .length = 8, .threads = 1};
    size_t longer = reformer_prepare_bytes(&one, fake_variants, 2, 8, 1);
    assert_int_equal(reformer_engine_prefill(&r.engine, &io, r.cache, r.workspace, longer),
                     REFORMER_E_WORKSPACE);
    assert_int_equal(reformer_cache_tokens(r.cache, 0), 5);
    close_rows(&r);
}

static unsigned char *record_of(const rows_t *r, size_t token, size_t row) {
    return r->record + (token * BATCH + row) * RECORD;
}

static void write_records(const rows_t *r, size_t row, int value) {
    for (size_t t = 0; t < RECORDS; t++) memset(record_of(r, t, row), value, RECORD);
}

static void check_records(const rows_t *r, size_t row, size_t from, size_t to, int value) {
    for (size_t t = from; t < to; t++) assert_int_equal(*record_of(r, t, row), value);
}

/* Records that two rows are known to share are not copied again, whichever of both is the source; after another prompt
 * they are. */
static void rows_share_records(void **state) {
    (void)state;
    rows_t r;
    open_rows(&r, LONGEST);
    assert_int_equal(prefill(&r, 0, 4, r.room), REFORMER_OK);
    write_records(&r, 0, 1);
    assert_int_equal(reformer_cache_copy_row(&r.desc, r.cache, 0, 1), REFORMER_OK);
    check_records(&r, 1, 0, 4, 1);
    write_records(&r, 1, 2); /* to tell what is copied from now on */
    assert_int_equal(step(&r), REFORMER_OK);
    assert_int_equal(reformer_cache_copy_row(&r.desc, r.cache, 0, 1), REFORMER_OK);
    check_records(&r, 1, 0, 4, 2);
    check_records(&r, 1, 4, 5, 1);
    check_records(&r, 1, 5, RECORDS, 2);
    assert_int_equal(reformer_cache_copy_row(&r.desc, r.cache, 1, 0), REFORMER_OK);
    check_records(&r, 0, 0, RECORDS, 1);
    assert_int_equal(prefill(&r, 1, 3, r.room), REFORMER_OK);
    assert_int_equal(reformer_cache_copy_row(&r.desc, r.cache, 0, 1), REFORMER_OK);
    check_records(&r, 1, 0, 5, 1);
    close_rows(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(padding_needs_no_room),
                                       cmocka_unit_test(shorter_prompts_fit),
                                       cmocka_unit_test(damaged_heads),
                                       cmocka_unit_test(parts_of_a_cache),
                                       cmocka_unit_test(steps_up_to_the_capacity),
                                       cmocka_unit_test(steps_know_what_is_sorted),
                                       cmocka_unit_test(prompts_need_room_for_themselves),
                                       cmocka_unit_test(rows_share_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
