/* How model.c begins and ends: comment with the compile line, what compilers must not do. */
#include <string.h>

#include "emit/c_int.h"

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

void put_opening(emitter_t *c, sbuf_t *out) {
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

/* What compilers for a family define, where its intrinsics stand, and what else
 * `translated for` has to say. */
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

/* What flags of the compiler may do to results. gcc says each part of -ffast-math by a macro
 * (before gcc 12 only all of them together, by __GCC_IEC_559); clang says few, and
 * REFORMER_REFUSE_FAST_MATH looks. */
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

/* Rounding must be what the loop IR says: one fma where it says fma, none elsewhere; nothing
 * reassociated. What follows the model in its translation unit is compiled as it was (put_end). */
void put_guards(emitter_t *c, sbuf_t *out) {
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

void put_end(sbuf_t *out) {
    sbuf_puts(out, "\n#pragma pop_macro(\"INLINE\")\n"
                   "#if defined(__clang__) && defined(__x86_64__)\n"
                   "#pragma float_control(pop)\n"
                   "#elif !defined(__clang__)\n"
                   "#pragma GCC pop_options\n"
                   "#endif\n");
}
