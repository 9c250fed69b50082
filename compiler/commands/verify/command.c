/* reformerc verify: every back end side by side on one input, and who departs first.
 *
 * In: a model, weights, an input. Each side runs code with traces, then code as products get it;
 * then it makes room for the next, only the reference stays (near-ties ask it for margins). Out:
 * the table of verdict.h on stdout, exit 1 when anything departs; progress on stderr. When the
 * interpreter departs, it runs again after each pass until the one to blame is found. Of specs that
 * train, the gradients of a train step are compared as well (train.c). */

#include "commands/verify/verify.h"

#include "cli/help.h"
#include "commands/commands.h"
#include "exec/settle.h"
#include "session/gradients.h"
#include "session/stages.h"

/* The reference does some 5 billion flops a second. */
static const double reference_flops = 1e12;

/* ---- plans ----------------------------------------------------------------------------------- */

static bool read_input(verify_t *v) {
    session_t *s = &v->s;
    const char *path = s->o->given[OPT_INPUT] ? s->o->text[OPT_INPUT] : "random";
    return inputs_open(&v->in, s->arena, &s->model, path, s->d) &&
           inputs_fit(&v->in, &s->model, s->d);
}

static plan_t *make_plan(verify_t *v, bool traced) {
    session_plan_t want = {.name = "model",
                           .exact_length = v->in.length,
                           .exact_batch = v->in.batch,
                           .runs = true,
                           .trace = traced,
                           .impose_buckets = traced || v->s.o->given[OPT_BUCKETS]};
    return session_plan(&v->s, &want) && session_lower(&v->s) ? v->s.plan : NULL;
}

/* Whether there is a train step to compare. */
static bool trains(verify_t *v) {
    const session_t *s = &v->s;
    if (!spec_trains(s->spec) || !gradients_labelled(&s->model.facts, &v->in)) return false;
    return s->model.facts.head != ARCH_BASE;
}

static bool make_plans(verify_t *v) {
    session_t *s = &v->s;
    if (spec_trains(s->spec) && !gradients_possible(s)) return false;
    if (!trains(v) && !inputs_of_forward(&v->in, s->d)) return false;
    v->train = trains(v) ? verify_train_plan(v, s->o->given[OPT_BUCKETS]) : NULL;
    if (trains(v) && !v->train) return false;
    v->plain = make_plan(v, false);
    v->traced = v->plain ? make_plan(v, true) : NULL;
    return v->traced &&
           (!s->o->given[OPT_BUCKETS] ||
            inputs_read_buckets(&v->in, s->arena, v->traced, s->o->text[OPT_BUCKETS], s->d));
}

/* Of one forward of this input. */
static double count_flops(const verify_t *v) {
    const plan_t *p = v->traced;
    int k = 0;
    while (p->variants[k].max_length < v->in.length) k++;
    int64_t unit = p->variants[k].unit, units = unit ? (v->in.length + unit - 1) / unit : 0;
    return loops_cost(p->modules[k * p->n_targets], units).flops;
}

/* ---- running --------------------------------------------------------------------------------- */

static void tick(void *ctx, const char *tensor) {
    verify_t *v = ctx;
    v->done++;
    verify_show(v, tensor);
}

/* Tensors of a traced forward. */
static int64_t tensors_of(const plan_t *p) {
    const graph_t *g = p->variants[p->n_variants - 1].graph;
    int64_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) n += g->nodes[i]->trace != NULL;
    return n;
}

static bool run_untraced(verify_t *v, int i) {
    verify_show(v, "code without traces");
    exec_t *e = verify_open(v, &v->choice[i], v->plain);
    bool ok = e && side_run_untraced(&v->trial, &v->side[i], e);
    exec_close(e);
    v->done++;
    return ok;
}

static bool run_side(verify_t *v, int i) {
    side_t *s = &v->side[i];
    bool is_reference = s == v->reference;
    v->running = s->label;
    verify_show(v, "code with traces");
    exec_t *e = verify_open(v, &v->choice[i], v->traced);
    bool ok = e && side_run(&v->trial, s, e, is_reference ? NULL : v->reference, v->oracle);
    if (is_reference) {
        v->oracle = e;
        return ok;
    }
    exec_close(e);
    return ok && run_untraced(v, i);
}

static bool run_sides(verify_t *v) {
    session_t *s = &v->s;
    v->trial = (trial_t){.plan = v->traced,
                         .inputs = &v->in,
                         .threads = s->threads,
                         .pool = pool_interface(s->pool),
                         .tick = tick,
                         .tick_ctx = v,
                         .d = s->d};
    v->progress = progress_new("steps", 2);
    v->total = v->n * (tensors_of(v->traced) + 1 + (v->train != NULL));
    for (int i = 0; i < v->n; i++)
        if (!run_side(v, i)) return false;
    return true;
}

/* ---- bisecting the passes -------------------------------------------------------------------- */

/* The interpreter on the loops after `stop_after`, against the reference. What it
 * refuses to run departs. */
static prefix_t try_prefix(void *ctx, const char *stop_after) {
    verify_t *v = ctx;
    verify_show(v, *stop_after ? arena_printf(v->s.arena, "after pass %s", stop_after)
                               : "before any pass");
    plan_t p = *v->traced;
    p.modules = NULL;
    exec_options_t o = {.backend = BACKEND_INTERPRETER, .passes.stop_after = stop_after};
    diag_t *d = diag_new();
    trial_t t = v->trial;
    t.d = d;
    side_t probe = {.label = "interpreter", .backend = BACKEND_INTERPRETER};
    exec_t *e = exec_open(&p, v->s.store, &o, d);
    bool ok = e && side_run(&t, &probe, e, v->reference, v->oracle);
    const side_t *both[] = {v->reference, &probe};
    bool departs = !ok || verdict_of(both, 2).n_departures > 0;
    exec_close(e);
    side_free(&probe);
    diag_free(d);
    return departs ? PREFIX_DEPARTS : PREFIX_AGREES;
}

static bisection_t bisect(verify_t *v, const verdict_t *verdict) {
    for (int i = 0; i < verdict->n_departures; i++) {
        const departure_t *d = &verdict->departure[i];
        if (d->rule != RULE_REFERENCE || d->side->backend != BACKEND_INTERPRETER) continue;
        v->running = "interpreter";
        return bisect_passes(try_prefix, v);
    }
    return (bisection_t){false, ""};
}

/* ---- the command ----------------------------------------------------------------------------- */

static void report(verify_t *v, sbuf_t *out, bool *agree) {
    const side_t *sides[MAX_SIDES];
    for (int i = 0; i < v->n; i++) sides[i] = &v->side[i];
    verdict_t verdict = verdict_of(sides, v->n);
    *agree = verdict.n_departures == 0;
    bisection_t b = bisect(v, &verdict);
    verdict_print(&verdict, &v->s.model.facts, &b, out);
    if (v->left_out) sbuf_puts(out, v->left_out);
    if (spec_trains(v->s.spec) && !v->train)
        sbuf_puts(out, "left out: gradients, the input has no labels\n");
}

static bool report_all(verify_t *v, bool *agree) {
    sbuf_t out = {0};
    report(v, &out, agree);
    bool ok = !v->train || verify_train(v, &out, agree);
    progress_clear(&v->progress);
    ok = ok && print_out(&out, v->s.d);
    sbuf_free(&out);
    return ok;
}

static void announce(const verify_t *v, double flops) {
    fprintf(stderr, "%lld row%s of %lld %stokens; target %s, %d thread%s\n", (long long)v->in.batch,
            v->in.batch == 1 ? "" : "s", (long long)v->in.length,
            v->in.path[0] == '-' ? "random " : "", v->traced->targets[0]->name, v->s.threads,
            v->s.threads == 1 ? "" : "s");
    if (v->reference && flops > reference_flops)
        fprintf(stderr,
                "%.2g flops: the reference, on one thread in double, will take minutes; --backends "
                "can leave it out\n",
                flops);
}

static bool verify(verify_t *v, bool *agree) {
    session_t *s = &v->s;
    if (!verify_choose(v) || !session_spec(s) || !session_need_weights(s)) return false;
    if (!read_input(v) || !make_plans(v) || !session_weights(s)) return false;
    double flops = count_flops(v);
    side_choice_t interpreter = {.backend = BACKEND_INTERPRETER};
    if (!verify_interprets(v, &interpreter, flops)) verify_leave_interpreter(v, flops);
    s->pool = pool_new(s->threads);
    s->threads = pool_threads(s->pool);
    announce(v, flops);
    return run_sides(v) && report_all(v, agree);
}

int command_verify(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    int missing = check_needed(o, NULL, 0);
    if (missing) return missing;
    verify_t v = {.options = *o};
    v.s = session_new(&v.options, d);
    bool agree = false, ok = verify(&v, &agree);
    progress_clear(&v.progress);
    exec_close(v.oracle);
    for (int i = 0; i < v.n; i++) side_free(&v.side[i]);
    session_free(&v.s);
    return ok && agree ? 0 : EXIT_VALUE;
}
