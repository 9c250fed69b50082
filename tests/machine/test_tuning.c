/* The file of `reformerc tune`: what is read and written, what replaces what, which entry is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/tuning.h"
#include "support/cpu.h"
#include "support/file.h"

#define MAGIC "# reformerc tuning 1\n"
#define OURS                                                                                       \
    "cpu=\"A b\" target=x86-64-v3 shapes=h8-2x4-ff16 tile=2x5 block=64 run=4 gain=3.4% lowering=1\n"
#define OTHER                                                                                      \
    "cpu=\"Z\" target=x86-64 shapes=h8-2x4-ff16 tile=2x4 block=32 run=1 gain=10.0% lowering=1\n"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    char path[32];
} env_t;

static int setup(void **state) {
    env_t *e = test_malloc(sizeof *e);
    *e = (env_t){arena_new(), diag_new(), "/tmp/tuning-XXXXXX"};
    int fd = mkstemp(e->path);
    if (fd >= 0) close(fd);
    *state = e;
    return fd < 0;
}

static int teardown(void **state) {
    env_t *e = *state;
    unlink(e->path);
    diag_free(e->diag);
    arena_free(e->arena);
    test_free(e);
    return 0;
}

static tuning_t *read_text(env_t *e, const char *text) {
    assert_true(file_write(e->path, text, strlen(text), e->diag));
    return tuning_read(e->arena, e->path, false, e->diag);
}

static void holds(env_t *e, const tuning_t *t, const char *want) {
    assert_true(tuning_write(t, e->diag));
    size_t bytes;
    char *got = file_read(e->path, 0, &bytes, e->diag);
    assert_string_equal(got, want);
    free(got);
}

static void fields_are_read(void **state) {
    env_t *e = *state;
    tuning_t *t = read_text(e, MAGIC "\n" OURS);
    assert_non_null(t);
    assert_int_equal(t->n, 1);
    const tuning_entry_t *x = &t->entries[0];
    assert_string_equal(x->cpu, "A b");
    assert_ptr_equal(x->target, &targets[T_X86_64_V3]);
    assert_string_equal(x->shapes, "h8-2x4-ff16");
    assert_int_equal(x->tiles.vectors, 2);
    assert_int_equal(x->tiles.rows, 5);
    assert_int_equal(x->tiles.block, 64);
    assert_int_equal(x->tiles.chunks_per_task, 4);
    assert_float_equal(x->gain, 3.4, 1e-9);
    assert_int_equal(x->lowering, 1);
    assert_int_equal(x->line, 3);
}

static void what_is_written_is_sorted(void **state) {
    env_t *e = *state;
    tuning_t *t = read_text(e, MAGIC OTHER "# why\n" OURS MAGIC); /* as `cat` would leave it */
    assert_non_null(t);
    holds(e, t, MAGIC "# why\n" OURS OTHER);
    t = read_text(e, "\n# why\n" MAGIC OURS OTHER); /* as `sort` would */
    assert_non_null(t);
    holds(e, t, MAGIC "# why\n" OURS OTHER);
    t = tuning_read(e->arena, e->path, false, e->diag);
    assert_non_null(t);
    holds(e, t, MAGIC "# why\n" OURS OTHER);
}

static void one_entry_per_key(void **state) {
    env_t *e = *state;
    tuning_t *t = read_text(e, MAGIC OTHER OURS);
    tuning_entry_t x = t->entries[1];
    x.tiles.rows = 3;
    tuning_put(t, &x);
    assert_int_equal(t->n, 2);
    assert_int_equal(t->entries[1].tiles.rows, 3);
    x.cpu = "B";
    tuning_put(t, &x);
    assert_int_equal(t->n, 3);
    assert_true(tuning_drop(t, &t->entries[1]));
    assert_false(tuning_drop(
        t,
        &(tuning_entry_t){.cpu = "A b", .shapes = "h8-2x4-ff16", .target = &targets[T_X86_64_V3]}));
    assert_int_equal(t->n, 2);
    assert_non_null(read_text(e, MAGIC OURS));
    assert_null(read_text(e, MAGIC OURS OURS));
}

static void a_missing_file_may_be_empty(void **state) {
    env_t *e = *state;
    unlink(e->path);
    tuning_t *t = tuning_read(e->arena, e->path, true, e->diag);
    assert_non_null(t);
    assert_int_equal(t->n, 0);
    assert_null(tuning_read(e->arena, e->path, false, e->diag));
    holds(e, t, MAGIC);
}

static void wrong_lines_are_refused(void **state) {
    env_t *e = *state;
    static const char *const wrong[] = {
        "",
        "hello\n",
        OURS MAGIC,
        "# reformerc tuning 2\nwhatever that has\n" OURS,
        MAGIC OURS "# reformerc tuning 2\n",
        MAGIC "hello\n",
        MAGIC "cpu=\"A\"\n",
        MAGIC "cpu=\"A target=x86-64 shapes=h8 tile=2x4 block=32 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"\" target=x86-64 shapes=h8 tile=2x4 block=32 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86 shapes=h8 tile=2x4 block=32 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=H8 tile=2x4 block=32 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=24 block=32 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=2x block=32 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=2x4 block=-1 run=1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=2x4 block=32 run=1e1 gain=1.0% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=2x4 block=32 run=1 gain=1% lowering=1\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=2x4 block=32 run=1 gain=1.0% lowering=\n",
        MAGIC "cpu=\"A\" target=x86-64 shapes=h8 tile=2x4 block=32 run=1 run=1 gain=1.0% "
              "lowering=1\n",
        MAGIC
        "cpu=\"A\" target=x86-64 shapes=h8 tile=2x4 block=32 run=1 gain=1.0% lowering=1 x=1\n",
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        int before = diag_errors(e->diag);
        if (read_text(e, wrong[k])) fail_msg("was taken: %s", wrong[k]);
        assert_int_equal(diag_errors(e->diag), before + 1);
    }
}

/* ---- use -------------------------------------------------------------------------------------------- */

static spec_t *spec_of(env_t *e) {
    static const char text[] = "attn_layers: [lsh]\nhidden_size: 8\nnum_attention_heads: 2\n"
                               "attention_head_size: 4\nfeed_forward_size: 16\nvocab_size: 10\n"
                               "is_decoder: true\naxial_pos_embds: false\n"
                               "max_position_embeddings: 64\nlsh_attn_chunk_length: 8\n"
                               "lsh_num_chunks_before: 2\n";
    spec_t *s = spec_parse(e->arena, "m.yaml", text, sizeof text - 1, NULL, 0, e->diag);
    diag_print(e->diag, stderr);
    assert_non_null(s);
    return s;
}

/* Windows are named once, with widths where they are not the first layer's; what kernels do not feel is not told. */
static void layers_of_their_own(void **state) {
    env_t *e = *state;
    static const char text[] =
        "attn_layers: [lsh, local, lsh, lsh, local]\nhidden_size: 8\nnum_attention_heads: 2\n"
        "attention_head_size: 4\nfeed_forward_size: 16\nvocab_size: 10\naxial_pos_embds: false\n"
        "lsh_attn_chunk_length: 8\nlocal_attn_chunk_length: 4\n"
        "extensions: {feed_forward_gate: true, layers: [null, null, {num_hashes: 4, hidden_act: gelu},"
        " {lsh_attn_chunk_length: 16}, {num_attention_heads: 3, feed_forward_size: 32}]}\n";
    spec_t *s = spec_parse(e->arena, "m.yaml", text, sizeof text - 1, NULL, 0, e->diag);
    assert_non_null(s);
    assert_string_equal(tuning_shapes(e->arena, s),
                        "h8-2x4-ff16-gate-lsh8x2-lsh16x2-local4x2-local4x2-3x4-ff32");
}

static void types_of_products_are_shapes(void **state) {
    env_t *e = *state;
    loaded_model_t m = {.spec = spec_of(e)};
    assert_string_equal(tuning_shapes_of(e->arena, &m, false), "h8-2x4-ff16-lsh8x3");
    m.spec->compile.dtype = DTYPE_BFLOAT16;
    assert_string_equal(tuning_shapes_of(e->arena, &m, false), "h8-2x4-ff16-lsh8x3-bfloat16");
    assert_string_equal(tuning_shapes_of(e->arena, &m, true), "h8-2x4-ff16-lsh8x3");
    m.spec->compile.dtype = DTYPE_FLOAT32;
    m.spec->train.dtype = DTYPE_BFLOAT16;
    assert_string_equal(tuning_shapes_of(e->arena, &m, false), "h8-2x4-ff16-lsh8x3");
    assert_string_equal(tuning_shapes_of(e->arena, &m, true), "h8-2x4-ff16-lsh8x3-bfloat16");
}

static void an_entry_fits_by_cpu_target_and_shapes(void **state) {
    env_t *e = *state;
    const spec_t *s = spec_of(e);
    const char *shapes = tuning_shapes(e->arena, s);
    assert_string_equal(shapes, "h8-2x4-ff16-lsh8x3");
    tuning_t *t = read_text(
        e, MAGIC
        "cpu=\"A\" target=x86-64-v3 shapes=h8-2x4-ff16-lsh8x3 tile=2x5 block=64 run=4 gain=1.0% lowering=1\n"
        "cpu=\"A\" target=x86-64 shapes=h8-2x4-ff16-lsh8x2 tile=2x5 block=64 run=4 gain=1.0% lowering=1\n"
        "cpu=\"A\" target=aarch64 shapes=h8-2x4-ff16-lsh8x3 tile=2x5 block=64 run=4 gain=1.0% lowering=0\n"
        "cpu=\"A\" target=x86-64-v4 shapes=h8-2x4-ff16-lsh8x3 tile=2x15 block=64 run=4 gain=1.0% lowering=1\n");
    assert_non_null(t);
    t->cpu = "A";
    const tiles_t *c = tuning_tiles(t, &targets[T_X86_64_V3], shapes);
    assert_ptr_equal(c, &t->entries[0].tiles);
    assert_null(tuning_tiles(t, &targets[T_X86_64], shapes));    /* other shapes */
    assert_null(tuning_tiles(t, &targets[T_AARCH64], shapes));   /* other kernels */
    assert_null(tuning_tiles(t, &targets[T_X86_64_V4], shapes)); /* no such tile */
    t->cpu = "B";
    assert_null(tuning_tiles(t, &targets[T_X86_64_V3], shapes));
}

static void names_of_cpus_fit_on_a_line(void **state) {
    env_t *e = *state;
    assert_string_equal(cpu_plain(e->arena, "  Some  \"CPU\"\t@ 2\\GHz\n"), "Some _CPU_ @ 2_GHz");
    assert_string_equal(cpu_plain(e->arena, " \n"), "unknown");
    const char *mine = cpu_name(e->arena);
    assert_string_equal(mine, cpu_plain(e->arena, mine));
}

/* ---- what is better --------------------------------------------------------------------------------- */

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(fields_are_read),
        TEST(what_is_written_is_sorted),
        TEST(one_entry_per_key),
        TEST(a_missing_file_may_be_empty),
        TEST(wrong_lines_are_refused),
        TEST(layers_of_their_own),
        TEST(types_of_products_are_shapes),
        TEST(an_entry_fits_by_cpu_target_and_shapes),
        TEST(names_of_cpus_fit_on_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
