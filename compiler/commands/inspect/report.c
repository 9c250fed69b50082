/* An inspection as text and as JSON. Names come from files that nobody vouches for: both
 * writers make them harmless. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands/inspect/inspect.h"
#include "report/document.h"
#include "report/fields.h"

#define CELLS(a, t, ...) table_row(a, t, (const char *const[]){__VA_ARGS__})

/* ---- sums ------------------------------------------------------------------------------------ */

/* Of the tensors of one type, or of one layer. */
typedef struct {
    const char *type;
    int layer;
    int64_t tensors, elements, bytes, nonfinite;
} tensor_sum_t;

typedef struct {
    tensor_sum_t *items;
    size_t n, cap;
} tensor_sums_t;

/* What stands there twice counts once, but for its bytes. */
static void add(tensor_sum_t *s, const inspected_t *t) {
    s->bytes += t->bytes;
    if (t->again) return;
    s->tensors++;
    s->elements += t->elements;
    s->nonfinite += t->values.nonfinite;
}

static tensor_sums_t sums_by_type(const inspection_t *x, arena_t *a) {
    tensor_sums_t s = {0};
    for (size_t i = 0; i < x->n; i++) {
        size_t k = 0;
        while (k < s.n && strcmp(s.items[k].type, x->items[i].type) != 0) k++;
        if (k == s.n)
            ARENA_PUSH(a, s.items, s.n, s.cap) =
                (tensor_sum_t){.type = x->items[i].type, .layer = -1};
        add(&s.items[k], &x->items[i]);
    }
    return s;
}

static int by_layer(const void *pa, const void *pb) {
    const inspected_t *const *a = pa, *const *b = pb;
    return (*a)->layer - (*b)->layer;
}

static tensor_sums_t sums_by_layer(const inspection_t *x, arena_t *a) {
    const inspected_t **order = ARENA_ARRAY(a, const inspected_t *, x->n + 1);
    tensor_sums_t s = {0};
    for (size_t i = 0; i < x->n; i++) order[i] = &x->items[i];
    if (x->n) qsort(order, x->n, sizeof *order, by_layer);
    for (size_t i = 0; i < x->n; i++) {
        if (s.n == 0 || s.items[s.n - 1].layer != order[i]->layer)
            ARENA_PUSH(a, s.items, s.n, s.cap) = (tensor_sum_t){.layer = order[i]->layer};
        add(&s.items[s.n - 1], order[i]);
    }
    return s;
}

static double mean_of(const value_stats_t *v) {
    return v->sum / (double)v->n;
}

static double rms_of(const value_stats_t *v) {
    return sqrt(v->squares / (double)v->n);
}

/* ---- text ------------------------------------------------------------------------------------ */

static const char *real(arena_t *a, const value_stats_t *v, double x) {
    return v->n ? arena_printf(a, "%.4g", x) : "-";
}

static const char *shape_text(arena_t *a, const inspected_t *t) {
    sbuf_t s = {0};
    for (int i = 0; i < t->rank; i++) sbuf_printf(&s, "%s%" PRId64, i ? "x" : "", t->shape[i]);
    const char *text = s.size ? arena_strndup(a, s.data, s.size) : "-";
    sbuf_free(&s);
    return text;
}

static const char *stored_text(arena_t *a, const inspected_t *t) {
    const char *again = t->again ? ", again" : "";
    if (t->heads) return arena_printf(a, "%s of %" PRId64 "%s", t->stored, t->heads, again);
    return arena_printf(a, "%s%s", t->stored, again);
}

static void tensors_section(const inspection_t *x, document_t *doc) {
    static const column_t columns[] = {{"tensor", true}, {"type", true},        {"shape", true},
                                       {"least", false}, {"most", false},       {"mean", false},
                                       {"rms", false},   {"not finite", false}, {"stored", true}};
    arena_t *a = doc->arena;
    table_t *t = table_new(a, x->packed ? 9 : 8, columns);
    for (size_t i = 0; i < x->n; i++) {
        const inspected_t *r = &x->items[i];
        const value_stats_t *v = &r->values;
        CELLS(a, t, r->name, r->type, shape_text(a, r), real(a, v, v->min), real(a, v, v->max),
              real(a, v, mean_of(v)), real(a, v, rms_of(v)),
              r->measured ? text_integer(a, (double)v->nonfinite) : "-",
              x->packed ? stored_text(a, r) : "");
    }
    document_section(doc, "tensors")->table = t;
}

static void sums_section(document_t *doc, const char *heading, const tensor_sums_t *s, bool types) {
    const column_t columns[] = {{types ? "type" : "layer", true},
                                {"tensors", false},
                                {"numbers", false},
                                {"bytes", false},
                                {"not finite", false}};
    arena_t *a = doc->arena;
    table_t *t = table_new(a, 5, columns);
    for (size_t i = 0; i < s->n; i++) {
        const tensor_sum_t *x = &s->items[i];
        const char *name = types          ? x->type
                           : x->layer < 0 ? "none"
                                          : arena_printf(a, "%d", x->layer);
        CELLS(a, t, name, text_integer(a, (double)x->tensors), text_integer(a, (double)x->elements),
              text_bytes(a, (double)x->bytes), text_integer(a, (double)x->nonfinite));
    }
    document_section(doc, heading)->table = t;
}

static const char *what(const inspection_t *x, arena_t *a) {
    if (!x->packed)
        return arena_printf(a, "safetensors, %s of values%s%s", text_bytes(a, (double)x->bytes),
                            x->wrapper ? "; taken off the names: " : "",
                            x->wrapper ? x->wrapper : "");
    return arena_printf(a,
                        "packed weights, version %" PRIu32 ", of the model %016" PRIx64
                        ", %s; its checksum is right",
                        x->header.version, x->header.fingerprint, text_bytes(a, (double)x->bytes));
}

void inspect_text(const inspection_t *x, sbuf_t *out) {
    document_t doc = {.arena = x->arena, .title = x->path};
    tensor_sums_t types = sums_by_type(x, x->arena), layers = sums_by_layer(x, x->arena);
    document_section(&doc, "file")->text = what(x, x->arena);
    sums_section(&doc, "number types", &types, true);
    tensors_section(x, &doc);
    sums_section(&doc, "layers", &layers, false);
    document_text(&doc, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_real(sbuf_t *out, const char *key, const value_stats_t *v, double x) {
    if (v->n && isfinite(x)) sbuf_printf(out, ", \"%s\": %.17g", key, x);
    else sbuf_printf(out, ", \"%s\": null", key);
}

static void put_tensor(sbuf_t *out, const inspected_t *t) {
    const value_stats_t *v = &t->values;
    sbuf_puts(out, "{\"name\": ");
    put_json(out, t->name);
    sbuf_puts(out, ", \"type\": ");
    put_json(out, t->type);
    sbuf_puts(out, ", \"shape\": [");
    for (int i = 0; i < t->rank; i++) sbuf_printf(out, "%s%" PRId64, i ? ", " : "", t->shape[i]);
    sbuf_printf(out, "], \"bytes\": %" PRId64, t->bytes);
    if (t->stored) sbuf_printf(out, ", \"stored\": \"%s\"", t->stored);
    if (t->heads) sbuf_printf(out, ", \"heads\": %" PRId64, t->heads);
    if (t->again) sbuf_puts(out, ", \"again\": true");
    put_real(out, "min", v, v->min);
    put_real(out, "max", v, v->max);
    put_real(out, "mean", v, mean_of(v));
    put_real(out, "rms", v, rms_of(v));
    if (t->measured) sbuf_printf(out, ", \"nonfinite\": %" PRId64 "}", v->nonfinite);
    else sbuf_puts(out, ", \"nonfinite\": null}");
}

static void put_sums(sbuf_t *out, const char *name, const tensor_sums_t *s, bool types) {
    sbuf_printf(out, ",\n \"%s\": [", name);
    for (size_t i = 0; i < s->n; i++) {
        const tensor_sum_t *x = &s->items[i];
        sbuf_puts(out, i ? ",\n  " : "\n  ");
        sbuf_puts(out, types ? "{\"type\": " : "{\"layer\": ");
        if (types) put_json(out, x->type);
        else if (x->layer < 0) sbuf_puts(out, "null");
        else sbuf_printf(out, "%d", x->layer);
        sbuf_printf(out,
                    ", \"tensors\": %" PRId64 ", \"numbers\": %" PRId64 ", \"bytes\": %" PRId64
                    ", \"nonfinite\": %" PRId64 "}",
                    x->tensors, x->elements, x->bytes, x->nonfinite);
    }
    sbuf_puts(out, "]");
}

void inspect_json(const inspection_t *x, sbuf_t *out) {
    tensor_sums_t types = sums_by_type(x, x->arena), layers = sums_by_layer(x, x->arena);
    sbuf_puts(out, "{\"file\": ");
    put_json(out, x->path);
    sbuf_printf(out, ", \"format\": \"%s\", \"bytes\": %zu", x->packed ? "packed" : "safetensors",
                x->bytes);
    if (x->packed)
        sbuf_printf(out,
                    ", \"version\": %" PRIu32 ", \"fingerprint\": \"%016" PRIx64
                    "\", \"checksum\": \"%016" PRIx64 "\", \"nonfinite\": %" PRIu64,
                    x->header.version, x->header.fingerprint, x->header.checksum,
                    x->header.nonfinite);
    put_sums(out, "types", &types, true);
    put_sums(out, "layers", &layers, false);
    sbuf_puts(out, ",\n \"tensors\": [");
    for (size_t i = 0; i < x->n; i++) {
        sbuf_puts(out, i ? ",\n  " : "\n  ");
        put_tensor(out, &x->items[i]);
    }
    sbuf_puts(out, "]}\n");
}
