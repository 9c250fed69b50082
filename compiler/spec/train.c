/* What the keys of `train:` mean together: defaults that depend on the rule and the schedule, keys
 * that one of them alone has, rules that join several.
 *
 * In: a reader whose values have converted. Out: spec->train with every number said, or errors at
 * the values. Defaults are torch's, transformers' and trax's own. In a section of ours no key
 * stands without effect; but what a setting of `type` makes meaningless in the file
 * is not held against it. */
#include <string.h>

#include "spec/train_int.h"

#define ADAMS     (BIT(REFORMER_ADAMW) | BIT(REFORMER_ADAM))
#define SGD       BIT(REFORMER_SGD)
#define ADAFACTOR BIT(REFORMER_ADAFACTOR)
#define ALL       (ADAMS | SGD | ADAFACTOR)

/* Which rules have a key; what not all have. */
static const struct {
    spec_key_t key;
    unsigned rules;
    bool not_trax;
} rule_keys[] = {
    {KEY_OF(betas), ADAMS, false},          {KEY_OF(eps), ADAMS | ADAFACTOR, false},
    {KEY_OF(momentum), SGD, false},         {KEY_OF(dampening), SGD, true},
    {KEY_OF(nesterov), SGD, false},         {KEY_OF(clip_threshold), ADAFACTOR, false},
    {KEY_OF(decay_rate), ADAFACTOR, false}, {KEY_OF(beta1), ADAFACTOR, false},
    {KEY_OF(warmup_init), ADAFACTOR, true}, {KEY_OF(scale_parameter), ADAFACTOR, false},
};

enum { N_RULE_KEYS = sizeof rule_keys / sizeof *rule_keys };

/* ---- what a setting makes meaningless -------------------------------------------------------- */

void drop_of_other_rules(reader_t *r) {
    int rule = set_type(r, KEY_OF(type));
    bool trax = set_type(r, KEY_OF(dialect)) == REFORMER_TRAX;
    for (int i = 0; i < N_RULE_KEYS; i++)
        if ((rule >= 0 && !(rule_keys[i].rules & BIT(rule))) || (trax && rule_keys[i].not_trax))
            drop(r, rule_keys[i].key);
    if (rule >= 0 && rule != REFORMER_ADAFACTOR) drop(r, KEY_OF(relative_step));
    if (rule >= 0) drop(r, KEY_OF(eps)); /* of another meaning, one number or two */
    drop_of_other_courses(r);
}

/* ---- the rule -------------------------------------------------------------------------------- */

/* Adafactor's own rate and a given one exclude each other, as in transformers. */
static void settle_relative_step(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    bool rate = says(r, KEY_OF(lr)) && o->lr >= 0;
    if (o->type != REFORMER_ADAFACTOR || o->dialect == REFORMER_TRAX) {
        if (says(r, KEY_OF(relative_step)))
            complain(r, r->spec->at[KEY_OF(relative_step)],
                     "'train.optimizer.relative_step' has no effect: only adafactor, as in "
                     "transformers, has it");
        o->relative_step = 0;
        return;
    }
    bool course =
        says(r, COURSE_OF(type)) && r->spec->train.schedule.type != REFORMER_SCHEDULE_NONE;
    if (!says(r, KEY_OF(relative_step))) o->relative_step = !rate && !course;
    if (o->relative_step && rate) {
        complain(r, r->spec->at[KEY_OF(lr)],
                 "'train.optimizer.lr' and 'relative_step: true' exclude each other");
        suggest(r, "leave out one of them");
    }
}

static double standard_rate(const reader_t *r) {
    static const double trax[] = {
        [REFORMER_ADAM] = 1e-4, [REFORMER_SGD] = 0.01, [REFORMER_ADAFACTOR] = 0.05};
    const reformer_optimizer_t *o = &r->spec->train.optimizer;
    if (has_rate_of_its_own(r)) return 0;
    if (r->spec->train.schedule.type == REFORMER_SCHEDULE_MULTIFACTOR) return 1;
    return o->dialect == REFORMER_TRAX && o->type != REFORMER_ADAMW ? trax[o->type] : 1e-3;
}

static void settle_rate(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    bool given = says(r, KEY_OF(lr)) && !node_null(r->nodes[KEY_OF(lr)]);
    if (given) return;
    bool none = says(r, KEY_OF(lr)) && !has_rate_of_its_own(r);
    o->lr = standard_rate(r);
    if (none)
        complain(r, r->spec->at[KEY_OF(lr)],
                 "'train.optimizer.lr' must be a number: only adafactor with 'relative_step' has a "
                 "rate of its own");
}

static void settle_eps(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    bool trax = o->dialect == REFORMER_TRAX, two = o->type == REFORMER_ADAFACTOR;
    if (o->type == REFORMER_SGD) return;
    if (!says(r, KEY_OF(eps))) {
        o->eps[0] = two ? (trax ? 1e-16 : 1e-30) : trax ? 1e-5 : 1e-8;
        o->eps[1] = two ? 1e-3 : -1;
    } else if ((o->eps[1] >= 0) != two) {
        complain(r, r->spec->at[KEY_OF(eps)], "'train.optimizer.eps' of %s is %s",
                 word_at(KEY_OF(type), (int)o->type), two ? "a list of two numbers" : "one number");
    }
    if (!two) o->eps[1] = 0;
}

/* trax writes it above 0, transformers below. */
static void settle_decay_rate(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    default_real(r, KEY_OF(decay_rate), &o->decay_rate, -0.8);
    if (o->dialect == REFORMER_TRAX && o->decay_rate > 0) o->decay_rate = -o->decay_rate;
    if (o->decay_rate >= 0)
        complain(r, r->spec->at[KEY_OF(decay_rate)],
                 "'train.optimizer.decay_rate' must be below 0: squares are averaged with "
                 "1 - step^decay_rate");
}

static void settle_adafactor(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    default_real(r, KEY_OF(clip_threshold), &o->clip_threshold, 1);
    if (o->clip_threshold < 0) o->clip_threshold = 0; /* null */
    default_real(r, KEY_OF(beta1), &o->beta1, -1);
    default_int(r, KEY_OF(scale_parameter), &o->scale_parameter, true);
    settle_decay_rate(r);
    if (o->warmup_init && !o->relative_step)
        complain(r, r->spec->at[KEY_OF(warmup_init)],
                 "'train.optimizer.warmup_init' needs 'relative_step: true'");
}

static void settle_sgd(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    bool trax = o->dialect == REFORMER_TRAX;
    default_real(r, KEY_OF(momentum), &o->momentum, trax ? 0.9 : 0);
    default_int(r, KEY_OF(nesterov), &o->nesterov, trax);
    if (o->momentum == 0 && !says(r, KEY_OF(nesterov))) o->nesterov = 0;
    if (o->nesterov && (o->momentum == 0 || o->dampening != 0))
        complain(r, r->spec->at[KEY_OF(nesterov)],
                 "'train.optimizer.nesterov' needs momentum, and no dampening");
    if (says(r, KEY_OF(dampening)) && o->dampening != 0 && o->momentum == 0)
        complain(r, r->spec->at[KEY_OF(dampening)],
                 "'train.optimizer.dampening' has no effect without momentum");
}

static void refuse_keys_of_other_rules(reader_t *r) {
    const reformer_optimizer_t *o = &r->spec->train.optimizer;
    for (int i = 0; i < N_RULE_KEYS; i++) {
        spec_key_t key = rule_keys[i].key;
        if (!says(r, key)) continue;
        if (!(rule_keys[i].rules & BIT(o->type)))
            complain(r, r->spec->at[key], "'%s' has no effect: %s has no such number",
                     schema[key].full, word_at(KEY_OF(type), (int)o->type));
        else if (rule_keys[i].not_trax && o->dialect == REFORMER_TRAX)
            complain(r, r->spec->at[key], "'%s' has no effect: trax's %s has no such number",
                     schema[key].full, word_at(KEY_OF(type), (int)o->type));
    }
}

static void settle_rule(reader_t *r) {
    reformer_optimizer_t *o = &r->spec->train.optimizer;
    refuse_keys_of_other_rules(r);
    if (o->type == REFORMER_ADAMW && o->dialect == REFORMER_TRAX) {
        complain(r, r->spec->at[KEY_OF(dialect)], "trax has no adamw");
        suggest(r, "its adam decays apart from the gradient: type: adam");
    }
    settle_relative_step(r);
    settle_rate(r);
    double decay = o->dialect == REFORMER_TRAX ? 1e-5 : o->type == REFORMER_ADAMW ? 0.01 : 0;
    default_real(r, KEY_OF(weight_decay), &o->weight_decay, decay);
    settle_eps(r);
    if (BIT(o->type) & ADAMS && !says(r, KEY_OF(betas))) o->betas[0] = 0.9, o->betas[1] = 0.999;
    for (int i = 0; i < 2 && says(r, KEY_OF(betas)); i++)
        if (o->betas[i] >= 1)
            complain(r, r->spec->at[KEY_OF(betas)], "'train.optimizer.betas' must be below 1");
    if (o->type == REFORMER_SGD) settle_sgd(r);
    if (o->type == REFORMER_ADAFACTOR) settle_adafactor(r);
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* Rows of a step have numbers of 32 bits. */
static void check_batch(reader_t *r) {
    const spec_t *s = r->spec;
    int64_t rows = s->train.batch_size * s->train.accumulate;
    if (!r->bad[KEY_train_batch_size] && !r->bad[KEY_train_accumulate] && rows > INT32_MAX)
        complain(r, blame(r, KEY_train_accumulate, KEY_train_batch_size),
                 "a step has %lld sequences ('batch_size' times 'accumulate'), %d at most",
                 (long long)rows, INT32_MAX);
}

/* Evaluations end a run that has several of them. What a setting takes away from a file
 * is not held against it. */
static void check_patience(reader_t *r) {
    const spec_t *s = r->spec;
    bool held = s->train.eval_fraction != 0 || s->train.eval_text || s->train.task;
    spec_key_t why = held ? KEY_train_eval_every : KEY_train_eval_fraction;
    if (!says(r, KEY_train_patience) || s->train.patience <= 0 || r->bad[why]) return;
    if (held && s->train.eval_every > 0) return;
    if (r->set[why] && !r->set[KEY_train_patience]) return;
    complain(r, s->at[KEY_train_patience], "'train.patience' has no effect: %s",
             held ? "there is no evaluation but the last one"
                  : "nothing is held out to be evaluated");
    suggest(r, held ? "'train.eval_every' (--eval-every N) says how often it is evaluated"
                    : "'train.eval_fraction' above 0, or 'train.eval_text'");
}

static void check_source(reader_t *r) {
    const spec_t *s = r->spec;
    if (says(r, KEY_train_text) && s->train.task != TRAIN_TASK_NONE)
        complain(r, s->at[KEY_train_task], "'train.task' and 'train.text' exclude each other");
    if (says(r, KEY_train_eval_text) && says(r, KEY_train_eval_fraction))
        complain(r, s->at[KEY_train_eval_fraction],
                 "'train.eval_fraction' has no effect: 'train.eval_text' says what is evaluated");
    check_patience(r);
    if (s->train.mask_replace_prob + s->train.random_replace_prob > 1)
        complain(r, blame(r, KEY_train_mask_replace_prob, KEY_train_random_replace_prob),
                 "'mask_replace_prob' and 'random_replace_prob' together are above 1");
}

void settle_train(reader_t *r) {
    spec_t *s = r->spec;
    if (s->train.epochs == 0 || s->train.minutes == 0)
        complain(r, s->at[s->train.epochs == 0 ? KEY_train_epochs : KEY_train_minutes],
                 "'%s' must be above 0",
                 schema[s->train.epochs == 0 ? KEY_train_epochs : KEY_train_minutes].full);
    if (s->train.steps < 0 && s->train.epochs < 0 && s->train.minutes < 0) s->train.steps = 1000;
    if (s->train.max_grad_norm < 0) s->train.max_grad_norm = 0; /* null */
    bool words = !r->bad[KEY_OF(type)] && !r->bad[KEY_OF(dialect)] && !r->bad[COURSE_OF(type)];
    if (words && !says(r, COURSE_OF(type))) s->train.schedule.type = REFORMER_SCHEDULE_CONSTANT;
    if (words) settle_rule(r);
    if (words && !says(r, COURSE_OF(type)) && has_rate_of_its_own(r))
        s->train.schedule.type = REFORMER_SCHEDULE_NONE;
    if (words) settle_course(r);
    check_batch(r);
    check_source(r);
}

void check_train_of(reader_t *r) {
    static const struct {
        spec_key_t key;
        arch_t architecture;
        const char *what;
    } rows[] = {{KEY_train_mlm_probability, ARCH_MASKED_LM, "the masked LM"},
                {KEY_train_mask_replace_prob, ARCH_MASKED_LM, "the masked LM"},
                {KEY_train_random_replace_prob, ARCH_MASKED_LM, "the masked LM"},
                {KEY_train_mask_token_id, ARCH_MASKED_LM, "the masked LM"},
                {KEY_train_never_masked, ARCH_MASKED_LM, "the masked LM"},
                {KEY_train_text_column, ARCH_CLASSIFIER, "the classifier"},
                {KEY_train_label_column, ARCH_CLASSIFIER, "the classifier"},
                {KEY_train_sample_every, ARCH_CAUSAL_LM, "the causal LM"},
                {KEY_train_sample_prompt, ARCH_CAUSAL_LM, "the causal LM"},
                {KEY_train_sample_tokens, ARCH_CAUSAL_LM, "the causal LM"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (says(r, rows[i].key) && r->spec->architecture != rows[i].architecture)
            complain(r, r->spec->at[rows[i].key], "'%s' has no effect: it is for %s",
                     schema[rows[i].key].full, rows[i].what);
}
