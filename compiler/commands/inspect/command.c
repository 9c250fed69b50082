/* reformerc inspect: reads a file of weights, whole, and measures what is in it.
 *
 * In: a packed file, one of safetensors, the index of several, or a checkpoint folder; nobody
 * vouches for any of them. Out: a row per tensor (report.c writes them), or an error that says what
 * is wrong with the file: what is truncated or damaged is not shown in part. */
#include "commands/inspect/inspect.h"

#include <math.h>
#include <string.h>

#include "cli/help.h"
#include "commands/commands.h"
#include "report/progress.h"
#include "support/format.h"
#include "support/heap.h"

/* ---- values ---------------------------------------------------------------------------------- */

static void measure(value_stats_t *v, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            v->nonfinite++;
            continue;
        }
        if (v->n == 0 || x[i] < v->min) v->min = x[i];
        if (v->n == 0 || x[i] > v->max) v->max = x[i];
        v->n++;
        v->sum += x[i];
        v->squares += x[i] * x[i];
    }
}

static value_stats_t measure_tensor(const st_tensor_t *t) {
    enum { AT_ONCE = 4096 };
    double x[AT_ONCE];
    value_stats_t v = {0};
    for (int64_t at = 0; at < t->elements; at += AT_ONCE) {
        int64_t n = t->elements - at < AT_ONCE ? t->elements - at : AT_ONCE;
        st_to_f64(t, at, n, x);
        measure(&v, x, n);
    }
    return v;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* "reformer.encoder.layers.3.…", "layers.3.rotations" → 3 */
static int layer_of(const char *name) {
    const char *at = strstr(name, "layers.");
    bool begins = at && (at == name || at[-1] == '.');
    return begins ? layer_of_name(at, NULL) : -1;
}

static inspected_t *add_row(inspection_t *x, const char *name) {
    inspected_t row = {.name = arena_strdup(x->arena, name), .layer = layer_of(name)};
    ARENA_PUSH(x->arena, x->items, x->n, x->cap) = row;
    return &x->items[x->n - 1];
}

typedef struct {
    progress_t progress;
    int64_t done, total;
} work_t;

static void advance(work_t *w, int64_t bytes) {
    enum { MIB = 1 << 20 };
    w->done += bytes;
    if (w->total >= 256 * (int64_t)MIB)
        progress_show(&w->progress, w->done / MIB, w->total / MIB, "");
}

/* ---- safetensors ----------------------------------------------------------------------------- */

static void take_tensor(inspection_t *x, const st_tensor_t *t) {
    inspected_t *row = add_row(x, t->name);
    row->type = arena_strdup(x->arena, t->dtype_name);
    row->rank = t->rank < 8 ? t->rank : 8;
    memcpy(row->shape, t->shape, (size_t)row->rank * sizeof *row->shape);
    row->elements = t->elements;
    row->bytes = (int64_t)t->bytes;
    row->measured = st_has_numbers(t);
    if (row->measured) row->values = measure_tensor(t);
}

static bool inspect_tensors(inspection_t *x, const char *path, diag_t *d) {
    st_file_t *f = st_open_weights(path, d);
    if (!f) return false;
    work_t w = {.progress = progress_new("MiB", 0)};
    if (st_unwrapped(f)) x->wrapper = arena_strdup(x->arena, st_unwrapped(f));
    for (size_t i = 0; i < st_count(f); i++) w.total += (int64_t)st_at(f, i)->bytes;
    for (size_t i = 0; i < st_count(f); i++) {
        take_tensor(x, st_at(f, i));
        advance(&w, (int64_t)st_at(f, i)->bytes);
    }
    progress_finish(&w.progress);
    x->bytes = (size_t)w.total;
    st_close(f);
    return true;
}

/* ---- packed files ---------------------------------------------------------------------------- */

static void measure_entry(inspected_t *row, const layout_entry_t *e, int j,
                          const unsigned char *file) {
    float *x = heap_new((size_t)row->elements + 1, sizeof *x);
    weights_unpack_tensor(e, j, file, x);
    st_tensor_t t = {.dtype = ST_F32, .elements = row->elements, .data = (const unsigned char *)x};
    row->values = measure_tensor(&t);
    heap_free(x);
}

static void take_entry(inspection_t *x, const packed_file_t *p, const layout_entry_t *e, int j) {
    inspected_t *row = add_row(x, weights_hf_name(x->arena, p->layout, e->source[j]));
    row->type = graph_type_name(e->type);
    row->stored = contents_kind(e->kind);
    row->heads = e->heads;
    row->rank = weights_hf_shape(p->layout, e, e->source[j], row->shape);
    row->elements = 1;
    for (int k = 0; k < row->rank; k++) row->elements *= row->shape[k];
    row->bytes = layout_entry_bytes(e) / e->count;
    row->again = e->again[j];
    row->measured = true;
    measure_entry(row, e, j, p->content.data);
}

static bool inspect_packed(inspection_t *x, const char *path, diag_t *d) {
    packed_file_t *p = packed_open(path, true, d);
    if (!p) return false;
    x->packed = true;
    x->header = p->header;
    x->bytes = p->content.bytes;
    work_t w = {.progress = progress_new("MiB", 0), .total = (int64_t)p->header.data_end};
    for (int i = 0; i < p->layout->n; i++)
        for (int j = 0; j < p->layout->entries[i].count; j++) {
            take_entry(x, p, &p->layout->entries[i], j);
            advance(&w, x->items[x->n - 1].bytes);
        }
    progress_finish(&w.progress);
    packed_close(p);
    return true;
}

/* ---- the command ----------------------------------------------------------------------------- */

bool inspect_file(inspection_t *x, const char *path, diag_t *d) {
    x->path = path;
    if (is_directory(path)) {
        const char *file;
        if (!folder_weights(x->arena, path, &file, d)) return false;
        if (!file) {
            diag_error(d, IN_FILE(path), "holds no model.safetensors");
            return false;
        }
        x->path = file;
    }
    return is_packed_file(x->path) ? inspect_packed(x, x->path, d) : inspect_tensors(x, x->path, d);
}

int command_inspect(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    int missing = check_needed(o, NULL, 0);
    if (missing) return missing;
    inspection_t x = {.arena = o->arena};
    sbuf_t out = {0};
    bool ok = inspect_file(&x, o->model, d);
    if (ok && o->given[OPT_JSON]) inspect_json(&x, &out);
    else if (ok) inspect_text(&x, &out);
    ok = ok && print_out(&out, d);
    sbuf_free(&out);
    return ok ? 0 : EXIT_VALUE;
}
