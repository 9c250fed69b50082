/* reformerc train --dry-run: what a training would cost, before anything of it is
 * done (training/training.h).
 *
 * In: the plan, lowered. Out, on stdout: parameters, work, memory by what holds it, and the time
 * that this machine would take. Memory is that of parameters and of a step: evaluations, what looks
 * at buckets, data and the process itself come on top. Time leaves out evaluations. */
#include <math.h>

#include "commands/train/dry.h"
#include "cost/kernels.h"
#include "exec/settle.h"
#include "machine/calibrate.h"
#include "report/document.h"

#define TEXT(t, ...) arena_printf((t)->arena, __VA_ARGS__)

static void row(const training_t *t, table_t *to, const char *what, const char *value) {
    table_row(t->arena, to, (const char *const[]){what, value});
}

static table_t *table(const training_t *t, document_t *doc, const char *heading) {
    section_t *s = document_section(doc, heading);
    return s->table = table_new(t->arena, 2, (column_t[]){{"", true}, {"", false}});
}

/* ---- what is learnt -------------------------------------------------------------------------- */

static double elements(const layout_t *l) {
    double n = 0;
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        double one = 1;
        for (int k = 0; k < e->rank; k++) one *= (double)e->shape[k];
        for (int k = 0; k < e->count && e->kind != PACK_ROTATIONS; k++)
            n += e->again && e->again[k] ? 0 : one;
    }
    return n;
}

static double step_tokens(const training_t *t) {
    return (double)(t->feed.n * t->feed.rows * t->feed.length);
}

/* Whether rows are filled up: that costs as much as tokens do. */
static bool pads(training_t *t) {
    bool some = false;
    if (!feed_take(t, 0)) return false;
    for (int64_t k = 0; k < t->feed.n; k++) some = some || t->feed.micros[k].attention_mask != NULL;
    return some;
}

static void put_model(training_t *t, document_t *doc) {
    const plan_t *p = t->s->plan;
    const char *with = pads(t) ? ", with padding" : "";
    table_t *to = table(t, doc, "what is learnt");
    double all = elements(p->layout), trained = elements(p->gradients);
    row(t, to, "parameters", text_integer(t->arena, all));
    if (trained < all) row(t, to, "of these trained", text_integer(t->arena, trained));
    row(t, to, "rows of a step",
        TEXT(t, "%lld x %lld", (long long)t->feed.n, (long long)t->feed.rows));
    row(t, to, TEXT(t, "tokens of a step%s", with), text_integer(t->arena, step_tokens(t)));
    if (t->steps == INT64_MAX) return;
    row(t, to, "steps", text_integer(t->arena, (double)t->steps));
    row(t, to, TEXT(t, "tokens in all%s", with),
        text_integer(t->arena, (double)t->steps * step_tokens(t)));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static double states_bytes(const plan_t *p) {
    double bytes = 0;
    for (int i = 0; i < p->update->n_states; i++) bytes += (double)p->states[i]->data_end;
    return bytes;
}

static double workspace_bytes(const training_t *t) {
    const plan_t *p = t->s->plan;
    reformer_desc_t desc;
    reformer_variant_t *variants = ARENA_ARRAY(t->arena, reformer_variant_t, plan_parts(p));
    plan_describe(p, &desc, variants);
    const reformer_variant_t *trains = desc.trains ? desc.trains : variants;
    return (double)reformer_prepare_gradients_bytes(&desc, trains, p->n_variants,
                                                    (size_t)t->feed.length, t->s->threads);
}

static void put_memory(const training_t *t, document_t *doc) {
    const plan_t *p = t->s->plan;
    const double gradients = (double)p->gradients->data_end;
    const struct {
        const char *what;
        double bytes;
    } parts[] = {{"parameters, packed for kernels", (double)weights_packed_bytes(p->layout)},
                 {"parameters, as they are updated", gradients},
                 {"gradients", t->feed.n > 1 ? 2 * gradients : gradients},
                 {"the optimizer's state", states_bytes(p)},
                 {"workspace of a train step", workspace_bytes(t)}};
    table_t *to = table(t, doc, "memory");
    double all = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        row(t, to, parts[i].what, text_bytes(t->arena, parts[i].bytes));
        all += parts[i].bytes;
    }
    row(t, to, "together", text_bytes(t->arena, all));
    to->totals = true;
}

/* ---- work and time --------------------------------------------------------------------------- */

/* Of this machine, where it runs the target's code; else bandwidth 0. */
static machine_t machine_of(const training_t *t) {
    const target_t *target = t->s->plan->targets[0];
    bool known;
    machine_t m = {.efficiency = target_efficiency(target, &known)};
    peaks_t peaks = {.bandwidth = 0};
    if (!reformer_cpu_takes((int)target->id)) return m;
    diag_t *silent = diag_new();
    pool_t *pool = pool_new(t->s->threads);
    exec_options_t eo = {.backend = backend_settle(backend_default(), NULL, silent), .pool = pool};
    if (calibrate(target, &eo, t->s->threads, &peaks, silent)) m.flops = peaks.flops;
    m.bandwidth = peaks.bandwidth;
    pool_free(pool);
    diag_free(silent);
    return m;
}

static void put_work(const training_t *t, document_t *doc) {
    const module_t *m = train_module(t->s->plan);
    kernel_costs_t costs = kernel_costs(t->arena, m, m->units.max);
    double flops = costs.total.flops * (double)t->feed.n;
    table_t *to = table(t, doc, "work and time");
    row(t, to, "flops per token", text_scaled(t->arena, flops / step_tokens(t)));
    row(t, to, "flops of a step", text_scaled(t->arena, flops));
    machine_t machine = machine_of(t);
    if (machine.bandwidth <= 0) return;
    double seconds = kernels_seconds(&costs, &machine) * (double)t->feed.n;
    row(t, to, "predicted for a step", text_seconds(t->arena, seconds));
    row(t, to, "predicted tokens/s", text_integer(t->arena, step_tokens(t) / seconds));
    if (t->steps < INT64_MAX)
        row(t, to, "predicted in all", TEXT(t, "%.1f min", seconds * (double)t->steps / 60));
    if (t->spec->train.minutes > 0)
        row(t, to, "steps in that time",
            text_integer(t->arena, floor(60 * t->spec->train.minutes / seconds)));
}

bool train_dry(training_t *t) {
    if (!session_lower(t->s)) return false;
    sbuf_t out = {0};
    document_t doc = {.arena = t->arena, .title = "what this training would cost"};
    put_model(t, &doc);
    put_work(t, &doc);
    put_memory(t, &doc);
    document_text(&doc, &out);
    bool ok = print_out(&out, t->d);
    sbuf_free(&out);
    return ok;
}
