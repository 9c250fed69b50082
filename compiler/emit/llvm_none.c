/* A build without LLVM: every entry of llvm.h says so. */
#include "emit/llvm.h"

const char *llvm_version(void) {
    return NULL;
}

static bool missing(diag_t *d) {
    diag_error(d, NOWHERE, "this build has no LLVM");
    diag_hint(d, LLVM_MISSING);
    return false;
}

bool llvm_ready(diag_t *d) {
    return missing(d);
}

bool emit_llvm(const plan_t *p, llvm_form_t form, const emit_weights_t *weights, sbuf_t *out,
               diag_t *d) {
    (void)p, (void)form, (void)weights, (void)out;
    return missing(d);
}

void llvm_ensure_memory(int threads, size_t functions) {
    (void)threads;
    (void)functions;
}

void llvm_units_make(const plan_t *p, arena_t *a, llvm_units_t *u) {
    (void)p, (void)a;
    *u = (llvm_units_t){0};
}

bool llvm_unit_compile(const llvm_unit_t *unit, const target_t *target, sbuf_t *out, diag_t *d) {
    (void)unit, (void)target, (void)out;
    return missing(d);
}

const char *llvm_compile_key(const target_t *target) {
    (void)target;
    return "";
}

jit_t *jit_link(const sbuf_t *objects, int n, bool perf_map, diag_t *d) {
    (void)objects, (void)n, (void)perf_map;
    missing(d);
    return NULL;
}

schedule_fn *jit_schedule(const jit_t *j, const char *symbol, diag_t *d) {
    (void)j, (void)symbol;
    missing(d);
    return NULL;
}

void jit_free(jit_t *j) {
    (void)j;
}
