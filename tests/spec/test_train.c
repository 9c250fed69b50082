/* The section train: defaults that depend on the rule and the schedule, settings of its mappings, patterns of names. What
 * is refused stands in cases/train-*.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/patterns.h"
#include "spec/schema.h"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    spec_t *spec;
} reading_t;

static void done(reading_t *r) {
    diag_free(r->diag);
    arena_free(r->arena);
}

/* `sets`: KEY=VALUE, ended by NULL. */
static reading_t read_with(const char *text, const char *const *sets) {
    reading_t r = {.arena = arena_new(), .diag = diag_new()};
    setting_t settings[8];
    int n = 0;
    for (; sets && sets[n]; n++) {
        const char *equals = strchr(sets[n], '=');
        settings[n] =
            (setting_t){.key = arena_strndup(r.arena, sets[n], (size_t)(equals - sets[n])),
                        .value = equals + 1};
    }
    r.spec = spec_parse(r.arena, "test.yaml", text, strlen(text), settings, n, r.diag);
    if (!r.spec) {
        diag_print(r.diag, stderr);
        fail_msg("refused: %s", text);
    }
    return r;
}

/* The section's keys as they print, of those that one key's name begins. */
static void expect(const char *text, const char *const *sets, const char *const *values) {
    reading_t r = read_with(text, sets);
    for (int i = 0; values[i]; i += 2) {
        const char *dot = strrchr(values[i], '.');
        spec_key_t key =
            schema_find(arena_strndup(r.arena, values[i], (size_t)(dot - values[i])), dot + 1);
        assert_true(key != KEY_COUNT);
        sbuf_t out = {0};
        assert_true(print_key_value(r.spec, key, &out));
        if (strcmp(out.data, values[i + 1]) != 0)
            fail_msg("%s: %s is %s, not %s", text, values[i], out.data, values[i + 1]);
        sbuf_free(&out);
    }
    done(&r);
}
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define O         "train.optimizer."
#define S         "train.schedule."

static void test_defaults_of_rules(void **state) {
    (void)state;
    expect("train: {}", NULL,
           LIST(O "type", "\"adamw\"", O "lr", "0.001", O "betas", "[0.9, 0.999]", O "weight_decay",
                "0.01", S "type", "\"constant\"", S "warmup", "0", "train.max_grad_norm", "1.0",
                "train.steps", "1000", "train.no_decay", "null", "train.freeze", "null"));
    expect("train: {optimizer: {type: adam}}", NULL,
           LIST(O "lr", "0.001", O "betas", "[0.9, 0.999]", O "weight_decay", "0.0"));
    expect("train: {optimizer: {type: adam, dialect: trax}}", NULL,
           LIST(O "lr", "0.0001", O "weight_decay", "1e-05"));
    expect(
        "train: {optimizer: {type: sgd}}", NULL,
        LIST(O "lr", "0.001", O "momentum", "0.0", O "nesterov", "false", O "weight_decay", "0.0"));
    expect(
        "train: {optimizer: {type: sgd, dialect: trax}}", NULL,
        LIST(O "lr", "0.01", O "momentum", "0.9", O "nesterov", "true", O "weight_decay", "1e-05"));
    expect("train: {optimizer: {type: adafactor}}", NULL,
           LIST(O "lr", "0.0", O "relative_step", "true", O "eps", "[1e-30, 0.001]", O "decay_rate",
                "-0.8", O "beta1", "null", O "clip_threshold", "1.0", O "scale_parameter", "true",
                O "warmup_init", "false", S "type", "\"none\""));
    expect("train: {optimizer: {type: adafactor, lr: 0.1}}", NULL,
           LIST(O "lr", "0.1", O "relative_step", "false", S "type", "\"constant\""));
    expect("train: {optimizer: {type: adafactor, dialect: trax, decay_rate: 0.7}}", NULL,
           LIST(O "lr", "0.05", O "relative_step", "false", O "eps", "[1e-16, 0.001]",
                O "decay_rate", "-0.7", O "weight_decay", "1e-05"));
}

static void test_defaults_of_schedules(void **state) {
    (void)state;
    expect(
        "train: {steps: 7, schedule: {type: linear, warmup: 3}}", NULL,
        LIST(S "warmup", "3", S "total", "7", S "warmup_from", "\"zero\"", S "min_ratio", "0.0"));
    expect("train: {steps: 7, schedule: {type: cosine, total: 9, warmup_steps: 2}}", NULL,
           LIST(S "total", "9", S "num_cycles", "0.5", S "warmup", "2"));
    expect("train: {epochs: 2, schedule: {type: wsd}}", NULL,
           LIST("train.steps", "null", S "total", "0", S "decay_from", "0.8"));
    expect("train: {schedule: {type: polynomial}}", NULL,
           LIST(S "power", "1.0", S "lr_end", "1e-07"));
    expect("train: {schedule: {type: inverse_sqrt, timescale: null}}", NULL,
           LIST(S "timescale", "0"));
    expect("train: {schedule: {type: multifactor}}", NULL,
           LIST(O "lr", "1.0", S "warmup", "400", S "warmup_from", "\"first\"", S "factors",
                "[\"constant\", \"linear_warmup\", \"rsqrt_decay\"]", S "constant", "0.1",
                S "steps_per_cycle", "100000", S "second_constant_step", "10000"));
    expect(
        "train: {schedule: {type: multifactor, factors: 'two_constants*decay_every * cosine_decay'}}",
        NULL, LIST(S "factors", "[\"two_constants\", \"decay_every\", \"cosine_decay\"]"));
}

/* Numbers of a mapping are set one by one, or all at once; what a set type lacks goes from the file. */
static void test_settings(void **state) {
    (void)state;
    const char *file = "train:\n  optimizer: {type: sgd, lr: 0.5, momentum: 0.9}\n"
                       "  schedule: {type: cosine, num_cycles: 2, warmup: 4}\n";
    expect(file, LIST(O "lr=0.25", S "warmup_steps=5"),
           LIST(O "type", "\"sgd\"", O "lr", "0.25", O "momentum", "0.9", S "warmup", "5"));
    expect(file, LIST(O "type=adamw", S "type=linear"),
           LIST(O "lr", "0.5", O "eps", "1e-08", S "warmup", "4"));
    expect(file, LIST("train.optimizer={type: adam, lr: 2}", O "lr=3"),
           LIST(O "type", "\"adam\"", O "lr", "3.0", O "weight_decay", "0.0"));
    expect(file, LIST(O "lr=3", "train.optimizer={type: adam}", "train.schedule=null"),
           LIST(O "lr", "0.001", S "type", "\"constant\"", S "warmup", "0"));
}

/* An option that stands for a setting is named in its place. */
static void test_shown(void **state) {
    (void)state;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    const setting_t set = {.key = "train.steps", .value = "x", .shown = "--steps"};
    assert_null(spec_parse(a, "t.yaml", "{}", 2, &set, 1, d));
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    diag_print(d, f);
    fclose(f);
    assert_non_null(strstr(text, "--steps: error: 'train.steps' must be an integer"));
    free(text);
    diag_free(d);
    arena_free(a);
}

static void test_patterns(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {{"a.b", "a.b", true},
                {"a.b", "a.bc", false},
                {"*", "", true},
                {"*.bias", "x.layers.0.bias", true},
                {"*.bias", "x.bias.y", false},
                {"a*b*c", "axxbyybzc", true},
                {"a*b*c", "axxbyybz", false},
                {"layers.[0-2].*", "layers.1.x", true},
                {"layers.[0-2].*", "layers.3.x", false},
                {"layers.[!0-2].*", "layers.3.x", true},
                {"layers.[^3]", "layers.3", false},
                {"[]a]", "]", true},
                {"?b", "ab", true},
                {"?b", "b", false},
                {"\\*b", "*b", true},
                {"\\*b", "ab", false},
                {"[ab", "[ab", true},
                {"a", "", false},
                {"", "", true},
                {"**x", "aax", true},
                {"[a-]", "-", true},
                {"a\\", "a\\", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (pattern_matches(rows[i].pattern, rows[i].name) != rows[i].matches)
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].name);
    char many[4000]; /* in time */
    memset(many, 'a', sizeof many - 1);
    many[sizeof many - 1] = 0;
    assert_false(pattern_matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", many));
}

static void test_choice(void **state) {
    (void)state;
    static const char *const names[] = {"reformer.embeddings.word_embeddings.weight",
                                        "reformer.encoder.layers.0.attention.layer_norm.bias",
                                        "reformer.encoder.layers.1.attention.layer_norm.bias",
                                        "lm_head.decoder.weight"};
    enum { N = 4 };
    bool chosen[N];
    reading_t r = read_with("train: {freeze: ['reformer.*.bias', lm_head.decoder.weight]}", NULL);
    assert_true(spec_choose(r.arena, r.spec, KEY_train_freeze, names, N, chosen, r.diag));
    assert_true(!chosen[0] && chosen[1] && chosen[2] && chosen[3]);
    assert_true(spec_choose(r.arena, r.spec, KEY_train_no_decay, names, N, chosen, r.diag));
    assert_true(!chosen[0] && !chosen[1] && !chosen[2] && !chosen[3]);
    done(&r);
    r = read_with(
        "train:\n  no_decay:\n    - '*.weight'\n    - lm_head.decoder.wieght\n    - 'x*'\n", NULL);
    assert_false(spec_choose(r.arena, r.spec, KEY_train_no_decay, names, N, chosen, r.diag));
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    diag_print(r.diag, f);
    fclose(f);
    assert_non_null(strstr(text,
                           "test.yaml:4:7: error: 'train.no_decay': no tensor of the model is "
                           "called 'lm_head.decoder.wieght'\n"));
    assert_non_null(strstr(text, "did you mean 'lm_head.decoder.weight'?"));
    assert_non_null(strstr(text,
                           "test.yaml:5:7: error: 'train.no_decay': no tensor of the model is "
                           "called 'x*', or like it\n"));
    free(text);
    done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_rules), cmocka_unit_test(test_defaults_of_schedules),
        cmocka_unit_test(test_settings),          cmocka_unit_test(test_shown),
        cmocka_unit_test(test_patterns),          cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
