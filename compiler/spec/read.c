/* Text and settings → spec.
 *
 * In: the bytes of a YAML or JSON text and the `--set`s. Out: a spec, or all errors. The order:
 * the file's keys are found in the schema, settings replace them (the last of a key wins), defaults
 * fill the rest, every value converts once, then the rules that join values are checked. A value
 * that a setting replaces is never looked at. */
#include <stdlib.h>
#include <string.h>

#include "spec/read.h"

enum { MAX_CANDIDATES = KEY_COUNT + 10, TEXT_LIMIT = 256 << 20 };

/* ---- unknown keys ---------------------------------------------------------------------------- */

/* What may be meant by `name` inside `section`: its keys, and at the top the sections too. */
static const char *nearest(const char *section, const char *name) {
    const char *candidates[MAX_CANDIDATES];
    size_t n = 0;
    for (int k = 0; k < KEY_COUNT; k++)
        if (strcmp(schema[k].section, section) == 0 && schema[k].role != ROLE_IGNORED)
            candidates[n++] = schema[k].name;
    for (int i = 1; sections[i]; i++) {
        const char *last = strrchr(sections[i], '.');
        last = last ? last + 1 : sections[i];
        if (section_inside(section, last) == sections[i]) candidates[n++] = last;
    }
    return did_you_mean(name, candidates, n);
}

/* A key that stands in another section, or at the top level. */
static const char *elsewhere(const char *section, const char *name) {
    for (int k = 0; k < KEY_COUNT; k++)
        if (strcmp(schema[k].section, section) != 0 && strcmp(schema[k].name, name) == 0 &&
            schema[k].role != ROLE_IGNORED)
            return schema[k].full;
    return NULL;
}

/* What nanoGPT and transformers call a key of ours, for those who come from there. */
static const char *known_elsewhere(const char *section, const char *name) {
    static const struct {
        const char *theirs, *ours;
    } names[] = {{"learning_rate", "train.optimizer.lr"},
                 {"optim", "train.optimizer.type"},
                 {"adam_beta1", "train.optimizer.betas"},
                 {"adam_beta2", "train.optimizer.betas"},
                 {"beta2", "train.optimizer.betas"},
                 {"adam_epsilon", "train.optimizer.eps"},
                 {"epsilon", "train.optimizer.eps"},
                 {"grad_clip", "train.max_grad_norm"},
                 {"clip_norm", "train.max_grad_norm"},
                 {"lr_scheduler_type", "train.schedule.type"},
                 {"warmup_iters", "train.schedule.warmup"},
                 {"lr_decay_iters", "train.schedule.total"},
                 {"num_warmup_steps", "train.schedule.warmup"},
                 {"num_training_steps", "train.schedule.total"},
                 {"min_lr_rate", "train.schedule.min_ratio"},
                 {"max_iters", "train.steps"},
                 {"max_steps", "train.steps"},
                 {"num_train_epochs", "train.epochs"},
                 {"per_device_train_batch_size", "train.batch_size"},
                 {"gradient_accumulation_steps", "train.accumulate"},
                 {"block_size", "train.sequence_length"},
                 {"eval_interval", "train.eval_every"},
                 {"eval_steps", "train.eval_every"},
                 {"save_steps", "train.save_every"},
                 {"logging_steps", "train.log_every"},
                 {"save_total_limit", "train.keep"},
                 {"early_stopping_patience", "train.patience"},
                 {"data", "train.text"},
                 {"dataset", "train.text"}};
    for (size_t i = 0; strncmp(section, "train", 5) == 0 && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].theirs, name) == 0) return names[i].ours;
    return NULL;
}

static void unknown_key(reader_t *r, const char *section, const node_t *key, bool lenient) {
    if (lenient ? ++r->warnings > MAX_ERRORS : r->errors >= MAX_ERRORS) {
        r->errors += !lenient; /* no search for what may be meant, in a file of a million keys */
        return;
    }
    const char *shown = node_show(r->arena, key);
    const char *dot = *section ? "." : "";
    const char *place = known_elsewhere(section, key->text), *near = nearest(section, key->text);
    if (!place) place = elsewhere(section, key->text);
    if (!lenient) {
        complain(r, key->at, "unknown key '%s%s%s'", section, dot, shown);
        if (place && !strchr(place, '.')) suggest(r, "'%s' stands at the top level", place);
        else if (place) suggest(r, "did you mean '%s'?", place);
        else if (near) suggest(r, "did you mean '%s%s%s'?", section, dot, near);
        return;
    }
    diag_warning(r->diag, key->at, "unknown key '%s' ignored", shown);
    if (near) diag_hint(r->diag, "did you mean '%s'?", near);
}

/* ---- the file's keys ------------------------------------------------------------------------- */

static bool is_section(const char *name) { /* dotted */
    for (int i = 1; sections[i]; i++)
        if (strcmp(sections[i], name) == 0) return true;
    return false;
}

/* Takes a key that may stand here. */
static void take_key(reader_t *r, spec_key_t key, srcloc_t at, node_t *value) {
    if (!r->head || spec_key_of_graph(key)) {
        r->nodes[key] = value;
        return;
    }
    if (schema[key].role == ROLE_MODEL)
        complain(r, at, "the nodes of a graph say '%s'", schema[key].full);
    else complain(r, at, "'%s' is nothing that a graph asks for", schema[key].full);
    if (schema[key].role == ROLE_MODEL)
        suggest(r, "edit them, or make the graph again from a spec: reformerc SPEC -o MODEL.graph");
}

/* The pairs of a section, which may hold another. */
static void read_section(reader_t *r, const char *section, const node_t *n, bool setting) {
    if (node_null(n)) return;
    if (n->kind != NODE_MAP) {
        complain(r, n->at, "'%s' must be a mapping, not %s", section, node_show(r->arena, n));
        if (is_nested(section) && n->kind == NODE_SCALAR)
            suggest(r, "write {type: %s}", node_show(r->arena, n));
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        const node_t *name = n->items[2 * i];
        node_t *value = n->items[2 * i + 1];
        bool fits = name->length < MAX_TEXT;
        spec_key_t key = fits ? schema_find(section, name->text) : KEY_COUNT;
        const char *inside = fits ? section_inside(section, name->text) : NULL;
        if (key != KEY_COUNT) take_key(r, key, name->at, value);
        else if (inside) read_section(r, inside, value, setting);
        else unknown_key(r, section, name, false);
        if (key != KEY_COUNT) r->set[key] |= setting;
    }
}

static void read_top(reader_t *r, const node_t *root) {
    if (root->kind != NODE_MAP) {
        complain(r, root->at, "a spec is a mapping of keys to values, not %s%s",
                 root->kind == NODE_SCALAR ? "the text " : "", node_show(r->arena, root));
        return;
    }
    for (size_t i = 0; i < root->n; i++)
        if (node_is(root->items[2 * i], "model_type"))
            r->lenient = node_is(root->items[2 * i + 1], "reformer");
    for (size_t i = 0; i < root->n; i++) {
        const node_t *name = root->items[2 * i];
        node_t *value = root->items[2 * i + 1];
        spec_key_t key = name->length < MAX_TEXT ? schema_find("", name->text) : KEY_COUNT;
        if (key != KEY_COUNT) take_key(r, key, name->at, value);
        else if (section_inside("", name->text)) read_section(r, name->text, value, false);
        else unknown_key(r, "", name, r->lenient);
    }
}

/* ---- settings -------------------------------------------------------------------------------- */

static spec_key_t find_dotted(reader_t *r, const char *dotted, const char **section,
                              const char **name) {
    const char *dot = strrchr(dotted, '.');
    if (dot && !is_section(arena_strndup(r->arena, dotted, (size_t)(dot - dotted))))
        dot = strchr(dotted, '.');
    *section = dot ? arena_strndup(r->arena, dotted, (size_t)(dot - dotted)) : "";
    *name = dot ? dot + 1 : dotted;
    return schema_find(*section, *name);
}

static node_t *setting_value(reader_t *r, const setting_t *set, const char *where) {
    return set->value[strspn(set->value, " \t")]
               ? tree_read(r->arena, where, set->value, strlen(set->value), false, r->diag)
               : tree_scalar(r->arena, IN_FILE(where), "");
}

/* A mapping inside a section: whatever stood there before goes. */
static void set_section(reader_t *r, const setting_t *set, const char *where) {
    node_t *n = setting_value(r, set, where);
    if (!n) return;
    for (int k = 0; k < KEY_COUNT; k++)
        if (strcmp(schema[k].section, set->key) == 0) r->nodes[k] = NULL, r->set[k] = false;
    read_section(r, set->key, n, true);
}

static void read_setting(reader_t *r, const setting_t *set) {
    const char *where = set->shown ? set->shown : arena_printf(r->arena, "--set %s", set->key);
    const char *section, *name;
    spec_key_t key = find_dotted(r, set->key, &section, &name);
    if (strcmp(section, "extensions") == 0 && strncmp(name, "layers.", 7) == 0 && r->head) {
        take_key(r, KEY_extensions_layers, IN_FILE(where), NULL);
        return;
    }
    if (strcmp(section, "extensions") == 0 && strncmp(name, "layers.", 7) == 0) {
        node_t *n = setting_value(r, set, where);
        if (n && !set_layer(r, name, IN_FILE(where), n))
            complain(r, IN_FILE(where),
                     "after 'extensions.layers.' comes the number of a layer, "
                     "below %d, and a key",
                     MAX_LAYERS);
        return;
    }
    if (is_nested(set->key) && is_section(set->key)) {
        set_section(r, set, where);
        return;
    }
    if (key == KEY_COUNT) {
        node_t *n = tree_scalar(r->arena, IN_FILE(where), name);
        if (!*section || is_section(section)) unknown_key(r, section, n, false);
        else complain(r, IN_FILE(where), "there is no section '%s'", section);
        if (is_section(set->key)) suggest(r, "set its keys one by one: %s.KEY=VALUE", set->key);
        return;
    }
    if (r->head && !spec_key_of_graph(key)) {
        take_key(r, key, IN_FILE(where), NULL);
        return;
    }
    node_t *n = setting_value(r, set, where);
    if (!n) return;
    r->nodes[key] = n;
    r->set[key] = true;
}

/* What a setting makes meaningless in the file is not held against it. */
static void drop_replaced(reader_t *r) {
    if (r->set[KEY_attn_layers] && !r->set[KEY_num_hidden_layers])
        r->nodes[KEY_num_hidden_layers] = NULL;
    if (r->set[KEY_num_labels] && !r->set[KEY_id2label]) r->nodes[KEY_id2label] = NULL;
    if (r->set[KEY_id2label] && !r->set[KEY_num_labels]) r->nodes[KEY_num_labels] = NULL;
    drop_of_other_rules(r);
}

/* ---- defaults and conversion ----------------------------------------------------------------- */

/* "[64, 64]" and scalars: all the forms that defaults in schema.def have. */
static node_t *default_node(reader_t *r, const key_info_t *k) {
    srcloc_t at = IN_FILE(r->spec->path);
    if (k->standard[0] != '[') return tree_scalar(r->arena, at, k->standard);
    return tree_read(r->arena, r->spec->path, k->standard, strlen(k->standard), false, r->diag);
}

static void convert_all(reader_t *r) {
    for (int k = 0; k < KEY_COUNT; k++) {
        r->spec->at[k] = IN_FILE(r->spec->path);
        r->spec->given[k] = r->nodes[k] != NULL;
        r->spec->set[k] = r->set[k];
        if (r->head && !spec_key_of_graph((spec_key_t)k)) continue;
        if (r->nodes[k]) r->spec->at[k] = r->nodes[k]->at;
        else if (schema[k].standard) r->nodes[k] = default_node(r, &schema[k]);
        convert_value(r, (spec_key_t)k);
    }
}

/* Values and settings of a tree; NULL after errors, those before it included. */
static spec_t *read_tree(reader_t *r, const node_t *root, const setting_t *sets, int n_sets,
                         int before) {
    read_top(r, root);
    for (int i = 0; i < n_sets; i++) read_setting(r, &sets[i]);
    if (root->kind != NODE_MAP) return NULL;
    drop_replaced(r);
    convert_all(r);
    if (r->head) check_head(r);
    else check_spec(r);
    return diag_errors(r->diag) == before ? r->spec : NULL;
}

static reader_t *new_reader(arena_t *a, const char *path, diag_t *d) {
    reader_t *r = ARENA_NEW(a, reader_t);
    *r = (reader_t){.arena = a, .diag = d, .spec = ARENA_NEW(a, spec_t)};
    r->spec->path = path;
    return r;
}

/* Comments and blanks alone. */
static bool is_blank(const char *text, size_t bytes) {
    bool comment = false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n') comment = false;
        else if (text[i] == '#') comment = true;
        else if (!comment && text[i] != ' ' && text[i] != '\r') return false;
    }
    return true;
}

spec_t *spec_parse_head(arena_t *a, const char *path, const char *text, size_t bytes,
                        const setting_t *sets, int n_sets, diag_t *d) {
    static node_t nothing = {.kind = NODE_MAP};
    int before = diag_errors(d);
    node_t *root = is_blank(text, bytes) ? &nothing : tree_read(a, path, text, bytes, true, d);
    if (!root) return NULL;
    reader_t *r = new_reader(a, path, d);
    r->head = r->spec->of_graph = true;
    return read_tree(r, root, sets, n_sets, before);
}

spec_t *spec_parse(arena_t *a, const char *path, const char *text, size_t bytes,
                   const setting_t *sets, int n_sets, diag_t *d) {
    int before = diag_errors(d);
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, bytes -= 3;
    if (bytes > TEXT_LIMIT) {
        diag_error(d, IN_FILE(path), "is %zu bytes long, a spec has %d at most", bytes, TEXT_LIMIT);
        return NULL;
    }
    diag_source(d, path, text, bytes);
    node_t *root = tree_read(a, path, text, bytes, true, d);
    if (!root) return NULL;
    return read_tree(new_reader(a, path, d), root, sets, n_sets, before);
}
