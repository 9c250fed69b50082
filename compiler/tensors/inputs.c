/* Input tensors of a forward: a safetensors file → arrays, every value checked against the model.
 *
 * Names, dtypes and shapes are those of Hugging Face's forward(). A message names the tensor, and
 * the position of the first bad value in it. */
#include <string.h>

#include "tensors/reader.h"

enum { INTEGERS = 1 << ST_I32 | 1 << ST_I64, MASKS = INTEGERS | 1 << ST_U8 | 1 << ST_BOOL };

/* Which tensors an architecture takes; `_of` fields are bit sets. */
typedef struct {
    const char *name;
    unsigned dtypes;
    const char *dtype_text;
    unsigned archs;
} known_tensor_t;

enum {
    LM = 1 << ARCH_CAUSAL_LM | 1 << ARCH_MASKED_LM,
    CLASSIFIER = 1 << ARCH_CLASSIFIER,
    QA = 1 << ARCH_QA,
    ALL = LM | CLASSIFIER | QA | 1 << ARCH_BASE
};
static const known_tensor_t known[] = {
    {"input_ids", INTEGERS, "I32 or I64", ALL},
    {"attention_mask", MASKS, "I32, I64, U8 or BOOL", ALL},
    {"labels", INTEGERS | 1 << ST_F32, "I32, I64 or, for regression and several labels, F32",
     LM | CLASSIFIER},
    {"start_positions", INTEGERS, "I32 or I64", QA},
    {"end_positions", INTEGERS, "I32 or I64", QA},
    {"positions", INTEGERS, "I32 or I64", ALL},
};
enum { N_KNOWN = sizeof known / sizeof known[0] };

/* "[2, 64]" */
const char *tensor_shape_text(arena_t *a, int rank, const int64_t *shape) {
    sbuf_t s = {0};
    sbuf_puts(&s, "[");
    for (int i = 0; i < rank && i < 8; i++)
        sbuf_printf(&s, "%s%lld", i ? ", " : "", (long long)shape[i]);
    sbuf_puts(&s, rank > 8 ? ", …]" : "]"); /* a file's tensor may have more, shape has not */
    const char *text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return text;
}

/* "labels[1][17]" of the element at flat index i */
const char *tensor_position_text(arena_t *a, const st_tensor_t *t, int64_t i) {
    int64_t index[8];
    for (int k = t->rank - 1; k >= 0; k--) {
        index[k] = i % t->shape[k];
        i /= t->shape[k];
    }
    sbuf_t s = {0};
    sbuf_puts(&s, t->name);
    for (int k = 0; k < t->rank; k++) sbuf_printf(&s, "[%lld]", (long long)index[k]);
    const char *text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return text;
}

static bool shape_is(const st_tensor_t *t, int rank, int64_t s0, int64_t s1) {
    return t->rank == rank && (rank < 1 || t->shape[0] == s0) && (rank < 2 || t->shape[1] == s1);
}

/* ---- names and dtypes ------------------------------------------------------------------------ */

static bool check_name(const inputs_reader_t *r, const st_tensor_t *t) {
    const char *names[N_KNOWN];
    for (int i = 0; i < N_KNOWN; i++) {
        names[i] = known[i].name;
        if (strcmp(t->name, known[i].name) != 0) continue;
        if (!(known[i].archs & 1u << r->facts->head)) {
            diag_error(r->d, IN_FILE(r->path), "%s: a %s does not take it", t->name,
                       arch_hf_name(r->facts->head));
            return false;
        }
        if (known[i].dtypes & 1u << t->dtype) return true;
        diag_error(r->d, IN_FILE(r->path), "%s: dtype %s; %s is needed", t->name, t->dtype_name,
                   known[i].dtype_text);
        return false;
    }
    diag_error(r->d, IN_FILE(r->path), "%s: no such input", t->name);
    const char *near = did_you_mean(t->name, names, N_KNOWN);
    if (near) diag_hint(r->d, "did you mean '%s'?", near);
    return false;
}

static bool check_names(const inputs_reader_t *r) {
    bool ok = true;
    for (size_t i = 0; i < st_count(r->file); i++) ok &= check_name(r, st_at(r->file, i));
    if (st_find(r->file, "input_ids")) return ok;
    diag_error(r->d, IN_FILE(r->path), "input_ids: missing");
    return false;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int32_t *read_integers(const inputs_reader_t *r, const st_tensor_t *t) {
    int32_t *x = ARENA_ARRAY(r->arena, int32_t, t->elements);
    return st_to_i32(t, x, r->path, r->d) ? x : NULL;
}

/* Every value is in lo … hi or equals `also`; the message ends in `why`. */
static bool check_range(const inputs_reader_t *r, const st_tensor_t *t, const int32_t *x,
                        int64_t lo, int64_t hi, int64_t also, const char *why) {
    for (int64_t i = 0; i < t->elements; i++) {
        if ((x[i] >= lo && x[i] <= hi) || x[i] == also) continue;
        diag_error(r->d, IN_FILE(r->path), "%s = %d: %s", tensor_position_text(r->arena, t, i),
                   x[i], why);
        return false;
    }
    return true;
}

static const char *vocab_text(const inputs_reader_t *r) {
    return arena_printf(r->arena, "vocab_size is %lld", (long long)r->facts->vocab);
}

static bool read_ids(const inputs_reader_t *r) {
    const st_tensor_t *t = st_find(r->file, "input_ids");
    if (t->rank != 2 || t->elements == 0) {
        diag_error(r->d, IN_FILE(r->path),
                   "input_ids: shape %s; [batch, length] is needed, neither of them 0",
                   tensor_shape_text(r->arena, t->rank, t->shape));
        return false;
    }
    r->in->batch = t->shape[0];
    r->in->length = t->shape[1];
    r->in->input_ids = read_integers(r, t);
    return r->in->input_ids &&
           check_range(r, t, r->in->input_ids, 0, r->facts->vocab - 1, 0, vocab_text(r));
}

static bool read_mask(const inputs_reader_t *r) {
    const st_tensor_t *t = st_find(r->file, "attention_mask");
    inputs_t *in = r->in;
    if (!t) return true;
    if (!shape_is(t, 2, in->batch, in->length)) {
        diag_error(r->d, IN_FILE(r->path), "attention_mask: shape %s; input_ids has [%lld, %lld]",
                   tensor_shape_text(r->arena, t->rank, t->shape), (long long)in->batch,
                   (long long)in->length);
        return false;
    }
    int32_t *x = read_integers(r, t);
    if (!x || !check_range(r, t, x, 0, 1, 1, "a mask is 0 or 1")) return false;
    in->attention_mask = ARENA_ARRAY(r->arena, uint8_t, t->elements);
    for (int64_t i = 0; i < t->elements; i++) {
        in->attention_mask[i] = (uint8_t)x[i];
        in->any_masked |= x[i] == 0;
    }
    return true;
}

/* ---- labels ---------------------------------------------------------------------------------- */

bool tensor_wrong_shape(const inputs_reader_t *r, const st_tensor_t *t, const char *needed) {
    diag_error(r->d, IN_FILE(r->path), "%s: shape %s; %s is needed", t->name,
               tensor_shape_text(r->arena, t->rank, t->shape), needed);
    return false;
}

static bool read_lm_labels(const inputs_reader_t *r, const st_tensor_t *t) {
    inputs_t *in = r->in;
    if (t->dtype == ST_F32) {
        diag_error(r->d, IN_FILE(r->path), "labels: dtype F32; I32 or I64 is needed");
        return false;
    }
    if (!shape_is(t, 2, in->batch, in->length)) {
        return tensor_wrong_shape(r, t,
                                  arena_printf(r->arena, "[%lld, %lld], that of input_ids,",
                                               (long long)in->batch, (long long)in->length));
    }
    in->labels = read_integers(r, t);
    return in->labels && check_range(r, t, in->labels, 0, r->facts->vocab - 1, -100,
                                     arena_printf(r->arena, "%s (-100: ignored)", vocab_text(r)));
}

static bool float_shape(const inputs_reader_t *r, const st_tensor_t *t) {
    int64_t labels = r->facts->labels, batch = r->in->batch;
    if ((labels == 1 && shape_is(t, 1, batch, 0)) || shape_is(t, 2, batch, labels)) return true;
    return tensor_wrong_shape(
        r, t, arena_printf(r->arena, "[%lld, %lld]", (long long)batch, (long long)labels));
}

/* Class numbers; of a regression model numbers to hit. */
static bool read_integer_labels(const inputs_reader_t *r, const st_tensor_t *t) {
    const facts_t *f = r->facts;
    inputs_t *in = r->in;
    bool numbers =
        f->problem == PROBLEM_REGRESSION || (f->problem == PROBLEM_UNSET && f->labels == 1);
    bool classes = shape_is(t, 1, in->batch, 0) || shape_is(t, 2, in->batch, 1);
    if (numbers ? !float_shape(r, t) : !classes && !tensor_wrong_shape(r, t, "[batch]"))
        return false;
    int32_t *x = read_integers(r, t);
    if (!x) return false;
    if (!numbers) {
        in->labels = x;
        return check_range(
            r, t, x, 0, f->labels - 1, -100,
            arena_printf(r->arena, "num_labels is %lld (-100: ignored)", (long long)f->labels));
    }
    in->labels_f32 = ARENA_ARRAY(r->arena, float, t->elements);
    for (int64_t i = 0; i < t->elements; i++) in->labels_f32[i] = (float)x[i];
    return true;
}

static bool read_float_labels(const inputs_reader_t *r, const st_tensor_t *t) {
    inputs_t *in = r->in;
    if (!float_shape(r, t)) return false;
    in->labels_f32 = ARENA_ARRAY(r->arena, float, t->elements);
    if (!st_to_f32(t, in->labels_f32, r->path, r->d)) return false;
    for (int64_t i = 0; i < t->elements; i++) {
        if (__builtin_isfinite(in->labels_f32[i])) continue;
        diag_error(r->d, IN_FILE(r->path), "%s is not a finite number",
                   tensor_position_text(r->arena, t, i));
        return false;
    }
    return true;
}

static bool read_classifier_labels(const inputs_reader_t *r, const st_tensor_t *t) {
    bool is_float = t->dtype == ST_F32;
    problem_t problem = r->facts->problem;
    bool fits = is_float ? problem != PROBLEM_SINGLE_LABEL : problem != PROBLEM_MULTI_LABEL;
    if (!fits) {
        diag_error(r->d, IN_FILE(r->path), "labels: dtype %s; problem_type asks for %s",
                   t->dtype_name, is_float ? "I32 or I64" : "F32");
        return false;
    }
    return is_float ? read_float_labels(r, t) : read_integer_labels(r, t);
}

static bool read_labels(const inputs_reader_t *r) {
    const st_tensor_t *t = st_find(r->file, "labels");
    if (!t) return true;
    return r->facts->head == ARCH_CLASSIFIER ? read_classifier_labels(r, t) : read_lm_labels(r, t);
}

static bool read_positions(const inputs_reader_t *r, const char *name, int32_t **out) {
    const st_tensor_t *t = st_find(r->file, name);
    if (!t) return true;
    if (!shape_is(t, 1, r->in->batch, 0) && !shape_is(t, 2, r->in->batch, 1))
        return tensor_wrong_shape(r, t, "[batch]");
    *out = read_integers(r, t);
    return *out != NULL;
}

/* Where rows begin. */
static bool read_begins(const inputs_reader_t *r) {
    inputs_t *in = r->in;
    int64_t positions = r->facts->positions;
    if (!read_positions(r, "positions", &in->positions)) return false;
    return !in->positions ||
           check_range(
               r, st_find(r->file, "positions"), in->positions, 0, positions - in->length, 0,
               arena_printf(r->arena, "rows of %lld tokens, and the model has %lld positions",
                            (long long)in->length, (long long)positions));
}

static bool read_answer(const inputs_reader_t *r) {
    inputs_t *in = r->in;
    if (!read_positions(r, "start_positions", &in->start_positions) ||
        !read_positions(r, "end_positions", &in->end_positions))
        return false;
    if (!in->start_positions == !in->end_positions) return true;
    diag_error(r->d, IN_FILE(r->path), "%s: missing; the loss needs both positions",
               in->start_positions ? "end_positions" : "start_positions");
    return false;
}

bool inputs_take(inputs_t *in, arena_t *a, const facts_t *f, const st_file_t *file,
                 const char *path, diag_t *d) {
    *in = (inputs_t){.path = path};
    inputs_reader_t r = {in, a, f, file, path, d};
    return check_names(&r) && read_ids(&r) && read_mask(&r) && read_begins(&r) && read_labels(&r) &&
           read_answer(&r);
}

bool inputs_read(inputs_t *in, arena_t *a, const facts_t *f, const char *path, diag_t *d) {
    st_file_t *file = st_open(path, d);
    bool ok = file && inputs_take(in, a, f, file, path, d);
    st_close(file);
    return ok;
}

bool inputs_of_forward(const inputs_t *in, diag_t *d) {
    if (!in->positions) return true;
    diag_error(d, IN_FILE(in->path),
               "positions: rows of a forward begin at the first position; those of a train step "
               "(run --gradients) may begin elsewhere");
    return false;
}

bool inputs_fit(const inputs_t *in, const loaded_model_t *m, diag_t *d) {
    const spec_t *s = m->spec;
    int64_t max = m->facts.longest;
    if (s->compile.n_lengths > 0) max = s->compile.lengths[s->compile.n_lengths - 1];
    if (in->length > max) {
        diag_error(d, IN_FILE(in->path),
                   "input_ids: %lld tokens per row; the longest this model takes is %lld (%s)",
                   (long long)in->length, (long long)max,
                   s->compile.n_lengths > 0 ? "compile.sequence_length"
                   : m->graphs              ? "its graph"
                                            : "its position embeddings");
        return false;
    }
    if (!s->compile.has_batch || in->batch <= s->compile.batch_size) return true;
    diag_error(d, IN_FILE(in->path), "input_ids: %lld rows; compile.batch_size is %lld",
               (long long)in->batch, (long long)s->compile.batch_size);
    return false;
}
