/* The table and the lines that `reformerc verify` prints: verdict_print() of verdict.h.
 *
 * A row per tensor, a column per side with the largest difference from the reference (without one,
 * from the model of the bits), relative to max(1, magnitude); then who departs first, and why. */
#include <string.h>

#include "compare/verdict.h"

enum { NAME_WIDTH = 28, CELL_WIDTH = 12 };

/* ---- the table ------------------------------------------------------------------------------- */

typedef struct {
    const verdict_t *v;
    const side_t *base; /* what differences are from */
    const results_t *rows;
    sbuf_t *out;
    int name_width;
    bool marked_far, marked_bits;
} verdict_table_t;

static int name_width(const results_t *rows) {
    size_t width = NAME_WIDTH;
    for (size_t i = 0; i < rows->n; i++)
        if (strlen(rows->items[i].name) > width) width = strlen(rows->items[i].name);
    return (int)width;
}

static int cell_width(const side_t *s) {
    int n = (int)strlen(s->label) + 2;
    return n > CELL_WIDTH ? n : CELL_WIDTH;
}

/* No blanks at the end, where an unmarked cell has one. */
static void end_row(sbuf_t *out) {
    while (out->size && out->data[out->size - 1] == ' ') out->data[--out->size] = 0;
    sbuf_puts(out, "\n");
}

static void print_head(verdict_table_t *t) {
    sbuf_printf(t->out, "%-*s %9s", t->name_width, "tensor", "magnitude");
    for (int i = 0; i < t->v->n; i++) {
        const side_t *s = t->v->side[i];
        if (s != t->base) sbuf_printf(t->out, " %*s", cell_width(s), s->label);
    }
    end_row(t->out);
}

/* `mark`: '!' too far, '~' other bits, ' ' fine. */
static void print_cell(verdict_table_t *t, const side_t *s, const difference_t *x, char mark) {
    char text[32];
    if (!x->comparable) snprintf(text, sizeof text, "no match");
    else if (difference_none(x)) snprintf(text, sizeof text, "equal");
    else if (x->integer) snprintf(text, sizeof text, "%lld differ", (long long)x->different);
    else snprintf(text, sizeof text, "%.1e", difference_relative(x));
    sbuf_printf(t->out, " %*s%c", cell_width(s) - 1, text, mark);
    t->marked_far |= mark == '!';
    t->marked_bits |= mark == '~';
}

/* A build whose bits are not the model's is marked where nothing worse is. */
static char mark_of(const verdict_table_t *t, const side_t *s, const result_t *row,
                    const difference_t *x) {
    const side_t *model = verdict_model(t->v);
    if (!verdict_reference(t->v)) return difference_none(x) ? ' ' : '!';
    if (!difference_allowed(x, row->name)) return '!';
    const result_t *want = results_find(&model->hashed, row->name);
    if (s == model || !want) return ' ';
    difference_t bits = compare_tensors(want, results_find(&s->hashed, row->name));
    return difference_none(&bits) ? ' ' : '~';
}

static const results_t *compared(const verdict_table_t *t, const side_t *s) {
    return verdict_reference(t->v) ? side_results(s) : &s->hashed;
}

static difference_t compare_row(const verdict_table_t *t, const side_t *s, const char *name) {
    const results_t *want = verdict_reference(t->v) ? side_expected(s, t->base) : &t->base->hashed;
    const result_t *row = results_find(want, name), *got = results_find(compared(t, s), name);
    return row ? compare_tensors(row, got) : (difference_t){.comparable = false};
}

static void print_row(verdict_table_t *t, const result_t *row) {
    bool integer = row->dtype == REFORMER_I32;
    difference_t self = compare_tensors(row, row);
    sbuf_printf(t->out, "%-*s ", t->name_width, row->name);
    sbuf_printf(t->out, integer ? "%9.0f" : "%9.3g", self.magnitude);
    for (int i = 0; i < t->v->n; i++) {
        const side_t *s = t->v->side[i];
        if (s == t->base) continue;
        difference_t x = compare_row(t, s, row->name);
        print_cell(t, s, &x, mark_of(t, s, row, &x));
    }
    end_row(t->out);
}

static bool any_untraced(const verdict_t *v) {
    for (int i = 0; i < v->n; i++)
        if (v->side[i]->untraced.n) return true;
    return false;
}

/* The same outputs from code without traces, against the same side with them. */
static void print_untraced_row(verdict_table_t *t, const char *name) {
    char title[NAME_WIDTH + 1];
    snprintf(title, sizeof title, "untraced %s", name);
    sbuf_printf(t->out, "%-*s %9s", t->name_width, title, "");
    for (int i = 0; i < t->v->n; i++) {
        const side_t *s = t->v->side[i];
        const result_t *want = results_find(&s->hashed, name);
        if (s == verdict_reference(t->v)) continue;
        if (!s->untraced.n || !want) {
            if (s != t->base) sbuf_printf(t->out, " %*s ", cell_width(s) - 1, "");
            continue;
        }
        difference_t x = compare_tensors(want, results_find(&s->untraced, name));
        if (s != t->base) print_cell(t, s, &x, difference_none(&x) ? ' ' : '!');
    }
    end_row(t->out);
}

static void print_table(verdict_table_t *t) {
    print_head(t);
    for (size_t i = 0; i < t->rows->n; i++) print_row(t, &t->rows->items[i]);
    for (size_t i = 0; i < t->rows->n && any_untraced(t->v); i++)
        if (!is_activation(t->rows->items[i].name)) print_untraced_row(t, t->rows->items[i].name);
    if (t->marked_far) sbuf_puts(t->out, "! more than is allowed\n");
    if (t->marked_bits)
        sbuf_printf(t->out, "~ allowed, but other bits than %s\n", verdict_model(t->v)->label);
}

/* ---- departures ------------------------------------------------------------------------------ */

/* "[0, 17, 5]" */
static void print_position(const result_t *t, int64_t i, sbuf_t *out) {
    int64_t index[8];
    for (int k = t->rank - 1; k >= 0; k--) {
        index[k] = i % t->shape[k];
        i /= t->shape[k];
    }
    sbuf_puts(out, "[");
    for (int k = 0; k < t->rank; k++)
        sbuf_printf(out, "%s%lld", k ? ", " : "", (long long)index[k]);
    sbuf_puts(out, "]");
}

static void print_difference(const departure_t *d, sbuf_t *out) {
    const difference_t *x = &d->difference;
    const result_t *t = results_find(&d->against->hashed, d->tensor);
    if (!x->comparable) {
        sbuf_puts(out, "missing, or of another shape");
        return;
    }
    if (x->integer) {
        sbuf_printf(out, "%lld of %lld differ, the first at ", (long long)x->different,
                    (long long)result_elements(t));
    } else {
        sbuf_printf(out, "%.1e of magnitude %.3g at ", x->absolute, x->magnitude);
    }
    print_position(t, x->at, out);
    sbuf_printf(out, ": %.9g, %s%s has %.9g", x->got, d->against->label,
                d->rule == RULE_UNTRACED ? " with traces" : "", x->want);
}

static void print_departure(const departure_t *d, const char *lead, const facts_t *facts,
                            sbuf_t *out) {
    int layer = layer_of_name(d->tensor, NULL);
    sbuf_puts(out, lead);
    if (layer >= 0 && layer < facts->n_layers && facts->layers[layer].attends)
        sbuf_printf(out, "layer %d (%s), ", layer, facts->layers[layer].lsh ? "lsh" : "local");
    sbuf_printf(out, "%s%s, back end %s: ", d->rule == RULE_UNTRACED ? "untraced " : "", d->tensor,
                d->side->label);
    print_difference(d, out);
    sbuf_puts(out, "\n");
}

/* One line per side: what it departs by first. */
static bool is_first_of_its_side(const verdict_t *v, int i) {
    for (int k = 0; k < i; k++)
        if (v->departure[k].side == v->departure[i].side) return false;
    return true;
}

static void print_departures(const verdict_t *v, const facts_t *facts, sbuf_t *out) {
    for (int i = 0; i < v->n_departures; i++)
        if (is_first_of_its_side(v, i))
            print_departure(&v->departure[i], i ? "also departs:    " : "first departure: ", facts,
                            out);
}

/* ---- causes ---------------------------------------------------------------------------------- */

static void print_loops_cause(const bisection_t *b, const departure_t *d, sbuf_t *out) {
    const char *code = d->rule == RULE_UNTRACED ? "without traces " : "";
    if (b && b->found && *b->pass) {
        sbuf_printf(out, "cause: pass %s: the loops agree before it and depart after it\n",
                    b->pass);
    } else if (b && b->found) {
        sbuf_puts(out, "cause: lowering, or float32 itself: the loops depart before any pass\n");
    } else {
        sbuf_printf(out, "cause: lowering or a pass: the interpreter of the loops %sdeparts too\n",
                    code);
    }
}

/* The loops' fault is told once, a back end's for each. */
static void print_causes(const verdict_t *v, const bisection_t *bisection, sbuf_t *out) {
    bool told[CAUSE_BACK_END + 1] = {false};
    for (int i = 0; i < v->n_departures; i++) {
        const departure_t *d = &v->departure[i];
        cause_t cause = verdict_cause(v, d);
        if (cause == CAUSE_BACK_END && is_first_of_its_side(v, i))
            sbuf_printf(out,
                        "cause: back end %s: the interpreter of the same loops says otherwise\n",
                        d->side->label);
        if (cause == CAUSE_BACK_END || told[cause]) continue;
        told[cause] = true;
        if (cause == CAUSE_LOOPS) print_loops_cause(bisection, d, out);
        else
            sbuf_puts(out,
                      "cause: the interpreter, left out, would tell lowering from back ends\n");
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void print_near_ties(const verdict_t *v, sbuf_t *out) {
    for (int i = 0; i < v->n; i++)
        if (v->side[i]->near_ties)
            sbuf_printf(out, "near-ties: %s hashes %lld rows otherwise; compared with %s\n",
                        v->side[i]->label, (long long)v->side[i]->near_ties,
                        v->side[i]->led.n ? "what the reference makes of these buckets"
                                          : "the reference's buckets imposed on them");
}

/* The float tensor that came nearest to its tolerance. */
static void print_worst(const verdict_table_t *t, sbuf_t *out) {
    double worst = 0;
    const result_t *at = NULL;
    const side_t *whose = NULL;
    for (size_t i = 0; i < t->rows->n; i++)
        for (int k = 0; k < t->v->n; k++) {
            const result_t *row = &t->rows->items[i];
            const side_t *s = t->v->side[k];
            if (s == t->base || row->dtype != REFORMER_F32) continue;
            difference_t x = compare_row(t, s, row->name);
            double share = difference_share(&x, row->name);
            if (share <= worst) continue;
            worst = share;
            at = row;
            whose = s;
        }
    if (at)
        sbuf_printf(out, "; nearest to its tolerance: %s of %s, %.1f %%", at->name, whose->label,
                    100 * worst);
}

static void print_agreement(const verdict_table_t *t, sbuf_t *out) {
    const side_t *model = verdict_model(t->v);
    sbuf_printf(out, "agree: %zu tensors", t->rows->n);
    for (int i = 0; i < t->v->n; i++)
        sbuf_printf(out, "%s %s",
                    i == 0             ? " of"
                    : i == t->v->n - 1 ? " and"
                                       : ",",
                    t->v->side[i]->label);
    bool several = t->v->n > (verdict_reference(t->v) ? 2 : 1);
    if (several && model)
        sbuf_puts(out,
                  verdict_reference(t->v) ? ", all but the reference to the bit" : ", to the bit");
    print_worst(t, out);
    sbuf_puts(out, "\n");
}

void verdict_print(const verdict_t *v, const facts_t *facts, const bisection_t *bisection,
                   sbuf_t *out) {
    const side_t *reference = verdict_reference(v);
    const side_t *base = reference ? reference : verdict_model(v);
    verdict_table_t t = {.v = v, .base = base, .rows = &base->hashed, .out = out};
    t.name_width = name_width(t.rows);
    print_table(&t);
    print_near_ties(v, out);
    if (v->n_departures == 0) {
        print_agreement(&t, out);
        return;
    }
    print_departures(v, facts, out);
    print_causes(v, bisection, out);
}
