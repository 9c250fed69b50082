/* Graph as text: printer and parser, from the same tables (ops.def, graph_attrs).
 *
 *   graph batch=1 length=50 padded=64 shorter=absent     dynamic: padded=64*U units=2..64
 *   NAME = OP(INPUT, INPUT, _) ATTRIBUTE=VALUE … : TYPE[D,D,…] layer=N trace=NAME
 *
 * One node per line, in order; `_` is a missing optional input, `#` opens a comment. Names are
 * made of letters, digits, `_` and `.`, and begin with none of the last two kinds. All attributes
 * of an op are written, in the order of graph_attrs, but for the rates of dropout where there is
 * none; `shorter` is left out where it is `padded`. What the printer writes, the parser reads back
 * to an equal graph, and that prints the same text. Several graphs may follow each other; names
 * are those of one graph. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops.h"
#include "support/hash.h"

enum { MAX_NODES = 1 << 18 };
#define MAX_DIM   (INT64_C(1) << 40)
#define MAX_SLOPE INT32_MAX /* of a dimension in U */

static const char *const shorter_names[] = {
    [SHORTER_PADDED] = "padded", [SHORTER_UNPADDED] = "unpadded", [SHORTER_ABSENT] = "absent"};

/* ---- print --------------------------------------------------------------------------------- */

static void print_dim(sbuf_t *out, dim_t d) {
    if (d.u == 0 || d.c != 0) sbuf_printf(out, "%lld", (long long)d.c);
    if (d.u != 0) sbuf_printf(out, "%s%lld*U", d.c ? "+" : "", (long long)d.u);
}

/* The shortest decimal that reads back as the same number. */
static void print_real(sbuf_t *out, double x) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    sbuf_puts(out, text);
}

static void print_list(sbuf_t *out, int n, const int64_t *list) {
    if (n == 0) sbuf_puts(out, "none");
    for (int i = 0; i < n; i++) sbuf_printf(out, "%s%lld", i ? "x" : "", (long long)list[i]);
}

static void print_attr(sbuf_t *out, const gattr_t *attr, const gnode_t *n) {
    const void *value = graph_attr_at(attr, n);
    sbuf_printf(out, " %s=", attr->name);
    switch (attr->kind) {
    case ATTR_INT: sbuf_printf(out, "%lld", (long long)*(const int64_t *)value); break;
    case ATTR_REAL: print_real(out, *(const double *)value); break;
    case ATTR_BOOL: sbuf_puts(out, *(const bool *)value ? "1" : "0"); break;
    case ATTR_ACT: sbuf_puts(out, act_name(*(const act_t *)value)); break;
    case ATTR_LIST: print_list(out, *graph_attr_count(attr, n), value); break;
    }
}

static void print_node(sbuf_t *out, const gnode_t *n) {
    sbuf_printf(out, "%s = %s(", n->name, graph_ops[n->op].name);
    for (int i = 0; i < n->n_in; i++)
        sbuf_printf(out, "%s%s", i ? ", " : "", n->in[i] ? n->in[i]->name : "_");
    sbuf_puts(out, ")");
    for (int i = 0; i < N_GRAPH_ATTRS; i++)
        if (graph_attr_written(&graph_attrs[i], n)) print_attr(out, &graph_attrs[i], n);
    sbuf_printf(out, " : %s[", graph_type_names[n->type]);
    for (int i = 0; i < n->rank; i++) {
        if (i) sbuf_puts(out, ",");
        print_dim(out, n->shape[i]);
    }
    sbuf_puts(out, "]");
    if (n->layer >= 0) sbuf_printf(out, " layer=%d", n->layer);
    if (n->trace) sbuf_printf(out, " trace=%s", n->trace);
    sbuf_puts(out, "\n");
}

/* What a window or a step adds is left out: a length that has no windows means the same. */
void graph_print_meaning(const gnode_t *n, sbuf_t *out) {
    static const char *const of_length[] = {"chunk",     "before", "after",          "rounds",
                                            "shared_qk", "shift",  "as_huggingface", "pad_token"};
    bool some = false;
    for (int i = 0; i < N_GRAPH_ATTRS; i++) {
        bool leave = !graph_attr_written(&graph_attrs[i], n);
        for (size_t k = 0; k < sizeof of_length / sizeof *of_length && !leave; k++)
            leave = strcmp(of_length[k], graph_attrs[i].name) == 0;
        if (leave) continue;
        print_attr(out, &graph_attrs[i], n);
        some = true;
    }
    if (some) sbuf_puts(out, "\n");
}

static void print_graph(const graph_t *g, bool forward, sbuf_t *out) {
    sbuf_printf(out, "graph batch=%lld length=", (long long)g->batch);
    print_dim(out, g->length);
    sbuf_puts(out, " padded=");
    print_dim(out, g->padded);
    if (g->units.max > 0)
        sbuf_printf(out, " units=%lld..%lld", (long long)g->units.min, (long long)g->units.max);
    else if (g->shorter != SHORTER_PADDED)
        sbuf_printf(out, " shorter=%s", shorter_names[g->shorter]);
    sbuf_puts(out, "\n");
    for (size_t i = 0; i < g->n_nodes; i++)
        if (!forward || !(graph_is_state(g->nodes[i]) || graph_is_keep(g->nodes[i])))
            print_node(out, g->nodes[i]);
}

void graph_print(const graph_t *g, sbuf_t *out) {
    print_graph(g, false, out);
}

void graph_print_forward(const graph_t *g, sbuf_t *out) {
    print_graph(g, true, out);
}

/* ---- parse: characters and words ----------------------------------------------------------- */

typedef struct {
    const char *name; /* NULL: free */
    gnode_t *node;    /* NULL: its line was wrong, so uses of it are not reported */
} graph_symbol_t;

typedef struct {
    graph_t *g;
    diag_t *d;
    const char *file, *at, *end, *line_start; /* end: of the text */
    int line;
    bool ok, quiet; /* quiet: this line was reported */
    graph_symbol_t *symbols;
    size_t mask, n_symbols; /* mask: table size - 1 */
} graph_parser_t;

static srcloc_t here(const graph_parser_t *p) {
    return (srcloc_t){p->file, p->line, (int)(p->at - p->line_start) + 1};
}

/* Reports one error per line of text; always false. */
__attribute__((format(printf, 2, 3))) static bool syntax(graph_parser_t *p, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (!p->quiet) diag_error(p->d, here(p), "%s", arena_vprintf(p->g->arena, fmt, ap));
    va_end(ap);
    p->ok = false;
    p->quiet = true;
    return false;
}

static int peek(graph_parser_t *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r')) p->at++;
    if (p->at == p->end || *p->at == '\n' || *p->at == '#') return 0;
    return *p->at ? (unsigned char)*p->at : 256; /* a NUL is not the end of the line */
}

static bool accept(graph_parser_t *p, const char *text) {
    size_t n = strlen(text);
    if (!peek(p) || (size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0) return false;
    p->at += n;
    return true;
}

/* Whether this is next; nothing is taken. */
static bool follows(graph_parser_t *p, const char *text) {
    const char *at = p->at;
    bool is = accept(p, text);
    p->at = at;
    return is;
}

static bool expect(graph_parser_t *p, const char *text) {
    return accept(p, text) || syntax(p, "expected '%s'", text);
}

static bool is_name_char(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

/* Letters, digits, '_' and '.', NUL-terminated; empty after an error. */
static bool word(graph_parser_t *p, char text[MAX_NAME], const char *what) {
    size_t n = 0;
    text[0] = 0;
    peek(p);
    while (p->at + n < p->end && is_name_char((unsigned char)p->at[n])) n++;
    if (n == 0) return syntax(p, "expected %s", what);
    if (n >= MAX_NAME) return syntax(p, "%s is longer than %d characters", what, MAX_NAME - 1);
    memcpy(text, p->at, n);
    text[n] = 0;
    p->at += n;
    return true;
}

/* A name of a node: it becomes a part of names in C. */
static bool node_name(graph_parser_t *p, char text[MAX_NAME]) {
    int first = peek(p);
    if ((first >= '0' && first <= '9') || first == '.')
        return syntax(p, "a name begins with a letter");
    return word(p, text, "a name");
}

/* 0 … max */
static bool integer(graph_parser_t *p, int64_t max, int64_t *value) {
    *value = 0;
    int c = peek(p);
    if (c < '0' || c > '9') return syntax(p, "expected a number");
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        int digit = *p->at - '0';
        if (digit > max || *value > (max - digit) / 10) return syntax(p, "the number is too large");
        *value = *value * 10 + digit;
        p->at++;
    }
    return true;
}

static bool real(graph_parser_t *p, double *value) {
    char text[64], *stop;
    size_t n = 0;
    peek(p);
    while (p->at + n < p->end && n < sizeof text - 1 && p->at[n] &&
           strchr("0123456789+-.eE", p->at[n]))
        n++;
    memcpy(text, p->at, n);
    text[n] = 0;
    *value = strtod(text, &stop);
    if (n == 0 || *stop || !isfinite(*value)) return syntax(p, "expected a number");
    p->at += n;
    return true;
}

/* c, u*U or c+u*U */
static bool dimension(graph_parser_t *p, dim_t *out) {
    int64_t value;
    *out = dim(0);
    if (!integer(p, MAX_DIM, &value)) return false;
    if (!accept(p, "*U")) {
        out->c = value;
        if (!accept(p, "+")) return true;
        if (!integer(p, MAX_SLOPE, &value) || !expect(p, "*U")) return false;
    }
    if (value > MAX_SLOPE) return syntax(p, "the number is too large");
    out->u = value;
    return true;
}

static bool list(graph_parser_t *p, int max, int *n, int64_t *values) {
    *n = 0;
    if (accept(p, "none")) return true;
    do {
        if (*n == max) return syntax(p, "at most %d numbers", max);
        if (!integer(p, INT32_MAX, &values[(*n)++])) return false;
    } while (accept(p, "x"));
    return true;
}

/* ---- parse: names -------------------------------------------------------------------------- */

static graph_symbol_t *lookup(graph_parser_t *p, const char *name) {
    size_t i = hash64(HASH64_INIT, name, strlen(name)) & p->mask;
    while (p->symbols[i].name && strcmp(p->symbols[i].name, name) != 0) i = (i + 1) & p->mask;
    return &p->symbols[i];
}

/* Room for a graph, a name per line at most. */
static void make_table(graph_parser_t *p) {
    size_t lines = 2, size = 16;
    for (const char *c = p->at; c < p->end && lines <= MAX_NODES; c++) lines += *c == '\n';
    while (size < 2 * lines) size *= 2;
    p->symbols = ARENA_ARRAY(p->g->arena, graph_symbol_t, size);
    p->mask = size - 1;
    p->n_symbols = 0;
}

static const char *nearest_op(const char *name) {
    const char *names[G_COUNT];
    for (int i = 0; i < G_COUNT; i++) names[i] = graph_ops[i].name;
    return did_you_mean(name, names, G_COUNT);
}

/* ---- parse: a node ------------------------------------------------------------------------- */

static bool parse_op(graph_parser_t *p, gop_t *op) {
    char name[MAX_NAME];
    peek(p);
    const char *start = p->at;
    if (!word(p, name, "an operation")) return false;
    for (int i = 0; i < G_COUNT; i++)
        if (strcmp(graph_ops[i].name, name) == 0) return *op = (gop_t)i, true;
    p->at = start;
    syntax(p, "there is no operation '%s'", name);
    const char *near = nearest_op(name);
    if (near) diag_hint(p->d, "did you mean '%s'?", near);
    return false;
}

static bool parse_input(graph_parser_t *p, gnode_t *n) {
    char name[MAX_NAME];
    peek(p);
    const char *start = p->at;
    if (n->n_in == G_MAX_INPUTS) return syntax(p, "at most %d inputs", G_MAX_INPUTS);
    if (!word(p, name, "an input")) return false;
    if (strcmp(name, "_") == 0) return n->in[n->n_in++] = NULL, true;
    graph_symbol_t *s = lookup(p, name);
    p->quiet = s->name && !s->node;
    n->in[n->n_in++] = s->node;
    if (s->node) return true;
    p->at = start;
    return syntax(p, "'%s' is not made above", name);
}

static bool parse_inputs(graph_parser_t *p, gnode_t *n) {
    if (!expect(p, "(")) return false;
    if (accept(p, ")")) return true;
    do
        if (!parse_input(p, n)) return false;
    while (accept(p, ","));
    return expect(p, ")");
}

static bool parse_act(graph_parser_t *p, act_t *act) {
    char name[MAX_NAME];
    if (!word(p, name, "an activation")) return false;
    for (int i = 0; i < ACT_COUNT; i++)
        if (strcmp(act_name((act_t)i), name) == 0) return *act = (act_t)i, true;
    return syntax(p, "there is no activation '%s'", name);
}

static bool parse_value(graph_parser_t *p, const gattr_t *attr, gnode_t *n) {
    void *value = graph_attr_at(attr, n);
    int64_t number;
    switch (attr->kind) {
    case ATTR_INT: return integer(p, INT32_MAX, value);
    case ATTR_REAL: return real(p, value);
    case ATTR_ACT: return parse_act(p, value);
    case ATTR_LIST: return list(p, attr->max, graph_attr_count(attr, n), value);
    case ATTR_BOOL: break;
    }
    if (!integer(p, 1, &number)) return false;
    *(bool *)value = number != 0;
    return true;
}

/* Exactly the attributes of the op, in the order of the table. */
static bool parse_attrs(graph_parser_t *p, gnode_t *n) {
    for (int i = 0; i < N_GRAPH_ATTRS; i++) {
        if (!graph_op_has_attr(n->op, &graph_attrs[i])) continue;
        if (graph_attr_optional(n->op, &graph_attrs[i]) && !follows(p, graph_attrs[i].name))
            continue;
        if (!accept(p, graph_attrs[i].name) || !accept(p, "="))
            return syntax(p, "expected attribute '%s='", graph_attrs[i].name);
        if (!parse_value(p, &graph_attrs[i], n)) return false;
    }
    return true;
}

static bool parse_type(graph_parser_t *p, gnode_t *n) {
    if (!expect(p, ":")) return false;
    while (n->type < G_TYPES && !accept(p, graph_type_names[n->type])) n->type++;
    if (n->type == G_TYPES) return syntax(p, "expected 'f32', 'bf16', 'i8' or 'i32'");
    if (!expect(p, "[")) return false;
    if (accept(p, "]")) return true;
    do {
        if (n->rank == G_MAX_RANK) return syntax(p, "at most %d dimensions", G_MAX_RANK);
        if (!dimension(p, &n->shape[n->rank++])) return false;
    } while (accept(p, ","));
    return expect(p, "]");
}

static bool parse_marks(graph_parser_t *p, gnode_t *n) {
    if (accept(p, "layer=")) {
        int64_t layer;
        if (!integer(p, MAX_LAYERS - 1, &layer)) return false;
        n->layer = (int)layer;
    }
    if (accept(p, "trace=")) {
        char name[MAX_NAME];
        if (!word(p, name, "a name")) return false;
        n->trace = arena_strdup(p->g->arena, name);
    }
    return true;
}

static bool end_of_line(graph_parser_t *p) {
    return !peek(p) || syntax(p, "unexpected text");
}

static gnode_t *parse_right_side(graph_parser_t *p) {
    gop_t op = G_INPUT;
    if (!expect(p, "=") || !parse_op(p, &op)) return NULL;
    gnode_t *n = ARENA_NEW(p->g->arena, gnode_t);
    *n = (gnode_t){.op = op, .layer = -1};
    if (!parse_inputs(p, n) || !parse_attrs(p, n) || !parse_type(p, n) || !parse_marks(p, n))
        return NULL;
    return end_of_line(p) ? n : NULL;
}

/* Enters the node under its name, also when the line is wrong. */
static void parse_node(graph_parser_t *p) {
    char name[MAX_NAME];
    peek(p);
    const char *start = p->at;
    srcloc_t at = here(p);
    if (!node_name(p, name)) return;
    graph_symbol_t *s = lookup(p, name);
    if (s->name) {
        p->at = start;
        syntax(p, "'%s' is made twice", name);
        return;
    }
    if (p->n_symbols++ == MAX_NODES) {
        p->at = start;
        syntax(p, "a graph has at most %d nodes", MAX_NODES);
        p->end = p->at; /* that is enough */
        return;
    }
    gnode_t *n = parse_right_side(p);
    *s = (graph_symbol_t){arena_strdup(p->g->arena, name), n};
    if (!n) return;
    gnode_t *slot = graph_append(p->g, n->op);
    n->id = slot->id;
    n->name = s->name;
    n->at = at;
    *slot = *n;
    s->node = slot;
}

/* ---- parse: a graph ------------------------------------------------------------------------ */

static bool parse_shorter(graph_parser_t *p) {
    char name[MAX_NAME];
    if (!word(p, name, "padded, unpadded or absent")) return false;
    for (int i = SHORTER_PADDED; i <= SHORTER_ABSENT; i++)
        if (strcmp(shorter_names[i], name) == 0) return p->g->shorter = (shorter_t)i, true;
    return syntax(p, "'%s' is not one of padded, unpadded, absent", name);
}

static bool parse_units(graph_parser_t *p) {
    graph_t *g = p->g;
    g->shorter = SHORTER_UNPADDED;
    return integer(p, INT32_MAX, &g->units.min) && expect(p, "..") &&
           integer(p, INT32_MAX, &g->units.max);
}

/* "graph batch=1 …": nothing else begins so. */
static bool is_header(const char *at, const char *end) {
    static const char word[] = "graph";
    size_t n = sizeof word - 1;
    if ((size_t)(end - at) <= n || memcmp(at, word, n) != 0) return false;
    at += n;
    if (*at != ' ' && *at != '\t') return false;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at == end || *at != '=';
}

/* Whether the graph can be checked: what its header says is there. */
static bool parse_header(graph_parser_t *p) {
    peek(p);
    p->g->at = here(p);
    graph_t *g = p->g;
    bool ok = expect(p, "graph") && expect(p, "batch=") && integer(p, INT32_MAX, &g->batch) &&
              expect(p, "length=") && dimension(p, &g->length) && expect(p, "padded=") &&
              dimension(p, &g->padded);
    if (ok && accept(p, "units=")) ok = parse_units(p);
    else if (ok && accept(p, "shorter=")) ok = parse_shorter(p);
    return ok && end_of_line(p);
}

static void next_line(graph_parser_t *p) {
    while (p->at < p->end && *p->at != '\n') p->at++;
    if (p->at < p->end) p->at++;
    p->line_start = p->at;
    p->line++;
    p->quiet = false;
}

/* Those of the first node that hashes into any: a state only remembers them. */
static void find_factors(graph_t *g) {
    for (size_t i = 0; i < g->n_nodes && g->n_factors == 0; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op != G_LSH_HASH && n->op != G_LSH_STEP) continue;
        g->n_factors = n->n_factors;
        memcpy(g->factors, n->factors, sizeof g->factors);
    }
}

static bool is_next_header(const graph_parser_t *p) {
    return is_header(p->line_start, p->end);
}

/* From its first line to the next graph's. Lines that are wrong are left out,
 * and the others checked. */
static graph_t *parse_one(graph_parser_t *p, arena_t *a) {
    graph_t *g = p->g = ARENA_NEW(a, graph_t);
    g->arena = a;
    make_table(p);
    bool header = parse_header(p);
    for (next_line(p); p->at < p->end && !is_next_header(p); next_line(p))
        if (peek(p)) parse_node(p);
    find_factors(g);
    if (header && !graph_check(g, p->d)) p->ok = false;
    return g;
}

/* At a line that is not blank; false at the end. */
static bool skip_blank(graph_parser_t *p) {
    while (p->at < p->end && !peek(p)) next_line(p);
    return p->at < p->end;
}

static graph_parser_t parser(arena_t *a, const char *file, const char *text, size_t bytes,
                             diag_t *d) {
    graph_t *none = ARENA_NEW(a, graph_t); /* for messages before there is any */
    none->arena = a;
    return (graph_parser_t){.g = none,
                            .d = d,
                            .file = file,
                            .at = text,
                            .end = text + bytes,
                            .line_start = text,
                            .line = 1,
                            .ok = true};
}

graph_t **graph_parse_all(arena_t *a, const char *file, const char *text, size_t bytes, size_t from,
                          int max, int *n, diag_t *d) {
    graph_parser_t p = parser(a, file, text, bytes, d);
    graph_t **graphs = ARENA_ARRAY(a, graph_t *, max);
    while (p.at < text + from) next_line(&p);
    for (*n = 0; skip_blank(&p);) {
        if (*n == max) {
            syntax(&p, "at most %d graphs", max);
            break;
        }
        graphs[(*n)++] = parse_one(&p, a);
    }
    if (*n == 0) syntax(&p, "the text holds no graph");
    return p.ok ? graphs : NULL;
}

graph_t *graph_parse(arena_t *a, const char *file, const char *text, size_t bytes, diag_t *d) {
    int n;
    diag_source(d, file, text, bytes);
    graph_t **graphs = graph_parse_all(a, file, text, bytes, 0, 1, &n, d);
    return graphs ? graphs[0] : NULL;
}

bool graph_text_begins(const char *text, size_t bytes, size_t *from) {
    const char *end = text + bytes;
    for (const char *line = text; line < end;) {
        if (is_header(line, end)) return *from = (size_t)(line - text), true;
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        line = stop ? stop + 1 : end;
    }
    return false;
}
