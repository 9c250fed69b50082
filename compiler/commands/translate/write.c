/* The files of a translation, of a plan that is lowered: all of them complete, or none there.
 * Nothing is opened for writing before everything has been computed. */
#include "commands/translate/write.h"

#include <string.h>

#include "cli/name.h"
#include "commands/translate/depfile.h"
#include "commands/translate/header.h"
#include "commands/translate/link.h"
#include "commands/translate/selftest.h"
#include "emit/llvm.h"
#include "session/stages.h"
#include "support/file.h"
#include "support/heap.h"

enum { MAX_FILES = 6 }; /* of loop IR: one of each part_kind_t; --depfile */
typedef struct {
    const char *path[MAX_FILES];
    const void *data[MAX_FILES];
    size_t bytes[MAX_FILES];
    int n;
} files_t;

static void add_file(files_t *f, const char *path, const void *data, size_t bytes) {
    if (f->n == MAX_FILES) bug("more than %d files", MAX_FILES);
    f->path[f->n] = path;
    f->data[f->n] = data;
    f->bytes[f->n++] = bytes;
}

static bool commit_files(const files_t *f, diag_t *d) {
    output_set_t set = {0};
    bool ok = true;
    for (int i = 0; ok && i < f->n; i++)
        ok = output_set_write(&set, f->path[i], f->data[i], f->bytes[i], d);
    if (ok) return output_set_commit(&set);
    output_set_abort(&set);
    return false;
}

/* All has been read by now. */
static bool write_files(files_t *f, const options_t *o, diag_t *d) {
    sbuf_t rule = {0};
    bool ok = true;
    if (o->given[OPT_DEPFILE]) {
        ok = depfile_put(o, d, &rule);
        add_file(f, o->text[OPT_DEPFILE], rule.data, rule.size);
    }
    ok = ok && commit_files(f, d);
    sbuf_free(&rule);
    return ok;
}

/* ---- C --------------------------------------------------------------------------------------- */

static const char *weights_path(const session_t *s) {
    return replace_suffix(s->arena, s->o->text[OPT_OUTPUT], ".weights");
}

static emit_c_options_t c_options(const session_t *s, const char *header_path) {
    bool embeds = s->o->given[OPT_EMBED_WEIGHTS];
    return (emit_c_options_t){.header_name = file_name(header_path),
                              .trace = s->plan->trace,
                              .impose_buckets = s->plan->impose_buckets,
                              .standalone = s->o->given[OPT_STANDALONE],
                              .weights_file = embeds ? file_name(weights_path(s)) : NULL};
}

/* Packed weights, where there are some; data are the caller's to free. */
typedef struct {
    unsigned char *data;
    size_t bytes;
} packed_weights_t;

static bool pack_weights(session_t *s, packed_weights_t *p) {
    if (!s->weights) return true;
    store_spend(s->store);
    p->data = weights_pack(s->plan->layout, s->store, &p->bytes, s->d);
    if (!p->data) return false;
    if (!s->o->given[OPT_EMBED_WEIGHTS] || p->bytes <= EMBEDDED_BYTES_MAX) return true;
    diag_error(s->d, IN_FILE("--embed-weights"),
               "%zu bytes of weights: code reaches 2 GiB, so these stay a file", p->bytes);
    return false;
}

/* The weights beside the code. */
static void add_weights(session_t *s, files_t *files, const packed_weights_t *p) {
    if (p->data) add_file(files, weights_path(s), p->data, p->bytes);
}

bool write_c(session_t *s, bool to_stdout) {
    const char *out = s->o->text[OPT_OUTPUT];
    const char *header_path =
        to_stdout ? header_name_for(s->arena, s->plan->name) : replace_suffix(s->arena, out, ".h");
    emit_c_options_t eo = c_options(s, header_path);
    sbuf_t source = {0}, header = {0};
    if (s->o->given[OPT_SELFTEST]) eo.selftest = selftest_record(s);
    if (s->o->given[OPT_SELFTEST] && !eo.selftest) return false;
    emit_c(s->plan, &eo, &source, &header);
    files_t files = {0};
    packed_weights_t packed = {0};
    add_file(&files, out, source.data, source.size);
    if (!to_stdout) add_file(&files, header_path, header.data, header.size);
    bool ok = to_stdout || pack_weights(s, &packed);
    add_weights(s, &files, &packed);
    ok = ok && write_files(&files, s->o, s->d);
    sbuf_free(&source);
    sbuf_free(&header);
    heap_free(packed.data);
    return ok;
}

/* ---- machine code ---------------------------------------------------------------------------- */

/* Only this machine's runtime is at hand to be linked. */
static bool check_library(const session_t *s) {
    const target_t *t = s->plan->targets[0];
    bool arm = reformer_cpu_supports(REFORMER_CPU_AARCH64);
    if (target_family(t) == (arm ? FAMILY_ARM : FAMILY_X86)) return true;
    diag_error(s->d, IN_FILE(s->o->text[OPT_OUTPUT]),
               "a library for %s needs a runtime for it, and here is only this machine's", t->name);
    diag_hint(s->d, "write a .o file and link it there");
    return false;
}

static bool make_machine_code(session_t *s, out_kind_t kind, const emit_weights_t *weights,
                              sbuf_t *code) {
    static const llvm_form_t forms[] = {[OUT_LL] = LLVM_TEXT,
                                        [OUT_ASSEMBLY] = LLVM_ASSEMBLY,
                                        [OUT_OBJECT] = LLVM_OBJECT,
                                        [OUT_LIBRARY] = LLVM_OBJECT};
    if (kind != OUT_LIBRARY) return emit_llvm(s->plan, forms[kind], weights, code, s->d);
    sbuf_t object = {0};
    bool ok = check_library(s) && emit_llvm(s->plan, forms[kind], weights, &object, s->d) &&
              link_library(s->arena, s->o->text[OPT_CC], &object, code, s->d);
    sbuf_free(&object);
    return ok;
}

bool write_machine_code(session_t *s, out_kind_t kind) {
    const char *out = s->o->text[OPT_OUTPUT];
    const char *header_path = replace_suffix(s->arena, out, ".h");
    emit_c_options_t eo = c_options(s, header_path);
    sbuf_t code = {0}, header = {0};
    files_t files = {0};
    packed_weights_t packed = {0};
    emit_header(s->plan, &eo, &header);
    bool ok = pack_weights(s, &packed);
    emit_weights_t inside = {eo.weights_file, packed.data, packed.bytes};
    ok = ok && make_machine_code(s, kind, eo.weights_file ? &inside : NULL, &code);
    add_file(&files, out, code.data, code.size);
    add_file(&files, header_path, header.data, header.size);
    bool holds = eo.weights_file && (kind == OUT_OBJECT || kind == OUT_LIBRARY);
    if (!holds) add_weights(s, &files, &packed);
    ok = ok && write_files(&files, s->o, s->d);
    sbuf_free(&code);
    sbuf_free(&header);
    heap_free(packed.data);
    return ok;
}

/* ---- loop IR and graphs as text -------------------------------------------------------------- */

bool write_rir(session_t *s) {
    const plan_t *p = s->plan;
    const char *out = s->o->text[OPT_OUTPUT];
    if (p->n_variants * p->n_targets != 1) {
        diag_error(s->d, IN_FILE(out),
                   "a .rir file holds one module, this model has %d (%d lengths, %d targets)",
                   p->n_variants * p->n_targets, p->n_variants, p->n_targets);
        diag_hint(s->d, "--set compile.sequence_length=N --target T");
        return false;
    }
    /* what generates stands beside the forward: model.step.rir */
    static const char *const suffixes[] = {[PART_FORWARD] = ".rir",
                                           [PART_PREFILL] = ".prefill.rir",
                                           [PART_TRAIN] = ".train.rir",
                                           [PART_STEP] = ".step.rir",
                                           [PART_UPDATE] = ".update.rir"};
    sbuf_t text[MAX_FILES] = {{0}};
    files_t files = {0};
    int n = plan_parts(p);
    for (int k = 0; k < n; k++) {
        module_print(plan_module(p, k), &text[k]);
        const char *suffix = suffixes[plan_part(p, k)];
        add_file(&files, k ? replace_suffix(s->arena, out, suffix) : out, text[k].data,
                 text[k].size);
    }
    bool ok = write_files(&files, s->o, s->d);
    for (int k = 0; k < n; k++) sbuf_free(&text[k]);
    return ok;
}

bool write_graph(session_t *s) {
    sbuf_t text = {0};
    files_t files = {0};
    bool ok = print_graphs(s->plan, s->o->text[OPT_OUTPUT], &text, s->d);
    add_file(&files, s->o->text[OPT_OUTPUT], text.data, text.size);
    ok = ok && write_files(&files, s->o, s->d);
    sbuf_free(&text);
    return ok;
}

bool write_module(const options_t *o, const module_t *m, diag_t *d) {
    sbuf_t text = {0};
    files_t files = {0};
    module_print(m, &text);
    add_file(&files, o->text[OPT_OUTPUT], text.data, text.size);
    bool ok = write_files(&files, o, d);
    sbuf_free(&text);
    return ok;
}
