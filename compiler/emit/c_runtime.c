/* What a model needs of the runtime, as a part of model.c (--standalone).
 *
 * In: the text of model.c, and the runtime's files (runtime_files.h). Out: the pieces of those
 * files that the text mentions, and what these mention in turn, in the runtime's order and words.
 * Everything is static, but for the functions that a product calls itself; names of one file get a
 * prefix, since two files may have one name, and all stand behind macros with the model's,
 * as those of kernels do.
 *
 * Types and constants of the public headers stand in model.h, as a whole: headers of several
 * models, and the library's own, may be read together, and the first one serves all. */
#include <string.h>

#include "emit/c_runtime.h"
#include "emit/runtime_files.h"

/* With parentheses: a structure may be called as a function is. */
static void put_export_name(const char *prefix, const char *name, sbuf_t *out) {
    sbuf_printf(out, "#define %s(...) \\\n    %s_%s(__VA_ARGS__)\n", name, prefix, name);
}

/* ---- the public headers, in model.h ---------------------------------------------------------- */

static const char *text_of(const char *file) {
    for (const runtime_file_t *f = runtime_files; f->name; f++)
        if (strcmp(f->name, file) == 0) return f->text;
    bug("the runtime has no file %s", file);
}

/* Without its includes of our own headers. */
static void put_header_text(const char *text, sbuf_t *out) {
    for (const char *end; *text; text = end) {
        end = strchr(text, '\n');
        end = end ? end + 1 : text + strlen(text);
        if (strncmp(text, "#include \"", 10) != 0) sbuf_write(out, text, (size_t)(end - text));
    }
}

void put_runtime_header(const emitter_t *c, sbuf_t *out) {
    const plan_t *p = c->plan;
    put_comment(
        out, 0,
        "The runtime's header, which all models share. Of several models' headers the first "
        "one brings it.");
    sbuf_printf(out,
                "#ifdef REFORMER_RT_H\n#if REFORMER_ABI != %d\n"
                "#error \"a header of another version of reformerc stands before this one\"\n"
                "#endif\n#else\n",
                REFORMER_ABI);
    for (const runtime_export_t *x = runtime_exports; x->name; x++)
        if (plan_has_duty(p, x->duty)) put_export_name(p->name, x->name, out);
    sbuf_puts(out, "#endif\n");
    put_header_text(text_of("reformer_rt.h"), out);
    sbuf_puts(out, "\n");
    if (!plan_has_duty(p, DUTY_GENERATES)) return;
    put_header_text(text_of("reformer_generate.h"), out);
    sbuf_puts(out, "\n");
}

/* ---- macros ---------------------------------------------------------------------------------- */

static bool is_macro(const runtime_t *r, const entry_t *e) {
    return r->file[e->file].piece[e->piece].kind == PIECE_MACRO;
}

/* A public header has given an exported function the name already, but where
 * another header came first. */
static void put_export(const runtime_t *r, const char *name, bool define, sbuf_t *out) {
    if (!define) {
        sbuf_printf(out, "#undef %s\n#pragma pop_macro(\"%s\")\n", name, name);
        return;
    }
    sbuf_printf(out, "#pragma push_macro(\"%s\")\n#undef %s\n", name, name);
    put_export_name(r->c->plan->name, name, out);
}

typedef enum { OF_THE_RUNTIME, OF_A_FILE } owner_t; /* reformer_…; rt_… */

static void put_macros(const runtime_t *r, owner_t owner, bool define, sbuf_t *out) {
    const char *last = "";
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry_t *e = &r->entry[i];
        if (!r->file[e->file].needed[e->piece] || strcmp(e->shown, last) == 0) continue;
        if (is_runtime_name(e->shown) != (owner == OF_THE_RUNTIME)) continue;
        if (is_macro(r, e) && (define || *e->name.at == '_')) continue;
        last = e->shown;
        if (is_exported(r->c->plan, e->name)) put_export(r, last, define, out);
        else put_own_name(r->c, last, define, out);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

void put_runtime_features(const runtime_t *r, sbuf_t *out) {
    for (int i = 0; i < r->n_files; i++) {
        const file_t *f = &r->file[i];
        for (size_t k = 0; k < f->n && file_is_needed(f); k++) {
            const piece_t *x = &f->piece[k];
            if (!is_feature_macro(x)) continue;
            sbuf_printf(out, "#ifndef %.*s\n", (int)x->names[0].n, x->names[0].at);
            sbuf_write(out, x->begin, (size_t)(x->end - x->begin));
            sbuf_puts(out, "#endif\n");
        }
    }
}

void put_runtime(runtime_t *r, sbuf_t *out) {
    put_comment(
        out, 0,
        "---- runtime "
        "---------------------------------------------------------------\n"
        "What this model needs of it. Calls without a pool start threads themselves (POSIX's: "
        "-pthread); with -DREFORMER_OPENMP -fopenmp they are OpenMP's, with "
        "-DREFORMER_SERIAL there are none but those of a pool that is handed in.");
    put_macros(r, OF_THE_RUNTIME, true, out);
    put_macros(r, OF_A_FILE, true, out);
    sbuf_puts(out, "\n");
    for (int i = 0; i < r->n_files; i++)
        if (file_is_needed(&r->file[i])) put_headers(r, i, out);
    put_prototypes(r, out);
    for (int i = 0; i < r->n_files; i++)
        if (!r->file[i].header && file_is_needed(&r->file[i])) put_file(r, i, out);
    put_macros(r, OF_A_FILE, false, out);
    sbuf_puts(out, "\n");
}

void put_runtime_end(const runtime_t *r, sbuf_t *out) {
    put_macros(r, OF_THE_RUNTIME, false, out);
}
