/* The passes over Loops, in their order. In: a module, built or parsed. Out: one that back ends
 * transcribe, every buffer planned. Each pass takes a verified module and leaves a verified one. */
#include <string.h>

#include "loops/rules.h"
#include "support/clock.h"

static const struct {
    const char *name;
    void (*run)(module_t *m);
    const char *what;
} passes[] = {
    {"fold", pass_fold, "constants, exact identities, known ranges, affine indices"},
    {"cse", pass_cse, "equal pure instructions once"},
    {"dce", pass_dce, "what nobody uses goes"},
    {"order", pass_order, "what is computed stands before what asks for it"},
    {"plan_memory", pass_plan_memory, "offsets of workspace and scratch"},
};
enum { PASSES = sizeof passes / sizeof *passes };

const char *loops_pass_name(int i) {
    return i >= 0 && i < PASSES ? passes[i].name : NULL;
}

static bool verify_each(const pass_options_t *o) {
#ifdef NDEBUG
    return o->verify_each;
#else
    (void)o;
    return true;
#endif
}

static bool is_dumped(const pass_options_t *o, const char *name) {
    return o->dump_after && (strcmp(o->dump_after, name) == 0 || strcmp(o->dump_after, "all") == 0);
}

static void dump(const module_t *m, const char *name) {
    sbuf_t s = {0};
    module_print(m, &s);
    fprintf(stderr, "# after %s\n%s", name, s.data);
    sbuf_free(&s);
}

/* How many passes run. */
static int passes_wanted(const pass_options_t *o) {
    if (!o->stop_after) return PASSES;
    if (!*o->stop_after) return 0;
    for (int k = 0; k < PASSES; k++)
        if (strcmp(passes[k].name, o->stop_after) == 0) return k + 1;
    bug("no pass is called '%s'", o->stop_after);
}

/* Folding uses the ranges that verifying finds: a module is always verified before the first. */
bool loops_run_passes(module_t *m, const pass_options_t *o, diag_t *d) {
    if (!loops_verify(m, d)) return false;
    for (int k = 0, n = passes_wanted(o); k < n; k++) {
        double start = clock_now();
        passes[k].run(m);
        if (o->time)
            fprintf(stderr, "%8.3f ms  %-12s %s\n", 1e3 * (clock_now() - start), passes[k].name,
                    passes[k].what);
        if (is_dumped(o, passes[k].name)) dump(m, passes[k].name);
        if (verify_each(o) && !loops_verify(m, d)) {
            diag_hint(d, "after pass %s", passes[k].name);
            return false;
        }
    }
    return true;
}
