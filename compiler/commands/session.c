/* The steps of session.h. Nothing here computes; it decides what is loaded and built, and in which
 * order, from the options and the spec. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "commands/session.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/stages.h"

_Static_assert((int)T_X86_64 == REFORMER_CPU_X86_64 && (int)T_X86_64_V4 == REFORMER_CPU_X86_64_V4 &&
                   (int)T_AARCH64 == REFORMER_CPU_AARCH64,
               "targets and the runtime's CPUs are one enumeration");

session_t session_new(const options_t *o, diag_t *d) {
    return (session_t){.o = o, .d = d, .arena = o->arena, .threads = session_threads(o)};
}

void session_free(session_t *s) {
    if (s->exec) exec_close(s->exec);
    if (s->store) store_free(s->store);
    pool_free(s->pool);
    *s = (session_t){0};
}

int session_threads(const options_t *o) {
    if (o->threads) return o->threads;
    cpu_set_t mine;
    int n = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

bool checked_product(const int64_t *factor, int n, size_t element, size_t *bytes) {
    size_t product = element;
    for (int i = 0; i < n; i++)
        if (factor[i] < 0 || __builtin_mul_overflow(product, (size_t)factor[i], &product))
            return false;
    *bytes = product;
    return product <= PTRDIFF_MAX;
}

/* ---- spec and weights' names ------------------------------------------------------------------- */

static bool is_random(const char *weights) {
    return strcmp(weights, "random") == 0 || strncmp(weights, "random:", 7) == 0;
}

bool session_spec(session_t *s) {
    const options_t *o = s->o;
    if (!check_stage_name(o, s->d)) return false;
    s->spec = spec_load(s->arena, o->model, o->sets, o->n_sets, s->d);
    if (!s->spec) return false;
    s->weights = o->given[OPT_WEIGHTS] ? o->text[OPT_WEIGHTS] : s->spec->weights_path;
    weights_kind_t kind = {0};
    if (s->weights && !is_random(s->weights) && !weights_kind(s->weights, &kind, s->d))
        return false;
    if (!spec_resolve_architecture(s->spec, kind.has_lm_head, kind.has_classifier, kind.has_qa,
                                   s->d))
        return false;
    dump_spec(o, s->spec);
    return true;
}

bool session_need_weights(session_t *s) {
    if (s->weights) return true;
    diag_error(s->d, IN_FILE(s->spec->path), "has no weights beside it");
    diag_hint(s->d, "--weights FILE, or --weights random");
    return false;
}

/* ---- targets ------------------------------------------------------------------------------------ */

static bool is_x86(const target_t *t) {
    return t->id != T_AARCH64;
}

const target_t *native_target(void) {
    static const target_id_t best_first[] = {T_X86_64_V4, T_X86_64_V3, T_X86_64, T_AARCH64};
    for (size_t i = 0; i < sizeof best_first / sizeof best_first[0]; i++)
        if (reformer_cpu_supports((int)best_first[i])) return &targets[best_first[i]];
    bug("this CPU runs none of the targets");
}

static const target_t *baseline_target(void) {
    return is_x86(native_target()) ? &targets[T_X86_64] : &targets[T_AARCH64];
}

/* Best first, each once: the order in which the runtime tries them. */
static void insert_target(plan_options_t *p, const target_t *t) {
    int at = 0;
    while (at < p->n_targets && p->targets[at]->id > t->id) at++;
    if (at < p->n_targets && p->targets[at] == t) return;
    for (int i = p->n_targets; i > at; i--) p->targets[i] = p->targets[i - 1];
    p->targets[at] = t;
    p->n_targets++;
}

/* --target, else compile.targets, else what this use defaults to. */
static bool list_targets(session_t *s, bool runs, plan_options_t *p) {
    const options_t *o = s->o;
    const spec_t *spec = s->spec;
    int n = o->n_targets ? o->n_targets : spec->compile.n_targets;
    const char *const *names = o->n_targets ? o->targets : spec->compile.targets;
    if (n == 0) insert_target(p, runs ? native_target() : baseline_target());
    for (int i = 0; i < n; i++) {
        const target_t *t =
            strcmp(names[i], "native") == 0 ? native_target() : target_find(names[i]);
        if (!t) bug("target '%s' passed the checks of the spec", names[i]);
        insert_target(p, t);
    }
    for (int i = 1; i < p->n_targets; i++) {
        if (is_x86(p->targets[i]) == is_x86(p->targets[0])) continue;
        diag_error(s->d, IN_FILE(o->n_targets ? "--target" : spec->path),
                   "x86-64 and aarch64 do not fit into one C file");
        return false;
    }
    return true;
}

/* What runs at once needs one target only, the best that this CPU has. */
static bool keep_best(session_t *s, plan_options_t *p) {
    if (s->o->backend == BACKEND_REFERENCE || s->o->backend == BACKEND_INTERPRETER) {
        p->n_targets = 1;
        return true;
    }
    for (int i = 0; i < p->n_targets; i++) {
        if (!reformer_cpu_supports((int)p->targets[i]->id)) continue;
        p->targets[0] = p->targets[i];
        p->n_targets = 1;
        return true;
    }
    diag_error(s->d, IN_FILE(s->o->n_targets ? "--target" : s->spec->path),
               "this CPU runs none of the targets asked for; it runs %s", native_target()->name);
    return false;
}

/* ---- plan, loops, weights, executor --------------------------------------------------------------- */

bool session_plan(session_t *s, const session_plan_t *want) {
    plan_options_t p = {.name = want->name,
                        .exact_length = want->exact_length,
                        .exact_batch = want->exact_batch,
                        .trace = want->trace,
                        .impose_buckets = want->impose_buckets};
    if (!list_targets(s, want->runs, &p)) return false;
    if (want->runs && !keep_best(s, &p)) return false;
    s->plan = plan_make(s->arena, s->spec, &p, s->d);
    if (!s->plan) return false;
    dump_graphs(s->o, s->plan);
    return true;
}

bool session_lower(session_t *s) {
    pass_options_t passes = pass_options_of(s->o);
    if (!plan_lower(s->plan, &passes, s->d)) return false;
    dump_loops(s->o, s->plan);
    return true;
}

bool session_weights(session_t *s) {
    const plan_t *p = s->plan;
    store_options_t so = {
        .path = s->weights, .rotations_path = s->o->text[OPT_ROTATIONS], .seed = s->o->seed};
    s->store = store_load(p->variants[p->n_variants - 1].graph, &so, s->d);
    return s->store != NULL;
}

bool session_open(session_t *s) {
    if (s->o->backend != BACKEND_REFERENCE && !session_lower(s)) return false;
    if (!session_weights(s)) return false;
    s->pool = pool_new(s->threads);
    s->threads = pool_threads(s->pool);
    exec_options_t eo = {.backend = s->o->backend,
                         .cc = s->o->text[OPT_CC],
                         .pool = s->pool,
                         .time = s->o->given[OPT_TIME_PASSES],
                         .passes = pass_options_of(s->o)};
    s->exec = exec_open(s->plan, s->store, &eo, s->d);
    return s->exec != NULL;
}
