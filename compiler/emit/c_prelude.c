/* The prelude of a target: vector types, and a static inline function for every op that C does not
 * have or has differently. In: the requests of the text written so far. Out: exactly those. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "emit/c_int.h"

/* ---- what was asked for ---------------------------------------------------------------------- */

typedef struct {
    helper_t helper;
    ltype_t type;
    const int *lanes; /* H_SHUFFLE */
    const char *name;
} helper_request_t;

typedef struct {
    ltype_t type;
    bool used, is_unsigned, unaligned;
} vector_t;

struct prelude {
    helper_request_t *request;
    size_t n, cap;
    vector_t *vector;
    size_t n_vectors, cap_vectors;
};

prelude_t *prelude_new(arena_t *a) {
    return ARENA_NEW(a, prelude_t);
}

static vector_t *vector_of(emitter_t *c, ltype_t t) {
    prelude_t *p = c->prelude;
    for (size_t i = 0; i < p->n_vectors; i++)
        if (ltype_equal(p->vector[i].type, t)) return &p->vector[i];
    vector_t *v = &ARENA_PUSH(c->lasting, p->vector, p->n_vectors, p->cap_vectors);
    *v = (vector_t){.type = t};
    return v;
}

static const char *type_suffix(emitter_t *c, ltype_t t) {
    if (t.lanes == 1) return elem_name(t.elem);
    return arena_printf(c->arena, "%sx%d", elem_name(t.elem), t.lanes);
}

const char *c_type(emitter_t *c, ltype_t t) {
    if (t.lanes == 1) return c_elem(t.elem);
    vector_of(c, t)->used = true;
    return type_suffix(c, t);
}

const char *c_unsigned(emitter_t *c, ltype_t t) {
    if (t.lanes == 1) return t.elem == E_I64 ? "uint64_t" : "uint32_t";
    vector_of(c, t)->is_unsigned = true;
    return arena_printf(c->arena, "u%s", type_suffix(c, t) + 1);
}

static ltype_t integer_type(ltype_t t) {
    return VECTOR(elem_bytes(t.elem) == 8 ? E_I64 : E_I32, t.lanes);
}

bool c_has_masks(const target_t *t, ltype_t type) {
    return t->level == T_X86_64_V4 && type.lanes >= 4 && (type.elem == E_F32 || type.elem == E_I32);
}

const char *c_mask_type(ltype_t t) {
    return t.lanes == 16 ? "__mmask16" : "__mmask8";
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* Lane by lane through the scalar helper: shapes that the target has no instruction for. */
static const char *body_by_lanes(emitter_t *c, helper_t h, ltype_t t) {
    static const char *const args[] = {
        [S_UNARY] = "x[%d]", [S_BINARY] = "x[%d], y[%d]", [S_TERNARY] = "x[%d], y[%d], z[%d]"};
    if (t.lanes == 1) bug("%s has no helper %s", c->target->name, helpers[h].name);
    const char *name = c_helper(c, h, SCALAR(t.elem)), *body = "($T){", *sep = "";
    for (int i = 0; i < t.lanes; i++, sep = ", ") {
        char *lane = arena_strdup(c->arena, args[helpers[h].shape]);
        for (char *p; (p = strstr(lane, "%d"));)
            lane = arena_printf(c->arena, "%.*s%d%s", (int)(p - lane), lane, i, p + 2);
        body = arena_printf(c->arena, "%s%s%s(%s)", body, sep, name, lane);
    }
    return arena_printf(c->arena, "%s}", body);
}

/* x, x, x … or lane numbers */
static const char *lane_list(emitter_t *c, int n, const int *lanes) {
    const char *text = "";
    for (int i = 0; i < n; i++)
        text = lanes ? arena_printf(c->arena, "%s, %d", text, lanes[i])
                     : arena_printf(c->arena, "%s%sx", text, i ? ", " : "");
    return text;
}

static bool one_source(const int *lanes, int n) {
    for (int i = 0; i < n; i++)
        if (lanes[i] >= n) return false;
    return true;
}

/* bf16 is the upper half of f32, rounded to nearest, ties to even; denormals
 * become 0, NaN quiet. */
static const char to_bf16_scalar[] =
    "union { float x; uint32_t b; } u = {x}; "
    "const uint32_t r = (u.b + 0x7fffU + ((u.b >> 16) & 1U)) >> 16; "
    "const uint32_t number = (u.b & 0x7f800000U) ? r : (u.b >> 16) & 0x8000U; "
    "return (uint16_t)(x != x ? (u.b >> 16) | 0x40U : number);";
static const char to_bf16_vector[] =
    "const $U b = ($U)x; const $U nan = ($U)(x != x); "
    "const $U normal = ($U)((b & 0x7f800000U) != 0U); "
    "const $U r = (((b + 0x7fffU + ((b >> 16U) & 1U)) >> 16U) & normal) | ((b >> 16U) & 0x8000U); "
    "return __builtin_convertvector((nan & ((b >> 16U) | 0x40U)) | (~nan & r), $H);";
static const char from_bf16_scalar[] =
    "union { uint32_t b; float x; } u = {(uint32_t)x << 16}; return u.x;";
static const char from_bf16_vector[] = "($T)(__builtin_convertvector(x, $U) << 16U)";

/* Helpers whose parameters are their own. $N: the name. */
static const struct {
    const char *head, *scalar, *vector;
} own[H_COUNT] = {
    [H_LOAD] = {"$T $N(const $E *p)", NULL, "*(const $A *)(const void *)p"},
    [H_STORE] = {"void $N($E *p, $T x)", NULL, "*($A *)(void *)p = x;"},
    [H_PREFETCH] = {"void $N(const void *p)", "__builtin_prefetch(p, 0, 2);", NULL},
    [H_SPLAT] = {"$T $N($E x)", NULL, "($T){$L}"},
    [H_BITS] = {"$I $N($T x)", "union { $T x; $I i; } u = {x}; return u.i;", NULL},
    [H_FROM_BITS] = {"$T $N($I i)", "union { $I i; $T x; } u = {i}; return u.x;", NULL},
    [H_TO_BF16] = {"$H $N($T x)", to_bf16_scalar, to_bf16_vector},
    [H_FROM_BF16] = {"$T $N($H x)", from_bf16_scalar, from_bf16_vector},
};
static const char *const heads[] = {
    [S_UNARY] = "$T $N($T x)",
    [S_BINARY] = "$T $N($T x, $T y)",
    [S_TERNARY] = "$T $N($T x, $T y, $T z)",
    [S_DOT2] = "$T $N($T acc, $P x, $P y)",
    [S_DOT4] = "$T $N($T acc, $B x, $C y)",
    [S_SELECT] = "$T $N($I m, $T x, $T y)",
    [S_BLEND] = "$T $N($M m, $T x, $T y)",
    [S_MASK] = "$M $N($T x, $T y)",
};

static const char *placeholder(emitter_t *c, char what, const helper_request_t *r) {
    ltype_t t = r->type;
    switch (what) {
    case 'T': return c_type(c, t);
    case 'I': return c_type(c, integer_type(t));
    case 'U': return c_unsigned(c, integer_type(t));
    case 'H': return c_type(c, VECTOR(E_BF16, t.lanes));
    case 'P': return c_type(c, VECTOR(E_BF16, 2 * t.lanes));
    case 'B': return c_type(c, VECTOR(E_U8, 4 * t.lanes));
    case 'C': return c_type(c, VECTOR(E_I8, 4 * t.lanes));
    case 'E': return c_elem(t.elem);
    case 'M': return c_mask_type(t);
    case 'N': return r->name;
    case 'L': return lane_list(c, t.lanes, NULL);
    case 'A':
        vector_of(c, t)->unaligned = true;
        return arena_printf(c->arena, "%s_u", c_type(c, t));
    default: bug("placeholder $%c", what);
    }
}

static const char *expand(emitter_t *c, const char *template, const helper_request_t *r) {
    sbuf_t s = {0};
    for (const char *p = template; *p; p++) {
        if (*p == '$') sbuf_puts(&s, placeholder(c, *++p, r));
        else sbuf_write(&s, p, 1);
    }
    const char *text = arena_strdup(c->arena, s.data ? s.data : "");
    sbuf_free(&s);
    return text;
}

static void shuffle_form(emitter_t *c, const helper_request_t *r, const char **head,
                         const char **body) {
    bool one = one_source(r->lanes, r->type.lanes);
    *head = expand(c, one ? "$T $N($T x)" : "$T $N($T x, $T y)", r);
    *body = arena_printf(c->arena, "__builtin_shufflevector(x, %s%s)", one ? "x" : "y",
                         lane_list(c, r->type.lanes, r->lanes));
}

static void form(emitter_t *c, const helper_request_t *r, const char **head, const char **body) {
    shape_t shape = helpers[r->helper].shape;
    if (r->helper == H_SHUFFLE) {
        shuffle_form(c, r, head, body);
        return;
    }
    *head = shape == S_OWN ? own[r->helper].head : heads[shape];
    *body = body_of(c, r->helper, r->type);
    if (!*body && shape == S_OWN)
        *body = r->type.lanes > 1 ? own[r->helper].vector : own[r->helper].scalar;
    if (!*body) *body = body_by_lanes(c, r->helper, r->type);
    *head = expand(c, *head, r);
    *body = expand(c, *body, r);
}

/* ---- requests -------------------------------------------------------------------------------- */

static helper_request_t *request(emitter_t *c, helper_t h, ltype_t t, const int *lanes) {
    prelude_t *p = c->prelude;
    for (size_t i = 0; i < p->n; i++) {
        helper_request_t *r = &p->request[i];
        if (r->helper != h || !ltype_equal(r->type, t)) continue;
        if (!lanes || memcmp(r->lanes, lanes, (size_t)t.lanes * sizeof *lanes) == 0) return r;
    }
    helper_request_t *r = &ARENA_PUSH(c->lasting, p->request, p->n, p->cap);
    *r = (helper_request_t){.helper = h, .type = t, .lanes = lanes};
    return r;
}

const char *c_helper(emitter_t *c, helper_t h, ltype_t t) {
    helper_request_t *r = request(c, h, t, NULL);
    if (r->name) return r->name;
    const char *name = helpers[h].name;
    if (h == H_PREFETCH) r->name = arena_printf(c->lasting, "%s%s", name, c->target_suffix);
    else if (is_short_helper(h, t))
        r->name = arena_printf(c->lasting, "%s%d%s", name, t.lanes, c->target_suffix);
    else r->name = arena_printf(c->lasting, "%s_%s%s", name, type_suffix(c, t), c->target_suffix);
    return r->name;
}

/* Butterflies of reductions and transposes have names; other patterns are numbered.
 *   swapW   lane i gets lane i^W
 *   lowW, highW   the two results when rows W apart exchange the lanes whose bit W differs */
static const char *pattern_name(emitter_t *c, const int *lanes, int n) {
    for (int w = 1; w < n; w *= 2) {
        bool swap = true, low = true, high = true;
        for (int i = 0; i < n; i++) {
            bool odd = i & w;
            swap = swap && lanes[i] == (i ^ w);
            low = low && lanes[i] == (odd ? n + i - w : i);
            high = high && lanes[i] == (odd ? n + i : i + w);
        }
        if (swap || low || high)
            return arena_printf(c->arena, "shuffle_%s%d", swap ? "swap" : low ? "low" : "high", w);
    }
    int number = 0;
    for (size_t i = 0; i < c->prelude->n; i++) number += c->prelude->request[i].helper == H_SHUFFLE;
    return arena_printf(c->arena, "shuffle%d", number);
}

const char *c_shuffle(emitter_t *c, ltype_t t, const int *lanes, bool *one_operand) {
    helper_request_t *r = request(c, H_SHUFFLE, t, lanes);
    if (!r->name)
        r->name = arena_printf(c->lasting, "%s_%s%s", pattern_name(c, lanes, t.lanes),
                               type_suffix(c, t), c->target_suffix);
    *one_operand = one_source(lanes, t.lanes);
    return r->name;
}

/* ---- output ---------------------------------------------------------------------------------- */

static int compare_vectors(const void *x, const void *y) {
    const vector_t *a = x, *b = y;
    if (a->type.elem != b->type.elem) return a->type.elem < b->type.elem ? -1 : 1;
    return a->type.lanes - b->type.lanes;
}

static int compare_requests(const void *x, const void *y) {
    const helper_request_t *a = x, *b = y;
    if (a->helper != b->helper) return a->helper < b->helper ? -1 : 1;
    if (a->type.elem != b->type.elem) return a->type.elem < b->type.elem ? -1 : 1;
    if (a->type.lanes != b->type.lanes) return a->type.lanes - b->type.lanes;
    return strcmp(a->name, b->name);
}

static void note_name(emitter_t *c, const char *name) {
    ARENA_PUSH(c->arena, c->own, c->n_own, c->cap_own) = name;
}

static void note_vector(emitter_t *c, const vector_t *v) {
    const char *name = type_suffix(c, v->type);
    if (v->used) note_name(c, name);
    if (v->is_unsigned) note_name(c, arena_printf(c->arena, "u%s", name + 1));
    if (v->unaligned) note_name(c, arena_printf(c->arena, "%s_u", name));
}

static void put_vector(emitter_t *c, const vector_t *v, sbuf_t *out) {
    int bytes = elem_bytes(v->type.elem) * v->type.lanes;
    const char *name = type_suffix(c, v->type), *elem = c_elem(v->type.elem);
    if (v->used)
        put_line(out, 0, "typedef %s %s __attribute__((vector_size(%d)));", elem, name, bytes);
    if (v->is_unsigned)
        put_line(out, 0, "typedef u%s u%s __attribute__((vector_size(%d)));", elem, name + 1,
                 bytes);
    if (v->unaligned)
        put_line(out, 0,
                 "typedef %s %s_u __attribute__((vector_size(%d), aligned(%d), may_alias));", elem,
                 name, bytes, elem_bytes(v->type.elem));
}

/* One statement per line: "a; b; c;" */
static void put_body(sbuf_t *out, char *body) {
    if (!strchr(body, ';')) {
        put_line(out, 1, "return %s;", body);
        return;
    }
    int braces = 0;
    for (char *p = body, *start = body; *p; p++) {
        if (*p == '{') braces++;
        if (*p == '}') braces--;
        if (*p != ';' || braces) continue;
        put_line(out, 1, "%.*s", (int)(p + 1 - start), start);
        start = p + 1 + strspn(p + 1, " ");
    }
}

void put_prelude(emitter_t *c, sbuf_t *out) {
    prelude_t *p = c->prelude;
    const char *head, *body;
    for (size_t i = 0; i < p->n; i++) { /* asks for types and for scalar helpers */
        helper_request_t r = p->request[i];
        form(c, &r, &head, &body);
    }
    if (p->n_vectors) qsort(p->vector, p->n_vectors, sizeof *p->vector, compare_vectors);
    if (p->n) qsort(p->request, p->n, sizeof *p->request, compare_requests);
    for (size_t i = 0; i < p->n_vectors; i++) {
        note_vector(c, &p->vector[i]);
        put_vector(c, &p->vector[i], out);
    }
    sbuf_puts(out, "\n");
    for (size_t i = 0; i < p->n; i++) {
        form(c, &p->request[i], &head, &body);
        note_name(c, p->request[i].name);
        put_line(out, 0, "INLINE %s {", head);
        put_body(out, arena_strdup(c->arena, body));
        sbuf_puts(out, "}\n");
    }
}
