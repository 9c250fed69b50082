/* YAML text → tree, from libyaml's events. The only user of <yaml.h>.
 *
 * In: any bytes. Out: a tree as tree.h promises, or one error. Nothing here recurses: open
 * collections stand on a stack of MAX_DEPTH frames (libyaml is quadratic in the depth, so its own
 * limit is never reached). Aliases share nodes, so nothing is expanded; they, and what merge keys
 * copy, count against MAX_NODES. Rules: YAML 1.1; scalars stay text, values.c says what they
 * mean. */
#include "spec/tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "spec/text.h"
#include "support/guard.h"
#include "support/hash.h"
#include "support/unseen.h"

typedef struct {
    node_t *node;
    size_t cap, anchor; /* anchor: index + 1 of the one that closes with this node, 0: none */
} frame_t;

typedef struct {
    char *name;
    node_t *node;
    bool open; /* an alias now would contain itself */
} anchor_t;

enum { ANCHOR_SLOTS = 2048, MAX_DIRECTIVES = 100 }; /* slots: a power of two above MAX_ANCHORS */

typedef struct {
    arena_t *arena;
    diag_t *diag;
    const char *path;
    bool lines, failed;
    yaml_parser_t parser;
    yaml_event_t event; /* the one at hand */
    spec_text_t text;
    cursor_t cursor;
    frame_t stack[MAX_DEPTH];
    int depth;
    anchor_t anchors[MAX_ANCHORS];
    int slots[ANCHOR_SLOTS]; /* anchors by name, from 1; 0: free. Open addressing */
    size_t n_anchors, n_nodes;
    int n_soft;
    node_t *root;
} tree_builder_t;

static srcloc_t place(tree_builder_t *b, yaml_mark_t mark) {
    if (!b->lines) return IN_FILE(b->path);
    cursor_to_char(&b->cursor, mark.index);
    return (srcloc_t){b->path, b->cursor.line, b->cursor.col};
}

/* Ends the reading, or (SOFT) goes on to find the other errors of the file. */
#define FAIL(b, at, ...) ((b)->failed = true, diag_error((b)->diag, (at), __VA_ARGS__))
#define SOFT(b, at, ...)                                                                           \
    ((b)->failed = ++(b)->n_soft >= MAX_ERRORS, diag_error((b)->diag, (at), __VA_ARGS__))

static node_t *new_node(tree_builder_t *b, node_kind_t kind, srcloc_t at) {
    if (++b->n_nodes > MAX_NODES) {
        FAIL(b, at, "more than %d values: this is no model description", MAX_NODES);
        return NULL;
    }
    node_t *n = ARENA_NEW(b->arena, node_t);
    *n = (node_t){.kind = kind, .at = at, .text = ""};
    return n;
}

/* ---- mappings -------------------------------------------------------------------------------- */

typedef struct {
    node_t *key, *value;
    size_t rank; /* where it came from: own keys first, then merged ones in order */
} yaml_pair_t;

static int by_key(const void *pa, const void *pb) {
    const yaml_pair_t *a = pa, *b = pb;
    int c = strcmp(a->key->text, b->key->text);
    return c ? c : a->rank < b->rank ? -1 : a->rank > b->rank;
}

static int by_rank(const void *pa, const void *pb) {
    const yaml_pair_t *a = pa, *b = pb;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static bool is_merge(const node_t *key) {
    return key->plain && node_is(key, "<<");
}

static bool add_merged(tree_builder_t *b, const node_t *source, yaml_pair_t **pairs, size_t *n,
                       size_t *cap) {
    if (source->kind != NODE_MAP) {
        FAIL(b, source->at, "a merge key '<<' takes a mapping or a list of mappings");
        return false;
    }
    for (size_t i = 0; i < source->n; i++) {
        if (++b->n_nodes > MAX_NODES) {
            FAIL(b, source->at, "merge keys make more than %d values", MAX_NODES);
            return false;
        }
        yaml_pair_t p = {source->items[2 * i], source->items[2 * i + 1], *n};
        ARENA_PUSH(b->arena, *pairs, *n, *cap) = p;
    }
    return true;
}

/* Own pairs first, each `<<`'s behind them: the first of a name is the one that counts. */
static yaml_pair_t *collect_pairs(tree_builder_t *b, const node_t *m, size_t *n, size_t *own) {
    yaml_pair_t *pairs = NULL;
    size_t cap = 0;
    *n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (!is_merge(m->items[2 * i])) {
            yaml_pair_t p = {m->items[2 * i], m->items[2 * i + 1], *n};
            ARENA_PUSH(b->arena, pairs, *n, cap) = p;
        }
    *own = *n;
    for (size_t i = 0; i < m->n; i++) {
        const node_t *value = m->items[2 * i + 1];
        if (!is_merge(m->items[2 * i])) continue;
        if (value->kind == NODE_LIST) {
            for (size_t j = 0; j < value->n; j++)
                if (!add_merged(b, value->items[j], &pairs, n, &cap)) return NULL;
        } else if (!add_merged(b, value, &pairs, n, &cap)) {
            return NULL;
        }
    }
    return pairs;
}

static bool same_key(const node_t *a, const node_t *b) {
    return a->length == b->length && strcmp(a->text, b->text) == 0;
}

/* Expands merge keys and finds names that stand twice. */
static void finish_map(tree_builder_t *b, node_t *m) {
    size_t n, own, kept = 0;
    yaml_pair_t *pairs = collect_pairs(b, m, &n, &own);
    if (b->failed || n == 0) {
        m->n = 0;
        return;
    }
    qsort(pairs, n, sizeof *pairs, by_key);
    for (size_t i = 0; i < n; i++) {
        if (kept && same_key(pairs[kept - 1].key, pairs[i].key)) {
            if (pairs[i].rank >= own) continue;
            SOFT(b, pairs[i].key->at, "'%s' stands twice in one mapping",
                 node_show(b->arena, pairs[i].key));
            if (pairs[kept - 1].key->at.line)
                diag_hint(b->diag, "the first one is in line %d", pairs[kept - 1].key->at.line);
            if (b->failed) return;
            continue;
        }
        pairs[kept++] = pairs[i];
    }
    qsort(pairs, kept, sizeof *pairs, by_rank);
    m->items = ARENA_ARRAY(b->arena, node_t *, 2 * kept);
    m->n = kept;
    for (size_t i = 0; i < kept; i++) {
        m->items[2 * i] = pairs[i].key;
        m->items[2 * i + 1] = pairs[i].value;
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Puts a complete or just opened node where the innermost open collection wants it. In a map under
 * construction n counts keys and values one by one; end_collection() halves it. */
static void attach(tree_builder_t *b, node_t *n) {
    if (b->depth == 0) {
        b->root = n;
        return;
    }
    frame_t *f = &b->stack[b->depth - 1];
    if (f->node->kind == NODE_MAP && f->node->n % 2 == 0 && n->kind != NODE_SCALAR) {
        FAIL(b, n->at, "a key must be a name, not a %s", n->kind == NODE_LIST ? "list" : "mapping");
        return;
    }
    ARENA_PUSH(b->arena, f->node->items, f->node->n, f->cap) = n;
}

/* Where the number of this anchor stands, or would. */
static int *anchor_slot(tree_builder_t *b, const char *name) {
    size_t at = (size_t)hash64(HASH64_INIT, name, strlen(name)) & (ANCHOR_SLOTS - 1);
    while (b->slots[at] && strcmp(b->anchors[b->slots[at] - 1].name, name) != 0)
        at = (at + 1) & (ANCHOR_SLOTS - 1);
    return &b->slots[at];
}

/* Index + 1 of the anchor, 0 for none. A name used again means the newer node from then on. */
static size_t define_anchor(tree_builder_t *b, const yaml_char_t *name, node_t *n, bool open) {
    if (!name) return 0;
    int *slot = anchor_slot(b, (const char *)name);
    if (!*slot && b->n_anchors == MAX_ANCHORS) {
        FAIL(b, n->at, "more than %d anchors", MAX_ANCHORS);
        return 0;
    }
    if (!*slot) {
        b->anchors[b->n_anchors].name = arena_strdup(b->arena, (const char *)name);
        *slot = (int)++b->n_anchors;
    }
    b->anchors[*slot - 1].node = n;
    b->anchors[*slot - 1].open = open;
    return (size_t)*slot;
}

static void refuse_tag(tree_builder_t *b, const yaml_char_t *tag, srcloc_t at) {
    if (tag) SOFT(b, at, "a spec needs no tags ('!' and '!!')");
}

static void on_scalar(tree_builder_t *b, const yaml_event_t *e) {
    node_t *n = new_node(b, NODE_SCALAR, place(b, e->start_mark));
    if (!n) return;
    refuse_tag(b, e->data.scalar.tag, n->at);
    n->length = e->data.scalar.length;
    size_t keep = n->length < MAX_TEXT ? n->length : MAX_TEXT;
    n->text = arena_strndup(b->arena, (const char *)e->data.scalar.value, keep);
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    define_anchor(b, e->data.scalar.anchor, n, false);
    attach(b, n);
}

static void start_collection(tree_builder_t *b, node_kind_t kind, yaml_mark_t mark,
                             const yaml_char_t *tag, const yaml_char_t *anchor) {
    srcloc_t at = place(b, mark);
    if (b->depth == MAX_DEPTH) {
        FAIL(b, at, "nested deeper than %d levels", MAX_DEPTH);
        return;
    }
    node_t *n = new_node(b, kind, at);
    if (!n) return;
    refuse_tag(b, tag, at);
    attach(b, n);
    b->stack[b->depth++] = (frame_t){.node = n, .anchor = define_anchor(b, anchor, n, true)};
}

static void end_collection(tree_builder_t *b) {
    frame_t *f = &b->stack[--b->depth];
    if (f->node->kind == NODE_MAP) {
        f->node->n /= 2;
        finish_map(b, f->node);
    }
    if (f->anchor && b->anchors[f->anchor - 1].node == f->node)
        b->anchors[f->anchor - 1].open = false;
}

static void on_alias(tree_builder_t *b, const yaml_event_t *e) {
    srcloc_t at = place(b, e->start_mark);
    const char *name = (const char *)e->data.alias.anchor;
    if (++b->n_nodes > MAX_NODES) {
        FAIL(b, at, "more than %d values: this is no model description", MAX_NODES);
        return;
    }
    int slot = *anchor_slot(b, name);
    if (!slot) FAIL(b, at, "alias '*%.60s' has no anchor before it", name);
    else if (b->anchors[slot - 1].open)
        FAIL(b, at, "alias '*%.60s' stands inside its own anchor", name);
    else attach(b, b->anchors[slot - 1].node);
}

static void on_document(tree_builder_t *b, const yaml_event_t *e) {
    if (!b->root) return;
    FAIL(b, place(b, e->start_mark), "a second document");
    diag_hint(b->diag, "one file holds one spec; remove the line '---' and what belongs to it");
}

static void on_event(tree_builder_t *b, const yaml_event_t *e) {
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT: on_document(b, e); break;
    case YAML_SCALAR_EVENT: on_scalar(b, e); break;
    case YAML_ALIAS_EVENT: on_alias(b, e); break;
    case YAML_SEQUENCE_START_EVENT:
        start_collection(b, NODE_LIST, e->start_mark, e->data.sequence_start.tag,
                         e->data.sequence_start.anchor);
        break;
    case YAML_MAPPING_START_EVENT:
        start_collection(b, NODE_MAP, e->start_mark, e->data.mapping_start.tag,
                         e->data.mapping_start.anchor);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: end_collection(b); break;
    default: break;
    }
}

/* ---- the parser's own errors ----------------------------------------------------------------- */

static const char *syntax_hint(const tree_builder_t *b, const char *problem) {
    size_t at = b->cursor.byte;
    if (strstr(problem, "Unicode character escape"))
        return "write the character itself, or its code as \\U with eight digits";
    if (at < b->text.bytes && b->text.text[at] == '\t')
        return "indent with spaces, YAML has no tabs (U+0009 CHARACTER TABULATION) there";
    if (strstr(problem, "mapping values are not allowed"))
        return "a value that holds ': ' needs quotes; keys of one level are indented alike";
    if (strstr(problem, "could not find expected ':'")) return "a key is followed by ': '";
    return NULL;
}

/* What began before the line at fault may be a ':' that only looks like one. */
static const char *unusual_before(const tree_builder_t *b, const yaml_parser_t *p) {
    const char *line = b->text.text, *end = line + b->text.bytes;
    size_t first = p->context ? p->context_mark.line : p->problem_mark.line;
    if (first == p->problem_mark.line && first > 0) first--;
    for (size_t n = 0; b->lines && line < end && n < p->problem_mark.line; n++) {
        const char *feed = memchr(line, '\n', (size_t)(end - line)), *stop = feed ? feed : end;
        const char *unusual = n >= first ? unusual_in_line(b->arena, line, stop) : NULL;
        if (unusual) return arena_printf(b->arena, "in line %zu, %s", n + 1, unusual);
        line = feed ? feed + 1 : end;
    }
    return NULL;
}

static void syntax_error(tree_builder_t *b) {
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR) guard_no_memory(0);
    const char *problem = p->problem ? p->problem : "unreadable";
    srcloc_t at = p->error == YAML_READER_ERROR ? IN_FILE(b->path) : place(b, p->problem_mark);
    if (p->context && p->context_mark.line != p->problem_mark.line && b->lines)
        FAIL(b, at, "%s (%s that starts in line %zu)", problem, p->context,
             p->context_mark.line + 1);
    else if (p->context) FAIL(b, at, "%s (%s)", problem, p->context);
    else FAIL(b, at, "%s", problem);
    const char *hint = syntax_hint(b, problem), *before = unusual_before(b, p);
    if (hint || before)
        diag_hint(b->diag, "%s%s%s", hint ? hint : "", hint && before ? "; " : "",
                  before ? before : "");
}

static void run(tree_builder_t *b) {
    for (bool more = true; more && !b->failed;) {
        if (!yaml_parser_parse(&b->parser, &b->event)) {
            syntax_error(b);
            return;
        }
        on_event(b, &b->event);
        more = b->event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&b->event);
    }
}

/* What libyaml allocated. */
static void end(void *builder, size_t bytes) {
    tree_builder_t *b = builder;
    (void)bytes;
    yaml_event_delete(&b->event);
    yaml_parser_delete(&b->parser);
}

/* libyaml compares each directive with all before it. */
static bool directives_fit(tree_builder_t *b) {
    const char *end = b->text.text + b->text.bytes;
    int line = 1, n = 0;
    for (const char *p = b->text.text; p && p < end; line++) {
        n += *p == '%';
        if (n > MAX_DIRECTIVES) {
            srcloc_t at = {b->path, line, 1};
            diag_error(b->diag, b->lines ? at : IN_FILE(b->path), "more than %d directives ('%%')",
                       MAX_DIRECTIVES);
            return false;
        }
        p = memchr(p, '\n', (size_t)(end - p));
        if (p) p++;
    }
    return true;
}

node_t *tree_read(arena_t *a, const char *path, const char *text, size_t bytes, bool lines,
                  diag_t *d) {
    tree_builder_t *b = ARENA_NEW(a, tree_builder_t);
    *b = (tree_builder_t){.arena = a, .diag = d, .path = path, .lines = lines};
    if (!text_prepare(a, path, text, bytes, lines, &b->text, d)) return NULL;
    b->cursor = cursor_start(&b->text);
    if (!directives_fit(b)) return NULL;
    if (!yaml_parser_initialize(&b->parser)) guard_no_memory(0);
    guard_own(b, 0, end);
    yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)b->text.text, b->text.bytes);
    run(b);
    guard_disown(b);
    end(b, 0);
    if (b->failed) return NULL;
    if (!b->root) diag_error(d, IN_FILE(path), "is empty");
    return b->root;
}
