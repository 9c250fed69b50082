/* The spec from outside: every file of cases/ gives exactly the diagnostics of its .err, or is
 * accepted with the values of its .ok; facts that follow from a spec; files and folders; hostile
 * bytes. A line `# set: KEY=VALUE` in a case is a --set.
 *
 * With REFORMERC_ACCEPT=1 in the environment the expectations are written instead of compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spec/numbers.h"
#include "spec/schema.h"
#include "spec/spec.h"
#include "support/file.h"

/* ---- one reading ----------------------------------------------------------------------------- */

typedef struct {
    arena_t *arena;
    diag_t *diag;
    spec_t *spec;
    sbuf_t printed; /* what the user would see */
} reading_t;

static void print_diagnostics(reading_t *t) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    diag_print(t->diag, f);
    fclose(f);
    sbuf_puts(&t->printed, text);
    free(text);
}

static reading_t read_bytes(const char *path, const char *text, size_t bytes, const setting_t *sets,
                            int n) {
    reading_t t = {.arena = arena_new(), .diag = diag_new()};
    t.spec = spec_parse(t.arena, path, text, bytes, sets, n, t.diag);
    print_diagnostics(&t);
    assert_true((t.spec == NULL) == (diag_errors(t.diag) > 0));
    return t;
}

static reading_t read_text(const char *text) {
    return read_bytes("test.yaml", text, strlen(text), NULL, 0);
}

static void done(reading_t *t) {
    diag_free(t->diag);
    arena_free(t->arena);
    sbuf_free(&t->printed);
    *t = (reading_t){0};
}

/* ---- cases ----------------------------------------------------------------------------------- */

enum { MAX_SETS = 16 };

static int find_settings(arena_t *a, const char *text, setting_t *sets) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, "# set: ")) && n < MAX_SETS;) {
        p += strlen("# set: ");
        char *line = arena_strndup(a, p, strcspn(p, "\n")), *equals = strchr(line, '=');
        assert_non_null(equals);
        *equals = 0;
        sets[n++] = (setting_t){.key = line, .value = equals + 1};
    }
    return n;
}

/* The lines in which the canonical text differs from that of a spec of defaults. */
static void print_difference(const spec_t *s, sbuf_t *out) {
    reading_t standard = read_text("{}");
    sbuf_t mine = {0}, theirs = {0};
    spec_canonical(s, s->n_bucket_factors, s->num_buckets, &mine);
    spec_canonical(standard.spec, 0, NULL, &theirs);
    for (char *line = strtok(mine.data, "\n"); line; line = strtok(NULL, "\n")) {
        char *same = strstr(theirs.data, line);
        if (!same || (same != theirs.data && same[-1] != '\n') || same[strlen(line)] != '\n')
            sbuf_printf(out, "%s\n", line);
    }
    sbuf_free(&mine);
    sbuf_free(&theirs);
    done(&standard);
}

static void compare(const char *path, const char *actual) {
    diag_t *d = diag_new();
    if (getenv("REFORMERC_ACCEPT")) assert_true(file_write(path, actual, strlen(actual), d));
    char *expected = file_read(path, 0, NULL, d);
    if (!expected) fail_msg("%s is missing; it would hold:\n%s", path, actual);
    size_t same = 0, line = 1;
    while (expected[same] && expected[same] == actual[same]) line += expected[same++] == '\n';
    if (expected[same] != actual[same]) {
        while (same > 0 && expected[same - 1] != '\n') same--;
        fail_msg(
            "%s:%zu: expected\n%.*s\ngot\n%.*s\n(REFORMERC_ACCEPT=1 in the environment writes what "
            "it got)",
            path, line, (int)strcspn(expected + same, "\n"), expected + same,
            (int)strcspn(actual + same, "\n"), actual + same);
    }
    free(expected);
    diag_free(d);
}

static void run_case(const char *name) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    size_t bytes;
    char *text = file_read(arena_printf(a, SOURCE_DIR "/tests/spec/cases/%s", name), 0, &bytes, d);
    assert_non_null(text);
    setting_t sets[MAX_SETS];
    int n_sets = find_settings(a, text, sets);
    reading_t t = read_bytes(name, text, bytes, sets, n_sets);
    bool accepted = t.spec != NULL;
    if (accepted != (strncmp(name, "ok-", 3) == 0)) fail_msg("%s: %s", name, t.printed.data);
    if (accepted) print_difference(t.spec, &t.printed);
    size_t stem = strlen(name) - strlen(".yaml");
    compare(arena_printf(a, SOURCE_DIR "/tests/spec/cases/%.*s.%s", (int)stem, name,
                         accepted ? "ok" : "err"),
            t.printed.data ? t.printed.data : "");
    done(&t);
    free(text);
    diag_free(d);
    arena_free(a);
}

static void test_cases(void **state) {
    (void)state;
    DIR *dir = opendir(SOURCE_DIR "/tests/spec/cases");
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        if (length < 5 || strcmp(e->d_name + length - 5, ".yaml") != 0) continue;
        run_case(e->d_name);
        n++;
    }
    closedir(dir);
    assert_true(n >= 80);
}

/* Each expectation belongs to a case: a renamed case leaves no orphan behind. */
static void test_no_orphans(void **state) {
    (void)state;
    DIR *dir = opendir(SOURCE_DIR "/tests/spec/cases");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' || !dot || strcmp(dot, ".yaml") == 0) continue;
        char path[512];
        snprintf(path, sizeof path, SOURCE_DIR "/tests/spec/cases/%.*s.yaml",
                 (int)(dot - e->d_name), e->d_name);
        if (!file_exists(path)) fail_msg("%s has no case", e->d_name);
    }
    closedir(dir);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        number_t result;
        int64_t value;
    } rows[] = {{"0", NUMBER_OK, 0},
                {"-0", NUMBER_OK, 0},
                {"+7", NUMBER_OK, 7},
                {"9223372036854775807", NUMBER_OK, INT64_MAX},
                {"-9223372036854775808", NUMBER_OK, INT64_MIN},
                {"9223372036854775808", NUMBER_RANGE, 0},
                {"-9223372036854775809", NUMBER_RANGE, 0},
                {"4096.0", NUMBER_FRACTION, 0},
                {"1e3", NUMBER_FRACTION, 0},
                {"0x10", NUMBER_FORM, 0},
                {"0o17", NUMBER_FORM, 0},
                {"017", NUMBER_FORM, 0},
                {"1_000", NUMBER_FORM, 0},
                {"1:30", NUMBER_FORM, 0},
                {"1,000", NUMBER_FORM, 0},
                {".inf", NUMBER_INFINITE, 0},
                {"-Infinity", NUMBER_INFINITE, 0},
                {"NaN", NUMBER_INFINITE, 0},
                {"", NUMBER_NOT, 0},
                {"-", NUMBER_NOT, 0},
                {" 1", NUMBER_NOT, 0},
                {"1 ", NUMBER_NOT, 0},
                {"12a", NUMBER_NOT, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t v = 0;
        number_t result = parse_int(rows[i].text, &v);
        if (result != rows[i].result || v != rows[i].value)
            fail_msg("'%s' gave %d, %lld", rows[i].text, result, (long long)v);
    }
}

static void test_reals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        number_t result;
        double value;
    } rows[] = {
        {"1e-12", NUMBER_OK, 1e-12}, {"1E+2", NUMBER_OK, 100},    {".5", NUMBER_OK, 0.5},
        {"5.", NUMBER_OK, 5},        {"-0.25", NUMBER_OK, -0.25}, {"1e-999", NUMBER_OK, 0},
        {"1e999", NUMBER_RANGE, 0},  {".", NUMBER_NOT, 0},        {"e5", NUMBER_NOT, 0},
        {"1e", NUMBER_FORM, 0},      {"0x1p3", NUMBER_FORM, 0},   {"nan", NUMBER_INFINITE, 0},
        {"0.02", NUMBER_OK, 0.02},   {"00.5", NUMBER_FORM, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double v = 0;
        number_t result = parse_real(rows[i].text, &v);
        if (result != rows[i].result || v != rows[i].value)
            fail_msg("'%s' gave %d, %g", rows[i].text, result, v);
    }
}

static void test_reals_print_shortest(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {{0.02, "0.02"},
                {1e-12, "1e-12"},
                {1, "1.0"},
                {0, "0.0"},
                {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbuf_t s = {0};
        print_real(&s, rows[i].v);
        assert_string_equal(s.data, rows[i].text);
        sbuf_free(&s);
    }
}

static void test_budgets(void **state) {
    (void)state;
    reading_t t = read_text("expect: {workspace: <= 64 MiB, flops_per_token: \"<50 M\"}");
    assert_non_null(t.spec);
    assert_true(t.spec->expect.has_workspace && !t.spec->expect.workspace_strict);
    assert_true(t.spec->expect.workspace == 64.0 * 1048576);
    assert_true(t.spec->expect.has_flops && t.spec->expect.flops_strict);
    assert_true(t.spec->expect.flops_per_token == 50e6);
    done(&t);
    t = read_text("expect: {workspace: 1.5GB, flops_per_token: 1e9}");
    assert_true(t.spec->expect.workspace == 1.5e9 && t.spec->expect.flops_per_token == 1e9);
    done(&t);
    t = read_text("expect: {}");
    assert_false(t.spec->expect.has_workspace || t.spec->expect.has_flops);
    done(&t);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void test_sections(void **state) {
    (void)state;
    reading_t t = read_text(
        "compile:\n"
        "  name: shakespeare\n"
        "  sequence_length: [256, 64, 128]\n"
        "  batch_size: 3\n"
        "  targets: [x86-64-v4, native]\n"
        "  text: sentencepiece:dir/pieces.model\n"
        "  decode: huggingface\n"
        "train: {optimizer: {type: adam, betas: [0.9, 0.98]}, schedule: {type: linear, warmup: 10},\n"
        "        text: text.txt, steps: 100, seed: 5}\n");
    const spec_t *s = t.spec;
    assert_non_null(s);
    assert_string_equal(s->compile.name, "shakespeare");
    assert_int_equal(s->compile.length_mode, LENGTH_LIST);
    assert_int_equal(s->compile.n_lengths, 3);
    assert_true(s->compile.lengths[0] == 64 && s->compile.lengths[1] == 128 &&
                s->compile.lengths[2] == 256);
    assert_true(s->compile.has_batch && s->compile.batch_size == 3);
    assert_int_equal(s->compile.n_targets, 2);
    assert_string_equal(s->compile.targets[1], "native");
    assert_int_equal(s->compile.text, TEXT_SENTENCEPIECE);
    assert_string_equal(s->compile.sentencepiece, "dir/pieces.model");
    assert_int_equal(s->compile.decode, DECODE_HUGGINGFACE);
    assert_int_equal(s->train.optimizer.type, REFORMER_ADAM);
    assert_int_equal(s->train.schedule.type, REFORMER_SCHEDULE_LINEAR);
    assert_string_equal(s->train.text, "text.txt");
    assert_true(s->train.optimizer.betas[0] == 0.9 && s->train.optimizer.betas[1] == 0.98);
    assert_true(s->train.schedule.warmup == 10 && s->train.schedule.total == 100);
    assert_true(s->train.seed == 5 && s->train.sequence_length == -1);
    assert_int_equal(s->at[KEY_compile_targets].line, 5);
    assert_int_equal(s->at[KEY_compile_targets].col, 12);
    assert_true(s->given[KEY_train_steps] && !s->given[KEY_train_batch_size]);
    assert_int_equal(s->at[KEY_hidden_size].line, 0);
    done(&t);
}

/* Words, sizes with a unit and without, quoted or not; a head says it back. */
static void test_train_memory(void **state) {
    (void)state;
    static const struct {
        const char *text;
        train_memory_t memory;
        double bytes;
    } rows[] = {{"train: {steps: 1}", MEMORY_REVERSIBLE, 0},
                {"train: {memory: reversible}", MEMORY_REVERSIBLE, 0},
                {"train: {memory: auto}", MEMORY_AUTO, 0},
                {"train: {memory: 512MiB}", MEMORY_SIZE, 536870912},
                {"train: {memory: \"1.5 GB\"}", MEMORY_SIZE, 1.5e9},
                {"train: {memory: 1}", MEMORY_SIZE, 1},
                {"train: {memory: 65536}", MEMORY_SIZE, 65536}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reading_t t = read_text(rows[i].text);
        assert_non_null(t.spec);
        assert_int_equal(t.spec->train.memory, rows[i].memory);
        assert_true(t.spec->train.memory_bytes == rows[i].bytes);
        sbuf_t head = {0}, train = {0};
        spec_print_head(t.spec, &head);
        const char *at = strstr(head.data, "train:\n");
        assert_non_null(at);
        sbuf_write(&train, at, strcspn(at + 7, "\n") + 7);
        reading_t again = read_text(train.data);
        assert_non_null(again.spec);
        assert_int_equal(again.spec->train.memory, rows[i].memory);
        assert_true(again.spec->train.memory_bytes == rows[i].bytes);
        done(&again);
        sbuf_free(&head);
        sbuf_free(&train);
        done(&t);
    }
}

static void test_defaults(void **state) {
    (void)state;
    reading_t t = read_text("{}");
    const spec_t *s = t.spec;
    assert_int_equal(s->architecture, ARCH_UNSET);
    assert_int_equal(s->n_layers, 6);
    assert_true(s->attn_layers[0] == LAYER_LOCAL && s->attn_layers[5] == LAYER_LSH);
    assert_true(s->hidden_size == 256 && s->num_attention_heads == 12 && s->vocab_size == 320);
    assert_true(s->layer_norm_eps == 1e-12 && s->hidden_dropout_prob == 0.05);
    assert_true(s->n_axial == 2 && s->axial_pos_shape[1] == 64 && s->axial_pos_embds_dim[1] == 192);
    assert_true(!s->has_hash_seed && s->n_bucket_factors == 0 && !s->has_classifier_dropout);
    assert_true(s->n_eos_tokens == 1 && s->eos_tokens[0] == 2 && s->use_cache &&
                s->num_labels == 2);
    assert_true(s->compile.length_mode == LENGTH_ABSENT && !s->compile.has_batch &&
                s->compile.n_targets == 0);
    assert_int_equal(s->compile.decode, DECODE_CORRECTED);
    assert_int_equal(s->train.optimizer.type, REFORMER_ADAMW);
    done(&t);
}

/* What stands in a checkpoint reads back as the same model. */
static void test_config_json_round_trip(void **state) {
    (void)state;
    static const char classifier[] =
        "{architectures: [ReformerForSequenceClassification], num_labels: 5,\n"
        " problem_type: regression, hash_seed: -3, num_buckets: [2, 4], classifier_dropout: 0.3,\n"
        " eos_token_id: null, hidden_act: swish}";
    static const char base[] =
        "{attn_layers: [lsh], axial_pos_embds: false, num_buckets: 6, layer_norm_eps: 1e-5,\n"
        " is_decoder: true, axial_pos_shape: [2, 2, 2], axial_pos_embds_dim: [1]}";
    static const char *const texts[] = {"{}", classifier, base};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        reading_t t = read_text(texts[i]);
        assert_non_null(t.spec);
        sbuf_t json = {0}, again = {0}, a = {0}, b = {0};
        spec_to_config_json(t.spec, &json);
        reading_t u = read_text(json.data);
        if (!u.spec || u.printed.size) fail_msg("%s\n%s", json.data, u.printed.data);
        spec_to_config_json(u.spec, &again);
        assert_string_equal(json.data, again.data);
        spec_canonical(t.spec, t.spec->n_bucket_factors, t.spec->num_buckets, &a);
        spec_canonical(u.spec, u.spec->n_bucket_factors, u.spec->num_buckets, &b);
        assert_string_equal(a.data, b.data);
        sbuf_free(&json), sbuf_free(&again), sbuf_free(&a), sbuf_free(&b);
        done(&t);
        done(&u);
    }
}

/* The canonical text follows numbers and shapes, not training, length or memory. */
static void test_canonical_covers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool same;
    } rows[] = {{"{hidden_dropout_prob: 0.5}", true},
                {"{chunk_size_feed_forward: 64}", true},
                {"{compile: {sequence_length: 64}}", true},
                {"{use_cache: false}", true},
                {"{hash_seed: 1}", false},
                {"{layer_norm_eps: 1e-6}", false},
                {"{hidden_act: gelu}", false},
                {"{num_hashes: 2}", false}};
    reading_t standard = read_text("{}");
    sbuf_t a = {0};
    spec_canonical(standard.spec, 0, NULL, &a);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reading_t t = read_text(rows[i].text);
        sbuf_t b = {0};
        spec_canonical(t.spec, 0, NULL, &b);
        if ((strcmp(a.data, b.data) == 0) != rows[i].same) fail_msg("%s", rows[i].text);
        sbuf_free(&b);
        done(&t);
    }
    sbuf_free(&a);
    done(&standard);
}

static void test_resolve_architecture(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool lm, classifier, qa;
        arch_t arch; /* ARCH_UNSET: an error */
    } rows[] = {{"{}", false, false, false, ARCH_BASE},
                {"{is_decoder: true}", false, false, false, ARCH_CAUSAL_LM},
                {"{is_decoder: true}", true, false, false, ARCH_CAUSAL_LM},
                {"{}", true, false, false, ARCH_MASKED_LM},
                {"{}", false, true, false, ARCH_CLASSIFIER},
                {"{}", false, false, true, ARCH_QA},
                {"{architectures: [ReformerModel]}", true, false, false, ARCH_BASE},
                {"{num_labels: 3}", false, false, true, ARCH_UNSET},
                {"{is_decoder: true, lsh_num_chunks_after: 1}", true, false, false, ARCH_UNSET},
                {"{tie_word_embeddings: true}", true, false, false, ARCH_UNSET},
                {"{tie_word_embeddings: true}", false, true, false, ARCH_CLASSIFIER}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reading_t t = read_text(rows[i].text);
        bool ok =
            spec_resolve_architecture(t.spec, rows[i].lm, rows[i].classifier, rows[i].qa, t.diag);
        if (ok != (rows[i].arch != ARCH_UNSET) || (ok && t.spec->architecture != rows[i].arch))
            fail_msg("row %zu", i);
        assert_true(ok == (diag_errors(t.diag) == 0));
        done(&t);
    }
}

/* ---- derived facts --------------------------------------------------------------------------- */

static void test_padding(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t lcm, minc, length, padded;
    } rows[] = {
        {"{attn_layers: [local, lsh], local_attn_chunk_length: 16, lsh_attn_chunk_length: 16}", 16,
         16, 50, 64},
        {"{attn_layers: [local, lsh], local_attn_chunk_length: 8, lsh_attn_chunk_length: 12}", 24,
         8, 30, 48},
        {"{attn_layers: [local, lsh], local_attn_chunk_length: 8, lsh_attn_chunk_length: 12}", 24,
         8, 8, 8},
        {"{attn_layers: [local, lsh], local_attn_chunk_length: 8, lsh_attn_chunk_length: 12}", 24,
         8, 7, 7},
        {"{attn_layers: [local, lsh], local_attn_chunk_length: 8, lsh_attn_chunk_length: 16}", 16,
         8, 9, 16},
        {"{attn_layers: [lsh], local_attn_chunk_length: 7, lsh_attn_chunk_length: 8}", 8, 8, 17,
         24},
        {"{attn_layers: [local], local_attn_chunk_length: 8, lsh_attn_chunk_length: 5}", 8, 8, 64,
         64}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reading_t t = read_text(rows[i].text);
        assert_int_equal(spec_lcm(t.spec), rows[i].lcm);
        assert_int_equal(spec_min_chunk(t.spec), rows[i].minc);
        assert_int_equal(spec_padded_length(t.spec, rows[i].length), rows[i].padded);
        done(&t);
    }
}

/* By brute force: the greatest length whose padding fits. */
static void test_max_length(void **state) {
    (void)state;
    for (int positions = 1; positions < 60; positions++)
        for (int lsh = 1; lsh <= 12; lsh += 3)
            for (int grid = 4; grid <= 64; grid *= 4) {
                char text[256];
                snprintf(text, sizeof text,
                         "{max_position_embeddings: %d, lsh_attn_chunk_length: %d,"
                         " local_attn_chunk_length: 4,"
                         " attn_layers: [lsh, local], axial_pos_shape: [2, %d]}",
                         positions, lsh, grid / 2);
                reading_t t = read_text(text);
                int64_t max = positions < grid ? positions : grid, best = 0;
                for (int64_t n = 1; n <= max; n++)
                    if (spec_padded_length(t.spec, n) <= max) best = n;
                if (spec_max_length(t.spec) != best) fail_msg("%s: %lld", text, (long long)best);
                done(&t);
            }
}

static void test_buckets(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t length;
        int n;
        int64_t factors[2];
    } rows[] = {
        /* rows 2 and 3 are what Hugging Face chose in a recorded run */
        {"{lsh_attn_chunk_length: 8, max_position_embeddings: 128}", 128, 2, {4, 8}},
        {"{lsh_attn_chunk_length: 4, max_position_embeddings: 256}", 256, 2, {8, 16}},
        {"{lsh_attn_chunk_length: 16, max_position_embeddings: 128}", 128, 1, {16}},
        {"{lsh_attn_chunk_length: 64, max_position_embeddings: 4096}", 4096, 1, {128}},
        {"{lsh_attn_chunk_length: 64, max_position_embeddings: 65536}", 16384, 2, {16, 32}},
        {"{lsh_attn_chunk_length: 64, max_position_embeddings: 4096}", 192, 1, {4}},
        {"{lsh_attn_chunk_length: 64, max_position_embeddings: 4096}", 64, 1, {2}},
        {"{num_buckets: [6, 4]}", 4096, 2, {6, 4}},
        {"{num_buckets: 10}", 64, 1, {10}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reading_t t = read_text(rows[i].text);
        int64_t factors[MAX_FACTORS] = {0};
        int n = spec_bucket_factors(t.spec, 1, rows[i].length, factors);
        if (n != rows[i].n || factors[0] != rows[i].factors[0] ||
            (n > 1 && factors[1] != rows[i].factors[1]))
            fail_msg("row %zu: %d: %lld %lld", i, n, (long long)factors[0], (long long)factors[1]);
        done(&t);
    }
}

/* ---- generated texts ------------------------------------------------------------------------- */

static void test_reference_page_is_fresh(void **state) {
    (void)state;
    sbuf_t page = {0};
    spec_reference_page(&page);
    compare(SOURCE_DIR "/docs/spec.md", page.data);
    sbuf_free(&page);
}

/* One table feeds all: every key stands in each of them. */
static void test_every_key_everywhere(void **state) {
    (void)state;
    sbuf_t texts[4] = {{0}};
    spec_help(&texts[0]);
    spec_json_schema(&texts[1]);
    spec_reference_page(&texts[2]);
    spec_fuzz_dictionary(&texts[3]);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < KEY_COUNT; k++)
            if (!strstr(texts[i].data, schema[k].name))
                fail_msg("%s is missing in text %d", schema[k].full, i);
    /* The JSON Schema is JSON, so it must at least be a spec's kind of text: one mapping. */
    reading_t t = read_text(texts[1].data);
    assert_null(strstr(t.printed.data, "did not find"));
    done(&t);
    for (int i = 0; i < 4; i++) sbuf_free(&texts[i]);
}

/* ---- specs/ ---------------------------------------------------------------------------------- */

static void test_shipped_specs(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t hidden, max;
        int layers;
    } rows[] = {{"default", 256, 4096, 6},         {"crime-and-punishment-bytes", 192, 512, 4},
                {"enwik8", 1024, 65536, 12},       {"crime-and-punishment", 256, 524288, 6},
                {"torch-benchmark", 256, 4096, 6}, {"bench", 512, 4096, 6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reading_t t = {.arena = arena_new(), .diag = diag_new()};
        const char *path = arena_printf(t.arena, SOURCE_DIR "/specs/%s.yaml", rows[i].name);
        t.spec = spec_load(t.arena, path, NULL, 0, t.diag);
        print_diagnostics(&t);
        if (!t.spec || t.printed.size) fail_msg("%s: %s", path, t.printed.data);
        assert_int_equal(t.spec->hidden_size, rows[i].hidden);
        assert_int_equal(t.spec->n_layers, rows[i].layers);
        assert_int_equal(spec_max_length(t.spec), rows[i].max);
        done(&t);
    }
}

/* default.yaml says in full what an empty spec means. */
static void test_default_spec_is_the_default(void **state) {
    (void)state;
    reading_t a = read_text("{}"), b = {.arena = arena_new(), .diag = diag_new()};
    b.spec = spec_load(b.arena, SOURCE_DIR "/specs/default.yaml", NULL, 0, b.diag);
    sbuf_t x = {0}, y = {0};
    spec_to_config_json(a.spec, &x);
    spec_to_config_json(b.spec, &y);
    assert_string_equal(x.data, y.data);
    sbuf_free(&x), sbuf_free(&y);
    done(&a);
    done(&b);
}

/* ---- files and folders ----------------------------------------------------------------------- */

static void put(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    diag_t *d = diag_new();
    assert_true(file_write(path, text, strlen(text), d));
    diag_free(d);
}

static void expect_load(const char *path, bool ok, const char *message) {
    reading_t t = {.arena = arena_new(), .diag = diag_new()};
    t.spec = spec_load(t.arena, path, NULL, 0, t.diag);
    print_diagnostics(&t);
    if ((t.spec != NULL) != ok)
        fail_msg("%s: %s", path, t.printed.data ? t.printed.data : "no error");
    if (message && !strstr(t.printed.data, message))
        fail_msg("%s: no '%s' in %s", path, message, t.printed.data);
    done(&t);
}

static void test_folders(void **state) {
    (void)state;
    char folder[] = "/tmp/reformerc-spec-XXXXXX", path[512];
    assert_non_null(mkdtemp(folder));
    expect_load(folder, false, "without config.json");
    put(folder, "config.json", "{\"model_type\": \"reformer\"}");
    expect_load(folder, true, NULL);
    put(folder, "pytorch_model.bin", "x");
    expect_load(folder, false, "convert it: ");
    put(folder, "model.safetensors.index.json", "{}");
    expect_load(folder, true, NULL);
    put(folder, "model.safetensors", "x");
    reading_t t = {.arena = arena_new(), .diag = diag_new()};
    t.spec = spec_load(t.arena, arena_printf(t.arena, "%s/", folder), NULL, 0, t.diag);
    assert_non_null(t.spec);
    assert_string_equal(t.spec->weights_path,
                        arena_printf(t.arena, "%s/model.safetensors", folder));
    done(&t);
    snprintf(path, sizeof path, "%s/none.yaml", folder);
    expect_load(path, false, "no such file");
    expect_load("/dev/zero", false, "is a device");
    static const char *const names[] = {"config.json", "pytorch_model.bin",
                                        "model.safetensors.index.json", "model.safetensors"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* ---- hostile bytes --------------------------------------------------------------------------- */

static void expect_error(const char *text, size_t bytes, const char *message) {
    reading_t t = read_bytes("test.yaml", text, bytes, NULL, 0);
    if (t.spec || !strstr(t.printed.data, message))
        fail_msg("no '%s' in:\n%s", message, t.printed.data);
    done(&t);
}
#define EXPECT_ERROR(literal, message) expect_error((literal), sizeof(literal) - 1, (message))

static void test_bytes(void **state) {
    (void)state;
    EXPECT_ERROR("", "is empty");
    EXPECT_ERROR("a: \xff", "test.yaml:1:4: error: byte 0xff is not UTF-8");
    EXPECT_ERROR("a: 1\nb: \xc0\x80", "test.yaml:2:4: error: byte 0xc0");
    EXPECT_ERROR("a: \xed\xa0\x80", "byte 0xed");
    EXPECT_ERROR("a: \xf4\x90\x80\x80", "byte 0xf4");
    EXPECT_ERROR("a: \xe2\x82", "byte 0xe2");
    EXPECT_ERROR("a: \0", "a byte 0");
    EXPECT_ERROR("a: \x1b[31m", "control character (byte 0x1b)");
    EXPECT_ERROR("\xff\xfe{\0}\0", "byte 0xff"); /* UTF-16 */
    EXPECT_ERROR("compile: {name: \"a\\0b\"}", "must be a C name");
    EXPECT_ERROR("train: {text: \"a\\0b\"}", "with a byte 0 in it");
    reading_t t = read_text("\xef\xbb\xbfhidden_sise: 1"); /* a byte order mark takes no column */
    assert_non_null(strstr(t.printed.data, "test.yaml:1:1: error"));
    done(&t);
    t = read_text("prefix: \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\n");
    assert_non_null(t.spec);
    done(&t);
}

/* What JSON may hold and libyaml would refuse; columns count what the user wrote. */
static void test_json_strings(void **state) {
    (void)state;
    static const char *const fine[] = {
        "{\"prefix\": \"\\ud83d\\ude00 \\uD83D \\/ \\u0000\"}",
        "{\"prefix\": \"\x7f \xc2\x80 \xef\xbf\xbf \xe2\x80\xa8\"}", "\t{\t\"prefix\"\t:\t1\t}\t\n",
        "{\"prefix\":null,\"seed\":[]}", "{\"prefix\": \"\\\\ud83d\"}"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        reading_t t = read_text(fine[i]);
        if (!t.spec) fail_msg("%s\n%s", fine[i], t.printed.data);
        done(&t);
    }
    reading_t t = read_text("{\"prefix\": \"\\ud83d\\ude00\x7f\", \"hidden_size\": 0}");
    assert_non_null(strstr(t.printed.data, "test.yaml:1:44: error: 'hidden_size'"));
    done(&t);
    t = read_text("{\"train\": {\"text\": \"\\ud83d\\ude00\"}}");
    assert_string_equal(t.spec->train.text, "\xf0\x9f\x98\x80");
    done(&t);
}

/* Of the CPU: other programs on it say nothing of ours. */
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* 8 MB of one thing, under any sanitizer, must be an error or an answer within seconds. (100 MB of
 * each took 0.2 to 2.1 s with -O2 on a 2-core machine.) */
static void test_bulk(void **state) {
    (void)state;
    static const struct {
        const char *start, *unit, *end;
        const char *error; /* NULL: accepted */
    } rows[] = {{"", "# comment\n", "num_hashes: 2\n", NULL},
                {"", "\n", "num_hashes: 2\n", NULL},
                {"prefix: \"", "x", "\"\n", NULL},
                {"{\"prefix\": \"", "\\ud83d\\ude00", "\"}\n", NULL},
                {"prefix: ", "[", "", "nested deeper"},
                {"prefix: ", "{a: ", "", "nested deeper"},
                {"", "- ", "", "nested deeper"},
                {"prefix: [", "1, ", "]\n", "more than 1000000 values"},
                {"prefix: [", "&a 1, ", "]\n", "more than 1000000 values"},
                {"seed: &a 1\nprefix: [", "*a, ", "]\n", "more than 1000000 values"},
                {"hidden_size: ", "9", "\n", "must be an integer"},
                {"hidden_size: ", "x", "\n", "must be an integer"},
                {"", "x", ": 1\n", "mapping"},
                {"? ", "x", "\n: 1\n", "unknown key"},
                {"attn_layers: [", "lsh, ", "lsh]\n", "values"},
                {"prefix: |\n", "  x\n", "\n", NULL},
                {"prefix: \"", "\\x41", "\"\n", NULL},
                {"", "\xc3", "", "not UTF-8"},
                {"prefix: ", "!", " x\n", "tag"}};
    const size_t bytes = 8 << 20;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbuf_t s = {0};
        sbuf_puts(&s, rows[i].start);
        while (s.size < bytes) sbuf_puts(&s, rows[i].unit);
        sbuf_puts(&s, rows[i].end);
        double before = seconds();
        reading_t t = read_bytes("test.yaml", s.data, s.size, NULL, 0);
        double took = seconds() - before;
        bool ok = t.spec != NULL;
        if (ok != !rows[i].error || (!ok && !strstr(t.printed.data, rows[i].error)))
            fail_msg("%s%s…: %.300s", rows[i].start, rows[i].unit,
                     t.printed.data ? t.printed.data : "accepted");
        if (took > 10) fail_msg("%s%s…: %.1f s", rows[i].start, rows[i].unit, took);
        done(&t);
        sbuf_free(&s);
    }
}

/* The errors of a file full of them are cut off, with a word about it. */
static void test_many_errors(void **state) {
    (void)state;
    sbuf_t s = {0};
    for (int i = 0; i < 10000; i++) sbuf_printf(&s, "key_%d: 1\n", i);
    reading_t t = read_bytes("test.yaml", s.data, s.size, NULL, 0);
    assert_int_equal(diag_errors(t.diag), 50);
    assert_non_null(strstr(t.printed.data, "further errors are not listed"));
    done(&t);
    sbuf_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_train_memory),
        cmocka_unit_test(test_no_orphans),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_reals_print_shortest),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_config_json_round_trip),
        cmocka_unit_test(test_canonical_covers),
        cmocka_unit_test(test_resolve_architecture),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_max_length),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_reference_page_is_fresh),
        cmocka_unit_test(test_every_key_everywhere),
        cmocka_unit_test(test_shipped_specs),
        cmocka_unit_test(test_default_spec_is_the_default),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_many_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
