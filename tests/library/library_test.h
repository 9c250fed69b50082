/* Golden cases through the library: a folder of tests/golden/cases → io with room for its outputs, compared with
 * what Hugging Face computed. Nothing here is shared between threads: each opens its own. */
#ifndef LIBRARY_TEST_H
#define LIBRARY_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "reformerc.h"
#include "weights/weights.h"

typedef struct {
    arena_t *arena;
    diag_t *d;
    const char *folder, *rotations;
    st_file_t *outputs;
    char batch[64]; /* "compile.batch_size=2" */
    reformer_io_t io;
} case_t;

typedef struct {
    const char *name;
    size_t offset; /* of a float * in reformer_io_t */
} output_name_t;

static const output_name_t output_names[] = {
    {"last_hidden_state", offsetof(reformer_io_t, last_hidden_state)},
    {"logits", offsetof(reformer_io_t, logits)},
    {"start_logits", offsetof(reformer_io_t, start_logits)},
    {"end_logits", offsetof(reformer_io_t, end_logits)},
    {"loss", offsetof(reformer_io_t, loss)},
};
enum { N_OUTPUTS = sizeof output_names / sizeof *output_names };

static inline float **output_at(reformer_io_t *io, int i) {
    return (float **)(void *)((char *)io + output_names[i].offset);
}

static inline int32_t *case_integers(case_t *c, const st_file_t *f, const char *name) {
    const st_tensor_t *t = st_find(f, name);
    if (!t) return NULL;
    int32_t *x = ARENA_ARRAY(c->arena, int32_t, t->elements);
    return st_to_i32(t, x, name, c->d) ? x : NULL;
}

static inline uint8_t *case_mask(case_t *c, const st_file_t *f) {
    const int32_t *x = case_integers(c, f, "attention_mask");
    if (!x) return NULL;
    size_t n = c->io.batch * c->io.length;
    uint8_t *mask = ARENA_ARRAY(c->arena, uint8_t, n);
    for (size_t i = 0; i < n; i++) mask[i] = x[i] != 0;
    return mask;
}

static inline void case_inputs(case_t *c) {
    st_file_t *f = st_open(arena_printf(c->arena, "%s/inputs.safetensors", c->folder), c->d);
    if (!f) bug("no inputs in %s", c->folder);
    const st_tensor_t *ids = st_find(f, "input_ids");
    c->io.size = sizeof c->io;
    c->io.batch = (size_t)ids->shape[0];
    c->io.length = (size_t)ids->shape[1];
    c->io.input_ids = case_integers(c, f, "input_ids");
    c->io.attention_mask = case_mask(c, f);
    c->io.labels = case_integers(c, f, "labels");
    c->io.start_positions = case_integers(c, f, "start_positions");
    c->io.end_positions = case_integers(c, f, "end_positions");
    st_close(f);
}

static inline case_t case_open(const char *name) {
    case_t c = {.arena = arena_new(), .d = diag_new()};
    c.folder = arena_printf(c.arena, "%s/tests/golden/cases/%s", SOURCE_DIR, name);
    c.rotations = arena_printf(c.arena, "%s/rotations.safetensors", c.folder);
    if (!file_exists(c.rotations)) c.rotations = NULL;
    c.outputs = st_open(arena_printf(c.arena, "%s/outputs.safetensors", c.folder), c.d);
    if (!c.outputs) bug("no outputs in %s", c.folder);
    case_inputs(&c);
    snprintf(c.batch, sizeof c.batch, "compile.batch_size=%zu", c.io.batch);
    for (int i = 0; i < N_OUTPUTS; i++) {
        const st_tensor_t *t = st_find(c.outputs, output_names[i].name);
        if (t) *output_at(&c.io, i) = ARENA_ARRAY(c.arena, float, t->elements);
    }
    return c;
}

static inline void case_close(case_t *c) {
    st_close(c->outputs);
    diag_free(c->d);
    arena_free(c->arena);
}

/* Overwrites the outputs, so that a forward that does nothing is noticed. */
static inline void case_spoil(case_t *c) {
    for (int i = 0; i < N_OUTPUTS; i++) {
        const st_tensor_t *t = st_find(c->outputs, output_names[i].name);
        if (t) memset(*output_at(&c->io, i), 0xFF, t->bytes);
    }
}

static inline double magnitude(double x) {
    return x < 0 ? -x : x;
}

/* How many outputs are off by more than 2e-5 of the largest magnitude (the loss: 1e-5), -1: there are none. */
static inline int case_wrong(const case_t *c) {
    int wrong = 0, compared = 0;
    for (int i = 0; i < N_OUTPUTS; i++) {
        const st_tensor_t *t = st_find(c->outputs, output_names[i].name);
        if (!t) continue;
        const float *got = *output_at((reformer_io_t *)&c->io, i);
        float *want = malloc(t->bytes);
        if (!want || !st_to_f32(t, want, "outputs", c->d)) bug("no golden output");
        double largest = 1, error = 0;
        for (int64_t k = 0; k < t->elements; k++)
            if (magnitude(want[k]) > largest) largest = magnitude(want[k]);
        for (int64_t k = 0; k < t->elements; k++) {
            double e = magnitude((double)got[k] - (double)want[k]);
            if (!(e <= error)) error = e; /* a NaN too */
        }
        double allowed = strcmp(output_names[i].name, "loss") == 0 ? 1e-5 : 2e-5 * largest;
        if (!(error <= allowed)) {
            printf("%s: %s is off by %g, allowed are %g\n", c->folder, output_names[i].name, error,
                   allowed);
            wrong++;
        }
        compared++;
        free(want);
    }
    return compared ? wrong : -1;
}

/* The model of a case, with its own weights unless the options say otherwise. */
static inline reformerc_model_t *case_compile(const case_t *c, reformerc_options_t o) {
    const char *settings[] = {c->batch};
    o.settings = settings;
    o.n_settings = 1;
    o.rotations = c->rotations;
    reformerc_model_t *m = NULL;
    char *message = NULL;
    int code = reformerc_compile(&m, c->folder, NULL, &o, &message);
    if (message) printf("%s", message);
    free(message);
    return code == REFORMER_OK ? m : NULL;
}

/* One forward on a context of its own; the number of wrong outputs, or minus an error code. */
static inline int case_run(case_t *c, const reformerc_model_t *m, int threads) {
    reformerc_context_t *context = NULL;
    case_spoil(c);
    int code = reformerc_context_new(&context, m, threads);
    if (code == REFORMER_OK) code = reformerc_forward(context, &c->io);
    if (code) printf("%s: %s\n", c->folder, reformerc_strerror(code));
    reformerc_context_free(context);
    return code ? -code : case_wrong(c);
}

#endif
