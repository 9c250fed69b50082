/* model.c: a lowered plan as one C file, and with it model.h.
 *
 * In: modules (lengths × targets) and their descriptor. Out: opening comment with the compile line,
 * one region per target (prelude, then functions, kernels and schedule of every length), the
 * descriptor, the functions that a product calls. Plain C11 with the vector extensions of gcc and
 * clang; no globals that change, no allocation, no libc, no libm. */
#include <string.h>

#include "emit/c_int.h"

void emit_c(const plan_t *p, const emit_c_options_t *o, sbuf_t *source, sbuf_t *header) {
    if (!p->modules) bug("emit_c of a plan that is not lowered");
    arena_t *a = arena_new();
    emitter_t c = {.plan = p, .o = o, .lasting = a, .arena = a, .globals = names_new(a, NULL)};
    int n = plan_parts(p);
    reformer_desc_t d;
    reformer_variant_t *v = ARENA_ARRAY(a, reformer_variant_t, n);
    const char **run = ARENA_ARRAY(a, const char *, n);
    plan_describe(p, &d, v);
    reserve_interface(&c);
    sbuf_t body = {0};
    for (int rank = 0; rank < p->n_targets; rank++) put_region(&c, rank, run, &body);
    const char *desc = put_descriptor(&c, &d, v, run, &body);
    put_interface(&c, desc, &body);
    if (o->weights_file) put_embedded_weights(&c, &body);
    runtime_t *r = o->standalone ? runtime_of(&c, body.data) : NULL;
    put_opening(&c, source);
    if (r) put_runtime_features(r, source);
    put_guards(&c, source);
    if (r) put_runtime(r, source);
    sbuf_join(source, &body);
    if (r) put_runtime_end(r, source);
    put_end(source);
    if (o->selftest) put_selftest(&c, source);
    put_header(&c, &d, v, header);
    arena_free(a);
}

void emit_header(const plan_t *p, const emit_c_options_t *o, sbuf_t *header) {
    arena_t *a = arena_new();
    emitter_t c = {.plan = p, .o = o, .lasting = a, .arena = a};
    reformer_desc_t d;
    reformer_variant_t *v = ARENA_ARRAY(a, reformer_variant_t, plan_parts(p));
    plan_describe(p, &d, v);
    put_header(&c, &d, v, header);
    arena_free(a);
}
