/* The tasks of task.h but for the trees of listops (task_listops.c). Each draws its words in the
 * order of the published definition, so that any implementation makes the same examples. */
#include "data/task.h"

#include <stddef.h>
#include <string.h>

#include "data/random.h"
#include "data/task_int.h"

static const char *const names[TASK_COUNT] = {
    [TASK_NONE] = "none", [TASK_DUPLICATE] = "duplicate", [TASK_REVERSE] = "reverse",
    [TASK_COPY] = "copy", [TASK_ADDITION] = "addition",   [TASK_LISTOPS] = "listops",
};

const char *task_name(task_kind_t kind) {
    return names[kind];
}

const char *task_measure(task_kind_t kind) {
    static const char *const measures[TASK_COUNT] = {
        [TASK_COPY] = "symbols", [TASK_ADDITION] = "digits and sign", [TASK_LISTOPS] = "tokens"};
    return measures[kind];
}

bool task_classifies(const task_t *t) {
    return t->kind == TASK_LISTOPS;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* x has first … first + sums - 1 digits, y 1 … max - x - 1: trax's way to come
 * to at most `max` in all. */
static int64_t first_of(const task_t *t) {
    return (t->min - 1) / 2;
}
static int64_t ways_of(const task_t *t) {
    return (t->max - first_of(t) + 1) / 2;
}

/* Tokens of the longest sum: three signs, both numbers, and a result of a digit
 * more than the longer one. */
static int64_t longest_sum(const task_t *t) {
    int64_t x = first_of(t) + ways_of(t) - 1, y = t->max - first_of(t) - 1;
    return 3 + (t->max - 1) + (x > y ? x : y) + 1;
}

static task_t addition_of(task_t t) {
    enum { TRAX_MIN = 3, TRAX_MAX = 129 };
    t.min = TRAX_MIN;
    t.max = TRAX_MAX;
    while (t.max > TRAX_MIN && longest_sum(&t) > t.length) t.max--;
    return t;
}

task_t task_of(task_kind_t kind, int64_t length, int64_t vocabulary) {
    task_t t = {.kind = kind, .length = length, .vocabulary = vocabulary};
    switch (kind) {
    case TASK_COPY:
        t.min = 1;
        t.max = length / 2 - 1;
        return t;
    case TASK_ADDITION: return addition_of(t);
    case TASK_LISTOPS: return listops_of(t);
    default: return t;
    }
}

/* ---- what fits ------------------------------------------------------------------------------ */

/* The least that a task needs. */
static const struct {
    int64_t vocabulary, length, min;
    bool even; /* the length */
} needs[TASK_COUNT] = {
    [TASK_DUPLICATE] = {2, 4, 0, true},
    [TASK_REVERSE] = {2, 4, 0, true},
    [TASK_COPY] = {3, 4, 1, false},
    [TASK_ADDITION] = {5, 7, 3, false},
    [TASK_LISTOPS] = {LISTOPS_IDS, 2, 1, false},
};

static int64_t longest_row(const task_t *t) {
    switch (t->kind) {
    case TASK_COPY: return 2 * t->max + 2;
    case TASK_ADDITION: return longest_sum(t);
    case TASK_LISTOPS: return t->max + 1;
    default: return t->length;
    }
}

static void check_vocabulary(const task_t *t, diag_t *d) {
    int64_t min = needs[t->kind].vocabulary;
    if (t->vocabulary < min)
        diag_error(d, IN_FILE(names[t->kind]), "needs %lld ids, the vocabulary has %lld",
                   (long long)min, (long long)t->vocabulary);
}

static void check_length(const task_t *t, diag_t *d) {
    int64_t min = needs[t->kind].length;
    bool even = needs[t->kind].even;
    if (t->length < min || (even && t->length % 2))
        diag_error(d, IN_FILE(names[t->kind]), "has no rows of %lld tokens: %s%lld or more",
                   (long long)t->length, even ? "an even number, " : "", (long long)min);
}

static void check_sizes(const task_t *t, diag_t *d) {
    srcloc_t at = IN_FILE(names[t->kind]);
    const char *measure = task_measure(t->kind);
    int64_t min = needs[t->kind].min;
    if (measure && (t->min < min || t->max < t->min))
        diag_error(d, at, "%lld … %lld %s: two numbers from %lld on, the lesser one first",
                   (long long)t->min, (long long)t->max, measure, (long long)min);
    else if (longest_row(t) > t->length)
        diag_error(d, at, "%lld %s take up to %lld tokens, a row has %lld", (long long)t->max,
                   measure, (long long)longest_row(t), (long long)t->length);
    else if (t->kind == TASK_LISTOPS) listops_check(t, d);
}

bool task_check(const task_t *t, diag_t *d) {
    int before = diag_errors(d);
    check_vocabulary(t, d);
    check_length(t, d);
    if (diag_errors(d) == before) check_sizes(t, d);
    return diag_errors(d) == before;
}

/* ---- examples ------------------------------------------------------------------------------- */

typedef struct {
    int32_t *ids, *labels;
    int64_t n; /* tokens so far */
} task_row_t;

static void put(task_row_t *r, int32_t id, bool counts) {
    r->ids[r->n] = id;
    r->labels[r->n++] = counts ? id : TASK_IGNORED;
}

/* 0 w 0 w; the second 0 is not counted. w is drawn into the row itself. */
static void put_twice(task_row_t *r, random_t *words, int64_t n, int64_t symbols, bool backwards) {
    put(r, 0, false);
    for (int64_t i = 0; i < n; i++)
        put(r, (int32_t)(1 + random_below(words, (uint64_t)symbols)), false);
    put(r, 0, false);
    for (int64_t i = 0; i < n; i++) put(r, r->ids[1 + (backwards ? n - 1 - i : i)], true);
}

/* Little endian as 1 … base; the most significant digit is not 0 unless it is the only one. */
static void put_number(task_row_t *r, random_t *words, int64_t digits, int64_t base) {
    for (int64_t i = 1; i < digits; i++)
        put(r, (int32_t)(1 + random_below(words, (uint64_t)base)), false);
    int lowest = digits > 1 ? 1 : 0;
    put(r, (int32_t)(1 + lowest + (int64_t)random_below(words, (uint64_t)(base - lowest))), false);
}

/* Without leading zeros, since the highest digits are none; 0 + 0 is one 0. */
static void put_sum(task_row_t *r, const int32_t *x, int64_t nx, const int32_t *y, int64_t ny,
                    int64_t base) {
    int64_t carry = 0;
    for (int64_t i = 0; i < nx || i < ny || carry; i++) {
        int64_t sum = (i < nx ? x[i] - 1 : 0) + (i < ny ? y[i] - 1 : 0) + carry;
        put(r, (int32_t)(1 + sum % base), true);
        carry = sum / base;
    }
}

static void put_addition(task_row_t *r, random_t *words, const task_t *t) {
    int64_t base = t->vocabulary - 3;
    int64_t nx = first_of(t) + (int64_t)random_below(words, (uint64_t)ways_of(t));
    int64_t ny = 1 + (int64_t)random_below(words, (uint64_t)(t->max - nx - 1));
    put(r, (int32_t)base + 2, false);
    put_number(r, words, nx, base);
    put(r, (int32_t)base + 1, false);
    put_number(r, words, ny, base);
    put(r, (int32_t)base + 2, false);
    put_sum(r, r->ids + 1, nx, r->ids + 2 + nx, ny, base);
}

static bool put_row(task_row_t *r, random_t *words, const task_t *t, diag_t *d) {
    switch (t->kind) {
    case TASK_DUPLICATE:
    case TASK_REVERSE:
        put_twice(r, words, t->length / 2 - 1, t->vocabulary - 1, t->kind == TASK_REVERSE);
        return true;
    case TASK_COPY: {
        int64_t n = t->min + (int64_t)random_below(words, (uint64_t)(t->max - t->min + 1));
        put_twice(r, words, n, t->vocabulary - 2, false);
        return true;
    }
    case TASK_ADDITION: put_addition(r, words, t); return true;
    case TASK_LISTOPS: return listops_row(t, words, r->ids, &r->n, r->labels, d);
    default: bug("task %d", (int)t->kind);
    }
}

bool task_example(const task_t *t, uint64_t seed, task_split_t split, uint64_t example,
                  int32_t *ids, uint8_t *mask, int32_t *labels, diag_t *d) {
    random_t words = random_at(seed, (uint32_t)t->kind * 16 + split, example);
    task_row_t r = {ids, labels, 0};
    if (!put_row(&r, &words, t, d)) return false;
    size_t tokens = (size_t)r.n, rest = (size_t)(t->length - r.n);
    memset(mask, 1, tokens);
    memset(mask + tokens, 0, rest);
    memset(ids + tokens, 0, rest * sizeof *ids);
    for (int64_t i = r.n; !task_classifies(t) && i < t->length; i++) labels[i] = TASK_IGNORED;
    return true;
}
