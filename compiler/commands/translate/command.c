/* reformerc MODEL -o OUT: the translation.
 *
 * In: a spec, config.json or checkpoint folder; a .graph file; or a .rir file of loop IR. Out: what
 * the suffix of OUT asks for (write.h). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/name.h"
#include "cli/product.h"
#include "commands/commands.h"
#include "commands/translate/depfile.h"
#include "commands/translate/header.h"
#include "commands/translate/prefix.h"
#include "commands/translate/write.h"
#include "cost/budget.h"
#include "emit/llvm.h"
#include "session/session.h"
#include "session/stages.h"
#include "support/file.h"
#include "support/heap.h"

/* ---- what OUT's suffix asks for -------------------------------------------------------------- */

static const struct {
    const char *suffix;
    out_kind_t kind;
} kinds[] = {{".c", OUT_C},        {".rir", OUT_RIR},  {".graph", OUT_GRAPH}, {".ll", OUT_LL},
             {".s", OUT_ASSEMBLY}, {".o", OUT_OBJECT}, {".so", OUT_LIBRARY}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static bool is_llvm(out_kind_t kind) {
    return kind >= OUT_LL && kind <= OUT_LIBRARY;
}

/* What is written has a header, which must not stand in the place of another. */
static out_kind_t checked_kind(const options_t *o, out_kind_t kind, diag_t *d) {
    const char *out = o->text[OPT_OUTPUT];
    if (is_llvm(kind) && !llvm_version()) {
        diag_error(d, IN_FILE(out), "'%s' needs the LLVM back end, which this build does not have",
                   path_suffix(out));
        diag_hint(d, "%s; or write a .c file and compile it: reformerc --cflags", LLVM_MISSING);
        return OUT_BAD;
    }
    return kind == OUT_RIR || kind == OUT_GRAPH || header_name_check(o->arena, out, d) ? kind
                                                                                       : OUT_BAD;
}

static out_kind_t out_kind(const options_t *o, diag_t *d) {
    const char *out = o->text[OPT_OUTPUT];
    if (!out) return OUT_NOTHING;
    if (strcmp(out, "-") == 0) return OUT_C_STDOUT;
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(path_suffix(out), kinds[i].suffix) == 0)
            return checked_kind(o, kinds[i].kind, d);
    bool wasm = strcmp(path_suffix(out), ".wasm") == 0;
    diag_error(
        d, IN_FILE(out),
        "the suffix decides what is written: .c, .graph, .rir, .ll, .s, .o, .so, or '-' for C on "
        "stdout");
    if (wasm)
        diag_hint(
            d,
            "a module is linked from model.c of --target wasm32 and the runtime: runtime/web/build.sh");
    return OUT_BAD;
}

/* ---- a spec or graph ------------------------------------------------------------------------- */

/* They decide about the code of what learns, and are read before it is written: rotations from a
 * file stay as they are, as in `train`. */
static bool load_weights(session_t *s) {
    bool learns = s->plan->update != NULL;
    if (!s->weights && learns && s->o->given[OPT_ROTATIONS]) {
        diag_error(
            s->d, IN_FILE("--rotations"),
            "this product learns with the rotations of its weights file, and none is written");
        diag_hint(s->d, "--weights FILE, or --weights random");
        return false;
    }
    if (!s->weights) return true;
    if (!session_weights(s)) return false;
    if (learns) plan_keep_rotations(s->plan, s->store);
    return true;
}

/* Of what is written, and of weights to be there. */
static bool check_embedding(const session_t *s, out_kind_t kind) {
    if (!s->o->given[OPT_EMBED_WEIGHTS]) return true;
    bool fits = kind == OUT_C || is_llvm(kind);
    if (fits && s->weights) return true;
    if (!fits) diag_error(s->d, IN_FILE("--embed-weights"), "is for .c, .o, .so, .s and .ll");
    else {
        diag_error(s->d, IN_FILE("--embed-weights"), "there are no weights");
        diag_hint(s->d, "--weights FILE, or --weights random");
    }
    return false;
}

/* Of WebAssembly, whose assembler knows no .incbin: LLVM's objects alone. */
static bool check_embedding_target(const session_t *s, out_kind_t kind) {
    if (!s->o->given[OPT_EMBED_WEIGHTS] || kind == OUT_OBJECT) return true;
    if (target_family(s->plan->targets[0]) != FAMILY_WASM) return true;
    diag_error(s->d, IN_FILE("--embed-weights"),
               "for wasm32 is for .o alone: WebAssembly's assembler has no .incbin");
    return false;
}

static bool check_stdout_weights(const session_t *s) {
    if (!s->o->given[OPT_WEIGHTS]) return true;
    diag_error(s->d, IN_FILE("--weights"), "with '-o -' there is no place for a weights file");
    return false;
}

/* A plan may be imposed buckets at run time; the file itself is only checked to be one. */
static bool check_buckets_file(const options_t *o, diag_t *d) {
    if (!o->given[OPT_BUCKETS]) return true;
    st_file_t *f = st_open(o->text[OPT_BUCKETS], d);
    if (f) st_close(f);
    return f != NULL;
}

/* What goes somewhere else: any length, any CPU of the architecture, unless somebody says so. A
 * .rir file holds one module, and what only looks at stages looks at one. */
static bool is_product(out_kind_t kind) {
    return kind != OUT_RIR && kind != OUT_NOTHING;
}

/* What C alone can do: a library has the runtime inside anyway. */
static bool check_c_options(const options_t *o, out_kind_t kind, diag_t *d) {
    static const option_id_t of_c[] = {OPT_STANDALONE, OPT_SELFTEST};
    static const char *const names[] = {"--standalone", "--selftest"};
    for (size_t i = 0; i < sizeof of_c / sizeof *of_c; i++) {
        if (!o->given[of_c[i]] || kind == OUT_C) continue;
        diag_error(d, IN_FILE(names[i]), "is for C: -o FILE.c, with FILE.h beside it");
        return false;
    }
    return true;
}

static bool translate(session_t *s, out_kind_t kind) {
    const options_t *o = s->o;
    if (!check_c_options(o, kind, s->d)) return false;
    if (!check_buckets_file(o, s->d) || !session_spec(s)) return false;
    bool named_by_model = kind == OUT_C_STDOUT || kind == OUT_NOTHING;
    session_plan_t want = session_translation(s, is_product(kind));
    want.trace = o->given[OPT_DUMP_ACTIVATIONS];
    want.impose_buckets = o->given[OPT_BUCKETS];
    want.instrument = o->given[OPT_INSTRUMENT];
    if (kind == OUT_GRAPH) { /* the others follow from the forward */
        want.decodes = false;
        want.train = TRAIN_NOT;
    }
    want.name =
        prefix_name(s->arena, s->spec, named_by_model ? o->model : o->text[OPT_OUTPUT], s->d);
    if (!want.name) return false;
    if (kind == OUT_C_STDOUT && !check_stdout_weights(s)) return false;
    if (!check_embedding(s, kind)) return false;
    if (!session_plan(s, &want) || !check_embedding_target(s, kind)) return false;
    if (kind == OUT_GRAPH) return write_graph(s);
    if (!session_lower(s)) return false;
    buckets_taken_t taken = session_buckets(s);
    buckets_warn_ahead(&taken, s->d);
    if (!check_budgets(s->plan, o->threads ? o->threads : 1, s->d)) return false;
    if (kind != OUT_NOTHING && !plan_check_addresses(s->plan, o->model, s->d)) return false;
    plan_tell_origin(s->plan);
    bool packs = is_product(kind) && kind != OUT_C_STDOUT;
    if (packs && !load_weights(s)) return false;
    switch (kind) {
    case OUT_C: return write_c(s, false);
    case OUT_C_STDOUT: return write_c(s, true);
    case OUT_RIR: return write_rir(s);
    case OUT_NOTHING:
    case OUT_BAD: return true;
    default: return write_machine_code(s, kind);
    }
}

/* ---- loop IR --------------------------------------------------------------------------------- */

/* Parses, verifies, runs the passes, and prints where OUT says so. */
static bool process_rir(const options_t *o, out_kind_t kind, diag_t *d) {
    arena_t *a = o->arena;
    if (kind != OUT_NOTHING && kind != OUT_RIR) {
        diag_error(d, IN_FILE(o->model),
                   "loop IR can be verified and written as .rir; code needs the spec");
        return false;
    }
    if (!check_stage_name(o, d)) return false;
    size_t bytes;
    char *read = file_read(o->model, 0, &bytes, d);
    if (!read) return false;
    char *text = arena_copy(a, read, bytes + 1); /* messages quote it */
    heap_free(read);
    diag_source(d, o->model, text, bytes);
    module_t *m = module_parse(a, o->model, text, bytes, d);
    pass_options_t passes = pass_options_of(o);
    bool ok = m && loops_verify(m, d) && loops_run_passes(m, &passes, d);
    return ok && (kind != OUT_RIR || write_module(o, m, d));
}

/* ---- the command ----------------------------------------------------------------------------- */

/* --version and the like: answers on stdout that need no MODEL. -1: none was asked for. */
static int answer_question(const options_t *o, diag_t *d) {
    sbuf_t out = {0};
    if (o->given[OPT_HELP]) help_overview(o->commands, &out);
    else if (o->given[OPT_VERSION]) product_version(&out);
    else if (o->given[OPT_HELP_SPEC]) spec_help(&out);
    else if (o->given[OPT_CFLAGS]) product_cflags(&out);
    if (!o->given[OPT_HELP] && !o->given[OPT_VERSION] && !o->given[OPT_HELP_SPEC] &&
        o->given[OPT_LIBS]) {
        if (out.size) out.data[out.size - 1] = ' '; /* --cflags --libs: one line */
        product_libs(&out);
    }
    if (!out.data) return -1;
    int code = print_out(&out, d) ? 0 : EXIT_VALUE;
    sbuf_free(&out);
    return code;
}

int command_translate(const options_t *o, diag_t *d) {
    int answered = answer_question(o, d);
    if (answered >= 0) return answered;
    bool looks_only = o->given[OPT_DUMP] || o->given[OPT_VERIFY] || o->given[OPT_TIME_PASSES];
    bool is_rir = o->model && strcmp(path_suffix(o->model), ".rir") == 0;
    if (!o->model || (!o->given[OPT_OUTPUT] && !looks_only && !is_rir)) {
        if (o->model && strcmp(o->model, "-") != 0 && access(o->model, F_OK) != 0)
            return no_such_operand(o);
        fprintf(stderr, "reformerc: error: %s\n    see: reformerc --help\n",
                o->model ? "missing -o OUT" : "missing MODEL");
        return EXIT_USAGE;
    }
    out_kind_t kind = out_kind(o, d);
    if (kind == OUT_BAD || !depfile_check(o, d)) return EXIT_VALUE;
    session_t s = session_new(o, d);
    s.advises = true;
    bool ok = is_rir ? process_rir(o, kind, d) : translate(&s, kind);
    session_free(&s);
    return ok ? 0 : EXIT_VALUE;
}
