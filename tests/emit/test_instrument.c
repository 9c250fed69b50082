/* Instrumented code, by every back end that compiles: the hook hears each launch of the schedule with
 * its label, in order and in pairs; without --instrument the text is what it was, and the hook silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/exec.h"
#include "exec/targets.h"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    plan_t *plan;
} model_t;

static void must(const model_t *m, bool ok) {
    if (ok) return;
    diag_print(m->diag, stderr);
    fail_msg("see the messages above");
}

/* Local and LSH layers, several heads and rounds. */
static model_t open_model(bool instrument) {
    model_t m = {.arena = arena_new(), .diag = diag_new()};
    const char *path = SOURCE_DIR "/tests/golden/checkpoint";
    setting_t set = {.key = "compile.sequence_length", .value = "64"};
    spec_t *s = spec_load(m.arena, path, &set, 1, m.diag);
    must(&m, s && spec_resolve_architecture(s, true, false, false, m.diag));
    plan_options_t o = {.name = "model",
                        .n_targets = 1,
                        .targets = {native_target(DTYPE_FLOAT32)},
                        .instrument = instrument};
    m.plan = plan_make(m.arena, s, &o, m.diag);
    must(&m, m.plan && plan_lower(m.plan, &(pass_options_t){0}, m.diag));
    return m;
}

static void close_model(model_t *m) {
    diag_free(m->diag);
    arena_free(m->arena);
}

/* ---- what the hook hears ------------------------------------------------------------------------- */

typedef struct {
    sbuf_t heard; /* a line per launch */
    char open[96];
    int odd; /* calls out of pairs */
} ear_t;

static void hear(void *ctx, const char *name, int begin) {
    ear_t *e = ctx;
    e->odd += begin ? e->open[0] != 0 : strcmp(e->open, name) != 0;
    (void)snprintf(e->open, sizeof e->open, "%s", begin ? name : "");
    if (begin) sbuf_printf(&e->heard, "%s\n", name);
}

static void forward(const model_t *m, backend_t b, ear_t *ear) {
    exec_options_t eo = {.backend = b};
    store_options_t so = {.path = "random"};
    store_t *store = store_load(m->plan->variants[0].graph, &so, m->diag);
    exec_t *e = store ? exec_open(m->plan, store, &eo, m->diag) : NULL;
    must(m, e != NULL);
    int32_t ids[64];
    float loss = 0;
    for (int i = 0; i < 64; i++) ids[i] = i + 2;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = ids,
                        .length = 64,
                        .loss = &loss,
                        .profile = hear,
                        .profile_ctx = ear};
    must(m, exec_forward(e, &io, m->diag));
    exec_close(e);
    store_free(store);
    assert_true(loss > 0);
}

static int count_lines(const char *text, const char *line) {
    int n = 0;
    size_t length = strlen(line);
    for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        n += strncmp(p, line, length) == 0 && p[length] == '\n';
    return n;
}

typedef struct {
    int64_t launches;
} total_t;

static void count_launch(void *ctx, const inst_t *launch, int64_t times) {
    (void)launch;
    ((total_t *)ctx)->launches += times;
}

static void every_back_end_tells_its_launches(void **state) {
    (void)state;
    static const backend_t backends[] = {BACKEND_C, BACKEND_JIT};
    model_t m = open_model(true);
    total_t want = {0};
    loops_schedule(m.plan->modules[0], 0, count_launch, &want);
    ear_t first = {{0}, "", 0};
    for (size_t k = 0; k < 2; k++) {
        if (!backend_is_built_in(backends[k])) continue;
        ear_t ear = {{0}, "", 0};
        forward(&m, backends[k], &ear);
        assert_int_equal(ear.odd, 0);
        assert_string_equal(ear.open, "");
        assert_int_equal(count_lines(ear.heard.data, "embed"), 1);
        assert_int_equal(count_lines(ear.heard.data, "layer1.feed_forward"), 1);
        assert_int_equal(count_lines(ear.heard.data, "layer#.feed_forward"), 0);
        assert_int_equal(count_lines(ear.heard.data, "lm_loss"), 1);
        int64_t lines = 0;
        for (const char *p = ear.heard.data; *p; p++) lines += *p == '\n';
        assert_int_equal(lines, want.launches);
        if (k == 0) first = ear;
        else {
            assert_string_equal(ear.heard.data, first.heard.data);
            sbuf_free(&ear.heard);
        }
    }
    sbuf_free(&first.heard);
    close_model(&m);
}

static void other_code_does_not(void **state) {
    (void)state;
    model_t m = open_model(false);
    ear_t ear = {{0}, "", 0};
    forward(&m, backend_default(), &ear);
    assert_null(ear.heard.data);
    close_model(&m);
}

/* ---- the text ------------------------------------------------------------------------------------ */

static void only_launches_differ(void **state) {
    (void)state;
    emit_c_options_t o = {.header_name = "model.h"};
    sbuf_t source[2] = {{0}}, header[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        model_t m = open_model(k == 1);
        emit_c(m.plan, &o, &source[k], &header[k]);
        close_model(&m);
    }
    assert_null(strstr(source[0].data, "labelled"));
    assert_null(strstr(source[0].data, "layer#"));
    assert_null(strstr(header[0].data, "profile"));
    assert_null(strstr(source[1].data, "reformer_launch("));
    assert_non_null(strstr(source[1].data, "\"layer#.lsh.hash\", layer);"));
    assert_non_null(strstr(source[1].data, "\"embed\", -1);"));
    assert_non_null(strstr(header[1].data, "profile, profile_ctx"));
    for (int k = 0; k < 2; k++) {
        sbuf_free(&source[k]);
        sbuf_free(&header[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_back_end_tells_its_launches),
        cmocka_unit_test(other_code_does_not),
        cmocka_unit_test(only_launches_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
