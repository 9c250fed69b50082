/* The section of the report that says what the model is. */
#include <string.h>

#include "commands/explain/rows.h"

/* "[16, 32]" */
static const char *list(const explanation_t *e, int n, const int64_t *x) {
    const char *text = "";
    for (int i = 0; i < n; i++) text = TEXT(e, "%s%s%lld", text, i ? ", " : "", (long long)x[i]);
    return TEXT(e, "[%s]", text);
}

/* ---- the model ------------------------------------------------------------------------------- */

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
    return TEXT(e, "%s, %lld buckets%s%s", number_of(e, n->rounds, "round"), (long long)buckets,
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

/* "layers 0, 2 ... 5": those of n of which the text is said; NULL: none. */
static const char *layers_of(const explanation_t *e, int n, const char *const *texts,
                             const char *text) {
    sbuf_t out = {0};
    int said = 0;
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
    if (!said) return NULL;
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
        const char *where = n_texts > 1 ? TEXT(e, "; %s", layers_of(e, n, texts, differ[k])) : "";
        ROW(e, t, label, TEXT(e, "%s%s", differ[k], where));
    }
}

/* The type of products of a layer, or of what no layer has: words and the head (-1). In a layer of
 * int8 some are of bfloat16 (docs/dtype.md). */
static const char *dtype_text(const explanation_t *e, int layer) {
    const graph_t *g = e->variant->graph;
    gtype_t type = G_F32;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        int weight = n->op == G_DENSE ? 1 : graph_is_embed(n) ? graph_word_input(n) : -1;
        if (n->layer != layer || weight < 0) continue;
        gtype_t of = n->in[weight]->type;
        if (type == G_F32 || of == G_I8) type = of;
    }
    return dtype_name(type == G_I8 ? DTYPE_INT8 : type == G_BF16 ? DTYPE_BFLOAT16 : DTYPE_FLOAT32);
}

/* The model's type alone where all layers have it, else a row for each type and who has it. */
static void dtype_rows(const explanation_t *e, table_t *t) {
    int n = e->plan->facts.n_layers;
    const char *own = dtype_text(e, -1), **texts = ARENA_ARRAY(e->arena, const char *, n + 1);
    bool differ = false;
    for (int i = 0; i < n; i++) {
        texts[i] = dtype_text(e, i);
        differ = differ || strcmp(texts[i], own) != 0;
    }
    if (!differ) ROW(e, t, "dtype", own);
    for (dtype_t d = 0; d < DTYPE_COUNT && differ; d++) {
        const char *name = dtype_name(d), *where = layers_of(e, n, texts, name);
        const char *rest = e->plan->facts.head > ARCH_BASE ? "words and the head" : "words";
        if (strcmp(name, own) == 0)
            where = TEXT(e, "%s%s%s", rest, where ? ", " : "", where ? where : "");
        if (where) ROW(e, t, "dtype", TEXT(e, "%s; %s", name, where));
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

/* ---- of a graph ------------------------------------------------------------------------------ */

/* Texts that differ, in the order in which they come. */
typedef struct {
    const char *text[6];
    int n; /* more than there is room for: others are not told */
} different_t;

static void add_text(different_t *d, const char *text) {
    int max = (int)(sizeof d->text / sizeof *d->text);
    for (int i = 0; i < d->n && i < max; i++)
        if (strcmp(d->text[i], text) == 0) return;
    if (d->n < max) d->text[d->n] = text;
    d->n++;
}

static void different_rows(const explanation_t *e, table_t *t, const char *what,
                           const different_t *d) {
    int max = (int)(sizeof d->text / sizeof *d->text);
    for (int i = 0; i < d->n && i < max; i++) ROW(e, t, i ? "" : what, d->text[i]);
    if (d->n > max) ROW(e, t, "", TEXT(e, "and %d others", d->n - max));
}

static const char *node_window(const explanation_t *e, const gnode_t *n) {
    const char *causal = n->causal ? "causal" : "looking both ways";
    const char *heads =
        TEXT(e, "%s of %lld, %s", number_of(e, n->heads, "head"), (long long)n->head_size, causal);
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
            add_text(&hash, TEXT(e, "%s, buckets %s", number_of(e, n->rounds, "round"),
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

/* ---- of a spec ------------------------------------------------------------------------------- */

static void spec_rows(const explanation_t *e, table_t *t) {
    layer_rows(e, t, "local", local_text);
    layer_rows(e, t, "LSH", lsh_text);
    layer_rows(e, t, "hash", hash_text);
    layer_rows(e, t, "heads", heads_text);
    layer_rows(e, t, "widths", widths_text);
    ROW(e, t, "positions", positions_text(e));
}

void model_section(const explanation_t *e, document_t *doc) {
    section_t *section = document_section(doc, "model");
    table_t *t = section->table = facts_table(e);
    ROW(e, t, "layers", TEXT(e, "%d: %s", e->plan->facts.n_layers, layer_order(e)));
    if (e->spec->of_graph) graph_rows(e, t);
    else spec_rows(e, t);
    ROW(e, t, "head", head_text(e));
    ROW(e, t, "length", lengths_text(e));
    ROW(e, t, "padding", padding_text(e));
    dtype_rows(e, t);
    ROW(e, t, "batch", TEXT(e, "%lld", (long long)e->plan->batch));
    ROW(e, t, "target", e->m->target->name);
}
