/* How a model learns, as constants of model.c: the rule, the schedule, the rotations that steps
 * draw. Each number that is not 0, by its field's name. */
#include <stdlib.h>

#include "emit/c_int.h"

static void put_count(sbuf_t *out, int depth, const char *field, int64_t x) {
    if (x) put_line(out, depth, ".%s = %lld,", field, (long long)x);
}

/* The same number again, and "0.9" for what somebody wrote so. */
static const char *real(emitter_t *c, double x) {
    const char *shorter = arena_printf(c->arena, "%.15g", x);
    return strtod(shorter, NULL) == x ? shorter : arena_printf(c->arena, "%.17g", x);
}

static void put_real(emitter_t *c, const char *field, double x, sbuf_t *out) {
    if (x != 0) put_line(out, 2, ".%s = %s,", field, real(c, x));
}

static const char *const optimizer_names[] = {[REFORMER_ADAMW] = "REFORMER_ADAMW",
                                              [REFORMER_ADAM] = "REFORMER_ADAM",
                                              [REFORMER_SGD] = "REFORMER_SGD",
                                              [REFORMER_ADAFACTOR] = "REFORMER_ADAFACTOR"};
static const char *const schedule_names[] = {
    [REFORMER_SCHEDULE_NONE] = "REFORMER_SCHEDULE_NONE",
    [REFORMER_SCHEDULE_CONSTANT] = "REFORMER_SCHEDULE_CONSTANT",
    [REFORMER_SCHEDULE_LINEAR] = "REFORMER_SCHEDULE_LINEAR",
    [REFORMER_SCHEDULE_COSINE] = "REFORMER_SCHEDULE_COSINE",
    [REFORMER_SCHEDULE_INVERSE_SQRT] = "REFORMER_SCHEDULE_INVERSE_SQRT",
    [REFORMER_SCHEDULE_POLYNOMIAL] = "REFORMER_SCHEDULE_POLYNOMIAL",
    [REFORMER_SCHEDULE_WSD] = "REFORMER_SCHEDULE_WSD",
    [REFORMER_SCHEDULE_MULTIFACTOR] = "REFORMER_SCHEDULE_MULTIFACTOR",
};
static const char *const factor_names[] = {
    [REFORMER_FACTOR_CONSTANT] = "REFORMER_FACTOR_CONSTANT",
    [REFORMER_FACTOR_LINEAR_WARMUP] = "REFORMER_FACTOR_LINEAR_WARMUP",
    [REFORMER_FACTOR_RSQRT_DECAY] = "REFORMER_FACTOR_RSQRT_DECAY",
    [REFORMER_FACTOR_RSQRT_NORMALIZED_DECAY] = "REFORMER_FACTOR_RSQRT_NORMALIZED_DECAY",
    [REFORMER_FACTOR_DECAY_EVERY] = "REFORMER_FACTOR_DECAY_EVERY",
    [REFORMER_FACTOR_COSINE_DECAY] = "REFORMER_FACTOR_COSINE_DECAY",
    [REFORMER_FACTOR_TWO_CONSTANTS] = "REFORMER_FACTOR_TWO_CONSTANTS",
};

static void put_optimizer(emitter_t *c, const reformer_optimizer_t *o, sbuf_t *out) {
    put_line(out, 1, ".optimizer = {");
    put_line(out, 2, ".type = %s,", optimizer_names[o->type]);
    if (o->dialect == REFORMER_TRAX) put_line(out, 2, ".dialect = REFORMER_TRAX,");
    put_real(c, "lr", o->lr, out);
    put_line(out, 2, ".betas = {%s, %s},", real(c, o->betas[0]), real(c, o->betas[1]));
    put_line(out, 2, ".eps = {%s, %s},", real(c, o->eps[0]), real(c, o->eps[1]));
    put_real(c, "weight_decay", o->weight_decay, out);
    put_real(c, "momentum", o->momentum, out);
    put_real(c, "dampening", o->dampening, out);
    put_real(c, "clip_threshold", o->clip_threshold, out);
    put_real(c, "decay_rate", o->decay_rate, out);
    put_real(c, "beta1", o->beta1, out);
    put_count(out, 2, "nesterov", o->nesterov);
    put_count(out, 2, "scale_parameter", o->scale_parameter);
    put_count(out, 2, "relative_step", o->relative_step);
    put_count(out, 2, "warmup_init", o->warmup_init);
    put_line(out, 1, "},");
}

static void put_factors(const reformer_schedule_t *s, sbuf_t *out) {
    if (s->n_factors == 0) return;
    put_line(out, 2, ".factors = {");
    for (int i = 0; i < s->n_factors; i++) put_line(out, 3, "%s,", factor_names[s->factors[i]]);
    put_line(out, 2, "},");
    put_count(out, 2, "n_factors", s->n_factors);
}

static void put_schedule(emitter_t *c, const reformer_schedule_t *s, sbuf_t *out) {
    put_line(out, 1, ".schedule = {");
    put_line(out, 2, ".type = %s,", schedule_names[s->type]);
    if (s->warmup_from == REFORMER_WARMUP_FIRST)
        put_line(out, 2, ".warmup_from = REFORMER_WARMUP_FIRST,");
    put_count(out, 2, "warmup", s->warmup);
    put_count(out, 2, "total", s->total);
    put_count(out, 2, "timescale", s->timescale);
    put_real(c, "min_ratio", s->min_ratio, out);
    put_real(c, "num_cycles", s->num_cycles, out);
    put_real(c, "power", s->power, out);
    put_real(c, "lr_end", s->lr_end, out);
    put_real(c, "decay_from", s->decay_from, out);
    put_factors(s, out);
    put_real(c, "constant", s->constant, out);
    put_real(c, "decay_factor", s->decay_factor, out);
    put_real(c, "second_constant", s->second_constant, out);
    put_real(c, "minimum", s->minimum, out);
    put_count(out, 2, "steps_per_decay", s->steps_per_decay);
    put_count(out, 2, "steps_per_cycle", s->steps_per_cycle);
    put_count(out, 2, "second_constant_step", s->second_constant_step);
    put_line(out, 1, "},");
}

/* The array's name; NULL: none are drawn. */
const char *put_drawn_rotations(emitter_t *c, const reformer_desc_t *d, sbuf_t *out) {
    if (d->n_rotations == 0) return NULL;
    const char *name = own_name(c, "rotations");
    put_line(out, 0, "static const reformer_rotations_t %s[] = {", name);
    for (int i = 0; i < d->n_rotations; i++) {
        const reformer_rotations_t *r = &d->rotations[i];
        put_line(out, 1, "{%d, %lld, %lld, %lld, %lld, %zu},", r->layer, (long long)r->heads,
                 (long long)r->head_size, (long long)r->rounds, (long long)r->half, r->offset);
    }
    put_line(out, 0, "};");
    return name;
}

const char *put_training(emitter_t *c, const reformer_training_t *t, sbuf_t *out) {
    const char *name = own_name(c, "training");
    put_line(out, 0, "static const reformer_training_t %s = {", name);
    put_optimizer(c, &t->optimizer, out);
    put_schedule(c, &t->schedule, out);
    if (t->max_grad_norm != 0) put_line(out, 1, ".max_grad_norm = %s,", real(c, t->max_grad_norm));
    if (t->seed) put_line(out, 1, ".seed = UINT64_C(%llu),", (unsigned long long)t->seed);
    put_count(out, 1, "new_rotations", t->new_rotations);
    put_line(out, 0, "};");
    return name;
}
