/* The self-test at the end of model.c (--selftest): the recorded numbers, and the program around
 * them, which is text (selftest.txt) in which MODEL and model_ stand for the model's prefix. */
#include <ctype.h>
#include <string.h>

#include "emit/c_int.h"

typedef struct {
    emitter_t *c;
    const selftest_t *t;
    const char *prefix, *upper;
} test_t;

/* A list of numbers, filled into lines. */
static void put_numbers(const char *head, const char *const *text, int64_t n, sbuf_t *out) {
    sbuf_t row = {0};
    put_line(out, 0, "%s = {", head);
    for (int64_t i = 0; i < n; i++) {
        if (row.size + strlen(text[i]) + 2 > COLUMNS - INDENT) {
            put_line(out, 1, "%s", row.data);
            row.size = 0;
        }
        sbuf_printf(&row, "%s%s,", row.size ? " " : "", text[i]);
    }
    put_line(out, 1, "%s", row.data);
    put_line(out, 0, "};");
    sbuf_free(&row);
}

static void put_integers(const test_t *x, const char *name, const int32_t *list, int64_t n,
                         sbuf_t *out) {
    arena_t *a = x->c->arena;
    const char **text = ARENA_ARRAY(a, const char *, n);
    for (int64_t i = 0; i < n; i++) text[i] = arena_printf(a, "%d", list[i]);
    put_numbers(
        arena_printf(a, "static const int32_t %s_test_%s[%lld]", x->prefix, name, (long long)n),
        text, n, out);
}

static void put_floats(const test_t *x, const char *name, const float *list, int64_t n,
                       sbuf_t *out) {
    arena_t *a = x->c->arena;
    const char **text = ARENA_ARRAY(a, const char *, n);
    for (int64_t i = 0; i < n; i++) text[i] = c_float(a, E_F32, (double)list[i]);
    put_numbers(
        arena_printf(a, "static const float %s_test_%s[%lld]", x->prefix, name, (long long)n), text,
        n, out);
}

/* What of io the test asks for, and where weights come from. */
static void put_hooks(const test_t *x, sbuf_t *out) {
    sbuf_printf(out, "#define %s_TEST_ASK", x->upper);
    for (int i = 0; i < x->t->n_outputs; i++)
        sbuf_printf(out, " io.%s = got[%d];", x->t->output[i].name, i);
    sbuf_printf(out, "\n#define %s_TEST_EMBEDDED", x->upper);
    if (x->c->o->weights_file)
        sbuf_printf(out, " if (!weights) weights = %s_embedded_weights(&bytes);", x->prefix);
    sbuf_puts(out, "\n");
}

static void put_outputs(const test_t *x, sbuf_t *out) {
    arena_t *a = x->c->arena;
    const char *p = x->prefix;
    for (int i = 0; i < x->t->n_outputs; i++) {
        const recorded_t *r = &x->t->output[i];
        put_integers(x, arena_printf(a, "%s_at", r->name), r->at, r->n, out);
        put_floats(x, r->name, r->want, r->n, out);
    }
    sbuf_printf(out,
                "typedef struct {\n"
                "    const char *name;\n"
                "    size_t elements, n;\n"
                "    const int32_t *at; /* [n] */\n"
                "    const float *want; /* [n] */\n"
                "    double magnitude;  /* of the greatest element */\n"
                "} %s_test_output_t;\n",
                p);
    put_line(out, 0, "static const %s_test_output_t %s_test_outputs[] = {", p, p);
    for (int i = 0; i < x->t->n_outputs; i++) {
        const recorded_t *r = &x->t->output[i];
        put_line(out, 1, "{\"%s\", %lld, %d, %s_test_%s_at, %s_test_%s, %.9g},", r->name,
                 (long long)r->elements, r->n, p, r->name, p, r->name, r->magnitude);
    }
    put_line(out, 0, "};");
}

/* Words that begin with model_ or MODEL_ are the model's. */
static void put_program(const test_t *x, sbuf_t *out) {
    char before = ' ';
    for (const char *p = selftest_text; *p; before = *p++) {
        bool begins = !isalnum((unsigned char)before) && before != '_';
        bool lower = begins && strncmp(p, "model_", 6) == 0;
        bool upper = strncmp(p, "MODEL_", 6) == 0 && (begins || before == 'D');
        if (lower || upper) {
            sbuf_puts(out, lower ? x->prefix : x->upper);
            p += strlen("model") - 1;
        } else sbuf_write(out, p, 1);
    }
}

void put_selftest(emitter_t *c, sbuf_t *out) {
    const selftest_t *t = c->o->selftest;
    test_t x = {c, t, c->plan->name, upper_case(c->arena, c->plan->name)};
    sbuf_printf(out, "\n#ifdef %s_SELFTEST\n", x.upper);
    sbuf_printf(out, "enum { %s_TEST_LENGTH = %lld, %s_TEST_OUTPUTS = %d };\n", x.upper,
                (long long)t->length, x.upper, t->n_outputs);
    sbuf_printf(out, "#define %s_TEST_TOLERANCE %g /* of max(1, magnitude) */\n", x.upper,
                t->tolerance);
    put_hooks(&x, out);
    put_integers(&x, "ids", t->ids, t->length, out);
    put_outputs(&x, out);
    sbuf_puts(out, "#endif\n\n");
    put_program(&x, out);
}
