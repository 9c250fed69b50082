/* reformerc pack: weights alone, from one kind of file into another, in the numbers
 * that are asked for.
 *
 * In: a model and its weights, or a packed file. Out: FILE.weights, the packed file that `-o
 * model.c` writes beside the code (plan and layout are the same, so the bytes are), or
 * FILE.safetensors, under Hugging Face's names. A packed file says itself what stands where
 * (weights/contents.c), so that it becomes safetensors without its model. */
#include <string.h>

#include "cli/help.h"
#include "cli/name.h"
#include "cli/outputs.h"
#include "commands/commands.h"
#include "commands/pack/pack.h"
#include "report/document.h"
#include "support/heap.h"

/* ---- what is asked for ----------------------------------------------------------------------- */

typedef struct {
    const char *name;
    st_dtype_t dtype;
} dtype_word_t;

static const dtype_word_t words[] = {
    {"float32", ST_F32}, {"bfloat16", ST_BF16}, {"float16", ST_F16}};
enum { WORDS = sizeof words / sizeof *words };

static bool no_such_type(const char *name, const char *const *names, size_t n, const char *all,
                         diag_t *d) {
    diag_error(d, IN_FILE("--dtype"), "'%s' is none of %s", name, all);
    const char *near = did_you_mean(name, names, n);
    if (near) diag_hint(d, "did you mean '%s'?", near);
    return false;
}

/* Of safetensors: in *dtype, ST_OTHER where nobody says. */
static bool find_dtype(const options_t *o, st_dtype_t *dtype, diag_t *d) {
    const char *name = o->text[OPT_DTYPE], *names[WORDS];
    *dtype = ST_OTHER;
    for (int i = 0; i < WORDS; i++) {
        names[i] = words[i].name;
        if (name && strcmp(name, names[i]) == 0) *dtype = words[i].dtype;
    }
    if (!name || *dtype != ST_OTHER) return true;
    if (strcmp(name, "int8") == 0) {
        diag_error(d, IN_FILE("--dtype"), "integers and their scales stand in packed files alone");
        diag_hint(d, "-o FILE.weights; safetensors hold float32, bfloat16 or float16");
        return false;
    }
    return no_such_type(name, names, WORDS, "float32, bfloat16, float16", d);
}

static bool is_suffix(const char *path, const char *suffix) {
    return strcmp(path_suffix(path), suffix) == 0;
}

static bool check_output(const char *path, diag_t *d) {
    if (is_suffix(path, ".weights") || is_suffix(path, ".safetensors"))
        return output_place_check(path, d);
    diag_error(d, IN_FILE(path), "the suffix decides what is written: .weights or .safetensors");
    return false;
}

static void tell(const char *path, size_t tensors, double bytes, diag_t *d) {
    if (diag_errors(d) > 0) return;
    arena_t *a = arena_new();
    fprintf(stderr, "%s: %zu tensors, %s\n", path, tensors, text_bytes(a, bytes));
    arena_free(a);
}

/* ---- safetensors ----------------------------------------------------------------------------- */

typedef struct {
    st_writer_t *writer;
    st_dtype_t dtype; /* ST_OTHER: as it stands in the file */
    const char *path; /* what errors are about */
    size_t n;
    double bytes;
    diag_t *d;
} export_t;

/* What is hashed with stays float32, whatever the rest is. */
static bool put_tensor(export_t *x, const char *name, st_dtype_t stands, int rank,
                       const int64_t *shape, const float *values) {
    int layer;
    st_dtype_t to = x->dtype == ST_OTHER ? stands : x->dtype;
    if (names_rotations(name, &layer)) to = ST_F32;
    int64_t elements = 1;
    for (int i = 0; i < rank; i++) elements *= shape[i];
    void *out = st_writer_space(x->writer, name, to, rank, shape);
    x->n++;
    x->bytes += (double)elements * (to == ST_F32 ? 4 : 2);
    return st_from_f32(to, name, values, elements, out, x->path, x->d);
}

/* The head's bias has two names at Hugging Face. */
static bool put_source(export_t *x, const layout_t *l, const layout_entry_t *e, const tensor_t *t,
                       arena_t *a) {
    int64_t shape[8];
    int rank = weights_hf_shape(l, e, t->name, shape);
    bool two = strcmp(t->name, "lm_head.bias") == 0;
    return put_tensor(x, weights_hf_name(a, l, t->name), ST_F32, rank, shape, t->data) &&
           (!two || put_tensor(x, "lm_head.decoder.bias", ST_F32, rank, shape, t->data));
}

/* Rotations that a spec draws are drawn again by whoever reads the file; those of a file are
 * not to be had elsewhere. */
static bool put_store(export_t *x, const session_t *s) {
    const layout_t *l = s->plan->layout;
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < l->entries[i].count; j++) {
            const layout_entry_t *e = &l->entries[i];
            const tensor_t *t = store_find(s->store, e->source[j]);
            int layer;
            if (e->again[j] || (names_rotations(t->name, &layer) && !t->from_file)) continue;
            if (!put_source(x, l, e, t, s->arena)) return false;
        }
    return true;
}

static bool put_file(export_t *x, const st_file_t *f) {
    float *values = NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < st_count(f); i++) {
        const st_tensor_t *t = st_at(f, i);
        values = heap_resize(values, (size_t)(t->elements + 1) * sizeof *values);
        ok = st_to_f32(t, values, st_path(f), x->d) &&
             put_tensor(x, t->name, t->dtype, t->rank, t->shape, values);
    }
    heap_free(values);
    return ok;
}

static bool write_safetensors(const options_t *o, const session_t *s, const st_file_t *f,
                              st_dtype_t dtype, diag_t *d) {
    const char *path = o->text[OPT_OUTPUT];
    export_t x = {
        .writer = st_writer_new(), .dtype = dtype, .path = f ? st_path(f) : s->weights, .d = d};
    st_writer_for_torch(x.writer);
    bool ok = (f ? put_file(&x, f) : put_store(&x, s)) && st_writer_save(x.writer, path, d);
    if (ok) tell(path, x.n, x.bytes, d);
    st_writer_free(x.writer);
    return ok;
}

/* ---- a packed file --------------------------------------------------------------------------- */

static bool write_packed(const session_t *s, unsigned char *file, size_t bytes) {
    const char *path = s->o->text[OPT_OUTPUT];
    size_t n = 0;
    for (int i = 0; i < s->plan->layout->n; i++) n += (size_t)s->plan->layout->entries[i].count;
    bool ok = file_write(path, file, bytes, s->d);
    if (ok) tell(path, n, (double)bytes, s->d);
    return ok;
}

/* Whose table is in the file. */
static bool convert_packed(const options_t *o, diag_t *d) {
    static const option_id_t of_models[] = {OPT_WEIGHTS, OPT_SET, OPT_ROTATIONS, OPT_CALIBRATE};
    static const char *const names[] = {"--weights", "--set", "--rotations", "--calibrate"};
    st_dtype_t dtype;
    for (int i = 0; i < 4; i++)
        if (o->given[of_models[i]]) {
            diag_error(d, IN_FILE(names[i]), "'%s' is a packed weights file, which has no model",
                       o->model);
            diag_hint(d, "reformerc pack MODEL --weights %s", o->model);
            return false;
        }
    const char *path = o->text[OPT_OUTPUT];
    if (!path || !is_suffix(path, ".safetensors")) {
        diag_error(d, IN_FILE(o->model), "is packed already");
        diag_hint(d, "for other numbers name its model: reformerc pack MODEL --weights %s",
                  o->model);
        return false;
    }
    if (!find_dtype(o, &dtype, d)) return false;
    st_file_t *f = st_open_weights(o->model, d);
    bool ok = f && write_safetensors(o, NULL, f, dtype, d);
    st_close(f);
    return ok;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool pack_plan(session_t *s) {
    if (!session_spec(s) || !session_need_weights(s)) return false;
    session_plan_t want = session_translation(s, true);
    want.name = "model";
    return session_plan(s, &want);
}

static bool export_model(session_t *s) {
    st_dtype_t dtype;
    if (s->o->given[OPT_CALIBRATE]) {
        diag_error(s->d, IN_FILE("--calibrate"), "measures what packing does: -o FILE.weights");
        return false;
    }
    return find_dtype(s->o, &dtype, s->d) && pack_plan(s) && session_weights(s) &&
           write_safetensors(s->o, s, NULL, dtype, s->d);
}

static bool check_calibrates(const session_t *s) {
    if (!s->o->given[OPT_CALIBRATE]) return true;
    if (s->plan->derives) { /* it would run forwards of compile.dtype */
        diag_error(
            s->d, IN_FILE("--calibrate"),
            "this model is packed for training, in 'train.dtype', which it does not measure");
        diag_hint(s->d, "reformerc train MODEL --text FILE --eval-only, once with --set "
                        "train.dtype=float32 and once with bfloat16");
        return false;
    }
    if (pack_rounds(s)) return true;
    diag_error(s->d, IN_FILE("--calibrate"), "nothing of this model is rounded");
    diag_hint(s->d, "--dtype bfloat16");
    return false;
}

static bool pack_model(session_t *s) {
    const char *path = s->o->text[OPT_OUTPUT];
    if (path && is_suffix(path, ".safetensors")) return export_model(s);
    if (!pack_plan(s) || !check_calibrates(s) || !session_weights(s)) return false;
    size_t bytes;
    if (!pack_rounds(s)) store_spend(s->store);
    unsigned char *file = weights_pack(s->plan->layout, s->store, &bytes, s->d);
    bool ok = file && pack_report(s, file) && (!path || write_packed(s, file, bytes));
    heap_free(file);
    return ok;
}

static bool is_of_packed(const options_t *o) {
    const char *path = o->text[OPT_OUTPUT];
    return o->given[OPT_DTYPE] && !(path && is_suffix(path, ".safetensors"));
}

/* --dtype of a packed file is a key of the spec. */
static options_t with_dtype(const options_t *o) {
    options_t own = *o;
    if (is_of_packed(o)) options_set(&own, "compile.dtype", o->text[OPT_DTYPE]);
    return own;
}

/* What the key would refuse, by the option's own name. */
static bool check_packed_dtype(const options_t *o, diag_t *d) {
    const char *name = o->text[OPT_DTYPE], *names[DTYPE_COUNT];
    for (int i = 0; i < DTYPE_COUNT; i++) {
        names[i] = dtype_name((dtype_t)i);
        if (!is_of_packed(o) || strcmp(name, names[i]) == 0) return true;
    }
    return no_such_type(name, names, DTYPE_COUNT, "float32, bfloat16, int8", d);
}

int command_pack(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    options_t own = with_dtype(o);
    static const option_id_t needed[] = {OPT_OUTPUT};
    int missing = check_needed(o, needed, o->given[OPT_DTYPE] ? 0 : 1);
    if (missing) return missing;
    if (!check_packed_dtype(o, d)) return EXIT_VALUE;
    if (o->given[OPT_OUTPUT] && !check_output(o->text[OPT_OUTPUT], d)) return EXIT_VALUE;
    if (is_packed_file(o->model)) return convert_packed(o, d) ? 0 : EXIT_VALUE;
    session_t s = session_new(&own, d);
    bool ok = pack_model(&s);
    session_free(&s);
    return ok ? 0 : EXIT_VALUE;
}
