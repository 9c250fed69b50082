/* The rules that join several values of a spec.
 *
 * In: a reader whose values have converted, or a spec whose architecture was just decided. Out:
 * errors at the value most to blame. Rules: Hugging Face's load-time checks (HF configuration and
 * modeling code: axial sums, even bucket factors, causal LM and masked LM conditions, two labels
 * for question answering), what sequence lengths the positions hold, and bounds on products so that
 * nothing downstream overflows. A rule whose values did not convert is skipped. */
#include <stdlib.h>
#include <string.h>

#include "spec/numbers.h"
#include "spec/read.h"

static bool usable(const reader_t *r, const spec_key_t *keys, int n) {
    for (int i = 0; i < n; i++)
        if (r->bad[keys[i]]) return false;
    return true;
}
#define USABLE(r, ...)                                                                             \
    usable((r), (const spec_key_t[]){__VA_ARGS__},                                                 \
           (int)(sizeof((const spec_key_t[]){__VA_ARGS__}) / sizeof(spec_key_t)))

/* The i-th value of a list, or the value itself. */
static srcloc_t item_at(const reader_t *r, spec_key_t key, int i) {
    const node_t *n = r->nodes[key];
    return n && n->kind == NODE_LIST && (size_t)i < n->n ? n->items[i]->at : r->spec->at[key];
}

/* ---- counts ---------------------------------------------------------------------------------- */

static void check_layer_count(reader_t *r) {
    spec_t *s = r->spec;
    const node_t *n = r->nodes[KEY_num_hidden_layers];
    if (!n || node_null(n) || !USABLE(r, KEY_num_hidden_layers, KEY_attn_layers)) return;
    long long count = atoll(n->text);
    if (count <= s->n_layers) {
        s->n_layers = (int)count; /* the first ones, as Hugging Face takes them */
        return;
    }
    complain(r, n->at, "'num_hidden_layers' is %lld, 'attn_layers' %s %d", count,
             s->given[KEY_attn_layers] ? "lists" : "by default has", s->n_layers);
    suggest(r, "%d at most; 'attn_layers' says the type of each", s->n_layers);
}

static void check_layer_list(reader_t *r) {
    const node_t *n = r->nodes[KEY_extensions_layers];
    size_t layers = (size_t)r->spec->n_layers;
    if (!n || n->kind != NODE_LIST || !USABLE(r, KEY_attn_layers) || n->n <= layers) return;
    complain(r, n->items[layers]->at, "'extensions.layers' has %zu layers, 'attn_layers' %zu", n->n,
             layers);
    if (layers == 1) suggest(r, "the only layer is 0");
    else suggest(r, "layers are 0 … %zu", layers - 1);
}

/* The names where they are numbered 0, 1 …, in whatever order, and each is a text. */
static const char **label_names(reader_t *r, const node_t *n) {
    const char **names = ARENA_ARRAY(r->arena, const char *, n->n);
    memset(names, 0, n->n * sizeof *names);
    for (size_t i = 0; i < n->n; i++) {
        const node_t *name = n->items[2 * i + 1];
        int64_t number;
        bool in_row = parse_int(n->items[2 * i]->text, &number) == NUMBER_OK && number >= 0 &&
                      (size_t)number < n->n && !names[number];
        if (!in_row || name->kind != NODE_SCALAR || name->length >= MAX_TEXT ||
            strlen(name->text) != name->length)
            return NULL;
        names[number] = name->text;
    }
    return names;
}

/* id2label's size is num_labels, unless both stand and differ. */
static void check_labels(reader_t *r) {
    spec_t *s = r->spec;
    const node_t *n = r->nodes[KEY_id2label];
    if (!n || n->kind != NODE_MAP || !USABLE(r, KEY_id2label, KEY_num_labels)) return;
    if (s->given[KEY_num_labels] && s->num_labels != (int64_t)n->n)
        complain(r, s->at[KEY_num_labels], "'num_labels' is %lld, 'id2label' names %zu",
                 (long long)s->num_labels, n->n);
    s->num_labels = (int64_t)n->n;
    s->label_names = label_names(r, n);
    if (!s->given[KEY_num_labels]) s->at[KEY_num_labels] = n->at;
    s->given[KEY_num_labels] = true;
}

/* ---- positions and buckets ------------------------------------------------------------------- */

static void check_axial(reader_t *r) {
    const spec_t *s = r->spec;
    if (!USABLE(r, KEY_axial_pos_embds) || !s->axial_pos_embds) return;
    bool shape = USABLE(r, KEY_axial_pos_shape), dims = USABLE(r, KEY_axial_pos_embds_dim);
    if (shape && s->n_axial < 2)
        complain(r, s->at[KEY_axial_pos_shape], "'axial_pos_shape' needs two factors at least");
    if (shape && dims && s->n_axial != s->n_axial_dims)
        complain(r, blame(r, KEY_axial_pos_embds_dim, KEY_axial_pos_shape),
                 "'axial_pos_embds_dim' has %d numbers, 'axial_pos_shape' has %d", s->n_axial_dims,
                 s->n_axial);
    int64_t sum = 0;
    for (int i = 0; i < s->n_axial_dims; i++) sum += s->axial_pos_embds_dim[i];
    if (!dims || !USABLE(r, KEY_hidden_size) || sum == s->hidden_size) return;
    complain(r, blame(r, KEY_axial_pos_embds_dim, KEY_hidden_size),
             "'axial_pos_embds_dim' sums to %lld, 'hidden_size' is %lld", (long long)sum,
             (long long)s->hidden_size);
}

static void check_layer_buckets(reader_t *r, int layer, bool *said) {
    enum { MAX_BUCKETS = 1 << 24, MAX_COLUMNS = 1 << 21 };
    spec_layer_t l = spec_layer(r->spec, layer);
    srcloc_t at = spec_layer_at(r->spec, layer, KEY_num_buckets);
    bool own = spec_layer_has(r->spec, layer, KEY_num_buckets);
    int64_t product = 1, sum = 0;
    if (!own && *said) return;
    *said = *said || !own;
    for (int i = 0; i < l.n_bucket_factors; i++) {
        int64_t f = l.num_buckets[i];
        if (f % 2)
            complain(r, own ? at : item_at(r, KEY_num_buckets, i),
                     "'num_buckets' must be even, %lld is odd", (long long)f);
        sum += f;
        if (__builtin_mul_overflow(product, f, &product) || product > MAX_BUCKETS)
            product = MAX_BUCKETS + 1;
    }
    if (product > MAX_BUCKETS || sum > MAX_COLUMNS)
        complain(r, at, "'num_buckets' makes more than %d buckets", MAX_BUCKETS);
}

static void check_buckets(reader_t *r) {
    const spec_t *s = r->spec;
    bool said = false;
    if (!USABLE(r, KEY_num_buckets, KEY_attn_layers)) return;
    for (int i = 0; i < s->n_layers; i++)
        if (spec_layer(s, i).lsh) check_layer_buckets(r, i, &said);
}

/* The window of a layer that does not say otherwise, whether there is such a layer or not. */
static void check_window(reader_t *r, srcloc_t at, int64_t chunk, int64_t chunks) {
    enum { MAX_WINDOW = 1 << 24 };
    if (chunk * chunks <= MAX_WINDOW) return;
    complain(r, at, "a window of %lld tokens (%lld chunks of %lld), the limit is %d",
             (long long)(chunk * chunks), (long long)chunks, (long long)chunk, MAX_WINDOW);
}

static void check_windows(reader_t *r) {
    const spec_t *s = r->spec;
    if (USABLE(r, KEY_lsh_attn_chunk_length, KEY_lsh_num_chunks_before, KEY_lsh_num_chunks_after))
        check_window(r, s->at[KEY_lsh_attn_chunk_length], s->lsh_attn_chunk_length,
                     1 + s->lsh_num_chunks_before + s->lsh_num_chunks_after);
    if (USABLE(r, KEY_local_attn_chunk_length, KEY_local_num_chunks_before,
               KEY_local_num_chunks_after))
        check_window(r, s->at[KEY_local_attn_chunk_length], s->local_attn_chunk_length,
                     1 + s->local_num_chunks_before + s->local_num_chunks_after);
    for (int i = 0; i < s->n_layers && USABLE(r, KEY_attn_layers, KEY_extensions_layers); i++) {
        spec_layer_t l = spec_layer(s, i);
        window_keys_t keys = spec_window_keys(l.lsh);
        spec_key_t own = spec_layer_has(s, i, keys.chunk)    ? keys.chunk
                         : spec_layer_has(s, i, keys.before) ? keys.before
                                                             : keys.after;
        if (spec_layer_has(s, i, own) && USABLE(r, keys.chunk, keys.before, keys.after))
            check_window(r, spec_layer_at(s, i, own), l.chunk_length,
                         1 + l.num_chunks_before + l.num_chunks_after);
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

typedef struct {
    double parameters, attention, wide; /* flops and greatest activations of a token */
} layers_size_t;

static layers_size_t size_of_layers(const spec_t *s) {
    layers_size_t sum = {0};
    double widest = 0, hashes = 0, h = (double)s->hidden_size;
    for (int i = 0; i < s->n_layers; i++) {
        spec_layer_t l = spec_layer(s, i);
        double heads = (double)l.num_attention_heads, wide = heads * (double)l.attention_head_size;
        double inner = (double)l.feed_forward_size, columns = 0;
        double window = (double)l.chunk_length *
                        (double)(1 + l.num_chunks_before + l.num_chunks_after) *
                        (double)l.num_hashes;
        for (int k = 0; k < l.n_bucket_factors; k++) columns += (double)l.num_buckets[k];
        double rotations = wide * (double)l.num_hashes * (columns + (double)l.chunk_length);
        sum.parameters += 4 * h * wide + 2 * h * inner + rotations + 8 * h;
        sum.attention += 4 * window * wide;
        hashes += heads * (double)l.num_hashes * 4;
        if (inner + wide * 4 > widest) widest = inner + wide * 4;
    }
    sum.wide = widest + hashes;
    return sum;
}

/* Parameters and activations, in double so that nothing can overflow here, must stay so far below
 * 2^63 that no count of bytes or flops made from them overflows an int64_t. */
static void check_size(reader_t *r) {
    const spec_t *s = r->spec;
    const double max_parameters = 1e12, max_flops = 1e18, max_bytes = 1e17;
    if (!USABLE(r, KEY_hidden_size, KEY_num_attention_heads, KEY_attention_head_size,
                KEY_feed_forward_size, KEY_vocab_size, KEY_attn_layers, KEY_max_position_embeddings,
                KEY_num_hashes, KEY_num_labels, KEY_axial_pos_shape, KEY_axial_pos_embds,
                KEY_lsh_attn_chunk_length, KEY_local_attn_chunk_length, KEY_num_buckets,
                KEY_lsh_num_chunks_before, KEY_lsh_num_chunks_after, KEY_local_num_chunks_before,
                KEY_local_num_chunks_after, KEY_compile_batch_size))
        return;
    double h = (double)s->hidden_size;
    layers_size_t layers = size_of_layers(s);
    double parameters = layers.parameters + 3 * (double)s->vocab_size * h +
                        (s->axial_pos_embds ? 0 : (double)s->max_position_embeddings * h) +
                        2 * h * ((double)s->num_labels + h);
    if (parameters > max_parameters) {
        complain(r, s->at[KEY_hidden_size], "the model has %.3g parameters, the limit is %.0e",
                 parameters, max_parameters);
        return;
    }
    double rows =
        (double)spec_max_length(s) * (s->compile.has_batch ? (double)s->compile.batch_size : 1);
    double flops = rows * (2 * parameters + layers.attention);
    double wide_rows = rows * (2 * h + (double)s->vocab_size + layers.wide);
    if (flops <= max_flops && 4 * wide_rows <= max_bytes) return;
    complain(r, s->at[KEY_max_position_embeddings],
             "the greatest sequence of %lld tokens takes %.3g flops and %.3g bytes, the limits are "
             "%.0e and %.0e",
             (long long)spec_max_length(s), flops, 4 * wide_rows, max_flops, max_bytes);
}

/* ---- compile: -------------------------------------------------------------------------------- */

static bool length_keys_usable(const reader_t *r) {
    return USABLE(r, KEY_attn_layers, KEY_axial_pos_embds, KEY_axial_pos_shape,
                  KEY_max_position_embeddings, KEY_lsh_attn_chunk_length,
                  KEY_local_attn_chunk_length);
}

static void too_long(reader_t *r, spec_key_t key, srcloc_t at, int64_t length) {
    const spec_t *s = r->spec;
    complain(
        r, at,
        "'%s': %lld tokens, %lld with padding, are more than the positions hold (%lld at most)",
        schema[key].full, (long long)length, (long long)spec_padded_length(s, length),
        (long long)spec_max_length(s));
}

/* Lengths are looked at in the file's order, s->compile.lengths are sorted. */
static void check_lengths(reader_t *r) {
    const spec_t *s = r->spec;
    if (!length_keys_usable(r)) return;
    int64_t max = spec_max_length(s);
    const node_t *n = r->nodes[KEY_compile_sequence_length];
    for (int i = 0; i < s->compile.n_lengths && USABLE(r, KEY_compile_sequence_length); i++) {
        int64_t length = s->compile.lengths[i];
        if (n->kind == NODE_LIST) length = atoll(n->items[i]->text);
        if (length > max)
            too_long(r, KEY_compile_sequence_length, item_at(r, KEY_compile_sequence_length, i),
                     length);
    }
    if (USABLE(r, KEY_train_sequence_length) && s->train.sequence_length > max)
        too_long(r, KEY_train_sequence_length, s->at[KEY_train_sequence_length],
                 s->train.sequence_length);
}

static void check_compile(reader_t *r) {
    const spec_t *s = r->spec;
    if (s->compile.text == TEXT_BYTES && USABLE(r, KEY_vocab_size, KEY_compile_text) &&
        s->vocab_size < 258)
        complain(r, s->at[KEY_compile_text],
                 "'bytes' needs 258 tokens (id = byte + 2), 'vocab_size' is %lld",
                 (long long)s->vocab_size);
}

/* ---- what depends on the architecture -------------------------------------------------------- */

static void check_causal(reader_t *r) {
    const spec_t *s = r->spec;
    if (USABLE(r, KEY_is_decoder) && !s->is_decoder)
        complain(r, blame(r, KEY_is_decoder, KEY_architectures),
                 "the causal LM (ReformerModelWithLMHead) needs 'is_decoder: true'");
    if (!USABLE(r, KEY_attn_layers)) return;
    bool said[2] = {false, false};
    for (int i = 0; i < s->n_layers; i++) {
        spec_layer_t l = spec_layer(s, i);
        spec_key_t after = spec_window_keys(l.lsh).after;
        bool own = spec_layer_has(s, i, after);
        if (!USABLE(r, after) || l.num_chunks_after == 0 || (!own && said[l.lsh])) continue;
        said[l.lsh] = said[l.lsh] || !own;
        complain(r, spec_layer_at(s, i, after), "the causal LM cannot look ahead: '%s' must be 0",
                 schema[after].name);
    }
}

static void check_architecture(reader_t *r) {
    const spec_t *s = r->spec;
    for (int i = 0; i < N_GENERATION_KEYS && s->architecture != ARCH_CAUSAL_LM; i++) {
        spec_key_t key = spec_generation_keys[i];
        if (s->given[key])
            complain(r, s->at[key], "'%s' is for models that generate, the causal LM",
                     spec_key_name(key));
    }
    check_train_of(r);
    bool lm = s->architecture == ARCH_CAUSAL_LM || s->architecture == ARCH_MASKED_LM;
    if (s->architecture == ARCH_CAUSAL_LM) check_causal(r);
    if (s->architecture == ARCH_MASKED_LM && USABLE(r, KEY_is_decoder) && s->is_decoder)
        complain(r, blame(r, KEY_is_decoder, KEY_architectures),
                 "the masked LM (ReformerForMaskedLM) needs 'is_decoder: false'");
    if (s->architecture == ARCH_QA && USABLE(r, KEY_num_labels) && s->num_labels != 2)
        complain(r, s->at[KEY_num_labels],
                 "question answering needs 2 labels (start and end), not %lld",
                 (long long)s->num_labels);
    if (!lm || !USABLE(r, KEY_tie_word_embeddings) || !s->tie_word_embeddings) return;
    complain(
        r, s->at[KEY_tie_word_embeddings],
        "tied embeddings do not fit: the head is 2 × hidden_size wide, the embedding hidden_size");
    suggest(r, "Hugging Face's own code fails on it; write false");
}

void check_spec(reader_t *r) {
    check_layer_list(r);
    check_layer_count(r);
    check_labels(r);
    check_axial(r);
    check_buckets(r);
    check_windows(r);
    if (r->errors == 0) check_size(r);
    check_lengths(r);
    check_compile(r);
    settle_train(r);
    if (r->spec->architecture != ARCH_UNSET) check_architecture(r);
}

void check_head(reader_t *r) {
    settle_train(r);
}

bool spec_resolve_architecture(spec_t *s, bool has_lm_head, bool has_classifier, bool has_qa,
                               diag_t *d) {
    if (s->architecture != ARCH_UNSET) return true; /* spec_load has checked it */
    s->architecture = has_qa           ? ARCH_QA
                      : has_classifier ? ARCH_CLASSIFIER
                      : has_lm_head    ? (s->is_decoder ? ARCH_CAUSAL_LM : ARCH_MASKED_LM)
                      : s->is_decoder  ? ARCH_CAUSAL_LM
                                       : ARCH_BASE;
    arena_t *a = arena_new();
    reader_t *r = ARENA_NEW(a, reader_t);
    *r = (reader_t){.arena = a, .diag = d, .spec = s};
    check_architecture(r);
    bool ok = r->errors == 0;
    arena_free(a);
    return ok;
}
