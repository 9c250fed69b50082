/* Values that layers have of their own: the list of extensions.layers, with a mapping per layer.
 *
 * In: its node, or a --set of one of its values. Out: struct layer_settings; the list as text. What
 * stands in a mapping converts and prints as the model's keys do: values.c and print.c come here
 * for the list, and are called for its values. */
#include <stdlib.h>
#include <string.h>

#include "spec/layers_int.h"
#include "spec/numbers.h"

/* ---- mappings -------------------------------------------------------------------------------- */

static int find_key(const char *name) {
    for (int k = 0; k < N_LAYER_KEYS; k++)
        if (strcmp(schema[layer_keys[k]].name, name) == 0) return k;
    return -1;
}

/* A key of the model that layers have in common. */
static bool is_common(const char *name) {
    for (int k = 0; k < KEY_COUNT; k++)
        if (!*schema[k].section && schema[k].role != ROLE_IGNORED &&
            strcmp(schema[k].name, name) == 0)
            return true;
    return false;
}

static void refuse_key(reader_t *r, int layer, const node_t *key) {
    const char *names[N_LAYER_KEYS], *shown = node_show(r->arena, key);
    for (int k = 0; k < N_LAYER_KEYS; k++) names[k] = schema[layer_keys[k]].name;
    complain(r, key->at, "unknown key 'extensions.layers.%d.%s'", layer, shown);
    const char *near = did_you_mean(key->text, names, N_LAYER_KEYS);
    if (is_common(key->text)) suggest(r, "'%s' is the same for all layers", shown);
    else if (near) suggest(r, "did you mean '%s'?", near);
}

/* Whether the layer's kind has the key: in a section of ours nothing stands without effect. */
static bool has_effect(reader_t *r, int layer, int k, const node_t *key) {
    if (r->bad[KEY_attn_layers] || layer >= r->spec->n_layers) return true; /* said elsewhere */
    bool lsh = r->spec->attn_layers[layer] == LAYER_LSH;
    layer_of_t of = layer_of_key(k);
    if (of == ANY_LAYER || (of == LSH_LAYER) == lsh) return true;
    return complain(r, key->at, "'%s' has no effect: layer %d is %s", key->text, layer,
                    lsh ? "lsh" : "local");
}

/* The mapping's values convert into a spec of their own, which then says what the layer is. */
static bool convert_layer(reader_t *r, int layer, const node_t *map, layer_own_t *own) {
    reader_t *one = ARENA_NEW(r->arena, reader_t);
    spec_t *alone = ARENA_NEW(r->arena, spec_t);
    bool ok = true;
    *alone = *r->spec;
    alone->extensions.layers = NULL;
    *one = *r;
    one->spec = alone;
    one->of_layer = true;
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
    if (ok && layer < alone->n_layers) own->values = layer_of_model(alone, layer);
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
    *l = (struct layer_settings){(int)n->n, ARENA_ARRAY(r->arena, layer_own_t *, n->n + 1)};
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
        l->of[i] = ARENA_NEW(r->arena, layer_own_t);
        *l->of[i] = (layer_own_t){0};
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

static void print_own(const spec_t *s, int layer, const layer_own_t *own, sbuf_t *out) {
    spec_t alone = *s;
    spec_layer_t l = spec_layer(s, layer);
    layer_to_model(&alone, &l);
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
    while (n > 0 && !layer_own(s, n - 1)) n--;
    if (n == 0) return false;
    for (int i = 0; i < n; i++) {
        const layer_own_t *own = layer_own(s, i);
        sbuf_puts(out, i ? ", " : "[");
        if (own) print_own(s, i, own, out);
        else sbuf_puts(out, "null");
    }
    sbuf_puts(out, "]");
    return true;
}
