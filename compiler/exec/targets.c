/* Names → targets (targets.h). Nothing here knows a CPU's features: the runtime does. */
#include "exec/targets.h"

#include "support/sbuf.h"
#include <string.h>

_Static_assert((int)T_X86_64 == REFORMER_CPU_X86_64 && (int)T_X86_64_V4 == REFORMER_CPU_X86_64_V4 &&
                   (int)T_AARCH64 == REFORMER_CPU_AARCH64 &&
                   (int)T_X86_64_V3_VNNI == REFORMER_CPU_X86_64_V3_VNNI &&
                   (int)T_X86_64_V4_BF16 == REFORMER_CPU_X86_64_V4_BF16 &&
                   (int)T_AARCH64_BF16 == REFORMER_CPU_AARCH64_BF16 &&
                   (int)T_WASM32 == REFORMER_CPU_WASM32,
               "targets and the runtime's CPUs are one enumeration");

static const target_id_t best_first[T_COUNT] = {T_X86_64_V4_BF16, T_X86_64_V4_VNNI, T_X86_64_V4,
                                                T_X86_64_V3_VNNI, T_X86_64_V3,      T_X86_64,
                                                T_AARCH64_BF16,   T_AARCH64,        T_WASM32};

static int place_of(const target_t *t) {
    int at = 0;
    while (best_first[at] != t->id) at++;
    return at;
}

/* What the products of a model are of, besides float32. */
typedef struct {
    bool bfloat16, int8;
} product_types_t;

/* With int8 go products of attention, of bfloat16. */
static product_types_t uses_of(const plan_options_t *p, const spec_t *s) {
    bool trains = p->train != TRAIN_NOT || p->of_training; /* another key says it there */
    if (trains) return (product_types_t){.bfloat16 = s->train.dtype == DTYPE_BFLOAT16};
    bool int8 = spec_has_dtype(s, DTYPE_INT8);
    return (product_types_t){.bfloat16 = int8 || spec_has_dtype(s, DTYPE_BFLOAT16), .int8 = int8};
}

/* A level serves every model; its extensions, which CPUs of a level may lack,
 * those that use them. */
static bool serves(const target_t *t, product_types_t uses) {
    return t->id == t->level || (uses.bfloat16 && t->dot2) || (uses.int8 && t->dot4);
}

static const target_t *native_for(product_types_t uses) {
    for (int i = 0; i < T_COUNT; i++) {
        const target_t *t = &targets[best_first[i]];
        if (serves(t, uses) && reformer_cpu_takes((int)t->id)) return t;
    }
    bug("this CPU runs none of the targets");
}

const target_t *native_target(dtype_t dtype) {
    return native_for(
        (product_types_t){.bfloat16 = dtype != DTYPE_FLOAT32, .int8 = dtype == DTYPE_INT8});
}

/* What stands for "no target named". */
static bool is_default(const target_t *t, target_default_t wanted, product_types_t uses) {
    const target_t *native = native_for(uses);
    switch (wanted) {
    case TARGET_LEVELS: return target_family(t) == target_family(native) && serves(t, uses);
    case TARGET_BASELINE:
        return t->id == (target_family(native) == FAMILY_X86 ? T_X86_64 : T_AARCH64);
    case TARGET_NATIVE: break;
    }
    return t == native;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void hint_names(const char *names[T_COUNT + 1], diag_t *d) {
    sbuf_t all = {0};
    for (int i = 0; i <= T_COUNT; i++) sbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    diag_hint(d, "there are %s", all.data);
    sbuf_free(&all);
}

static bool check_name(const char *name, const char *where, diag_t *d) {
    const char *names[T_COUNT + 1] = {[T_COUNT] = "native"};
    for (int i = 0; i < T_COUNT; i++) names[i] = targets[i].name;
    if (strcmp(name, "native") == 0 || target_find(name)) return true;
    diag_error(d, IN_FILE(where), "'%s' is not a target", name);
    const char *near = did_you_mean(name, names, T_COUNT + 1);
    if (near) diag_hint(d, "did you mean '%s'?", near);
    else hint_names(names, d);
    return false;
}

static bool add_name(const char *name, const char *where, const char *names[MAX_TARGETS], int *n,
                     diag_t *d) {
    for (int i = 0; i < *n; i++)
        if (strcmp(names[i], name) == 0) return true;
    if (!check_name(name, where, d)) return false;
    if (*n == MAX_TARGETS) {
        diag_error(d, IN_FILE(where), "too many targets");
        return false;
    }
    names[(*n)++] = name;
    return true;
}

bool targets_parse(arena_t *a, const char *list, const char *where, const char *names[MAX_TARGETS],
                   int *n, diag_t *d) {
    bool ok = true;
    *n = 0;
    for (const char *p = list;; p++) {
        size_t length = strcspn(p, ",");
        ok &= add_name(arena_strndup(a, p, length), where, names, n, d);
        p += length;
        if (!*p) return ok;
    }
}

/* ---- a plan's -------------------------------------------------------------------------------- */

/* Best first, each once: the order in which the runtime tries them. */
static void insert(plan_options_t *p, const target_t *t) {
    int at = 0;
    while (at < p->n_targets && place_of(p->targets[at]) < place_of(t)) at++;
    if (at < p->n_targets && p->targets[at] == t) return;
    for (int i = p->n_targets; i > at; i--) p->targets[i] = p->targets[i - 1];
    p->targets[at] = t;
    p->n_targets++;
}

static bool list_targets(plan_options_t *p, const spec_t *s, const target_request_t *want,
                         diag_t *d) {
    int n = want->n ? want->n : s->compile.n_targets;
    const char *const *names = want->n ? want->names : s->compile.targets;
    product_types_t uses = uses_of(p, s);
    for (int i = 0; n == 0 && i < T_COUNT; i++)
        if (is_default(&targets[i], want->otherwise, uses)) insert(p, &targets[i]);
    for (int i = 0; i < n; i++) {
        const target_t *t =
            strcmp(names[i], "native") == 0 ? native_for(uses) : target_find(names[i]);
        if (!t) bug("target '%s' passed the checks of the spec", names[i]);
        insert(p, t);
    }
    for (int i = 1; i < p->n_targets; i++) {
        family_t first = target_family(p->targets[0]), other = target_family(p->targets[i]);
        if (other == first) continue;
        diag_error(d, IN_FILE(want->n ? want->where : s->path),
                   "%s and %s do not fit into one C file", family_name(first), family_name(other));
        return false;
    }
    return true;
}

/* What runs at once needs one target only, the best that this CPU has; what only walks the loops or
 * the graph takes any. */
static bool keep_best(plan_options_t *p, const spec_t *s, const target_request_t *want, diag_t *d) {
    bool any = want->backend == BACKEND_REFERENCE || want->backend == BACKEND_INTERPRETER;
    for (int i = 0; i < p->n_targets; i++) {
        if (!any && !reformer_cpu_takes((int)p->targets[i]->id)) continue;
        p->targets[0] = p->targets[i];
        p->n_targets = 1;
        return true;
    }
    diag_error(d, IN_FILE(want->n ? want->where : s->path),
               "this CPU runs none of the targets asked for; it runs %s",
               native_for(uses_of(p, s))->name);
    return false;
}

bool targets_choose(plan_options_t *p, const spec_t *s, const target_request_t *want, diag_t *d) {
    p->n_targets = 0;
    return list_targets(p, s, want, d) && (!want->runs || keep_best(p, s, want, d));
}
