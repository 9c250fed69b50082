/* Which back ends are compared (verify.h), and how one is opened. */
#include <stdio.h>
#include <string.h>

#include "commands/verify/verify.h"
#include "exec/settle.h"
#include "session/stages.h"

/* The interpreter does some 250 million flops a second, twice this many: half a
 * minute, unless asked for. */
static const double interpreter_flops = 4e9;

/* Reference and interpreter first: the report leans on that order. */
static const backend_t order[] = {BACKEND_REFERENCE, BACKEND_INTERPRETER, BACKEND_JIT, BACKEND_C};

static bool parse_backends(const options_t *o, bool wanted[BACKEND_COUNT], diag_t *d) {
    const char *list = o->text[OPT_BACKENDS];
    const char *call;
    for (int i = 0; i < BACKEND_COUNT; i++)
        wanted[i] = !list && backend_is_built_in((backend_t)i) &&
                    (i != BACKEND_JIT || jit_forbidden(&call) == 0);
    for (const char *p = list; p; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, ",");
        backend_t b;
        if (!backend_parse(arena_strndup(o->arena, p, n), "--backends", &b, d)) return false;
        wanted[b] = true;
        p += n;
    }
    return true;
}

static void add_choice(verify_t *v, backend_t b, const char *cc, const char *label) {
    v->choice[v->n] = (side_choice_t){b, cc, label};
    v->side[v->n++] = (side_t){.label = label, .backend = b};
}

/* A side per C compiler. */
static void add_backend(verify_t *v, backend_t b) {
    const options_t *o = v->s.o;
    if (b != BACKEND_C || o->n_ccs < 2) {
        add_choice(v, b, o->text[OPT_CC], backend_names[b]);
        return;
    }
    for (int i = 0; i < o->n_ccs; i++)
        add_choice(v, b, o->ccs[i], arena_printf(o->arena, "c (%s)", o->ccs[i]));
}

bool verify_choose(verify_t *v) {
    bool wanted[BACKEND_COUNT];
    if (!parse_backends(v->s.o, wanted, v->s.d)) return false;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (wanted[order[i]]) add_backend(v, order[i]);
    /* where nothing is compiled, the loops may be for a target that this CPU does not run */
    bool compiles = wanted[BACKEND_C] || wanted[BACKEND_JIT];
    v->options.backend = compiles ? BACKEND_C : BACKEND_INTERPRETER;
    if (v->side[0].backend == BACKEND_REFERENCE) v->reference = &v->side[0];
    if (v->n >= 2) return true;
    diag_error(v->s.d, IN_FILE("--backends"), "'%s' is one back end: there is nothing to compare",
               v->s.o->text[OPT_BACKENDS]);
    return false;
}

bool verify_interprets(const verify_t *v, const side_choice_t *c, double flops) {
    return c->backend != BACKEND_INTERPRETER || v->s.o->given[OPT_BACKENDS] ||
           flops <= interpreter_flops;
}

void verify_leave_interpreter(verify_t *v, double flops) {
    int k = 0;
    while (k < v->n && v->side[k].backend != BACKEND_INTERPRETER) k++;
    if (k == v->n) return;
    v->n--;
    memmove(&v->choice[k], &v->choice[k + 1], (size_t)(v->n - k) * sizeof v->choice[0]);
    memmove(&v->side[k], &v->side[k + 1], (size_t)(v->n - k) * sizeof v->side[0]);
    v->left_out = arena_printf(v->s.arena,
                               "left out: interpreter, %.2g flops are too many by default; "
                               "--backends asks for it\n",
                               flops);
}

/* ---- running --------------------------------------------------------------------------------- */

void verify_show(verify_t *v, const char *what) {
    char said[96];
    snprintf(said, sizeof said, "%s: %s", v->running, what);
    progress_show(&v->progress, v->done < v->total ? v->done : v->total, v->total, said);
}

exec_t *verify_open(verify_t *v, const side_choice_t *c, plan_t *p) {
    exec_options_t o = {
        .backend = c->backend, .cc = c->cc, .pool = v->s.pool, .passes = pass_options_of(v->s.o)};
    return exec_open(p, v->s.store, &o, v->s.d);
}
