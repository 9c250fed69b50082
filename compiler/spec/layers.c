/* The layers of a spec: what each is, by the model's keys and by extensions.layers.
 *
 * In: keys, and the list of extensions.layers with a mapping per layer, whose values convert as the model's do. Out: what
 * each layer is (spec_layer_t), where its values stood, which layers are alike. */
#include <stdlib.h>
#include <string.h>

#include "spec/numbers.h"
#include "spec/read.h"

const spec_key_t layer_keys[] = {KEY_num_attention_heads,
                                 KEY_attention_head_size,
                                 KEY_feed_forward_size,
                                 KEY_hidden_act,
                                 KEY_lsh_attn_chunk_length,
                                 KEY_lsh_num_chunks_before,
                                 KEY_lsh_num_chunks_after,
                                 KEY_num_hashes,
                                 KEY_num_buckets,
                                 KEY_local_attn_chunk_length,
                                 KEY_local_num_chunks_before,
                                 KEY_local_num_chunks_after,
                                 KEY_compile_dtype,
                                 KEY_COUNT};
enum { N_LAYER_KEYS = sizeof layer_keys / sizeof *layer_keys - 1 };

/* By key: the kind of layer that has it, and the bytes of spec_layer_t that it says. */
typedef enum { ANY_LAYER, LSH_LAYER, LOCAL_LAYER } layer_of_t;
#define PART(kind, member)                                                                         \
    { kind, offsetof(spec_layer_t, member), sizeof(((spec_layer_t *)0)->member) }
static const struct {
    layer_of_t kind;
    size_t at, size;
} parts[N_LAYER_KEYS] = {
    PART(ANY_LAYER, num_attention_heads),
    PART(ANY_LAYER, attention_head_size),
    PART(ANY_LAYER, feed_forward_size),
    PART(ANY_LAYER, hidden_act),
    PART(LSH_LAYER, chunk_length),
    PART(LSH_LAYER, num_chunks_before),
    PART(LSH_LAYER, num_chunks_after),
    PART(LSH_LAYER, num_hashes),
    /* the last two members */
    {LSH_LAYER, offsetof(spec_layer_t, n_bucket_factors),
     sizeof(spec_layer_t) - offsetof(spec_layer_t, n_bucket_factors)},
    PART(LOCAL_LAYER, chunk_length),
    PART(LOCAL_LAYER, num_chunks_before),
    PART(LOCAL_LAYER, num_chunks_after),
    PART(ANY_LAYER, dtype),
};

typedef struct {
    spec_layer_t values;
    bool given[N_LAYER_KEYS];
    srcloc_t at[N_LAYER_KEYS];
} own_t;

struct layer_settings {
    int n;
    own_t **of; /* [n]; NULL: a layer that has the model's values */
};

static const own_t *own_of(const spec_t *s, int layer) {
    const struct layer_settings *l = s->extensions.layers;
    return l && layer < l->n ? l->of[layer] : NULL;
}

/* ---- what a layer is ------------------------------------------------------------------------- */

static spec_layer_t model_layer(const spec_t *s, int layer) {
    bool lsh = s->attn_layers[layer] == LAYER_LSH;
    spec_layer_t l = {
        .lsh = lsh,
        .num_attention_heads = s->num_attention_heads,
        .attention_head_size = s->attention_head_size,
        .feed_forward_size = s->feed_forward_size,
        .hidden_act = s->hidden_act,
        .dtype = s->compile.dtype,
        .chunk_length = lsh ? s->lsh_attn_chunk_length : s->local_attn_chunk_length,
        .num_chunks_before = lsh ? s->lsh_num_chunks_before : s->local_num_chunks_before,
        .num_chunks_after = lsh ? s->lsh_num_chunks_after : s->local_num_chunks_after,
        .num_hashes = lsh ? s->num_hashes : 1,
    };
    if (!lsh) return l;
    l.n_bucket_factors = s->n_bucket_factors;
    memcpy(l.num_buckets, s->num_buckets, sizeof s->num_buckets);
    return l;
}

spec_layer_t spec_layer(const spec_t *s, int layer) {
    spec_layer_t l = model_layer(s, layer);
    const own_t *own = own_of(s, layer);
    for (int k = 0; own && k < N_LAYER_KEYS; k++)
        if (own->given[k])
            memcpy((char *)&l + parts[k].at, (const char *)&own->values + parts[k].at,
                   parts[k].size);
    return l;
}

dtype_t spec_dtype(const spec_t *s, int layer) {
    return layer < 0 || layer >= s->n_layers ? s->compile.dtype : spec_layer(s, layer).dtype;
}

bool spec_has_dtype(const spec_t *s, dtype_t dtype) {
    for (int i = -1; i < s->n_layers; i++)
        if (spec_dtype(s, i) == dtype) return true;
    return false;
}

/* NULL: the layer has no value of its own. */
static const srcloc_t *own_at(const spec_t *s, int layer, spec_key_t key) {
    const own_t *own = own_of(s, layer);
    for (int k = 0; own && k < N_LAYER_KEYS; k++)
        if (layer_keys[k] == key && own->given[k]) return &own->at[k];
    return NULL;
}

bool spec_layer_has(const spec_t *s, int layer, spec_key_t key) {
    return own_at(s, layer, key) != NULL;
}

srcloc_t spec_layer_at(const spec_t *s, int layer, spec_key_t key) {
    const srcloc_t *own = own_at(s, layer, key);
    return own ? *own : s->at[key];
}

window_keys_t spec_window_keys(bool lsh) {
    static const window_keys_t keys[] = {
        {KEY_local_attn_chunk_length, KEY_local_num_chunks_before, KEY_local_num_chunks_after},
        {KEY_lsh_attn_chunk_length, KEY_lsh_num_chunks_before, KEY_lsh_num_chunks_after}};
    return keys[lsh];
}

int spec_layers_of(const spec_t *s, bool lsh) {
    int n = 0;
    for (int i = 0; i < s->n_layers; i++) n += (s->attn_layers[i] == LAYER_LSH) == lsh;
    return n;
}

int spec_first_layer(const spec_t *s, bool lsh) {
    for (int i = 0; i < s->n_layers; i++)
        if ((s->attn_layers[i] == LAYER_LSH) == lsh) return i;
    return -1;
}

static bool same_layers(const spec_layer_t *a, const spec_layer_t *b) {
    for (int i = 0; i < a->n_bucket_factors && a->n_bucket_factors == b->n_bucket_factors; i++)
        if (a->num_buckets[i] != b->num_buckets[i]) return false;
    return a->lsh == b->lsh && a->num_attention_heads == b->num_attention_heads &&
           a->attention_head_size == b->attention_head_size &&
           a->feed_forward_size == b->feed_forward_size && a->hidden_act == b->hidden_act &&
           a->dtype == b->dtype && a->chunk_length == b->chunk_length &&
           a->num_chunks_before == b->num_chunks_before &&
           a->num_chunks_after == b->num_chunks_after && a->num_hashes == b->num_hashes &&
           a->n_bucket_factors == b->n_bucket_factors;
}

int spec_layer_forms(const spec_t *s, int *first) {
    int n = 0;
    for (int i = 0; i < s->n_layers; i++) {
        spec_layer_t l = spec_layer(s, i);
        int k = 0;
        for (; k < n; k++) {
            spec_layer_t other = spec_layer(s, first[k]);
            if (same_layers(&l, &other)) break;
        }
        if (k == n) first[n++] = i;
    }
    return n;
}

/* The model's values become the layer's. */
static void set_model(spec_t *s, const spec_layer_t *l) {
    s->num_attention_heads = l->num_attention_heads;
    s->attention_head_size = l->attention_head_size;
    s->feed_forward_size = l->feed_forward_size;
    s->hidden_act = l->hidden_act;
    s->compile.dtype = l->dtype;
    *(l->lsh ? &s->lsh_attn_chunk_length : &s->local_attn_chunk_length) = l->chunk_length;
    *(l->lsh ? &s->lsh_num_chunks_before : &s->local_num_chunks_before) = l->num_chunks_before;
    *(l->lsh ? &s->lsh_num_chunks_after : &s->local_num_chunks_after) = l->num_chunks_after;
    if (!l->lsh) return;
    s->num_hashes = l->num_hashes;
    s->n_bucket_factors = l->n_bucket_factors;
    memcpy(s->num_buckets, l->num_buckets, sizeof s->num_buckets);
}

spec_t spec_of_layer(arena_t *a, const spec_t *s, int layer) {
    spec_t one = *s;
    spec_layer_t l = spec_layer(s, layer);
    set_model(&one, &l);
    one.extensions.layers = NULL;
    one.n_layers = 1;
    one.attn_layers = ARENA_ARRAY(a, layer_kind_t, 1);
    one.attn_layers[0] = s->attn_layers[layer];
    return one;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static int find_key(const char *name) {
    for (int k = 0; k < N_LAYER_KEYS; k++)
        if (strcmp(schema[layer_keys[k]].name, name) == 0) return k;
    return -1;
}

static void refuse_key(reader_t *r, int layer, const node_t *key) {
    const char *names[N_LAYER_KEYS], *shown = node_show(r->arena, key);
    for (int k = 0; k < N_LAYER_KEYS; k++) names[k] = schema[layer_keys[k]].name;
    complain(r, key->at, "unknown key 'extensions.layers.%d.%s'", layer, shown);
    const char *near = did_you_mean(key->text, names, N_LAYER_KEYS);
    if (near) suggest(r, "did you mean '%s'?", near);
}

/* Whether the layer's kind has the key: in a section of ours nothing stands without effect. */
static bool has_effect(reader_t *r, int layer, int k, const node_t *key) {
    if (r->bad[KEY_attn_layers] || layer >= r->spec->n_layers) return true; /* said elsewhere */
    bool lsh = r->spec->attn_layers[layer] == LAYER_LSH;
    if (parts[k].kind == ANY_LAYER || (parts[k].kind == LSH_LAYER) == lsh) return true;
    return complain(r, key->at, "'%s' has no effect: layer %d is %s", key->text, layer,
                    lsh ? "lsh" : "local");
}

/* The mapping's values convert into a spec of their own, which then says what the layer is. */
static bool convert_layer(reader_t *r, int layer, const node_t *map, own_t *own) {
    reader_t *one = ARENA_NEW(r->arena, reader_t);
    spec_t *alone = ARENA_NEW(r->arena, spec_t);
    bool ok = true;
    *alone = *r->spec;
    alone->extensions.layers = NULL;
    *one = *r;
    one->spec = alone;
    for (size_t i = 0; i < map->n; i++) {
        const node_t *key = map->items[2 * i];
        int k = key->length < MAX_TEXT ? find_key(key->text) : -1;
        if (k < 0) refuse_key(one, layer, key);
        ok = k >= 0 && has_effect(one, layer, k, key) && ok;
        if (k < 0) continue;
        if (layer_keys[k] == KEY_num_buckets) alone->n_bucket_factors = 0; /* null says so */
        one->nodes[layer_keys[k]] = map->items[2 * i + 1];
        one->bad[layer_keys[k]] = false;
        convert_value(one, layer_keys[k]);
        ok = !one->bad[layer_keys[k]] && ok;
        own->given[k] = true;
        own->at[k] = map->items[2 * i + 1]->at;
    }
    r->errors = one->errors;
    if (ok && layer < alone->n_layers) own->values = model_layer(alone, layer);
    else memset(own->given, 0, sizeof own->given); /* nothing is made of what is wrong */
    return ok;
}

bool convert_layer_settings(reader_t *r, const node_t *n) {
    if (node_null(n)) return true;
    if (n->kind != NODE_LIST)
        return complain(r, n->at,
                        "'extensions.layers' must be a list with a mapping per layer, or "
                        "null, not %s",
                        node_show(r->arena, n));
    if (n->n > MAX_LAYERS)
        return complain(r, n->at, "'extensions.layers' has %zu layers, the limit is %d", n->n,
                        MAX_LAYERS);
    struct layer_settings *l = ARENA_NEW(r->arena, struct layer_settings);
    *l = (struct layer_settings){(int)n->n, ARENA_ARRAY(r->arena, own_t *, n->n + 1)};
    bool ok = true;
    for (int i = 0; i < l->n; i++) {
        const node_t *map = n->items[i];
        if (node_null(map) || (map->kind == NODE_MAP && map->n == 0)) continue;
        if (map->kind != NODE_MAP) {
            ok = complain(r, map->at,
                          "layer %d of 'extensions.layers' must be a mapping, or null, "
                          "not %s",
                          i, node_show(r->arena, map));
            continue;
        }
        l->of[i] = ARENA_NEW(r->arena, own_t);
        *l->of[i] = (own_t){0};
        ok = convert_layer(r, i, map, l->of[i]) && ok;
    }
    r->spec->extensions.layers = l;
    return ok;
}

/* ---- settings -------------------------------------------------------------------------------- */

static node_t *new_node(reader_t *r, node_kind_t kind, srcloc_t at) {
    node_t *n = ARENA_NEW(r->arena, node_t);
    *n = (node_t){.kind = kind, .at = at, .text = ""};
    return n;
}

/* A copy of the list that reaches up to `item`; what it lacks is null. */
static node_t *list_with(reader_t *r, const node_t *old, size_t item, srcloc_t at) {
    node_t *list = new_node(r, NODE_LIST, old ? old->at : at);
    size_t had = old ? old->n : 0;
    list->n = item < had ? had : item + 1;
    list->items = ARENA_ARRAY(r->arena, node_t *, list->n);
    for (size_t i = 0; i < list->n; i++)
        list->items[i] = i < had ? old->items[i] : tree_scalar(r->arena, at, "null");
    return list;
}

/* A copy of the mapping in which the key has the value. */
static node_t *map_with(reader_t *r, const node_t *old, const char *key, node_t *value,
                        srcloc_t at) {
    node_t *map = new_node(r, NODE_MAP, old ? old->at : at);
    size_t had = old ? old->n : 0, i = 0;
    map->items = ARENA_ARRAY(r->arena, node_t *, 2 * had + 2);
    if (had) memcpy(map->items, old->items, 2 * had * sizeof *map->items);
    while (i < had && !node_is(map->items[2 * i], key)) i++;
    map->items[2 * i] = tree_scalar(r->arena, at, key);
    map->items[2 * i + 1] = value;
    map->n = i < had ? had : had + 1;
    return map;
}

bool set_layer(reader_t *r, const char *name, srcloc_t at, node_t *value) {
    const char *number = name + strlen("layers.");
    size_t digits = strspn(number, "0123456789");
    const char *key = number + digits;
    int64_t layer;
    if (digits == 0 || digits > 4 || (*key && (*key != '.' || !key[1]))) return false;
    if (parse_int(arena_strndup(r->arena, number, digits), &layer) != NUMBER_OK ||
        layer >= MAX_LAYERS)
        return false;
    node_t *old = r->nodes[KEY_extensions_layers];
    if (old && node_null(old)) old = NULL;
    if (old && old->kind != NODE_LIST) return true; /* what it is instead is refused */
    node_t *list = list_with(r, old, (size_t)layer, at), **item = &list->items[layer];
    if (!*key) *item = value;
    else if (node_null(*item)) *item = map_with(r, NULL, key + 1, value, at);
    else if ((*item)->kind == NODE_MAP) *item = map_with(r, *item, key + 1, value, at);
    r->nodes[KEY_extensions_layers] = list;
    return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_own(const spec_t *s, int layer, const own_t *own, sbuf_t *out) {
    spec_t alone = *s;
    spec_layer_t l = spec_layer(s, layer);
    set_model(&alone, &l);
    const char *before = "{";
    for (int k = 0; k < N_LAYER_KEYS; k++) {
        if (!own->given[k]) continue;
        sbuf_printf(out, "%s\"%s\": ", before, schema[layer_keys[k]].name);
        print_key_value(&alone, layer_keys[k], out);
        before = ", ";
    }
    sbuf_puts(out, "}");
}

bool print_layer_settings(const spec_t *s, sbuf_t *out) {
    int n = s->n_layers;
    while (n > 0 && !own_of(s, n - 1)) n--;
    if (n == 0) return false;
    for (int i = 0; i < n; i++) {
        const own_t *own = own_of(s, i);
        sbuf_puts(out, i ? ", " : "[");
        if (own) print_own(s, i, own, out);
        else sbuf_puts(out, "null");
    }
    sbuf_puts(out, "]");
    return true;
}
