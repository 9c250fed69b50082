/* Opening, counting and describing what data.h offers; its rows are made in batch.c. */
#include "data/data.h"

#include <math.h>
#include <string.h>

#include "data/data_int.h"
#include "support/hash.h"
#include "support/heap.h"

enum { TASK_WINDOWS = 1280, SHORTEST = 2 }; /* tokens of a window that has something to predict */

data_options_t data_options(void) {
    return (data_options_t){
        .held_out = 0.1, .masking = {.share = 0.15, .masked = 0.8, .random = 0.1, .mask_id = -1}};
}

static data_t *new_data(const data_options_t *o) {
    data_t *data = heap_new(1, sizeof *data);
    data->o = *o;
    size_t bytes = (size_t)o->masking.n_never * sizeof(int32_t);
    int32_t *never = heap_new(1, bytes);
    if (bytes) memcpy(never, o->masking.never, bytes);
    data->o.masking.never = never;
    return data;
}

void data_free(data_t *data) {
    if (!data) return;
    if (data->eval.source != data->train.source) source_free(data->eval.source);
    source_free(data->train.source);
    tsv_free(data->table);
    tsv_free(data->eval_table);
    heap_free((void *)(uintptr_t)data->o.masking.never);
    heap_free(data);
}

static data_t *checked(data_t *data, bool ok) {
    if (ok) return data;
    data_free(data);
    return NULL;
}

/* How many of n are trained on. */
static int64_t kept(const data_options_t *o, int64_t n) {
    return (int64_t)floor((1 - o->held_out) * (double)n);
}

/* ---- sources -------------------------------------------------------------------------------- */

static void hold_out(data_t *data, source_t *eval) {
    token_span_t *t = &data->train, *e = &data->eval;
    t->n = source_count(t->source);
    if (eval) {
        *e = (token_span_t){eval, 0, source_count(eval)};
    } else if (data->o.held_out > 0) {
        int64_t all = t->n;
        t->n = kept(&data->o, all);
        *e = (token_span_t){t->source, t->n, all - t->n};
    }
}

static bool long_enough(const data_t *data, diag_t *d) {
    const token_span_t *t = &data->train, *e = &data->eval;
    bool shared = e->source == t->source;
    if (t->n < data->o.length) {
        diag_error(d, IN_FILE(source_path(t->source)),
                   "has %lld tokens to train on, a row takes %lld", (long long)t->n,
                   (long long)data->o.length);
        diag_hint(d, "shorter rows%s", shared ? ", or less held out for evaluation" : "");
        return false;
    }
    if (!e->source || e->n >= SHORTEST) return true;
    diag_error(d, IN_FILE(source_path(e->source)), "has %lld token%s%s: nothing to evaluate",
               (long long)e->n, e->n == 1 ? "" : "s", shared ? " held out" : "");
    return false;
}

static bool ids_fit(const data_t *data, diag_t *d) {
    const token_span_t *t = &data->train, *e = &data->eval;
    return source_check(t->source, data->o.vocabulary, d) &&
           (!e->source || e->source == t->source || source_check(e->source, data->o.vocabulary, d));
}

static void count_windows(data_t *data) {
    int64_t length = data->o.length, rows = (data->train.n - length + 1) / length;
    data->epoch_rows = rows > 1 ? rows : 1;
    data->eval_windows = data->eval.n / length + (data->eval.n % length >= SHORTEST);
}

data_t *data_open_source(const data_options_t *o, source_t *train, source_t *eval, diag_t *d) {
    data_t *data = new_data(o);
    data->train.source = train;
    hold_out(data, eval);
    bool ok = long_enough(data, d) && ids_fit(data, d);
    if (ok) count_windows(data);
    return checked(data, ok);
}

/* ---- tables and tasks ----------------------------------------------------------------------- */

data_t *data_open_tsv(const data_options_t *o, tsv_t *train, tsv_t *eval, diag_t *d) {
    data_t *data = new_data(o);
    int64_t rows = tsv_rows(train);
    data->o.goal = DATA_CLASSES;
    data->table = train;
    data->eval_table = eval;
    if (eval) data->o.held_out = 0;
    data->epoch_rows = kept(&data->o, rows);
    data->eval_windows = eval ? tsv_rows(eval) : rows - data->epoch_rows;
    if (data->epoch_rows < 1)
        diag_error(d, IN_FILE(tsv_path(train)), "of a table of %lld row%s none is left to train on",
                   (long long)rows, rows == 1 ? "" : "s");
    return checked(data, data->epoch_rows >= 1);
}

data_t *data_open_task(const data_options_t *o, const task_t *task, diag_t *d) {
    data_t *data = new_data(o);
    data->task = *task;
    data->o.goal = task_classifies(task) ? DATA_CLASSES : DATA_CAUSAL;
    data->o.length = task->length;
    data->eval_windows = o->eval_rows > 0 ? o->eval_rows : TASK_WINDOWS;
    return checked(data, task_check(task, d));
}

/* ---- counts --------------------------------------------------------------------------------- */

int64_t data_epoch_rows(const data_t *data) {
    return data->epoch_rows;
}

double data_epoch(const data_t *data, int64_t step) {
    if (data->epoch_rows == 0) return 0;
    return (double)step * (double)data->o.rows_per_step / (double)data->epoch_rows;
}

int64_t data_epoch_steps(const data_t *data, double epochs) {
    return (int64_t)ceil(epochs * (double)data->epoch_rows / (double)data->o.rows_per_step);
}

int64_t data_eval_windows(const data_t *data) {
    int64_t max = data->o.eval_rows;
    return max > 0 && max < data->eval_windows ? max : data->eval_windows;
}

/* ---- what it is ----------------------------------------------------------------------------- */

static void describe_source(const data_t *data, sbuf_t *out) {
    bool moves = data->o.positions > data->o.length;
    sbuf_printf(out, "%lld tokens, %lld crops of %lld an epoch%s", (long long)data->train.n,
                (long long)data->epoch_rows, (long long)data->o.length,
                moves ? " at changing positions" : "");
    if (data->eval.source)
        sbuf_printf(out, "; %lld tokens held out, %lld windows", (long long)data->eval.n,
                    (long long)data_eval_windows(data));
}

static void describe_table(const data_t *data, sbuf_t *out) {
    int64_t cut = tsv_cut(data->table);
    sbuf_printf(out, "%lld rows an epoch, %lld held out", (long long)data->epoch_rows,
                (long long)data_eval_windows(data));
    if (cut > 0)
        sbuf_printf(out, "; %lld longer than %lld tokens are cut", (long long)cut,
                    (long long)data->o.length);
}

static void describe_task(const data_t *data, sbuf_t *out) {
    const task_t *t = &data->task;
    sbuf_printf(out, "%s, rows of %lld tokens", task_name(t->kind), (long long)t->length);
    if (t->max > 0)
        sbuf_printf(out, ", of %lld to %lld %s", (long long)t->min, (long long)t->max,
                    task_measure(t->kind));
    sbuf_printf(out, "; %lld to evaluate", (long long)data_eval_windows(data));
}

void data_describe(const data_t *data, sbuf_t *out) {
    if (data->task.kind != TASK_NONE) describe_task(data, out);
    else if (data->table) describe_table(data, out);
    else describe_source(data, out);
}

static uint64_t hash_masking(uint64_t h, const data_masking_t *m) {
    const double shares[] = {m->share, m->masked, m->random};
    h = hash64(h, shares, sizeof shares);
    h = hash64(h, &m->mask_id, sizeof m->mask_id);
    return hash64(h, m->never, (size_t)m->n_never * sizeof *m->never);
}

static uint64_t hash_content(const data_t *data, uint64_t h) {
    const task_t *t = &data->task;
    const int64_t task[] = {t->kind, t->length, t->vocabulary, t->min,
                            t->max,  t->depth,  t->arguments};
    h = hash64(h, task, sizeof task);
    uint64_t x = data->train.source ? source_fingerprint(data->train.source)
                 : data->table      ? tsv_fingerprint(data->table)
                                    : 0;
    return hash64(h, &x, sizeof x);
}

uint64_t data_fingerprint(const data_t *data) {
    const data_options_t *o = &data->o;
    const int64_t numbers[] = {(int64_t)o->seed, o->goal,      o->length,     o->vocabulary,
                               o->pad_id,        o->positions, data->train.n, data->epoch_rows};
    uint64_t h = hash64(HASH64_INIT, numbers, sizeof numbers);
    if (o->goal == DATA_MASKED) h = hash_masking(h, &o->masking);
    return hash_content(data, h);
}

uint64_t data_eval_fingerprint(const data_t *data) {
    const source_t *own = data->eval.source != data->train.source ? data->eval.source : NULL;
    const int64_t numbers[] = {data->eval.n, data_eval_windows(data)};
    uint64_t h = hash64(HASH64_INIT, numbers, sizeof numbers);
    uint64_t x = own                ? source_fingerprint(own)
                 : data->eval_table ? tsv_fingerprint(data->eval_table)
                                    : 0;
    return hash64(h, &x, sizeof x);
}
