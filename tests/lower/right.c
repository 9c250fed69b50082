/* Ops of rows, heads and losses; attention is in right_attention.c. See right.h. */
#include "right.h"

#include <stdlib.h>
#include <string.h>

#include "formulas.h"
#include "graph/dropout.h"
#include "support/bf16.h"
#include "support/bug.h"
#include "support/i8.h"

void sum_add(sum_t *s, double x, double ex, double w, double ew) {
    double p = x * w;
    int exponent;
    s->v += p;
    s->e += fabs(x) * ew + fabs(w) * ex + ex * ew;
    if (p == 0) return;
    s->size += fabs(p);
    s->n++;
    s->whole = s->whole && p == rint(p);
    s->power = fabs(frexp(w, &exponent)) == 0.5;
}

double sum_error(const sum_t *s) {
    bool exact = (s->whole && s->size < 0x1p24) || s->n == 0 || (s->n == 1 && s->power);
    return s->e + (exact ? 0 : 2 * (double)s->n * RIGHT_U * s->size);
}

double right_magnitude(const right_t *y) {
    double squares = 0;
    for (int64_t i = 0; i < y->elements; i++)
        if (isfinite(y->v[i])) squares += y->v[i] * y->v[i];
    return sqrt(squares / (double)y->elements);
}

bool right_is_sharp(const right_t *y, bool integers) {
    double max = 0, errors = 0;
    for (int64_t i = 0; i < y->elements; i++) {
        if (!isfinite(y->v[i])) continue; /* of rows that are not finite nothing else is expected */
        errors += y->e[i] * y->e[i];
        max = fmax(max, y->e[i]);
    }
    if (integers) max = sqrt(errors / (double)y->elements);
    return max <= 1e-2 * right_magnitude(y);
}

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

static void put(const right_ctx_t *c, int64_t i, double v, double e) {
    c->y->v[i] = v;
    c->y->e[i] = e;
}

/* ---- leaves ---------------------------------------------------------------------------------------- */

static void put_ints(const right_ctx_t *c, const int32_t *given) {
    for (int64_t i = 0; given && i < c->y->elements; i++) put(c, i, given[i], 0);
}

static void right_input_node(const right_ctx_t *c) {
    const char *name = c->n->name;
    for (int64_t i = 0; i < c->y->elements; i++) {
        if (strcmp(name, "attention_mask") == 0) put(c, i, c->k->mask ? c->k->mask[i] : 1, 0);
        if (strcmp(name, "labels_f32") == 0 && c->k->floats) put(c, i, c->k->floats[i], 0);
    }
    if (strcmp(name, "input_ids") == 0) put_ints(c, c->k->ids);
    if (strcmp(name, "positions") == 0) put_ints(c, c->k->positions);
    if (strcmp(name, "labels") == 0) put_ints(c, c->k->labels);
    if (strcmp(name, "start_positions") == 0) put_ints(c, c->k->start);
    if (strcmp(name, "end_positions") == 0) put_ints(c, c->k->end);
}

static double rounded(double x) {
    return (double)bf16_round((float)x);
}

/* Of rows of i8 each is exact. */
static void put_quantized(const right_ctx_t *c, const float *x) {
    int64_t w = width_of(c->n);
    for (int64_t first = 0; first < c->y->elements; first += w) {
        i8_scale_t by = i8_scale(x + first, w);
        for (int64_t i = first; i < first + w; i++)
            put(c, i, (double)i8_round(x[i], by) * (double)by.scale, 0);
    }
}

static void right_param(const right_ctx_t *c) {
    if (c->n->type == G_I8) {
        put_quantized(c, c->k->values[c->n->id]);
        return;
    }
    for (int64_t i = 0; i < c->y->elements; i++) {
        double v = (double)c->k->values[c->n->id][i];
        put(c, i, c->n->type == G_BF16 ? rounded(v) : v, 0);
    }
}

/* Where what a value may be off does not reach the next number that is as near to two of them, the rounded one is exact;
 * where it does, a kernel may round it to the other, 2^-8 to 2^-7 of it away. */
void right_round_element(const right_t *x, int64_t i, right_t *y) {
    double v = rounded(x->v[i]), e = x->e[i] + RIGHT_U * fabs(x->v[i]) * (x->e[i] > 0);
    y->v[i] = v;
    y->e[i] = fmax(rounded(x->v[i] + e) - v, v - rounded(x->v[i] - e));
}

static void right_round(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    for (int64_t i = 0; i < x->elements; i++) right_round_element(x, i, c->y);
}

/* Where the row is known exactly, so are its integers and its scale. Where it is not, the scale is off as its greatest is,
 * and an integer may be the next one if what x / scale may be off reaches the middle between them. What is seen of it is a
 * float. */
static void right_quantize(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    int64_t w = width_of(c->n);
    float *row = malloc((size_t)w * sizeof *row);
    for (int64_t first = 0; first < x->elements; first += w) {
        double max = 0, ex = 0;
        for (int64_t i = 0; i < w; i++) {
            row[i] = (float)x->v[first + i];
            max = fmax(max, fabs(x->v[first + i]));
            ex = fmax(ex, x->e[first + i]);
        }
        i8_scale_t by = i8_scale(row, w);
        double scale = (double)by.scale, off = ex > 0 ? ex + RIGHT_U * max : 0;
        for (int64_t i = first; i < first + w; i++) {
            double q = i8_round(row[i - first], by), exact = scale > 0 ? x->v[i] / scale : 0;
            double reach = scale > 0 ? 2 * off / scale + 4 * RIGHT_U * fabs(exact) : 0;
            bool other = off > 0 && fabs(exact - q) + reach >= 0.5;
            double e = fabs(q) * off / 127 + (other ? scale + off / 127 : 0);
            put(c, i, q * scale, e + (c->n->trace ? RIGHT_U * fabs(q * scale) : 0));
        }
    }
    free(row);
}

static void right_pad(const right_ctx_t *c) {
    double filler = c->n->op == G_PAD_IDS ? (double)c->n->pad_token : 0;
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t b = i / c->padded, t = i % c->padded;
        put(c, i, t < c->length ? right_input(c, 0)->v[b * c->length + t] : filler, 0);
    }
}

/* ---- rows ------------------------------------------------------------------------------------------ */

/* By what dropout multiplies element i of n's result, if anything is dropped. */
static double kept(const right_ctx_t *c, dropout_place_t place, double rate, int64_t i) {
    const gnode_t *n = c->n;
    const graph_dropout_t d = {c->k->dropout_seed, c->k->dropout_step, 0};
    int64_t w = width_of(n), row = i / w, rows = n->rank == 3 ? n->shape[1].c : 1, below = 1;
    int64_t first = c->k->dropout_row;
    if (rate == 0) return 1;
    if (place != PLACE_POSITION || !n->n_axial)
        return dropout_factor(&d, n->layer, place, rate,
                              dropout_element(first * rows + row, w, i % w));
    for (int a = 2; a < n->n_axial; a++) below *= n->axial_shape[a];
    int64_t columns = n->axial_shape[1], column = row % rows / below % columns;
    return dropout_factor(&d, n->layer, place, rate,
                          dropout_element(first + row / rows, columns, column));
}

static void right_dropout(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    for (int64_t i = 0; i < c->y->elements; i++) {
        double f = kept(c, (dropout_place_t)c->n->place, c->n->rate, i), v = f * x->v[i];
        put(c, i, v, f * x->e[i] + 2 * RIGHT_U * fabs(v));
    }
}

static void right_embed(const right_ctx_t *c) {
    const gnode_t *n = c->n;
    int64_t h = width_of(n);
    int words = n->op == G_EMBED_AT ? 2 : 1;
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t at = i / h % c->padded, column = i % h, below = 1;
        if (words == 2) at = (int64_t)right_input(c, 1)->v[i / h];
        int axis = 0;
        for (const gnode_t *t; t = n->in[words + 1 + axis], column >= width_of(t); axis++)
            column -= width_of(t);
        for (int a = n->n_axial - 1; a > axis; a--) below *= n->axial_shape[a];
        int64_t row = n->n_axial ? at / below % n->axial_shape[axis] : at;
        int64_t id = (int64_t)right_input(c, 0)->v[i / h], w = width_of(n->in[words + 1 + axis]);
        double word = right_input(c, words)->v[id * h + i % h];
        double place = right_input(c, words + 1 + axis)->v[row * w + column];
        word *= kept(c, PLACE_WORD, n->rate, i);
        place *= kept(c, PLACE_POSITION, n->position_rate, i);
        double v = word + place, two = n->rate + n->position_rate > 0 ? 2 : 0;
        if (n->in[words]->type == G_I8) two++; /* its scale */
        put(c, i, v, RIGHT_U * (fabs(v) + two * (fabs(word) + fabs(place))));
    }
}

/* The mean of squares is off by a factor of (w + 2) u. */
static void right_rms_norm(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    int64_t w = width_of(c->n);
    for (int64_t first = 0; first < c->y->elements; first += w) {
        double mean = 0, ex = 0;
        for (int64_t i = first; i < first + w; i++) {
            mean += x->v[i] * x->v[i] / (double)w;
            ex = fmax(ex, x->e[i]);
        }
        double s = 1 / sqrt(mean + c->n->eps);
        for (int64_t i = 0; i < w; i++) {
            double d = x->v[first + i] * s, weight = right_input(c, 1)->v[i];
            double e = RIGHT_U * fabs(d * weight) * (double)(w + 8);
            put(c, first + i, d * weight, e + fabs(weight) * s * (1 + fabs(d)) * ex);
        }
    }
}

/* Mean and variance are sums of w numbers; the mean is off by w u |x|, the variance by a factor of (w + 4) u. */
static void right_layer_norm(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    int64_t w = width_of(c->n);
    for (int64_t first = 0; first < c->y->elements; first += w) {
        double mean = 0, size = 0, var = 0, ex = 0;
        for (int64_t i = first; i < first + w; i++) {
            mean += x->v[i] / (double)w;
            size += fabs(x->v[i]) / (double)w;
            ex = fmax(ex, x->e[i]);
        }
        for (int64_t i = first; i < first + w; i++)
            var += (x->v[i] - mean) * (x->v[i] - mean) / (double)w;
        double s = 1 / sqrt(var + c->n->eps);
        for (int64_t i = 0; i < w; i++) {
            double d = (x->v[first + i] - mean) * s, weight = right_input(c, 1)->v[i];
            double bias = right_input(c, 2)->v[i], v = d * weight + bias;
            double e = RIGHT_U * (fabs(v) + fabs(bias) + fabs(weight * d) * (double)(w + 8));
            e += fabs(weight) * s * ((double)w * RIGHT_U * size + (2 + fabs(d)) * ex);
            put(c, first + i, v, e);
        }
    }
}

/* Of a row of w numbers: mean and scale, u = (x - mean) s, and how far they are off. */
typedef struct {
    double mean, s, size, ex;
} row_t;

static row_t row_of(const right_ctx_t *c, const right_t *x, int64_t first, int64_t w) {
    bool centred = c->n->op == G_LAYER_NORM_UNIT || c->n->op == G_LAYER_NORM_GRAD;
    row_t r = {0};
    double squares = 0;
    for (int64_t i = first; i < first + w; i++) {
        if (centred) r.mean += x->v[i] / (double)w;
        r.size += fabs(x->v[i]) / (double)w;
        r.ex = fmax(r.ex, x->e[i]);
    }
    for (int64_t i = first; i < first + w; i++)
        squares += (x->v[i] - r.mean) * (x->v[i] - r.mean) / (double)w;
    r.s = 1 / sqrt(squares + c->n->eps);
    return r;
}

/* By how much a unit may be off. */
static double unit_error(const row_t *r, double u, int64_t w) {
    double mean = (double)w * RIGHT_U * r->size + (2 + fabs(u)) * r->ex;
    return r->s * mean + RIGHT_U * fabs(u) * (double)(w + 8);
}

static void right_unit(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    int64_t w = width_of(c->n);
    for (int64_t first = 0; first < c->y->elements; first += w) {
        row_t r = row_of(c, x, first, w);
        for (int64_t i = first; i < first + w; i++) {
            double u = (x->v[i] - r.mean) * r.s;
            put(c, i, u, unit_error(&r, u, w));
        }
    }
}

/* The derivative of s times what it is of: sum over j of g_j d u_j / d x_i. */
static void right_norm_grad(const right_ctx_t *c) {
    const right_t *dy = right_input(c, 0), *x = right_input(c, 1), *weight = right_input(c, 2);
    int64_t w = width_of(c->n);
    bool centred = c->n->op == G_LAYER_NORM_GRAD;
    for (int64_t first = 0; first < c->y->elements; first += w) {
        row_t r = row_of(c, x, first, w);
        double along = 0, mean = 0, size = 0, eg = 0, eu = 0;
        for (int64_t i = 0; i < w; i++) {
            double g = dy->v[first + i] * weight->v[i], u = (x->v[first + i] - r.mean) * r.s;
            along += g * u / (double)w;
            if (centred) mean += g / (double)w;
            size += fabs(g) / (double)w * (1 + fabs(u));
            eg = fmax(eg, dy->e[first + i] * fabs(weight->v[i]));
            eu = fmax(eu, unit_error(&r, u, w));
        }
        for (int64_t i = 0; i < w; i++) {
            double g = dy->v[first + i] * weight->v[i], u = (x->v[first + i] - r.mean) * r.s;
            double v = r.s * (g - mean - u * along);
            double sums = (double)(w + 8) * RIGHT_U * size + 2 * eg + eu * size;
            double e = (1 + fabs(u)) * sums + eu * fabs(along) + eg;
            e += RIGHT_U * 4 * (fabs(g) + fabs(mean) + fabs(u * along));
            put(c, first + i, v, r.s * e + fabs(v) * (eu + RIGHT_U * (double)(w + 8)));
        }
    }
}

/* The result of attention may come group after group of heads, each added to the stream. */
static double groups_of(const gnode_t *dense) {
    const gnode_t *x = dense->op == G_DENSE ? dense->in[0] : NULL;
    if (x && x->op == G_ROUND) x = x->in[0];
    return x && graph_kind(x) == K_MIX ? (double)x->heads : 0;
}

/* Of i8 the sum of integers is exact: it becomes a float, and both scales are multiplied by each other and by that. */
static double dense_error(const right_ctx_t *c, const sum_t *s) {
    double seen = c->n->in[0]->trace ? RIGHT_U : 0;
    if (c->n->in[1]->type == G_I8)
        return s->e + 3.01 * RIGHT_U * fabs(s->v) + (0x1p-46 + seen) * s->size;
    return sum_error(s) + groups_of(c->n) * RIGHT_U * s->size;
}

static void right_dense(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0), *w = right_input(c, 1);
    int64_t depth = width_of(c->n->in[0]), n = width_of(c->n);
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t row = i / n * depth, column = i % n;
        sum_t s = SUM;
        for (int64_t j = 0; j < depth; j++)
            sum_add(&s, x->v[row + j], x->e[row + j], w->v[column * depth + j], 0);
        double e = dense_error(c, &s);
        if (c->n->in[2]) {
            s.v += right_input(c, 2)->v[column];
            e += RIGHT_U * fabs(s.v);
        }
        put(c, i, s.v, e);
    }
}

static void right_dense_t(const right_ctx_t *c) {
    const right_t *dy = right_input(c, 0), *w = right_input(c, 1);
    int64_t depth = width_of(c->n->in[0]), n = width_of(c->n);
    for (int64_t i = 0; i < c->y->elements; i++) {
        sum_t s = SUM;
        for (int64_t j = 0, row = i / n * depth; j < depth; j++)
            sum_add(&s, dy->v[row + j], dy->e[row + j], w->v[j * n + i % n], 0);
        put(c, i, s.v, sum_error(&s));
    }
}

typedef double (*formula_t)(double);

static formula_t formula(const formula_t *of, const gnode_t *n) {
    if (!of[n->act]) bug("tests/lower/formulas.h lacks a row of %s", act_name(n->act));
    return of[n->act];
}

/* Eight units in the last place of what is at least one, as test_math.c allows. */
static void right_activation(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    formula_t f = formula(activations, c->n);
    bool exact = c->n->act == ACT_RELU || c->n->act == ACT_LINEAR || c->n->act == ACT_RELU6;
    for (int64_t i = 0; i < c->y->elements; i++) {
        double v = f(x->v[i]), e = exact ? 0 : 16 * RIGHT_U * fmax(fabs(v), 1);
        double up = f(x->v[i] + x->e[i]), down = f(x->v[i] - x->e[i]);
        put(c, i, v, e + 2 * fmax(fabs(up - v), fabs(down - v)));
    }
}

/* As of activations: eight units in the last place of what is at least one, times dy. */
static void right_activation_grad(const right_ctx_t *c) {
    const right_t *dy = right_input(c, 0), *x = right_input(c, 1);
    formula_t f = formula(derivatives, c->n);
    for (int64_t i = 0; i < c->y->elements; i++) {
        double v = f(x->v[i]), e = 16 * RIGHT_U * fmax(fabs(v), 1);
        e += 2 * fmax(fabs(f(x->v[i] + x->e[i]) - v), fabs(f(x->v[i] - x->e[i]) - v));
        put(c, i, dy->v[i] * v, e * (fabs(dy->v[i]) + dy->e[i]) + dy->e[i] * fabs(v));
    }
}

static void right_add(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0), *y = right_input(c, 1);
    for (int64_t i = 0; i < c->y->elements; i++) {
        double v = c->n->op == G_SUB ? x->v[i] - y->v[i] : x->v[i] + y->v[i];
        double partly = groups_of(c->n->in[1]) * (fabs(x->v[i]) + fabs(y->v[i]));
        put(c, i, v, x->e[i] + y->e[i] + RIGHT_U * (fabs(v) + partly));
    }
}

static void right_mul(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0), *y = right_input(c, 1);
    for (int64_t i = 0; i < c->y->elements; i++) {
        double v = x->v[i] * y->v[i], both = x->e[i] * y->e[i];
        double e = fabs(x->v[i]) * y->e[i] + fabs(y->v[i]) * x->e[i] + both;
        put(c, i, v, e + RIGHT_U * fabs(v));
    }
}

static void right_concat(const right_ctx_t *c) {
    int64_t w = width_of(c->n), first = width_of(c->n->in[0]);
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t row = i / w, column = i % w;
        bool second = column >= first;
        int64_t from = second ? row * (w - first) + column - first : row * first + column;
        put(c, i, right_input(c, second)->v[from], right_input(c, second)->e[from]);
    }
}

static void right_part(const right_ctx_t *c) {
    int64_t w = width_of(c->n), from = width_of(c->n->in[0]);
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t at = i / w * from + c->n->first + i % w;
        put(c, i, right_input(c, 0)->v[at], right_input(c, 0)->e[at]);
    }
}

/* Zeros behind the rows of the tokens that were given. */
static void right_pad_rows(const right_ctx_t *c) {
    int64_t w = width_of(c->n);
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t rows = c->n->shape[1].c, row = i / w, b = row / rows, t = row % rows;
        int64_t had = c->n->in[0]->rank == 3 ? c->length : 1;
        int64_t from = (b * had + t) * w + i % w;
        bool given = t < had;
        put(c, i, given ? right_input(c, 0)->v[from] : 0, given ? right_input(c, 0)->e[from] : 0);
    }
}

/* Rows of the tokens that were given; of a first token; of one column. */
static void right_slice(const right_ctx_t *c) {
    int64_t w = width_of(c->n);
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t row = i / w, b = row / c->length, from = (b * c->padded + row % c->length) * w;
        put(c, i, right_input(c, 0)->v[from + i % w], right_input(c, 0)->e[from + i % w]);
    }
}

static void right_first_token(const right_ctx_t *c) {
    int64_t w = width_of(c->n);
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t from = i / w * c->n->in[0]->shape[1].c * w + i % w;
        put(c, i, right_input(c, 0)->v[from], right_input(c, 0)->e[from]);
    }
}

static void right_column(const right_ctx_t *c) {
    int64_t w = width_of(c->n->in[0]);
    for (int64_t i = 0; i < c->y->elements; i++)
        put(c, i, right_input(c, 0)->v[i * w + c->n->shift],
            right_input(c, 0)->e[i * w + c->n->shift]);
}

/* ---- losses ------------------------------------------------------------------------------------------ */

typedef struct {
    double sum, e;
    int64_t n;
} mean_t;

/* log sum exp - x[target]: the sum is off by a factor of (n + 8) u, its logarithm by two units. */
static void add_cross_entropy(mean_t *m, const double *x, const double *ex, int64_t n,
                              int64_t target) {
    double max = x[0], sum = 0, e = 0, size = 0;
    for (int64_t i = 0; i < n; i++) max = fmax(max, x[i]);
    for (int64_t i = 0; i < n; i++) {
        sum += exp(x[i] - max);
        size = fmax(size, fabs(x[i] - max));
        e = fmax(e, ex[i]);
    }
    double below = max - x[target], loss = log(sum) + below;
    m->sum += loss;
    m->e += 2 * e +
            RIGHT_U * ((double)n + 8 + 2 * size + 4 * fabs(log(sum)) + fabs(below) + fabs(loss));
    m->n++;
}

static void put_mean(const right_ctx_t *c, const mean_t *m) {
    double v = m->sum / (double)m->n;
    put(c, 0, v, m->e / (double)m->n + RIGHT_U * fabs(v));
}

static void right_cross_entropy(const right_ctx_t *c) {
    const gnode_t *logits = c->n->in[0];
    const right_t *x = right_input(c, 0), *labels = right_input(c, 1);
    int64_t n = width_of(logits), rows = x->elements / n;
    int64_t per_batch = logits->rank == 3 ? logits->shape[1].c : 1;
    mean_t m = {0};
    for (int64_t row = 0; row < rows; row++) {
        if (row % per_batch + c->n->shift >= per_batch) continue;
        double label = labels->v[row + c->n->shift];
        if (label != -100) add_cross_entropy(&m, x->v + row * n, x->e + row * n, n, (int64_t)label);
    }
    put_mean(c, &m);
}

/* Positions are clamped to 0 … length, and that one is ignored; half the mean for the start, half for the end. */
static void right_qa_loss(const right_ctx_t *c) {
    double v = 0, e = 0;
    for (int which = 0; which < 2; which++) {
        const right_t *x = right_input(c, which), *at = right_input(c, 2 + which);
        mean_t m = {0};
        for (int64_t b = 0; b < c->batch; b++) {
            int64_t first = b * c->length, target = (int64_t)fmax(at->v[b], 0);
            if (target < c->length)
                add_cross_entropy(&m, x->v + first, x->e + first, c->length, target);
        }
        v += 0.5 * m.sum / (double)m.n;
        e += 0.5 * m.e / (double)m.n;
    }
    put(c, 0, v, e + 3 * RIGHT_U * fabs(v));
}

static void right_float_loss(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0), *y = right_input(c, 1);
    mean_t m = {0};
    for (int64_t i = 0; i < x->elements; i++, m.n++) {
        double d = x->v[i] - y->v[i], a = x->v[i], tail = log1p(exp(-fabs(a)));
        bool squares = c->n->op == G_MSE_LOSS;
        m.sum += squares ? d * d : fmax(a, 0) - a * y->v[i] + tail;
        m.e += squares ? 4 * RIGHT_U * d * d + 2 * fabs(d) * x->e[i]
                       : RIGHT_U * (4 * fabs(a) + 4 * fabs(a * y->v[i]) + 16) +
                             (2 + fabs(y->v[i])) * x->e[i];
    }
    put_mean(c, &m);
}

/* Of cross-entropy: softmax, less one at the target, a share of the labels each: the sum is off by a factor of (n + 8) u. */
static void put_softmax(const right_ctx_t *c, const right_t *x, int64_t first, int64_t n,
                        int64_t target, double share) {
    double max = x->v[first], sum = 0, size = 0, ex = 0;
    for (int64_t i = 0; i < n; i++) max = fmax(max, x->v[first + i]);
    for (int64_t i = 0; i < n; i++) {
        sum += exp(x->v[first + i] - max);
        size = fmax(size, max - x->v[first + i]);
        ex = fmax(ex, x->e[first + i]);
    }
    for (int64_t i = 0; i < n; i++) {
        double p = exp(x->v[first + i] - max) / sum, others = i == target ? p - 1 : p;
        double e = RIGHT_U * ((double)n + 16 + 2 * size) + 2 * ex;
        put(c, first + i, share * others, share * (p < 1 ? p : 1) * e + 2 * share * ex);
        if (i == target) put(c, first + i, share * others, share * fabs(others) * e + share * ex);
    }
}

static void right_cross_entropy_grad(const right_ctx_t *c) {
    const gnode_t *logits = c->n->in[1];
    const right_t *x = right_input(c, 1), *labels = right_input(c, 2);
    int64_t n = width_of(logits), rows = x->elements / n, count = 0;
    int64_t per_batch = logits->rank == 3 ? logits->shape[1].c : 1;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t row = 0; row < rows; row++) {
            if (row % per_batch + c->n->shift >= per_batch) continue;
            double label = labels->v[row + c->n->shift];
            if (label == -100) continue;
            if (pass == 0) count++;
            else put_softmax(c, x, row * n, n, (int64_t)label, 1 / (double)count);
        }
}

static void right_qa_loss_grad(const right_ctx_t *c) {
    right_t both = *c->y;
    for (int which = 0; which < 2; which++) {
        const right_t *x = right_input(c, 1 + which), *at = right_input(c, 3 + which);
        int64_t count = 0;
        for (int64_t b = 0; b < c->batch; b++) count += at->v[b] < (double)c->length;
        right_t own = {calloc((size_t)x->elements, sizeof(double)),
                       calloc((size_t)x->elements, sizeof(double)), x->elements};
        right_ctx_t of = *c;
        of.y = &own;
        for (int64_t b = 0; b < c->batch; b++)
            if (at->v[b] < (double)c->length)
                put_softmax(&of, x, b * c->length, c->length, (int64_t)fmax(at->v[b], 0),
                            0.5 / (double)count);
        for (int64_t i = 0; i < x->elements; i++) {
            both.v[2 * i + which] = own.v[i];
            both.e[2 * i + which] = own.e[i];
        }
        free(own.v);
        free(own.e);
    }
}

static void right_float_loss_grad(const right_ctx_t *c) {
    const right_t *x = right_input(c, 1), *y = right_input(c, 2);
    bool squares = c->n->op == G_MSE_LOSS_GRAD;
    double share = (squares ? 2 : 1) / (double)x->elements;
    for (int64_t i = 0; i < x->elements; i++) {
        double p = squares ? x->v[i] : 1 / (1 + exp(-x->v[i]));
        double v = share * (p - y->v[i]);
        double e = RIGHT_U * (8 * fabs(p) + 4 * fabs(p - y->v[i])) + x->e[i];
        put(c, i, v, share * e);
    }
}

static void right_seed(const right_ctx_t *c) {
    put(c, 0, 1, 0);
}

static void right_uncolumn(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    for (int64_t i = 0; i < x->elements; i++)
        put(c, i * c->n->width + c->n->shift, x->v[i], x->e[i]);
}

/* ---- all of them --------------------------------------------------------------------------------------- */

void right_value(const kernels_t *k, const right_t *all, const gnode_t *n, const double *got,
                 right_t *y) {
    static void (*const ops[G_COUNT])(const right_ctx_t *c) = {
        [G_INPUT] = right_input_node,
        [G_PARAM] = right_param,
        [G_PAD_IDS] = right_pad,
        [G_PAD_MASK] = right_pad,
        [G_EMBED] = right_embed,
        [G_EMBED_AT] = right_embed,
        [G_LAYER_NORM] = right_layer_norm,
        [G_RMS_NORM] = right_rms_norm,
        [G_LAYER_NORM_UNIT] = right_unit,
        [G_RMS_NORM_UNIT] = right_unit,
        [G_LAYER_NORM_GRAD] = right_norm_grad,
        [G_RMS_NORM_GRAD] = right_norm_grad,
        [G_DENSE] = right_dense,
        [G_ROUND] = right_round,
        [G_QUANTIZE] = right_quantize,
        [G_DENSE_T] = right_dense_t,
        [G_ACTIVATION] = right_activation,
        [G_ACTIVATION_GRAD] = right_activation_grad,
        [G_ADD] = right_add,
        [G_SUB] = right_add,
        [G_MUL] = right_mul,
        [G_CONCAT] = right_concat,
        [G_LSH_HASH] = right_lsh_hash,
        [G_LSH_SORT] = right_lsh_sort,
        [G_LSH_ATTENTION] = right_lsh_attention,
        [G_LOCAL_ATTENTION] = right_local_attention,
        [G_EXACT_ATTENTION] = right_exact_attention,
        [G_LSH_STEP] = right_lsh_step,
        [G_LOCAL_STEP] = right_local_step,
        [G_LSH_LSE] = right_lse,
        [G_LOCAL_LSE] = right_lse,
        [G_EXACT_LSE] = right_lse,
        [G_LSH_ATTENTION_GRAD] = right_attention_grad,
        [G_LOCAL_ATTENTION_GRAD] = right_attention_grad,
        [G_EXACT_ATTENTION_GRAD] = right_attention_grad,
        [G_PART] = right_part,
        [G_PAD_ROWS] = right_pad_rows,
        [G_SLICE] = right_slice,
        [G_FIRST_TOKEN] = right_first_token,
        [G_COLUMN] = right_column,
        [G_DROPOUT] = right_dropout,
        [G_SEED] = right_seed,
        [G_UNCOLUMN] = right_uncolumn,
        [G_CROSS_ENTROPY_GRAD] = right_cross_entropy_grad,
        [G_QA_LOSS_GRAD] = right_qa_loss_grad,
        [G_MSE_LOSS_GRAD] = right_float_loss_grad,
        [G_BCE_LOSS_GRAD] = right_float_loss_grad,
        [G_CROSS_ENTROPY] = right_cross_entropy,
        [G_QA_LOSS] = right_qa_loss,
        [G_MSE_LOSS] = right_float_loss,
        [G_BCE_LOSS] = right_float_loss,
    };
    if (graph_is_state(n) || graph_is_keep(n)) return; /* struct right_row */
    if (!ops[n->op]) bug("no formula for %s", graph_op_name(n->op));
    right_ctx_t c = {k, all, n, got, y, k->g->batch, k->g->length.c, k->g->padded.c};
    ops[n->op](&c);
}
