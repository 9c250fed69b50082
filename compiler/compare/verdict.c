/* Departures and their causes, as in verdict.h. */
#include "compare/verdict.h"

/* ---- who is compared with whom --------------------------------------------------------------- */

const side_t *verdict_reference(const verdict_t *v) {
    return v->n && v->side[0]->backend == BACKEND_REFERENCE ? v->side[0] : NULL;
}

static const side_t *side_with(const verdict_t *v, backend_t b) {
    for (int i = 0; i < v->n; i++)
        if (v->side[i]->backend == b) return v->side[i];
    return NULL;
}

const side_t *verdict_model(const verdict_t *v) {
    const side_t *s = side_with(v, BACKEND_INTERPRETER);
    for (int i = 0; !s && i < v->n; i++)
        if (v->side[i]->backend != BACKEND_REFERENCE) s = v->side[i];
    return s;
}

const departure_t *verdict_find(const verdict_t *v, const side_t *s, verdict_rule_t rule) {
    for (int i = 0; i < v->n_departures; i++)
        if (v->departure[i].side == s && v->departure[i].rule == rule) return &v->departure[i];
    return NULL;
}

/* ---- departures ------------------------------------------------------------------------------ */

/* The first tensor of `want` in which `got` breaks the rule; whether there is one. */
static bool first_departure(verdict_rule_t rule, const results_t *want, const results_t *got,
                            departure_t *out) {
    for (size_t i = 0; i < want->n; i++) {
        const char *name = want->items[i].name;
        if (rule == RULE_UNTRACED && is_activation(name)) continue;
        difference_t x = compare_tensors(&want->items[i], results_find(got, name));
        bool fine = rule == RULE_REFERENCE ? difference_allowed(&x, name) : difference_none(&x);
        if (fine) continue;
        size_t behind = rule == RULE_UNTRACED ? want->n : 0;
        out->tensor = name;
        out->place = i + behind;
        out->difference = x;
        return true;
    }
    return false;
}

static void check(verdict_t *v, verdict_rule_t rule, const side_t *s, const side_t *against,
                  const results_t *want, const results_t *got) {
    departure_t d = {.rule = rule, .side = s, .against = against};
    if (first_departure(rule, want, got, &d)) v->departure[v->n_departures++] = d;
}

static void check_side(verdict_t *v, const side_t *s) {
    const side_t *reference = verdict_reference(v), *model = verdict_model(v);
    if (s == reference) return;
    if (reference)
        check(v, RULE_REFERENCE, s, reference, side_expected(s, reference), side_results(s));
    if (s != model) check(v, RULE_BITS, s, model, &model->hashed, &s->hashed);
    if (s->untraced.n) check(v, RULE_UNTRACED, s, s, &s->hashed, &s->untraced);
}

static int side_number(const verdict_t *v, const side_t *s) {
    for (int i = 0; i < v->n; i++)
        if (v->side[i] == s) return i;
    bug("a departure of no side");
}

static bool stands_before(const verdict_t *v, const departure_t *x, const departure_t *y) {
    if (x->place != y->place) return x->place < y->place;
    if (x->rule != y->rule) return x->rule < y->rule;
    return side_number(v, x->side) < side_number(v, y->side);
}

/* By insertion: there are few. */
static void sort_departures(verdict_t *v) {
    for (int i = 1; i < v->n_departures; i++) {
        departure_t d = v->departure[i];
        int k = i;
        for (; k > 0 && stands_before(v, &d, &v->departure[k - 1]); k--)
            v->departure[k] = v->departure[k - 1];
        v->departure[k] = d;
    }
}

verdict_t verdict_of(const side_t *const *sides, int n) {
    verdict_t v = {.n = n};
    if (n > MAX_SIDES) bug("%d sides", n);
    for (int i = 0; i < n; i++) v.side[i] = sides[i];
    for (int i = 0; i < n; i++) check_side(&v, sides[i]);
    sort_departures(&v);
    return v;
}

/* ---- causes ---------------------------------------------------------------------------------- */

/* A build with other bits than the interpreter's is wrong whatever else is; one with the same bits
 * departs from the reference only as the interpreter does. */
cause_t verdict_cause(const verdict_t *v, const departure_t *d) {
    const side_t *interpreter = side_with(v, BACKEND_INTERPRETER);
    if (!interpreter) return CAUSE_UNKNOWN;
    if (d->side == interpreter) return CAUSE_LOOPS;
    if (d->rule == RULE_BITS || verdict_find(v, d->side, RULE_BITS)) return CAUSE_BACK_END;
    return verdict_find(v, interpreter, d->rule) ? CAUSE_LOOPS : CAUSE_BACK_END;
}

bisection_t bisect_passes(prefix_fn *try, void *ctx) {
    const char *pass = "";
    for (int next = 0; pass; pass = loops_pass_name(next++)) {
        prefix_t p = try(ctx, pass);
        if (p == PREFIX_FAILED) break;
        if (p == PREFIX_DEPARTS) return (bisection_t){true, pass};
    }
    return (bisection_t){false, ""};
}
