/* ListOps as Long Range Arena draws it (lra_benchmarks/data/listops.py), one tree after the other
 * until one has the wanted number of tokens.
 *
 * A node above the greatest depth is an operator with probability 1/4, else a digit; an operator
 * has 2 … `arguments` arguments, and its kind is drawn behind them. MED of an even number is the
 * mean of the middle two, rounded down. */
#include "data/task_int.h"

#include <stddef.h>

enum { ID_FIRST = 1, ID_MIN = 2, ID_CLOSE = 6, ID_DIGIT = 7 };
enum { MIN, MAX, MED, SM, OPERATORS };
enum { MAX_ARGUMENTS = 10, MAX_DEPTH = 12, MAX_TREES = 1 << 20 };

task_t listops_of(task_t t) {
    enum { LONG_MIN = 501, LONG_MAX = 1999, LONG_DEPTH = 10 };
    enum { SHORT_MIN = 60, SHORT_MAX = 120, SHORT_DEPTH = 5 };
    bool is_long = t.length > LONG_MAX;
    t.min = is_long ? LONG_MIN : SHORT_MIN;
    t.max = is_long ? LONG_MAX : SHORT_MAX;
    t.depth = is_long ? LONG_DEPTH : SHORT_DEPTH;
    t.arguments = MAX_ARGUMENTS;
    if (t.max < t.length) return t;
    t.max = t.length - 1;
    t.min = t.max / 2;
    return t;
}

/* Tokens of the largest tree: a digit, or an operator whose arguments are the largest. */
static int64_t largest_tree(const task_t *t) {
    int64_t tokens = 1;
    for (int i = 1; i < t->depth && tokens < t->min; i++) tokens = 2 + t->arguments * tokens;
    return tokens;
}

void listops_check(const task_t *t, diag_t *d) {
    srcloc_t at = IN_FILE("listops");
    if (t->depth < 1 || t->depth > MAX_DEPTH)
        diag_error(d, at, "depth %d is not in 1 … %d", t->depth, MAX_DEPTH);
    else if (t->arguments < 2 || t->arguments > MAX_ARGUMENTS)
        diag_error(d, at, "%d arguments are not in 2 … %d", t->arguments, MAX_ARGUMENTS);
    else if (largest_tree(t) < t->min)
        diag_error(d, at, "trees of depth %d have no %lld tokens", t->depth, (long long)t->min);
}

typedef struct {
    const task_t *task;
    random_t *words;
    int32_t *ids; /* what does not fit is counted and left out: the words are drawn all the same */
    int64_t n, room;
} tree_t;

static void put(tree_t *t, int64_t at, int32_t id) {
    if (at < t->room) t->ids[at] = id;
}

static int middle(int *values, int n) {
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
            int x = values[j];
            values[j] = values[j - 1];
            values[j - 1] = x;
        }
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static int value_of(int which, int *values, int n) {
    int min = values[0], max = values[0], sum = 0;
    for (int i = 0; i < n; i++) {
        min = values[i] < min ? values[i] : min;
        max = values[i] > max ? values[i] : max;
        sum += values[i];
    }
    return which == MIN ? min : which == MAX ? max : which == SM ? sum % 10 : middle(values, n);
}

static int draw(tree_t *t, int depth) {
    if (depth >= t->task->depth || random_word(t->words) > UINT32_MAX / 4) {
        int digit = (int)random_below(t->words, 10);
        put(t, t->n++, ID_DIGIT + digit);
        return digit;
    }
    int values[MAX_ARGUMENTS];
    int n = 2 + (int)random_below(t->words, (uint64_t)t->task->arguments - 1);
    int64_t at = t->n++;
    for (int i = 0; i < n; i++) values[i] = draw(t, depth + 1);
    int which = (int)random_below(t->words, OPERATORS);
    put(t, at, ID_MIN + which);
    put(t, t->n++, ID_CLOSE);
    return value_of(which, values, n);
}

bool listops_row(const task_t *t, random_t *words, int32_t *ids, int64_t *n, int32_t *value,
                 diag_t *d) {
    ids[0] = ID_FIRST;
    for (int i = 0; i < MAX_TREES; i++) {
        tree_t tree = {.task = t, .words = words, .ids = ids + 1, .room = t->length - 1};
        *value = draw(&tree, 1);
        *n = 1 + tree.n;
        if (tree.n >= t->min && tree.n <= t->max) return true;
    }
    diag_error(d, IN_FILE("listops"), "none of %d trees of depth %d has %lld … %lld tokens",
               MAX_TREES, t->depth, (long long)t->min, (long long)t->max);
    return false;
}
