/* Micro-batches of training.h out of data: texts, tokens, tables of labelled texts, tasks. */
#include <string.h>

#include "support/heap.h"
#include "text/parts.h"
#include "training/training.h"

bool feed_data_take(training_t *t, int64_t step) {
    feed_t *f = &t->feed;
    for (int64_t k = 0; k < f->n; k++) {
        data_batch_t *b = &f->batches[k];
        if (!data_rows(f->data, step, feed_micro(t, k) * f->rows, f->rows, b, t->d)) return false;
        f->micros[k] = batch_io(b);
        f->micros[k].positions = b->offset ? b->begins : NULL;
    }
    return true;
}

static bool encode_text(const void *ctx, const char *text, size_t bytes, int32_t **ids, int64_t *n,
                        const char *path, diag_t *d) {
    tokens_t t = {0};
    if (!text_encode(ctx, text, bytes, &t, path, d)) return false;
    heap_free(t.ends);
    *ids = t.ids;
    *n = t.n;
    return true;
}

/* A token file has no text of its own, but that of a byte-level model. */
static source_t *open_tokens(const training_t *t, const char *path) {
    source_t *s = source_tokens(path, t->d);
    bool bytes = spec_text_kind(t->spec, t->s->model.facts.vocab) == TEXT_BYTES;
    if (s && bytes) source_tokens_are_bytes(s);
    return s;
}

/* Tokens of a file of them, or of a text. */
static source_t *open_source(training_t *t, const char *path) {
    if (source_is_tokens(path)) return open_tokens(t, path);
    if (!t->text && !(t->text = text_open(&t->s->model, t->d))) return NULL;
    if (text_is_bytes(t->text)) return source_bytes_file(path, TEXT_BYTE_OFFSET, t->d);
    tokens_t all = {0};
    if (!text_encode_file(t->text, path, &all, t->d)) return NULL;
    return source_array(path, all.ids, all.ends, all.n);
}

static bool open_sources(training_t *t, const data_options_t *o) {
    const spec_t *s = t->spec;
    source_t *train = open_source(t, s->train.text), *eval = NULL;
    if (train && s->train.eval_text) {
        eval = open_source(t, s->train.eval_text);
        if (!eval) source_free(train);
        if (!eval) return false;
    }
    t->feed.data = train ? data_open_source(o, train, eval, t->d) : NULL;
    return t->feed.data != NULL;
}

/* Those that Hugging Face numbers its classes with name none. */
static bool are_names(const spec_t *s) {
    if (!s->label_names) return false;
    for (int64_t i = 0; i < s->num_labels; i++)
        if (strncmp(s->label_names[i], "LABEL_", strlen("LABEL_")) != 0) return true;
    return false;
}

/* like: the table whose classes' numbers this one has, too; NULL: those of the model, if it has
 * names. A token of bytes is any byte; SentencePiece would read what is no text as
 * unknown, and say nothing. */
static tsv_t *open_table(training_t *t, const char *path, const tsv_t *like,
                         const data_options_t *o) {
    const spec_t *s = t->spec;
    tsv_options_t how = {.encode = encode_text,
                         .encode_ctx = t->text,
                         .text_column = s->train.text_column,
                         .label_column = s->train.label_column,
                         .labels = are_names(s) ? s->label_names : NULL,
                         .n_labels = t->s->model.facts.labels,
                         .length = o->length,
                         .utf8 = !text_is_bytes(t->text),
                         .learnt = !like && !t->o->given[OPT_EVAL_ONLY]};
    int64_t n = 0;
    const char *const *names = like ? tsv_labels(like, &n) : NULL;
    how.numbers = like && !names && !how.labels;
    if (names) how.labels = names;
    if (names) how.n_labels = n;
    return tsv_open(path, &how, t->d);
}

/* The model is saved with the names of its classes. */
static void take_names(training_t *t, const tsv_t *table) {
    int64_t n = 0;
    const char *const *names = tsv_labels(table, &n);
    if (!names || n != t->spec->num_labels) return;
    t->spec->label_names = ARENA_ARRAY(t->arena, const char *, n);
    for (int64_t i = 0; i < n; i++) t->spec->label_names[i] = arena_strdup(t->arena, names[i]);
}

static bool open_tables(training_t *t, const data_options_t *o) {
    const spec_t *s = t->spec;
    if (!t->text && !(t->text = text_open(&t->s->model, t->d))) return false;
    tsv_t *train = open_table(t, s->train.text, NULL, o), *eval = NULL;
    if (!train) return false;
    take_names(t, train);
    if (s->train.eval_text && !(eval = open_table(t, s->train.eval_text, train, o))) {
        tsv_free(train);
        return false;
    }
    t->feed.data = data_open_tsv(o, train, eval, t->d);
    return t->feed.data != NULL;
}

/* The spec knows tasks by name, data what they are: their numbers are one. */
_Static_assert((int)TRAIN_TASK_NONE == (int)TASK_NONE &&
                   (int)TRAIN_TASK_DUPLICATE == (int)TASK_DUPLICATE &&
                   (int)TRAIN_TASK_REVERSE == (int)TASK_REVERSE &&
                   (int)TRAIN_TASK_COPY == (int)TASK_COPY &&
                   (int)TRAIN_TASK_ADDITION == (int)TASK_ADDITION &&
                   (int)TRAIN_TASK_LISTOPS == (int)TASK_LISTOPS &&
                   (int)TRAIN_TASK_LISTOPS + 1 == (int)TASK_COUNT,
               "tasks have two numbers");

/* Tables and tasks have one class for each row. */
static bool tells_classes(const training_t *t) {
    const spec_t *s = t->spec;
    problem_t problem = t->s->model.facts.problem;
    bool one = problem == PROBLEM_UNSET && t->s->model.facts.labels == 1;
    if (problem != PROBLEM_REGRESSION && problem != PROBLEM_MULTI_LABEL && !one) return true;
    diag_error(t->d, s->at[one ? KEY_num_labels : KEY_problem_type],
               "%s: rows of one class each cannot teach it",
               problem == PROBLEM_MULTI_LABEL ? "a row has several labels"
                                              : "what is told is a number, not a class");
    diag_hint(t->d, "%s, or --batches with labels of float32",
              one ? "--set num_labels=N" : "--set problem_type=single_label_classification");
    return false;
}

static bool open_task(training_t *t, const data_options_t *o) {
    task_t task = task_of((task_kind_t)t->spec->train.task, o->length, o->vocabulary);
    arch_t needed = task_classifies(&task) ? ARCH_CLASSIFIER : ARCH_CAUSAL_LM;
    if (t->s->model.facts.head != needed) {
        diag_error(t->d, t->spec->at[KEY_train_task], "the task %s is one for a %s; this is a %s",
                   task_name(task.kind), arch_hf_name(needed),
                   arch_hf_name(t->s->model.facts.head));
        return false;
    }
    if (task_classifies(&task) && t->s->model.facts.labels < TASK_CLASSES) {
        diag_error(t->d, t->spec->at[KEY_num_labels],
                   "the task %s has %d classes; 'num_labels' is %lld", task_name(task.kind),
                   TASK_CLASSES, (long long)t->s->model.facts.labels);
        return false;
    }
    if (task_classifies(&task) && !tells_classes(t)) return false;
    if (!task_check(&task, t->d)) return false;
    t->feed.data = data_open_task(o, &task, t->d);
    return t->feed.data != NULL;
}

/* ---- what a spec asks for -------------------------------------------------------------------- */

static bool masking_of(const training_t *t, data_options_t *o) {
    const spec_t *s = t->spec;
    int64_t vocab = t->s->model.facts.vocab, mask = s->train.mask_token_id;
    if (mask < 0) mask = vocab - 1;
    if (mask >= vocab) {
        diag_error(t->d, s->at[KEY_train_mask_token_id],
                   "'train.mask_token_id' is %lld; 'vocab_size' is %lld", (long long)mask,
                   (long long)vocab);
        return false;
    }
    int32_t *never = ARENA_ARRAY(t->arena, int32_t, s->train.n_never_masked + 1);
    for (int i = 0; i < s->train.n_never_masked; i++) never[i] = (int32_t)s->train.never_masked[i];
    o->masking = (data_masking_t){.share = s->train.mlm_probability,
                                  .masked = s->train.mask_replace_prob,
                                  .random = s->train.random_replace_prob,
                                  .mask_id = (int32_t)mask,
                                  .never = never,
                                  .n_never = s->train.n_never_masked};
    return true;
}

static bool no_data_for(const training_t *t) {
    diag_error(t->d, IN_FILE(t->spec->path), "a %s is trained on --batches only",
               arch_hf_name(t->s->model.facts.head));
    return false;
}

static bool goal_of(const training_t *t, data_options_t *o) {
    switch (t->s->model.facts.head) {
    case ARCH_CAUSAL_LM: o->goal = DATA_CAUSAL; return true;
    case ARCH_MASKED_LM: o->goal = DATA_MASKED; return masking_of(t, o);
    case ARCH_CLASSIFIER: o->goal = DATA_CLASSES; return tells_classes(t);
    default: return no_data_for(t);
    }
}

static int64_t length_of(const training_t *t) {
    const spec_t *s = t->spec;
    int64_t lengths[MAX_GRAPHS];
    if (s->train.sequence_length > 0) return s->train.sequence_length;
    if (s->compile.length_mode == LENGTH_FIXED || s->compile.length_mode == LENGTH_LIST)
        return lengths[model_lengths(&t->s->model, lengths) - 1];
    return t->s->model.facts.longest;
}

/* Crops are read from anywhere, by every session of a run; a pipe is read once. ./- is a file. */
static bool is_file(const training_t *t, const char *path, spec_key_t key) {
    if (!path || strcmp(path, "-") != 0) return true;
    diag_error(t->d, t->spec->at[key],
               "'-' (standard input) is read once, a training reads anywhere: a file is needed");
    return false;
}

static bool open_text(training_t *t, const data_options_t *o) {
    const spec_t *s = t->spec;
    if (!is_file(t, s->train.text, KEY_train_text) ||
        !is_file(t, s->train.eval_text, KEY_train_eval_text))
        return false;
    return o->goal == DATA_CLASSES ? open_tables(t, o) : open_sources(t, o);
}

bool feed_data_open(training_t *t) {
    feed_t *f = &t->feed;
    const spec_t *s = t->spec;
    data_options_t o = data_options();
    f->rows = s->train.batch_size;
    f->length = length_of(t);
    o.seed = (uint64_t)s->train.seed;
    o.length = f->length;
    o.rows_per_step = f->rows * feed_micros(t);
    o.vocabulary = t->s->model.facts.vocab;
    o.positions = t->s->model.facts.positions;
    o.pad_id = spec_pad_token(s) < 0 ? 0 : (int32_t)spec_pad_token(s);
    o.held_out = s->train.eval_fraction;
    o.eval_rows = s->train.eval_windows < 0 ? 0 : s->train.eval_windows;
    if (!(s->train.task ? open_task(t, &o) : goal_of(t, &o) && open_text(t, &o))) return false;
    f->batches = ARENA_ARRAY(t->arena, data_batch_t, f->n);
    for (int64_t k = 0; k < f->n; k++) f->batches[k] = data_batch_new(f->rows, f->length);
    return true;
}
