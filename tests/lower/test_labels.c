/* Labels of launches: every kernel that a golden model launches runs under the name of the part of the
 * model it belongs to, with the layer where it stands in one; traced or not, with imposed buckets or
 * without, after all passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "loops/rules.h"
#include "plan/plan.h"

/* Which label the launches of a kernel must have. */
static const struct {
    const char *kernel, *label;
} regions[] = {
    {"embed", "embed"},
    {"lsh_project", "layer#.lsh.project"},
    {"lsh_hash", "layer#.lsh.hash"},
    {"lsh_impose", "layer#.lsh.impose"},
    {"lsh_sort", "layer#.lsh.sort"},
    {"lsh_norms", "layer#.lsh.norms"},
    {"lsh_attention", "layer#.lsh.attention"},
    {"lsh_output", "layer#.lsh.output"},
    {"local_project", "layer#.local.project"},
    {"local_norms", "layer#.local.norms"},
    {"local_attention", "layer#.local.attention"},
    {"local_output", "layer#.local.output"},
    {"feed_forward", "layer#.feed_forward"},
    {"final_norm", "final_norm"},
    {"lm_head", "lm_head"},
    {"lm_loss", "lm_loss"},
    {"classifier", "classifier"},
    {"classifier_loss", "classifier_loss"},
    {"qa_outputs", "qa_outputs"},
    {"qa_loss", "qa_loss"},
    {"save_y1", "trace"},
    {"save_y2", "trace"},
    {"dump_y1", "trace"},
    {"dump_y2", "trace"},
    {"delta_y1", "trace"},
    {"delta_y2", "trace"},
};
enum { REGIONS = sizeof regions / sizeof *regions };

typedef struct {
    const char *model;
    int n_layers;
    int seen[REGIONS]; /* launches, over all modules */
} tally_t;

/* Layers that differ have kernels and labels of their own, numbered: "lsh_2_project", "layer#.lsh_2.project". Without
 * the number, which is returned; 0: none. */
static long without_number(const char *name, char out[64]) {
    long number = 0;
    size_t n = 0;
    for (const char *p = name; *p && n < 63; p++) {
        char *end = NULL;
        long k = *p == '_' && p[1] >= '1' && p[1] <= '9' ? strtol(p + 1, &end, 10) : 0;
        if (k && (!*end || *end == '_' || *end == '.')) {
            number = k;
            p = end - 1;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
    return number;
}

static void check_launch(void *ctx, inst_t *i) {
    tally_t *t = ctx;
    if (i->op != OP_LAUNCH) return;
    int k = 0;
    char kernel[64], label[64];
    long number = without_number(i->callee->name, kernel);
    while (k < REGIONS && strcmp(regions[k].kernel, kernel) != 0) k++;
    if (k == REGIONS) fail_msg("%s: no label is known for '%s'", t->model, i->callee->name);
    t->seen[k]++;
    if (!i->text) fail_msg("%s: a launch of '%s' has no label", t->model, i->callee->name);
    assert_int_equal(without_number(i->text, label), number);
    assert_string_equal(label, regions[k].label);
    assert_int_equal(i->n_operands, strchr(i->text, '#') != NULL);
    if (i->n_operands == 0) return;
    const value_t *layer = i->operand[0];
    assert_true(layer->bounded && dim_literal(layer->lo) && dim_literal(layer->hi));
    assert_int_equal(layer->lo.c, 0);
    assert_int_equal(layer->hi.c, t->n_layers - 1);
}

static void check_model(tally_t *t, const char *path, bool extras) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    t->model = path;
    spec_t *s = spec_load(a, path, NULL, 0, d);
    plan_options_t o = {.name = "model", .n_targets = 1, .targets = {&targets[T_X86_64_V3]}};
    o.trace = o.impose_buckets = extras;
    plan_t *p = NULL;
    if (s && spec_resolve_architecture(s, false, false, false, d)) p = plan_make(a, s, &o, d);
    bool ok = p && plan_lower(p, &(pass_options_t){.verify_each = true}, d);
    diag_print(d, stderr);
    if (!ok) fail_msg("%s cannot be lowered", path);
    t->n_layers = s->n_layers;
    for (int k = 0; k < p->n_variants; k++)
        walk_block(module_entry(p->modules[k])->body, check_launch, t);
    diag_free(d);
    arena_free(a);
}

static void every_launch_has_its_label(void **state) {
    (void)state;
    const char *folder = SOURCE_DIR "/tests/golden/cases";
    tally_t t = {0};
    arena_t *a = arena_new();
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        const char *path = arena_printf(a, "%s/%s/config.json", folder, e->d_name);
        check_model(&t, path, false);
        check_model(&t, path, true);
    }
    closedir(dir);
    for (int k = 0; k < REGIONS; k++)
        if (t.seen[k] == 0) fail_msg("no golden model launches '%s'", regions[k].kernel);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_launch_has_its_label)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
