/* model.c: a lowered plan as one C file, and with it model.h.
 *
 * In: modules (lengths × targets) and their descriptor. Out: opening comment with the compile line,
 * one region per target (prelude, then functions, kernels and schedule of every length), the
 * descriptor, the functions that a product calls. Plain C11 with the vector extensions of gcc and
 * clang; no globals that change, no allocation, no libc, no libm. */
#include <string.h>

#include "emit/c_int.h"

/* ---- opening ------------------------------------------------------------------------------------------- */

const char *spec_name(const emitter_t *c) {
    const char *path = c->plan->spec->path;
    if (!path) return "a spec";
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--; /* a folder, written 'model/' */
    const char *whole = arena_strndup(c->arena, path, end), *slash = strrchr(whole, '/');
    return c_comment(c->arena, slash && slash[1] ? slash + 1 : whole);
}

static const char *source_name(emitter_t *c) {
    const char *h = c->o->header_name;
    size_t n = strlen(h);
    if (n > 2 && strcmp(h + n - 2, ".h") == 0) n -= 2;
    return arena_printf(c->arena, "%.*s.c", (int)n, h);
}

/* One word for a shell. */
static const char *shell_word(arena_t *a, const char *s) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@%,";
    if (*s != '-' && strspn(s, plain) == strlen(s)) return s;
    const char *q = "'";
    for (; *s; s++) q = *s == '\'' ? arena_printf(a, "%s'\\''", q) : arena_printf(a, "%s%c", q, *s);
    return arena_printf(a, "%s'", q);
}

static const char *lengths_text(const emitter_t *c) {
    const plan_t *p = c->plan;
    const char *text = "";
    for (int k = 0; k < p->n_variants; k++) {
        const variant_plan_t *v = &p->variants[k];
        text = arena_printf(c->arena, "%s%s%s%lld", text, k ? ", " : "",
                            v->unit ? "any up to " : "", (long long)v->max_length);
    }
    return text;
}

static const char *targets_text(const emitter_t *c) {
    const plan_t *p = c->plan;
    const char *text = "";
    for (int k = 0; k < p->n_targets; k++)
        text = arena_printf(c->arena, "%s%s%s", text, k ? ", " : "", p->targets[k]->name);
    return text;
}

/* What else it was translated with. */
static const char *options_text(const emitter_t *c) {
    const plan_t *p = c->plan;
    const struct {
        bool given;
        const char *text;
    } all[] = {{p->step != NULL, "generation"},  {p->trains != NULL, "train steps"},
               {p->updates, "updates"},          {p->trace, "--dump-activations"},
               {p->impose_buckets, "--buckets"}, {p->instrument, "--instrument"}};
    const char *text = "";
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (all[k].given)
            text = arena_printf(c->arena, "%s%s%s", text, *text ? ", " : "\nwith: ", all[k].text);
    return text;
}

const char *origin_text(const emitter_t *c) {
    return c->plan->origin ? arena_printf(c->arena, "%s\n", c->plan->origin) : "";
}

static void put_opening(emitter_t *c, sbuf_t *out) {
    const char *file = source_name(c), *word = shell_word(c->arena, file);
    const char *object = arena_printf(c->arena, "%.*s.o", (int)(strlen(file) - 2), file);
    const char *here = *file == '-' ? "./" : "";
    const char *flags = c->o->standalone ? "" : "$(reformerc --cflags) ";
    const char *libs = c->o->standalone ? "" : " $(reformerc --libs)";
    put_comment(out, 0,
                "%s: the Reformer model of %s as C, by reformerc.\n\n"
                "    cc -O2 -std=c11 %s-c %s%s\n"
                "    cc … %s%s%s\n\n"
                "%slengths: %s; batch: %lld; dtype: %s; targets: %s%s",
                file, spec_name(c), flags, here, word, here, shell_word(c->arena, object), libs,
                origin_text(c), lengths_text(c), (long long)c->plan->batch,
                dtype_name(spec_dtype(c->plan->spec, -1)), targets_text(c), options_text(c));
}

/* What compilers for a family define, where its intrinsics stand, and what else `translated for` has to say. */
enum { FAMILIES = FAMILY_WASM + 1 };
static const struct {
    const char *macro, *include, *how;
} families[FAMILIES] = {
    [FAMILY_X86] = {"__x86_64__", "immintrin.h", ""},
    [FAMILY_ARM] = {"__aarch64__", "arm_neon.h", ""},
    [FAMILY_WASM] = {"__wasm32__", "wasm_simd128.h", ", or clang --target=wasm32"},
};

/* What an artefact is for is one family's, as the choice of targets sees to. */
static family_t family_of(const emitter_t *c) {
    return target_family(c->plan->targets[0]);
}

/* The descriptor and what it holds stand behind the macros of put_own_names(), among fields of such names. */
const char *own_name(emitter_t *c, const char *name) {
    return names_make(c->globals, arena_printf(c->arena, "%s_%s", c->plan->name, name));
}

/* What flags of the compiler may do to results. gcc says each part of -ffast-math by a macro (before
 * gcc 12 only all of them together, by __GCC_IEC_559); clang says few, and REFORMER_REFUSE_FAST_MATH looks. */
static const char flag_guards[] =
    "#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \\\n"
    "    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \\\n"
    "    defined(__NO_SIGNED_ZEROS__) || \\\n"
    "    (defined(__GCC_IEC_559) && !defined(__clang__) && __GNUC__ < 12 && __GCC_IEC_559 == 0)\n"
    "#error \"compile without -ffast-math or parts of it: results would differ from the model's\"\n"
    "#endif\n"
    "#if __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16 /* 16: but for _Float16 */\n"
    "#error \"compile for arithmetic in float and double, without -mfpmath=387\"\n"
    "#endif\n"
    "_Static_assert(sizeof 1.0 == sizeof(double), \"compile without -fsingle-precision-constant\");\n";

static const char relaxed_guard[] =
    "#ifdef __wasm_relaxed_simd__\n"
    "#error \"compile without -mrelaxed-simd: results would be the engine's\"\n"
    "#endif\n";

/* Rounding must be what the loop IR says: one fma where it says fma, none elsewhere; nothing reassociated.
 * What follows the model in its translation unit is compiled as it was (put_end). */
static void put_guards(emitter_t *c, sbuf_t *out) {
    family_t family = family_of(c);
    sbuf_printf(out, "#include \"%s\"\n%s\n", c->o->header_name,
                c->o->standalone ? "" : "#include \"reformer_rt.h\"\n");
    sbuf_puts(out, flag_guards);
    sbuf_printf(
        out, "#if !defined(%s)\n#error \"translated for %s: choose another --target%s\"\n#endif\n",
        families[family].macro, targets_text(c), families[family].how);
    if (family == FAMILY_WASM) sbuf_puts(out, relaxed_guard);
    sbuf_printf(out, "REFORMER_REFUSE_FAST_MATH(%s)\n", own_name(c, "flags"));
    sbuf_puts(
        out,
        "#ifdef __clang__ /* its intrinsics are functions: they are compiled as this file says */\n"
        "#ifdef __x86_64__\n"
        "#pragma float_control(push)\n"
        "#pragma float_control(precise, on)\n"
        "#else\n"
        "#pragma clang fp reassociate(off)\n"
        "#endif\n"
        "#pragma STDC FP_CONTRACT OFF\n"
        "#endif\n");
    sbuf_printf(out, "#ifdef %s\n#include <%s>\n#endif\n", families[family].macro,
                families[family].include);
    sbuf_puts(out, "#ifndef __clang__\n"
                   "#pragma GCC push_options\n"
                   "#pragma GCC optimize(\"fp-contract=off\")\n"
                   "#endif\n"
                   "#pragma push_macro(\"INLINE\")\n"
                   "#undef INLINE\n"
                   "#define INLINE static inline __attribute__((always_inline))\n\n");
}

static void put_end(sbuf_t *out) {
    sbuf_puts(out, "\n#pragma pop_macro(\"INLINE\")\n"
                   "#if defined(__clang__) && defined(__x86_64__)\n"
                   "#pragma float_control(pop)\n"
                   "#elif !defined(__clang__)\n"
                   "#pragma GCC pop_options\n"
                   "#endif\n");
}

/* ---- names of functions and tables ----------------------------------------------------------------------- */

static const char *global_name(emitter_t *c, const void *what) {
    for (size_t k = 0; k < c->n_globals; k++) {
        if (c->global[k].what != what) continue;
        c->global[k].used = true;
        return c->global[k].name;
    }
    bug("a function or table without a name");
}

const char *c_func_name(emitter_t *c, const lfunc_t *f) {
    return global_name(c, f);
}

const char *c_table_name(emitter_t *c, const buffer_t *b) {
    return global_name(c, b);
}

static bool is_used(const emitter_t *c, const void *what) {
    for (size_t k = 0; k < c->n_globals; k++)
        if (c->global[k].what == what) return c->global[k].used;
    return false;
}

static void name_global(emitter_t *c, const void *what, const char *name) {
    name = arena_printf(c->arena, "%s%s", name, c->suffix);
    name = what == module_entry(c->m) ? own_name(c, name) : names_make(c->globals, name);
    ARENA_PUSH(c->arena, c->global, c->n_globals, c->cap_globals) = (global_t){what, name, false};
}

/* A name of one word may be the C library's, which compilers know (index, exp, random). */
static const char *func_base(emitter_t *c, const lfunc_t *f) {
    if (f->kind == FN_ENTRY) return "run";
    if (*c->suffix || strchr(f->name, '_')) return f->name;
    return arena_printf(c->arena, "%s_%s", f->name, f->kind == FN_KERNEL ? "kernel" : "value");
}

static void name_globals(emitter_t *c) {
    const module_t *m = c->m;
    c->n_globals = 0;
    for (size_t k = 0; k < m->n_funcs; k++) name_global(c, m->funcs[k], func_base(c, m->funcs[k]));
    for (size_t k = 0; k < m->n_buffers; k++)
        if (m->buffers[k]->kind == BUF_TABLE) name_global(c, m->buffers[k], m->buffers[k]->name);
}

/* ---- a module -------------------------------------------------------------------------------------------- */

static void put_table(emitter_t *c, const buffer_t *b, sbuf_t *out) {
    int64_t n = 1;
    for (int k = 0; k < b->rank; k++) n *= b->dims[k].c;
    const char *comment = b->comment ? c_comment(c->arena, b->comment) : NULL;
    if (comment) put_comment(out, 0, "%s", comment);
    put_line(out, 0, "static const int32_t %s[%lld] = {", c_table_name(c, b), (long long)n);
    sbuf_t row = {0};
    for (int64_t k = 0; k < n; k++) {
        const char *x = c_integer(c->arena, E_I32, b->data[k]);
        if (row.size + strlen(x) + 2 > COLUMNS - INDENT) {
            put_line(out, 1, "%s", row.data);
            row.size = 0;
        }
        sbuf_printf(&row, "%s%s,", row.size ? " " : "", x);
    }
    put_line(out, 1, "%s", row.data);
    sbuf_puts(out, "};\n\n");
    sbuf_free(&row);
}

/* Callers first, so that only what they call is written; then callees to the front. */
static void put_module(emitter_t *c, sbuf_t *out) {
    const module_t *m = c->m;
    sbuf_t *text = ARENA_ARRAY(c->arena, sbuf_t, m->n_funcs + 1);
    for (size_t k = m->n_funcs; k-- > 0;)
        if (m->funcs[k]->kind == FN_ENTRY || is_used(c, m->funcs[k]))
            put_function(c, m->funcs[k], &text[k]);
    for (size_t k = 0; k < m->n_buffers; k++)
        if (is_used(c, m->buffers[k])) put_table(c, m->buffers[k], out);
    for (size_t k = 0; k < m->n_funcs; k++) {
        if (text[k].size) sbuf_write(out, text[k].data, text[k].size);
        sbuf_free(&text[k]);
    }
}

static const char *part_suffix(const emitter_t *c, int k) {
    const char *name = plan_part_name(c->plan, k, c->arena);
    return *name ? arena_printf(c->arena, "_%s", name) : "";
}

/* Two models may stand in one translation unit, each with a kernel local_attention, a type f32x8, a helper
 * load_f32x8 of its own. Inside of a region such a name stands for one with the model's prefix, so that the
 * code keeps its short ones. */
void put_own_name(emitter_t *c, const char *name, bool define, sbuf_t *out) {
    if (!define) {
        sbuf_printf(out, "#undef %s\n", name);
        return;
    }
    const char *own = own_name(c, name); /* a table may be called variants, a kernel forward */
    bool fits = strlen("#define ") + strlen(name) + 1 + strlen(own) <= COLUMNS;
    sbuf_printf(out, "#define %s %s%s\n", name, fits ? "" : "\\\n", own);
}

static void put_own_names(emitter_t *c, bool define, sbuf_t *out) {
    for (size_t k = 0; k < c->n_own; k++) put_own_name(c, c->own[k], define, out);
    sbuf_puts(out, "\n");
}

static void note_globals(emitter_t *c) {
    for (size_t k = 0; k < c->n_globals; k++)
        if (c->global[k].used && c->global[k].what != module_entry(c->m))
            ARENA_PUSH(c->arena, c->own, c->n_own, c->cap_own) = c->global[k].name;
}

/* All parts of one target. */
static void put_region(emitter_t *c, int rank, const char **run, sbuf_t *out) {
    const plan_t *p = c->plan;
    const target_t *t = plan_module(p, rank * p->n_variants)->target;
    c->target = t;
    c->target_suffix = p->n_targets > 1 ? arena_printf(c->arena, "_%s", t->suffix) : "";
    c->prelude = prelude_new(c->arena);
    c->n_own = 0;
    sbuf_t prelude = {0}, code = {0};
    for (int k = 0; k < plan_parts(p); k++) {
        if (plan_target(p, k) != rank) continue;
        c->m = plan_module(p, k);
        c->suffix = arena_printf(c->arena, "%s%s", part_suffix(c, k), c->target_suffix);
        if (!module_entry(c->m)) bug("module '%s' without an entry", c->m->name);
        name_globals(c);
        put_module(c, &code);
        note_globals(c);
        run[k] = c_func_name(c, module_entry(c->m));
    }
    put_comment(out, 0, "---- %s %.*s", t->name, (int)(70 - strlen(t->name)),
                "-------------------------------------------------------------------------");
    put_target_open(t, out);
    sbuf_puts(out, "\n");
    put_prelude(c, &prelude);
    put_own_names(c, true, out);
    sbuf_write(out, prelude.data, prelude.size);
    sbuf_puts(out, "\n");
    sbuf_join(out, &code);
    put_own_names(c, false, out);
    put_target_close(t, out);
    sbuf_puts(out, "\n");
    sbuf_free(&prelude);
}

/* ---- the descriptor ---------------------------------------------------------------------------------------- */

static const char *cpu_name(int target) {
    static const char *const names[] = {
        [REFORMER_CPU_X86_64] = "REFORMER_CPU_X86_64",
        [REFORMER_CPU_X86_64_V3] = "REFORMER_CPU_X86_64_V3",
        [REFORMER_CPU_X86_64_V4] = "REFORMER_CPU_X86_64_V4",
        [REFORMER_CPU_AARCH64] = "REFORMER_CPU_AARCH64",
        [REFORMER_CPU_X86_64_V3_VNNI] = "REFORMER_CPU_X86_64_V3_VNNI",
        [REFORMER_CPU_X86_64_V4_VNNI] = "REFORMER_CPU_X86_64_V4_VNNI",
        [REFORMER_CPU_X86_64_V4_BF16] = "REFORMER_CPU_X86_64_V4_BF16",
        [REFORMER_CPU_AARCH64_BF16] = "REFORMER_CPU_AARCH64_BF16",
        [REFORMER_CPU_WASM32] = "REFORMER_CPU_WASM32"};
    return names[target];
}

static void put_number(sbuf_t *out, int depth, const char *field, int64_t x) {
    if (x) put_line(out, depth, ".%s = %lld,", field, (long long)x);
}

static void put_size(sbuf_t *out, int depth, const char *field, size_t x) {
    if (x) put_line(out, depth, ".%s = %zu,", field, x);
}

static void put_variant(const reformer_variant_t *v, const char *run, sbuf_t *out) {
    put_line(out, 1, "{");
    put_line(out, 2, ".target = %s,", cpu_name(v->target));
    put_number(out, 2, "max_length", v->max_length);
    put_number(out, 2, "unit", v->unit);
    put_number(out, 2, "padded", v->padded);
    put_number(out, 2, "rows", v->rows);
    put_number(out, 2, "unpadded", v->unpadded);
    put_number(out, 2, "absent", v->absent);
    put_number(out, 2, "hashes", v->hashes);
    put_size(out, 2, "workspace_bytes", v->workspace_bytes);
    put_size(out, 2, "workspace_per_unit", v->workspace_per_unit);
    put_size(out, 2, "scratch_bytes", v->scratch_bytes);
    put_size(out, 2, "scratch_per_unit", v->scratch_per_unit);
    put_line(out, 2, ".run = %s,", run);
    put_line(out, 1, "},");
}

static const char *const head_names[] = {
    [REFORMER_HEAD_NONE] = "REFORMER_HEAD_NONE",
    [REFORMER_HEAD_CAUSAL_LM] = "REFORMER_HEAD_CAUSAL_LM",
    [REFORMER_HEAD_MASKED_LM] = "REFORMER_HEAD_MASKED_LM",
    [REFORMER_HEAD_CLASSIFIER] = "REFORMER_HEAD_CLASSIFIER",
    [REFORMER_HEAD_QA] = "REFORMER_HEAD_QA",
};
static const char *const loss_names[] = {
    [REFORMER_LOSS_NONE] = "REFORMER_LOSS_NONE",
    [REFORMER_LOSS_CROSS_ENTROPY] = "REFORMER_LOSS_CROSS_ENTROPY",
    [REFORMER_LOSS_QA] = "REFORMER_LOSS_QA",
    [REFORMER_LOSS_MSE] = "REFORMER_LOSS_MSE",
    [REFORMER_LOSS_BCE] = "REFORMER_LOSS_BCE",
};

/* Bytes of the parts of a cache; the array's name. */
static const char *put_parts(emitter_t *c, const char *name, const size_t *bytes, int n,
                             sbuf_t *out) {
    if (n == 0) return NULL;
    name = own_name(c, name);
    put_line(out, 0, "static const size_t %s[] = {", name);
    for (int i = 0; i < n; i++) put_line(out, 1, "%zu,", bytes[i]);
    put_line(out, 0, "};");
    return name;
}

/* Where gradients stand: a line per stack, and the layers of each; the array's name. */
static const char *put_stacks(emitter_t *c, const reformer_desc_t *d, sbuf_t *out) {
    const char **layers = ARENA_ARRAY(c->arena, const char *, d->n_stacks);
    for (int i = 0; i < d->n_stacks; i++) {
        const reformer_stack_t *s = &d->stacks[i];
        if (!s->layers) continue;
        sbuf_t list = {0};
        for (int k = 0; k < s->count; k++) sbuf_printf(&list, "%s%d", k ? ", " : "", s->layers[k]);
        for (int k = 0; k < i && !layers[i]; k++) {
            const reformer_stack_t *o = &d->stacks[k];
            size_t bytes = sizeof *s->layers * (size_t)s->count;
            if (o->layers && o->count == s->count && memcmp(o->layers, s->layers, bytes) == 0)
                layers[i] = layers[k];
        }
        if (!layers[i]) {
            layers[i] = own_name(c, "layers");
            put_line(out, 0, "static const int32_t %s[] = {%s};", layers[i], list.data);
        }
        sbuf_free(&list);
    }
    const char *name = own_name(c, "stacks");
    put_line(out, 0, "static const reformer_stack_t %s[] = {", name);
    for (int i = 0; i < d->n_stacks; i++) {
        const reformer_stack_t *s = &d->stacks[i];
        const char *shape = "";
        for (int k = 0; k < s->rank; k++)
            shape =
                arena_printf(c->arena, "%s%s%lld", shape, k ? ", " : "", (long long)s->shape[k]);
        put_line(out, 1, "{%s, %d, {%s}, %d, %s, %zu},", c_string(c->arena, s->name), s->rank,
                 shape, s->count, layers[i] ? layers[i] : "0", s->offset);
    }
    put_line(out, 0, "};");
    return name;
}

static void put_train_fields(const reformer_desc_t *d, const char *trains, const char *stacks,
                             sbuf_t *out) {
    if (!d->trains) return;
    put_line(out, 1, ".trains = %s,", trains);
    put_line(out, 1, ".train_loss = %s,", loss_names[d->train_loss]);
    put_line(out, 1, ".stacks = %s,", stacks);
    put_number(out, 1, "n_stacks", d->n_stacks);
    put_size(out, 1, "gradients_bytes", d->gradients_bytes);
    put_number(out, 1, "train_positions", d->train_positions);
}

/* Names of the arrays and of the training. */
typedef struct {
    const char *updates, *training, *rotations;
} learning_t;

static void put_learning_fields(const reformer_desc_t *d, const learning_t *l, sbuf_t *out) {
    if (!d->updates) return;
    put_line(out, 1, ".updates = %s,", l->updates);
    put_line(out, 1, ".training = &%s,", l->training);
    put_line(out, 1, ".state_bytes = {%zu, %zu, %zu},", d->state_bytes[0], d->state_bytes[1],
             d->state_bytes[2]);
    if (l->rotations) put_line(out, 1, ".rotations = %s,", l->rotations);
    put_number(out, 1, "n_rotations", d->n_rotations);
}

static void put_decoder_fields(const reformer_desc_t *d, const char *variants, const char *prefills,
                               const char *steps, const char *const *parts, sbuf_t *out) {
    if (!d->steps) return;
    put_line(out, 1, ".prefills = %s,", d->prefills == d->variants ? variants : prefills);
    put_line(out, 1, ".steps = %s,", steps);
    put_number(out, 1, "positions", d->positions);
    if (d->n_cache_parts) put_line(out, 1, ".cache_parts = %s,", parts[0]);
    if (d->n_record_parts) put_line(out, 1, ".record_parts = %s,", parts[1]);
    put_number(out, 1, "n_cache_parts", d->n_cache_parts);
    put_number(out, 1, "n_record_parts", d->n_record_parts);
}

/* The LSH layers, where they differ; the array's name. */
static const char *put_lsh_layers(emitter_t *c, const reformer_desc_t *d, sbuf_t *out) {
    if (!d->lsh) return NULL;
    const char *name = own_name(c, "lsh_layers");
    put_line(out, 0, "static const reformer_lsh_t %s[] = { /* chunk, heads, rounds, buckets + 1 */",
             name);
    for (int64_t i = 0; i < d->lsh_layers; i++) {
        const reformer_lsh_t *l = &d->lsh[i];
        put_line(out, 1, "{%lld, %lld, %lld, %lld},", (long long)l->chunk, (long long)l->heads,
                 (long long)l->rounds, (long long)l->max_bucket);
    }
    put_line(out, 0, "};");
    return name;
}

static void put_desc_fields(emitter_t *c, const reformer_desc_t *d, const char *variants,
                            const char *lsh, sbuf_t *out) {
    put_line(out, 1, ".size = sizeof(reformer_desc_t),");
    put_line(out, 1, ".abi = REFORMER_ABI,");
    put_line(out, 1, ".sizes = REFORMER_SIZES,");
    put_line(out, 1, ".version = %s,", c_string(c->arena, d->version));
    put_line(out, 1, ".name = %s,", c_string(c->arena, d->name));
    put_line(out, 1, ".fingerprint = UINT64_C(0x%016llx),", (unsigned long long)d->fingerprint);
    put_line(out, 1, ".weights_bytes = UINT64_C(%llu),", (unsigned long long)d->weights_bytes);
    put_line(out, 1, ".head = %s,", head_names[d->head]);
    put_number(out, 1, "batch", d->batch);
    put_number(out, 1, "hidden", d->hidden);
    put_number(out, 1, "vocab", d->vocab);
    put_number(out, 1, "labels", d->labels);
    put_number(out, 1, "pad_token", d->pad_token);
    put_number(out, 1, "max_length", d->max_length);
    put_number(out, 1, "lsh_layers", d->lsh_layers);
    put_number(out, 1, "heads", d->heads);
    put_number(out, 1, "rounds", d->rounds);
    put_number(out, 1, "max_bucket", d->max_bucket);
    put_number(out, 1, "imposes_buckets", d->imposes_buckets);
    put_line(out, 1, ".float_loss = %s,", loss_names[d->float_loss]);
    put_number(out, 1, "label_is_float", d->label_is_float);
    put_line(out, 1, ".n_variants = (int)(sizeof %s / sizeof %s[0]),", variants, variants);
    put_line(out, 1, ".variants = %s,", variants);
    if (lsh) put_line(out, 1, ".lsh = %s,", lsh);
}

/* An array of the parts of one kind; its name. */
static const char *put_variants(emitter_t *c, part_t kind, const char *name,
                                const reformer_variant_t *v, const char *const *run, sbuf_t *out) {
    name = own_name(c, name);
    put_line(out, 0, "static const reformer_variant_t %s[] = {", name);
    for (int k = 0; k < plan_parts(c->plan); k++)
        if (plan_part(c->plan, k) == kind) put_variant(&v[k], run[k], out);
    put_line(out, 0, "};");
    return name;
}

static const char *put_descriptor(emitter_t *c, const reformer_desc_t *d,
                                  const reformer_variant_t *v, const char *const *run,
                                  sbuf_t *out) {
    put_comment(out, 0, "---- description %.*s", 59,
                "-------------------------------------------------------------------------");
    const char *variants = put_variants(c, PART_FORWARD, "variants", v, run, out);
    const char *prefills = NULL, *steps = NULL;
    if (d->prefills && d->prefills != d->variants)
        prefills = put_variants(c, PART_PREFILL, "prefills", v, run, out);
    const char *parts[] = {NULL, NULL};
    if (d->steps) {
        steps = put_variants(c, PART_STEP, "steps", v, run, out);
        parts[0] = put_parts(c, "cache_parts", d->cache_parts, d->n_cache_parts, out);
        parts[1] = put_parts(c, "record_parts", d->record_parts, d->n_record_parts, out);
    }
    const char *trains = variants, *stacks = NULL;
    if (d->trains && d->trains != d->variants)
        trains = put_variants(c, PART_TRAIN, "trains", v, run, out);
    if (d->trains) stacks = put_stacks(c, d, out);
    learning_t learning = {0};
    if (d->updates) {
        learning.updates = put_variants(c, PART_UPDATE, "updates", v, run, out);
        learning.training = put_training(c, d->training, out);
        learning.rotations = put_drawn_rotations(c, d, out);
    }
    const char *lsh = put_lsh_layers(c, d, out), *desc = own_name(c, "description");
    put_line(out, 0, "static const reformer_desc_t %s = {", desc);
    put_desc_fields(c, d, variants, lsh, out);
    put_decoder_fields(d, variants, prefills, steps, parts, out);
    put_train_fields(d, trains, stacks, out);
    put_learning_fields(d, &learning, out);
    put_line(out, 0, "};\n");
    return desc;
}

/* ---- what a product calls ------------------------------------------------------------------------------- */

/* %N: the prefix, %D: the descriptor, %M: m as the runtime's, which is all that a model's own type holds. */
static const struct {
    duty_t duty;
    const char *head, *call;
} interface[] = {
    {DUTY_ALL, "size_t %N_workspace_bytes(size_t length, int threads)",
     "reformer_workspace_bytes(&%D, length, threads)"},
    {DUTY_ALL, "int %N_bind(%N_t *m, const void *weights, size_t bytes)",
     "reformer_bind((reformer_model_t *)m, &%D, weights, bytes)"},
    {DUTY_ALL, "int %N_explain(const void *weights, size_t bytes, char *text, size_t room)",
     "reformer_explain(&%D, weights, bytes, text, room)"},
    {DUTY_ALL, "int %N_check_weights(const %N_t *m)", "reformer_check_weights(&%D, %M)"},
    {DUTY_ALL, "const char *%N_target(const %N_t *m)", "reformer_target(%M)"},
    {DUTY_ALL, "int %N_forward(const %N_t *m, const %N_io_t *io, void *workspace, size_t bytes)",
     "reformer_forward(&%D, %M, io, workspace, bytes)"},
    {DUTY_ALL, "const char *%N_strerror(int code)", "reformer_strerror(code)"},
    {DUTY_ALL, "const char *%N_version(void)", "reformer_translator(&%D)"},
    {DUTY_GENERATES, "size_t %N_cache_bytes(size_t length)", "reformer_cache_bytes(&%D, length)"},
    {DUTY_GENERATES, "int %N_cache_init(void *cache, size_t bytes, size_t length)",
     "reformer_cache_init(&%D, cache, bytes, length)"},
    {DUTY_GENERATES, "int %N_cache_check(const void *cache, size_t bytes)",
     "reformer_cache_check(&%D, cache, bytes)"},
    {DUTY_GENERATES, "size_t %N_cache_tokens(const void *cache, size_t row)",
     "reformer_cache_tokens(cache, row)"},
    {DUTY_GENERATES, "int %N_cache_copy_row(void *cache, size_t from, size_t to)",
     "reformer_cache_copy_row(&%D, cache, from, to)"},
    {DUTY_GENERATES, "size_t %N_decode_bytes(size_t length, int threads)",
     "reformer_decode_bytes(&%D, length, threads)"},
    {DUTY_GENERATES,
     "int %N_prefill(const %N_t *m, const %N_decode_t *io, void *cache, void *workspace, "
     "size_t bytes)",
     "reformer_prefill(&%D, %M, io, cache, workspace, bytes)"},
    {DUTY_GENERATES,
     "int %N_step(const %N_t *m, const %N_decode_t *io, void *cache, void *workspace, "
     "size_t bytes)",
     "reformer_step(&%D, %M, io, cache, workspace, bytes)"},
    {DUTY_TRAINS, "size_t %N_gradients_bytes(void)", "reformer_gradients_bytes(&%D)"},
    {DUTY_TRAINS, "int %N_gradient(size_t i, reformer_tensor_t *t)",
     "reformer_gradient(&%D, i, t)"},
    {DUTY_TRAINS, "size_t %N_train_bytes(size_t length, int threads)",
     "reformer_train_bytes(&%D, length, threads)"},
    {DUTY_TRAINS,
     "int %N_gradients(const %N_t *m, const %N_io_t *io, float *gradients, "
     "size_t gradients_bytes, void *workspace, size_t bytes)",
     "reformer_gradients(&%D, %M, io, gradients, gradients_bytes, workspace, bytes)"},
    {DUTY_LEARNS, "size_t %N_trainer_bytes(size_t micro_batches)",
     "reformer_trainer_bytes(&%D, micro_batches)"},
    {DUTY_LEARNS, "size_t %N_trainer_workspace(size_t length, int threads)",
     "reformer_trainer_workspace(&%D, length, threads)"},
    {DUTY_LEARNS,
     "int %N_trainer_begin(%N_trainer_t *t, const %N_t *m, void *weights, void *memory, "
     "size_t memory_bytes, size_t micro_batches, void *workspace, size_t bytes)",
     "reformer_trainer_begin(&%D, (reformer_trainer_t *)t, %M, weights, memory, memory_bytes, "
     "micro_batches, workspace, bytes)"},
    {DUTY_LEARNS,
     "int %N_trainer_resume(%N_trainer_t *t, const %N_t *m, void *weights, void *memory, "
     "size_t memory_bytes, size_t micro_batches, int64_t step)",
     "reformer_trainer_resume(&%D, (reformer_trainer_t *)t, %M, weights, memory, memory_bytes, "
     "micro_batches, step)"},
    {DUTY_LEARNS,
     "int %N_train_step(%N_trainer_t *t, const %N_io_t *io, size_t n, "
     "%N_train_report_t *report, void *workspace, size_t bytes)",
     "reformer_train_step(&%D, (reformer_trainer_t *)t, io, n, report, workspace, bytes)"},
    {DUTY_LEARNS, "int %N_sign_weights(void *weights, size_t bytes)",
     "reformer_sign_weights(&%D, weights, bytes)"},
};

bool plan_has_duty(const plan_t *p, duty_t duty) {
    switch (duty) {
    case DUTY_ALL: return true;
    case DUTY_GENERATES: return p->step != NULL;
    case DUTY_TRAINS: return p->trains != NULL;
    case DUTY_LEARNS: break;
    }
    return p->updates;
}

static const char *fill_in(arena_t *a, const char *text, const char *name, const char *desc) {
    sbuf_t s = {0};
    for (const char *p = text; *p; p++) {
        if (*p != '%') sbuf_write(&s, p, 1);
        else if (*++p == 'M') sbuf_puts(&s, "(const reformer_model_t *)m");
        else sbuf_puts(&s, *p == 'N' ? name : desc);
    }
    const char *r = arena_strdup(a, s.data);
    sbuf_free(&s);
    return r;
}

static void put_interface(emitter_t *c, const char *desc, sbuf_t *out) {
    for (size_t k = 0; k < sizeof interface / sizeof *interface; k++) {
        if (!plan_has_duty(c->plan, interface[k].duty)) continue;
        put_line(out, 0, "%s {", fill_in(c->arena, interface[k].head, c->plan->name, desc));
        put_line(out, 1, "return %s;", fill_in(c->arena, interface[k].call, c->plan->name, desc));
        put_line(out, 0, "}");
    }
}

static void reserve_interface(emitter_t *c) {
    static const char *const ends[] = {"_t",
                                       "_io_t",
                                       "_workspace_bytes",
                                       "_bind",
                                       "_explain",
                                       "_check_weights",
                                       "_target",
                                       "_forward",
                                       "_strerror",
                                       "_version",
                                       "_decode_t",
                                       "_cache_bytes",
                                       "_cache_init",
                                       "_cache_check",
                                       "_cache_tokens",
                                       "_cache_copy_row",
                                       "_decode_bytes",
                                       "_prefill",
                                       "_step",
                                       "_gradients_bytes",
                                       "_gradient",
                                       "_train_bytes",
                                       "_gradients",
                                       "_trainer_t",
                                       "_train_report_t",
                                       "_trainer_bytes",
                                       "_trainer_workspace",
                                       "_trainer_begin",
                                       "_trainer_resume",
                                       "_train_step",
                                       "_sign_weights",
                                       "_embedded_weights",
                                       "_weights_begin",
                                       "_weights_end"};
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
        names_reserve(c->globals, arena_printf(c->arena, "%s%s", c->plan->name, ends[k]));
    /* fields of a call, which the macros of put_own_names() must not rename */
    static const char *const fields[] = {"weights", "workspace", "scratch", "slot", "units"};
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        names_reserve(c->globals, fields[k]);
}

void emit_c(const plan_t *p, const emit_c_options_t *o, sbuf_t *source, sbuf_t *header) {
    if (!p->modules) bug("emit_c of a plan that is not lowered");
    arena_t *a = arena_new();
    emitter_t c = {.plan = p, .o = o, .lasting = a, .arena = a, .globals = names_new(a, NULL)};
    int n = plan_parts(p);
    reformer_desc_t d;
    reformer_variant_t *v = ARENA_ARRAY(a, reformer_variant_t, n);
    const char **run = ARENA_ARRAY(a, const char *, n);
    plan_describe(p, &d, v);
    reserve_interface(&c);
    sbuf_t body = {0};
    for (int rank = 0; rank < p->n_targets; rank++) put_region(&c, rank, run, &body);
    const char *desc = put_descriptor(&c, &d, v, run, &body);
    put_interface(&c, desc, &body);
    if (o->weights_file) put_embedded_weights(&c, &body);
    runtime_t *r = o->standalone ? runtime_of(&c, body.data) : NULL;
    put_opening(&c, source);
    if (r) put_runtime_features(r, source);
    put_guards(&c, source);
    if (r) put_runtime(r, source);
    sbuf_join(source, &body);
    if (r) put_runtime_end(r, source);
    put_end(source);
    if (o->selftest) put_selftest(&c, source);
    put_header(&c, &d, v, header);
    arena_free(a);
}

void emit_header(const plan_t *p, const emit_c_options_t *o, sbuf_t *header) {
    arena_t *a = arena_new();
    emitter_t c = {.plan = p, .o = o, .lasting = a, .arena = a};
    reformer_desc_t d;
    reformer_variant_t *v = ARENA_ARRAY(a, reformer_variant_t, plan_parts(p));
    plan_describe(p, &d, v);
    put_header(&c, &d, v, header);
    arena_free(a);
}
