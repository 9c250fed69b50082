/* What the keys of `train.schedule:` mean together: which of them a schedule reads,
 * when it ends, its defaults.
 *
 * In: a reader whose values have converted, and whose rule is settled. Out: spec->train.schedule
 * with every number said, or errors at the values. */
#include <string.h>

#include "spec/train_int.h"

#define LINEAR       BIT(REFORMER_SCHEDULE_LINEAR)
#define COSINE       BIT(REFORMER_SCHEDULE_COSINE)
#define INVERSE_SQRT BIT(REFORMER_SCHEDULE_INVERSE_SQRT)
#define POLYNOMIAL   BIT(REFORMER_SCHEDULE_POLYNOMIAL)
#define WSD          BIT(REFORMER_SCHEDULE_WSD)
#define MULTIFACTOR  BIT(REFORMER_SCHEDULE_MULTIFACTOR)
#define WARMING                                                                                    \
    (BIT(REFORMER_SCHEDULE_CONSTANT) | LINEAR | COSINE | INVERSE_SQRT | POLYNOMIAL | WSD |         \
     MULTIFACTOR)
#define ENDING (LINEAR | COSINE | POLYNOMIAL | WSD)

static const struct {
    spec_key_t key;
    unsigned courses;
} course_keys[] = {
    {COURSE_OF(warmup), WARMING},
    {COURSE_OF(warmup_steps), WARMING},
    {COURSE_OF(warmup_from), WARMING},
    {COURSE_OF(total), ENDING},
    {COURSE_OF(min_ratio), LINEAR | COSINE | WSD},
    {COURSE_OF(num_cycles), COSINE},
    {COURSE_OF(timescale), INVERSE_SQRT},
    {COURSE_OF(power), POLYNOMIAL},
    {COURSE_OF(lr_end), POLYNOMIAL},
    {COURSE_OF(decay_from), WSD},
    {COURSE_OF(factors), MULTIFACTOR},
    {COURSE_OF(constant), MULTIFACTOR},
    {COURSE_OF(decay_factor), MULTIFACTOR},
    {COURSE_OF(steps_per_decay), MULTIFACTOR},
    {COURSE_OF(steps_per_cycle), MULTIFACTOR},
    {COURSE_OF(second_constant), MULTIFACTOR},
    {COURSE_OF(second_constant_step), MULTIFACTOR},
    {COURSE_OF(minimum), MULTIFACTOR},
};
bool schedule_ends(reformer_schedule_type_t type) {
    return BIT(type) & ENDING;
}

const char *schedule_behind_end(reformer_schedule_type_t type) {
    return type == REFORMER_SCHEDULE_COSINE ? "its wave goes on, and does not stay low"
                                            : "its rate stays where it ended";
}

enum { N_COURSE_KEYS = sizeof course_keys / sizeof *course_keys };

void drop_of_other_courses(reader_t *r) {
    int course = set_type(r, COURSE_OF(type));
    for (int i = 0; i < N_COURSE_KEYS && course >= 0; i++)
        if (!(course_keys[i].courses & BIT(course))) drop(r, course_keys[i].key);
    /* two names, and a setting comes before the file */
    if (r->set[COURSE_OF(warmup)]) drop(r, COURSE_OF(warmup_steps));
    if (r->set[COURSE_OF(warmup_steps)]) drop(r, COURSE_OF(warmup));
}

static void refuse_keys_of_other_courses(reader_t *r) {
    reformer_schedule_type_t type = r->spec->train.schedule.type;
    for (int i = 0; i < N_COURSE_KEYS; i++) {
        spec_key_t key = course_keys[i].key;
        if (says(r, key) && !(course_keys[i].courses & BIT(type)))
            complain(r, r->spec->at[key], "'%s' has no effect: the schedule %s does not read it",
                     schema[key].full, word_at(COURSE_OF(type), (int)type));
    }
}

static void settle_warmup(reader_t *r) {
    reformer_schedule_t *c = &r->spec->train.schedule;
    bool trax = c->type == REFORMER_SCHEDULE_MULTIFACTOR;
    if (says(r, COURSE_OF(warmup)) && says(r, COURSE_OF(warmup_steps)))
        complain(r, r->spec->at[COURSE_OF(warmup_steps)],
                 "'warmup_steps' is another name of 'warmup', and that stands here, too");
    if (!says(r, COURSE_OF(warmup)) && !says(r, COURSE_OF(warmup_steps)))
        c->warmup = trax ? 400 : 0;
    if (!says(r, COURSE_OF(warmup_from)))
        c->warmup_from = trax ? REFORMER_WARMUP_FIRST : REFORMER_WARMUP_ZERO;
}

static void settle_end(reader_t *r) {
    spec_t *s = r->spec;
    reformer_schedule_t *c = &s->train.schedule;
    if (!schedule_ends(c->type)) return;
    if (c->total <= 0) c->total = s->train.steps > 0 ? s->train.steps : 0; /* null, or absent */
    bool known = c->total > 0 || s->train.epochs > 0;
    if (!known && !r->bad[COURSE_OF(total)] && !r->bad[KEY_train_steps]) {
        complain(r, s->at[COURSE_OF(type)],
                 "the schedule %s ends, but 'train.minutes' alone says when: after how many steps?",
                 word_at(COURSE_OF(type), (int)c->type));
        suggest(r, "give train.steps, or train.schedule.total");
    }
    if (c->total > 0 && c->warmup > c->total)
        diag_warning(r->diag, blame(r, COURSE_OF(warmup), COURSE_OF(warmup_steps)),
                     "the warm-up of %lld steps is longer than the schedule of %lld",
                     (long long)c->warmup, (long long)c->total);
}

static void settle_multifactor(reader_t *r) {
    reformer_schedule_t *c = &r->spec->train.schedule;
    static const reformer_factor_t usual[] = {
        REFORMER_FACTOR_CONSTANT, REFORMER_FACTOR_LINEAR_WARMUP, REFORMER_FACTOR_RSQRT_DECAY};
    if (!says(r, COURSE_OF(factors))) {
        memcpy(c->factors, usual, sizeof usual);
        c->n_factors = sizeof usual / sizeof *usual;
    }
    default_real(r, COURSE_OF(constant), &c->constant, 0.1);
    default_real(r, COURSE_OF(decay_factor), &c->decay_factor, 0.5);
    default_real(r, COURSE_OF(second_constant), &c->second_constant, 0.01);
    if (!says(r, COURSE_OF(steps_per_decay))) c->steps_per_decay = 20000;
    if (!says(r, COURSE_OF(steps_per_cycle))) c->steps_per_cycle = 100000;
    if (!says(r, COURSE_OF(second_constant_step))) c->second_constant_step = 10000;
}

void settle_course(reader_t *r) {
    spec_t *s = r->spec;
    reformer_schedule_t *c = &s->train.schedule;
    bool none = c->type == REFORMER_SCHEDULE_NONE;
    if (says(r, COURSE_OF(type)) && !none && has_rate_of_its_own(r)) {
        complain(r, s->at[COURSE_OF(type)],
                 "'train.schedule' has no effect: adafactor has a rate of its own "
                 "('relative_step')");
        suggest(r, "give train.optimizer.lr, or relative_step: false");
    }
    refuse_keys_of_other_courses(r);
    if (c->timescale < 0) c->timescale = 0; /* null */
    settle_warmup(r);
    settle_end(r);
    if (c->type == REFORMER_SCHEDULE_COSINE)
        default_real(r, COURSE_OF(num_cycles), &c->num_cycles, 0.5);
    if (c->type == REFORMER_SCHEDULE_WSD)
        default_real(r, COURSE_OF(decay_from), &c->decay_from, 0.8);
    if (c->type == REFORMER_SCHEDULE_MULTIFACTOR) settle_multifactor(r);
    if (c->type != REFORMER_SCHEDULE_POLYNOMIAL) return;
    default_real(r, COURSE_OF(power), &c->power, 1);
    default_real(r, COURSE_OF(lr_end), &c->lr_end, 1e-7);
}
