/* The report of `reformerc explain`: figures → headings, lines and tables. */
#include <math.h>
#include <string.h>

#include "commands/explain/explain.h"
#include "weights/weights.h"

/* ---- helpers --------------------------------------------------------------------------------------- */

#define TEXT(e, ...)   arena_printf((e)->arena, __VA_ARGS__)
#define ROW(e, t, ...) table_row((e)->arena, (t), (const char *const[]){__VA_ARGS__})

static const char *plural(const explanation_t *e, int64_t n, const char *what) {
    return TEXT(e, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

static table_t *facts(const explanation_t *e) {
    return table_new(e->arena, 2, (column_t[]){{NULL, true}, {NULL, true}});
}

/* "[16, 32]" */
static const char *list(const explanation_t *e, int n, const int64_t *x) {
    const char *text = "";
    for (int i = 0; i < n; i++) text = TEXT(e, "%s%s%lld", text, i ? ", " : "", (long long)x[i]);
    return TEXT(e, "[%s]", text);
}

/* ---- the model ------------------------------------------------------------------------------------- */

static const char *kind_of(const layer_facts_t *l) {
    return !l->attends ? "no attention" : l->lsh ? "LSH" : "local";
}

/* Equal neighbours once: "2 local, LSH, 3 local". */
static const char *layer_order(const explanation_t *e) {
    const facts_t *f = &e->plan->facts;
    sbuf_t text = {0};
    for (int i = 0, n; i < f->n_layers; i += n) {
        const char *kind = kind_of(&f->layers[i]);
        for (n = 1; i + n < f->n_layers && kind_of(&f->layers[i + n]) == kind;) n++;
        if (text.size > 120) { /* nobody reads thousands */
            sbuf_puts(&text, ", ...");
            break;
        }
        sbuf_puts(&text, i ? ", " : "");
        if (n > 1) sbuf_printf(&text, "%d ", n);
        sbuf_puts(&text, kind);
    }
    const char *copy = arena_strdup(e->arena, text.data ? text.data : "");
    sbuf_free(&text);
    return copy;
}

/* What a layer is, by one of its facts; NULL: it has no such fact. */
typedef const char *layer_text_fn(const explanation_t *e, int layer);

static const char *chunks_text(const explanation_t *e, int64_t chunk, int64_t before,
                               int64_t after) {
    if (dim_at(e->variant->graph->padded, e->units) <= chunk)
        return TEXT(e, "exact attention: the sequence fits one chunk of %lld", (long long)chunk);
    return TEXT(e, "chunks of %lld, each with %lld before and %lld after: %lld keys per query",
                (long long)chunk, (long long)before, (long long)after,
                (long long)(chunk * (1 + before + after)));
}

static const char *window_text(const explanation_t *e, int layer) {
    spec_layer_t l = spec_layer(e->spec, layer);
    return chunks_text(e, l.chunk_length, l.num_chunks_before, l.num_chunks_after);
}

static const char *local_text(const explanation_t *e, int layer) {
    return spec_layer(e->spec, layer).lsh ? NULL : window_text(e, layer);
}

static const char *lsh_text(const explanation_t *e, int layer) {
    return spec_layer(e->spec, layer).lsh ? window_text(e, layer) : NULL;
}

static const char *hash_text(const explanation_t *e, int layer) {
    const gnode_t *n = e->hashes[layer];
    int64_t buckets = 1;
    for (int i = 0; n && i < n->n_factors; i++) buckets *= n->factors[i];
    if (!n) return NULL;
    const char *from =
        e->plan->n_variants > 1 ? ", chosen from the greatest length" : ", chosen from the length";
    const char *why = spec_layer(e->spec, layer).n_bucket_factors ? "" : from;
    const char *factors =
        n->n_factors > 1 ? TEXT(e, " = %s", list(e, n->n_factors, n->factors)) : "";
    return TEXT(e, "%s, %lld buckets%s%s", plural(e, n->rounds, "round"), (long long)buckets,
                factors, why);
}

static const char *heads_text(const explanation_t *e, int layer) {
    spec_layer_t l = spec_layer(e->spec, layer);
    return TEXT(e, "%lld of %lld, %s", (long long)l.num_attention_heads,
                (long long)l.attention_head_size,
                e->spec->is_decoder ? "causal" : "looking both ways");
}

static const char *widths_text(const explanation_t *e, int layer) {
    spec_layer_t l = spec_layer(e->spec, layer);
    return TEXT(e, "hidden %lld, feed-forward %lld (%s)", (long long)e->spec->hidden_size,
                (long long)l.feed_forward_size, act_name(l.hidden_act));
}

/* "layers 0, 2 ... 5": those of which the text is said. */
static const char *layers_of(const explanation_t *e, const char *const *texts, const char *text) {
    sbuf_t out = {0};
    int n = e->spec->n_layers, said = 0;
    for (int i = 0, run; i < n; i += run) {
        for (run = 0; i + run < n && texts[i + run] && strcmp(texts[i + run], text) == 0;) run++;
        if (run == 0) {
            run = 1;
            continue;
        }
        if (out.size > 100) {
            sbuf_puts(&out, ", ...");
            break;
        }
        sbuf_printf(&out, said++ ? ", %d" : " %d", i);
        if (run > 1) sbuf_printf(&out, " ... %d", i + run - 1);
    }
    const char *copy =
        TEXT(e, "layer%s%s", said > 1 || strstr(out.data, "...") ? "s" : "", out.data);
    sbuf_free(&out);
    return copy;
}

/* One row for what all layers have in common; where they differ, one for each kind of them. */
static void layer_rows(const explanation_t *e, table_t *t, const char *label, layer_text_fn *of) {
    int n = e->spec->n_layers, n_texts = 0;
    const char **texts = ARENA_ARRAY(e->arena, const char *, n);
    const char **differ = ARENA_ARRAY(e->arena, const char *, n);
    for (int i = 0; i < n; i++) {
        texts[i] = of(e, i);
        int k = 0;
        while (k < n_texts && texts[i] && strcmp(differ[k], texts[i]) != 0) k++;
        if (k == n_texts && texts[i]) differ[n_texts++] = texts[i];
    }
    for (int k = 0; k < n_texts; k++) {
        const char *where = n_texts > 1 ? TEXT(e, "; %s", layers_of(e, texts, differ[k])) : "";
        ROW(e, t, label, TEXT(e, "%s%s", differ[k], where));
    }
}

static const char *positions_text(const explanation_t *e) {
    const spec_t *s = e->spec;
    if (!s->axial_pos_embds)
        return TEXT(e, "absolute, %lld", (long long)s->max_position_embeddings);
    return TEXT(e, "axial, grid %s, widths %s", list(e, s->n_axial, s->axial_pos_shape),
                list(e, s->n_axial_dims, s->axial_pos_embds_dim));
}

static const char *head_text(const explanation_t *e) {
    const facts_t *f = &e->plan->facts;
    static const char *const names[] = {[ARCH_UNSET] = "none",
                                        [ARCH_BASE] = "none",
                                        [ARCH_CAUSAL_LM] = "causal language model",
                                        [ARCH_MASKED_LM] = "masked language model",
                                        [ARCH_CLASSIFIER] = "classifier",
                                        [ARCH_QA] = "question answering"};
    bool counts =
        f->head == ARCH_CAUSAL_LM || f->head == ARCH_MASKED_LM || f->head == ARCH_CLASSIFIER;
    return counts ? TEXT(e, "%s, %lld classes", names[f->head], (long long)facts_classes(f))
                  : names[f->head];
}

static const char *lengths_text(const explanation_t *e) {
    const plan_t *p = e->plan;
    const variant_plan_t *v = e->variant;
    const char *all = "";
    if (v->unit)
        return TEXT(e, "any up to %lld, padded to multiples of %lld; shown for %lld",
                    (long long)v->max_length, (long long)v->unit, (long long)v->max_length);
    if (p->n_variants == 1) return TEXT(e, "1 ... %lld", (long long)v->max_length);
    for (int i = 0; i < p->n_variants; i++)
        all = TEXT(e, "%s%s%lld", all, i ? ", " : "", (long long)p->variants[i].max_length);
    return TEXT(e, "%s, the smallest that fits; shown for %lld", all, (long long)v->max_length);
}

static const char *padding_text(const explanation_t *e) {
    const variant_plan_t *v = e->variant;
    if (v->unit && e->spec->of_graph) return TEXT(e, "to multiples of %lld", (long long)v->unit);
    if (v->unit) return "as Hugging Face pads, to whole chunks of every kind";
    int64_t computed = v->rows[0]; /* what is explained has one target */
    const char *rows =
        computed > v->padded ? TEXT(e, "; kernels compute %lld rows", (long long)computed) : "";
    if (v->padded > v->max_length && e->spec->of_graph)
        return TEXT(e, "every input is padded to %lld%s", (long long)v->padded, rows);
    if (v->padded > v->max_length)
        return TEXT(e, "every input is padded to %lld: chunks have %lld in common%s",
                    (long long)v->padded, (long long)spec_lcm(e->spec), rows);
    return TEXT(e, "shorter inputs are padded to %lld%s", (long long)v->padded, rows);
}

/* ---- of a graph ------------------------------------------------------------------------------------- */

/* Texts that differ, in the order in which they come. */
typedef struct {
    const char *text[6];
    int n; /* more than there is room for: others are not told */
} different_t;

static void add_text(different_t *d, const char *text) {
    int most = (int)(sizeof d->text / sizeof *d->text);
    for (int i = 0; i < d->n && i < most; i++)
        if (strcmp(d->text[i], text) == 0) return;
    if (d->n < most) d->text[d->n] = text;
    d->n++;
}

static void different_rows(const explanation_t *e, table_t *t, const char *what,
                           const different_t *d) {
    int most = (int)(sizeof d->text / sizeof *d->text);
    for (int i = 0; i < d->n && i < most; i++) ROW(e, t, i ? "" : what, d->text[i]);
    if (d->n > most) ROW(e, t, "", TEXT(e, "and %d others", d->n - most));
}

static const char *node_window(const explanation_t *e, const gnode_t *n) {
    const char *causal = n->causal ? "causal" : "looking both ways";
    const char *heads =
        TEXT(e, "%s of %lld, %s", plural(e, n->heads, "head"), (long long)n->head_size, causal);
    if (n->op == G_EXACT_ATTENTION) return TEXT(e, "%s: exact, every key", heads);
    return TEXT(e, "%s: %s", heads, chunks_text(e, n->chunk, n->before, n->after));
}

/* What layers say, once each. */
static void graph_rows(const explanation_t *e, table_t *t) {
    different_t local = {.n = 0}, lsh = {.n = 0}, hash = {.n = 0}, widths = {.n = 0},
                tables = {.n = 0};
    const graph_t *g = e->variant->graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        bool hashes = n->op == G_LSH_ATTENTION || (n->op == G_EXACT_ATTENTION && n->shared_qk);
        if (hashes) add_text(&lsh, node_window(e, n));
        else if (n->op == G_LOCAL_ATTENTION || n->op == G_EXACT_ATTENTION)
            add_text(&local, node_window(e, n));
        if (n->op == G_LSH_HASH)
            add_text(&hash, TEXT(e, "%s, buckets %s", plural(e, n->rounds, "round"),
                                 list(e, n->n_factors, n->factors)));
        if (n->op == G_ACTIVATION && n->layer >= 0)
            add_text(&widths, TEXT(e, "hidden %lld, feed-forward %lld (%s)",
                                   (long long)e->plan->facts.hidden, (long long)n->shape[2].c,
                                   act_name(n->act)));
        if (graph_is_embed(n))
            add_text(&tables,
                     n->n_axial
                         ? TEXT(e, "axial, grid %s", list(e, n->n_axial, n->axial_shape))
                         : TEXT(e, "absolute, %lld", (long long)n->in[n->n_in - 1]->shape[0].c));
    }
    different_rows(e, t, "local", &local);
    different_rows(e, t, "LSH", &lsh);
    different_rows(e, t, "hash", &hash);
    different_rows(e, t, "widths", &widths);
    different_rows(e, t, "positions", &tables);
}

/* ---- of a spec -------------------------------------------------------------------------------------- */

static void spec_rows(const explanation_t *e, table_t *t) {
    layer_rows(e, t, "local", local_text);
    layer_rows(e, t, "LSH", lsh_text);
    layer_rows(e, t, "hash", hash_text);
    layer_rows(e, t, "heads", heads_text);
    layer_rows(e, t, "widths", widths_text);
    ROW(e, t, "positions", positions_text(e));
}

static void model_section(const explanation_t *e, document_t *doc) {
    section_t *section = document_section(doc, "model");
    table_t *t = section->table = facts(e);
    ROW(e, t, "layers", TEXT(e, "%d: %s", e->plan->facts.n_layers, layer_order(e)));
    if (e->spec->of_graph) graph_rows(e, t);
    else spec_rows(e, t);
    ROW(e, t, "head", head_text(e));
    ROW(e, t, "length", lengths_text(e));
    ROW(e, t, "padding", padding_text(e));
    ROW(e, t, "batch", TEXT(e, "%lld", (long long)e->plan->batch));
    ROW(e, t, "target", e->m->target->name);
}

/* ---- parameters ------------------------------------------------------------------------------------ */

static double elements(const layout_entry_t *x) {
    double n = x->count;
    for (int k = 0; k < x->rank; k++) n *= (double)x->shape[k];
    return n;
}

static const char *shape_text(const explanation_t *e, const layout_entry_t *x) {
    const char *text = "";
    for (int k = 0; k < x->rank; k++)
        text = TEXT(e, "%s%s%lld", text, k ? " x " : "", (long long)x->shape[k]);
    return text;
}

/* Of a stack, or part of it, that is packed a second way for the backward pass. */
static int packed_again(const layout_entry_t *x) {
    int n = 0;
    for (int k = 0; x->again && k < x->count; k++) n += x->again[k];
    return n;
}

/* Rotations are drawn, not learnt: bytes of the file, but no parameters. What is packed a second way is none again. */
static void parameters_section(const explanation_t *e, document_t *doc) {
    const layout_t *l = e->plan->layout;
    section_t *section = document_section(doc, "parameters");
    table_t *t = section->table = table_new(e->arena, 5,
                                            (column_t[]){{"tensor", true},
                                                         {"layers", false},
                                                         {"shape", false},
                                                         {"parameters", false},
                                                         {"bytes in the file", false}});
    double sum = 0, file = (double)weights_packed_bytes(l), data = 0;
    for (int k = 0; k < l->n; k++) {
        const layout_entry_t *x = &l->entries[k];
        double fresh = 1 - (double)packed_again(x) / x->count;
        double learnt = x->kind == PACK_ROTATIONS ? 0 : fresh * elements(x);
        ROW(e, t, x->name, TEXT(e, "%d", x->count), shape_text(e, x),
            learnt > 0  ? text_integer(e->arena, learnt)
            : fresh > 0 ? "-"
                        : "packed again",
            text_integer(e->arena, (double)layout_entry_bytes(x)));
        sum += learnt;
        data += (double)layout_entry_bytes(x);
    }
    ROW(e, t, "header, alignment, contents", "", "", "-", text_integer(e->arena, file - data));
    ROW(e, t, "total", "", "", text_integer(e->arena, sum), text_integer(e->arena, file));
    t->totals = true;
}

/* ---- work ------------------------------------------------------------------------------------------ */

static const char *intensity(const explanation_t *e, const kernel_cost_t *k) {
    return k->streams > 0
               ? TEXT(e, "%.*f", k->flops < 10 * k->streams ? 2 : 1, k->flops / k->streams)
               : "-";
}

static void work_row(const explanation_t *e, table_t *t, const kernel_cost_t *k, double seconds,
                     const char *bound) {
    double n = e->tokens;
    const char *cells[MAX_COLUMNS] = {k->name,
                                      text_integer(e->arena, k->launches),
                                      TEXT(e, "%.4f", k->flops / n / 1e6),
                                      text_share(e->arena, k->flops / e->costs.total.flops),
                                      text_integer(e->arena, k->bytes / n),
                                      text_integer(e->arena, k->streams / n),
                                      intensity(e, k)};
    int column = 7;
    if (products_are_mixed(&e->costs.total.products))
        cells[column++] = k->flops > 0 ? products_text(e->arena, &k->products) : "";
    if (e->has_machine) {
        cells[column++] = text_seconds(e->arena, seconds);
        cells[column] = bound;
    }
    table_row(e->arena, t, cells);
}

void work_section(const explanation_t *e, document_t *doc, bool figures) {
    section_t *section = document_section(doc, TEXT(e, "work of one %s, per token", e->what));
    column_t columns[MAX_COLUMNS] = {
        {"kernel", true},       {"launches", false}, {"Mflop", false},    {"share", false},
        {"bytes moved", false}, {"streamed", false}, {"flop/byte", false}};
    int n = 7;
    if (products_are_mixed(&e->costs.total.products)) columns[n++] = (column_t){"products", true};
    if (e->has_machine) {
        columns[n++] = (column_t){"predicted", false};
        columns[n++] = (column_t){"bound by", true};
    }
    table_t *t = section->table = table_new(e->arena, n, columns);
    for (int k = 0; k < e->costs.n; k++) {
        const kernel_cost_t *x = &e->costs.kernels[k];
        double seconds = e->has_machine ? kernel_seconds(x, &e->machine) : 0;
        bool memory = e->has_machine && kernel_is_bound_by_memory(x, &e->machine);
        work_row(e, t, x, seconds, memory ? "memory" : "arithmetic");
    }
    work_row(e, t, &e->costs.total, e->has_machine ? kernels_seconds(&e->costs, &e->machine) : 0,
             "");
    t->totals = true;
    section->note = TEXT(
        e,
        "Counted from the loop IR; a token is one of batch x length = %s. Bytes moved are those "
        "of every load and store, caches included; streamed are the distinct bytes of weights "
        "and workspace that a launch reads and writes. flop/byte is of the latter%s.",
        text_integer(e->arena, e->tokens),
        e->has_machine ? TEXT(e, "; predicted is per %s", e->what) : "");
    if (figures && e->has_machine) section->figure = draw_roofline(e);
}

/* ---- time ------------------------------------------------------------------------------------------ */

void time_section(const explanation_t *e, document_t *doc) {
    section_t *section =
        document_section(doc, e->kept ? "predicted time of a train step" : "predicted time");
    if (!e->has_machine) {
        section->text =
            TEXT(e,
                 "not predicted: this CPU does not run %s; --peak GFLOPS and --bandwidth "
                 "GBS say what another one does",
                 e->m->target->name);
        return;
    }
    double seconds = kernels_seconds(&e->costs, &e->machine);
    table_t *t = section->table = facts(e);
    ROW(e, t, TEXT(e, "one %s, predicted", e->what), text_seconds(e->arena, seconds));
    ROW(e, t, "tokens per second, predicted", text_integer(e->arena, e->tokens / seconds));
    for (int p = 0; p < FACTOR_COUNT; p++)
        if (p == FACTOR_F32 || e->costs.total.products.of[p] > 0)
            ROW(e, t, p == FACTOR_F32 ? "fma peak" : TEXT(e, "%s peak", product_name(p)),
                TEXT(e, "%.1f GFLOP/s on %s", e->machine.flops.of[p] / 1e9,
                     plural(e, e->threads, "thread")));
    ROW(e, t, "memory", TEXT(e, "%.1f GB/s", e->machine.bandwidth / 1e9));
    ROW(e, t, "these are", e->machine.how);
    bool measured;
    (void)target_efficiency(e->m->target, &measured);
    section->note = TEXT(
        e,
        "A roofline: every kernel takes the longer of flops / (%.0f %% of the %s) and "
        "streamed bytes / bandwidth. The %.0f %% is an assumption for %s, %s; kernels that do no "
        "arithmetic, such as the sort, take longer than this says.",
        100 * e->machine.efficiency,
        products_are_mixed(&e->costs.total.products) ? "peak of its products, each kind at its own"
                                                     : "fma peak",
        100 * e->machine.efficiency, e->m->target->name,
        measured ? "what a model of 6 layers and width 512 reached on one machine"
                 : "which was never measured");
}

/* ---- workspace ------------------------------------------------------------------------------------- */

const char *time_label(const inst_t *i) {
    if (!i->text) return i->callee->name;
    const char *layer = strchr(i->text, '#');
    return layer && layer[1] == '.' ? layer + 2 : i->text;
}

/* By address, then by time. */
static bool stands_before(const memory_life_t *a, const memory_life_t *b) {
    return a->offset != b->offset ? a->offset < b->offset : a->first < b->first;
}

static const memory_life_t **by_address(const explanation_t *e) {
    const memory_life_t **order = ARENA_ARRAY(e->arena, const memory_life_t *, e->map.n + 1);
    for (int k = 0; k < e->map.n; k++) {
        int at = k;
        for (; at > 0 && stands_before(&e->map.lives[k], order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = &e->map.lives[k];
    }
    return order;
}

static void life_row(const explanation_t *e, table_t *t, const memory_life_t *l) {
    const memory_map_t *map = &e->map;
    bool used = l->first <= l->last;
    ROW(e, t, text_integer(e->arena, e->prepared + (double)l->offset),
        text_integer(e->arena, (double)l->bytes), l->buffer->name,
        used ? TEXT(e, "%d %s", l->first + 1, time_label(map->at[l->first])) : "never used",
        used ? TEXT(e, "%d %s", l->last + 1, time_label(map->at[l->last])) : "",
        l->buffer->comment ? l->buffer->comment : "");
}

void workspace_section(const explanation_t *e, document_t *doc, bool figures) {
    const memory_map_t *map = &e->map;
    section_t *section =
        document_section(doc, e->kept ? "workspace of a train step, bytes" : "workspace, bytes");
    table_t *t = section->table = table_new(e->arena, 6,
                                            (column_t[]){{"offset", false},
                                                         {"bytes", false},
                                                         {"buffer", true},
                                                         {"from launch", true},
                                                         {"to launch", true},
                                                         {"holds", true}});
    ROW(e, t, "0", text_integer(e->arena, e->prepared), "prepared", "always", "",
        "ids, positions, rows, labels, controls: filled before the first launch");
    const memory_life_t **order = by_address(e);
    for (int k = 0; k < map->n; k++) life_row(e, t, order[k]);
    double scratch = (double)map->scratch, all = (double)e->threads * scratch;
    ROW(e, t, text_integer(e->arena, e->prepared + (double)map->bytes), text_integer(e->arena, all),
        "scratch", "always", "",
        TEXT(e, "%s of each of %s", text_integer(e->arena, scratch),
             plural(e, e->threads, "thread")));
    ROW(e, t, "total", text_integer(e->arena, e->workspace), "", "", "", "");
    t->totals = true;
    double own = (double)map->bytes;
    section->note = TEXT(
        e,
        "%s in all. The two residual streams alone are %s, so the whole is %.2f times as much; "
        "without sharing, the buffers of the schedule would take %s instead of %s.",
        text_bytes(e->arena, e->workspace), text_bytes(e->arena, e->streams),
        e->workspace / e->streams, text_bytes(e->arena, (double)map->unshared),
        text_bytes(e->arena, own));
    if (figures) section->figure = draw_memory(e);
}

/* ---- LSH against exact attention ------------------------------------------------------------------- */

static const char *crossover_text(const explanation_t *e) {
    const crossover_t *c = &e->crossover;
    if (c->n == 0) return "this model has no positions for two chunks: it never hashes";
    if (!c->from)
        return TEXT(e, "LSH attention never costs less, up to %lld tokens",
                    (long long)c->points[c->n - 1].length);
    return TEXT(e, "LSH attention costs less from %lld tokens on", (long long)c->from);
}

static void crossover_section(const explanation_t *e, document_t *doc) {
    const crossover_t *c = &e->crossover;
    if (spec_first_layer(e->spec, true) < 0) return;
    section_t *section = document_section(doc, "LSH against exact attention");
    section->text = crossover_text(e);
    if (c->n == 0) return;
    table_t *t = section->table = table_new(e->arena, 4,
                                            (column_t[]){{"length", false},
                                                         {"LSH Mflop", false},
                                                         {"exact Mflop", false},
                                                         {"exact / LSH", false}});
    for (int k = 0; k < c->n; k++) {
        const crossing_t *x = &c->points[k];
        ROW(e, t, text_integer(e->arena, (double)x->length), TEXT(e, "%.4f", x->lsh / 1e6),
            TEXT(e, "%.4f", x->exact / 1e6), TEXT(e, "%.2f", x->exact / x->lsh));
    }
    section->note = TEXT(
        e,
        "Of one layer's attention, per token: hash, scores and values; counted from the loop IR of "
        "this model and of one that differs only in a chunk as long as the sequence%s.",
        e->spec->is_decoder ? ", which takes no block of keys that causality masks" : "");
}

document_t explain_document(const explanation_t *e, bool figures) {
    document_t doc = {.arena = e->arena,
                      .title = TEXT(e, "%s: %s", e->spec->path, arch_hf_name(e->plan->facts.head))};
    model_section(e, &doc);
    parameters_section(e, &doc);
    work_section(e, &doc, figures);
    time_section(e, &doc);
    workspace_section(e, &doc, figures);
    crossover_section(e, &doc);
    if (e->train) {
        work_section(e->train, &doc, figures);
        train_sections(e->train, &doc);
        time_section(e->train, &doc);
        workspace_section(e->train, &doc, figures);
    }
    return doc;
}
