/* Spec: a model description, typed, each value with the place where it stood.
 *
 * In: YAML or JSON text (a spec, a Hugging Face config.json, a checkpoint folder), then `--set`s.
 * Out: a spec_t whose values are all in range and consistent, or a list of all errors.
 * Keys, ranges, defaults and docs are the rows of schema.def; nothing else lists them. */
#ifndef REFORMERC_SPEC_H
#define REFORMERC_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "support/arena.h"
#include "support/diag.h"
#include "support/sbuf.h"

#include "reformer_rt.h"

typedef enum { LAYER_LOCAL, LAYER_LSH } layer_kind_t;
typedef enum {
    ARCH_UNSET,
    ARCH_BASE,
    ARCH_CAUSAL_LM,
    ARCH_MASKED_LM,
    ARCH_CLASSIFIER,
    ARCH_QA
} arch_t;
typedef enum {
    ACT_RELU,
    ACT_GELU,
    ACT_GELU_NEW,
    ACT_SILU,
    ACT_GELU_10,
    ACT_GELU_FAST,
    ACT_GELU_PYTHON,
    ACT_GELU_PYTORCH_TANH,
    ACT_QUICK_GELU,
    ACT_MISH,
    ACT_LINEAR,
    ACT_RELU6,
    ACT_SIGMOID,
    ACT_TANH,
    ACT_LEAKY_RELU,
    ACT_RELU2,
    ACT_LAPLACE,
    ACT_HARDSWISH,
    ACT_SQRTSOFTPLUS,
    ACT_COUNT
} act_t; /* `swish` is ACT_SILU; `gelu_accurate`, `gelu_python_tanh`: ACT_GELU_NEW */
typedef enum {
    PROBLEM_UNSET,
    PROBLEM_REGRESSION,
    PROBLEM_SINGLE_LABEL,
    PROBLEM_MULTI_LABEL
} problem_t;
typedef enum { LENGTH_ABSENT, LENGTH_FIXED, LENGTH_LIST, LENGTH_DYNAMIC } length_mode_t;
typedef enum { DTYPE_FLOAT32, DTYPE_BFLOAT16, DTYPE_INT8, DTYPE_COUNT } dtype_t;
typedef enum { CACHE_LIKE_ATTENTION, CACHE_FLOAT32, CACHE_BFLOAT16 } cache_dtype_t;
typedef enum { DECODE_CORRECTED, DECODE_HUGGINGFACE } decode_kind_t;
typedef enum { MEMORY_REVERSIBLE, MEMORY_AUTO, MEMORY_SIZE } train_memory_t;
typedef enum {
    TRAIN_TASK_NONE,
    TRAIN_TASK_DUPLICATE,
    TRAIN_TASK_REVERSE,
    TRAIN_TASK_COPY,
    TRAIN_TASK_ADDITION,
    TRAIN_TASK_LISTOPS
} train_task_t;
typedef enum { TEXT_UNSET, TEXT_BYTES, TEXT_SENTENCEPIECE } text_kind_t;
enum {
    TEXT_BYTE_OFFSET = 2,
    TEXT_BYTE_VOCABULARY = 258
}; /* id = byte + 2: 0 and 1 are padding and end */

/* One enumerator per row of schema.def: KEY_hidden_size, KEY_compile_name … */
typedef enum {
#define KEY(section, key, ...) KEY_##section##key,
#include "spec/schema.def"
#undef KEY
    KEY_COUNT
} spec_key_t;
/* Of models that generate, and of no others. */
enum { N_GENERATION_KEYS = 2 };
extern const spec_key_t spec_generation_keys[N_GENERATION_KEYS];
const char *spec_key_name(spec_key_t key); /* "compile.decode" */

enum { MAX_AXIAL = 5, MAX_FACTORS = 8, MAX_LENGTHS = 64, MAX_LAYERS = 4096, MAX_TARGETS = 8 };

/* Names or patterns of tensors; not given, or null: the key's own rule. */
typedef struct {
    bool given;
    int n;
    const char **items; /* [n] */
    srcloc_t *at;       /* [n] */
} spec_patterns_t;

typedef struct {
    /* The head of a graph: paths, the keys that no node says, and our sections;
     * all others are zero */
    bool of_graph;
    const char *path;            /* as the user gave it, for messages and comments */
    const char *weights_path;    /* checkpoint folder: its model.safetensors, else NULL */
    const char *generation_path; /* and its generation_config.json */

    /* model: Hugging Face's names */
    arch_t architecture; /* ARCH_UNSET until the weights decide (spec_resolve_architecture) */
    int64_t attention_head_size, hidden_size, num_attention_heads, feed_forward_size, vocab_size;
    int64_t max_position_embeddings;
    int n_layers;
    layer_kind_t *attn_layers; /* [n_layers] */
    bool axial_pos_embds;
    int n_axial; /* factors; n_axial_dims is equal where axial positions are in use */
    int n_axial_dims;
    int64_t axial_pos_shape[MAX_AXIAL], axial_pos_embds_dim[MAX_AXIAL];
    double axial_norm_std, initializer_range, layer_norm_eps;
    int64_t chunk_size_feed_forward, chunk_size_lm_head;
    double hidden_dropout_prob, local_attention_probs_dropout_prob,
        lsh_attention_probs_dropout_prob;
    bool has_classifier_dropout;
    double classifier_dropout;
    int n_eos_tokens;
    int64_t *eos_tokens; /* [n_eos_tokens], in the vocabulary or not */
    bool has_pad_token;
    int64_t pad_token_id; /* likewise */
    bool has_hash_seed;
    int64_t hash_seed;
    act_t hidden_act;
    bool is_decoder;
    int64_t local_attn_chunk_length, local_num_chunks_before, local_num_chunks_after;
    int64_t lsh_attn_chunk_length, lsh_num_chunks_before, lsh_num_chunks_after;
    int n_bucket_factors; /* 0: num_buckets is null, chosen from the length */
    int64_t num_buckets[MAX_FACTORS];
    int64_t num_hashes, num_labels;
    /* [num_labels] of id2label; NULL: not given, or not numbered 0, 1 … */
    const char **label_names;
    problem_t problem_type;
    bool tie_word_embeddings, use_cache;

    struct { /* what Hugging Face's model lacks: a member for each key of the section */
#define KEY(...)
#define EXTENSION(key, type, ...) type key;
#include "spec/schema.def"
#undef KEY
    } extensions;
    struct {
        const char *name; /* NULL: from the output's stem */
        length_mode_t length_mode;
        int n_lengths;
        int64_t lengths[MAX_LENGTHS]; /* ascending, no duplicates */
        bool has_batch;
        int64_t batch_size;
        dtype_t dtype;
        cache_dtype_t cache_dtype;
        int n_targets;                    /* 0: not given */
        const char *targets[MAX_TARGETS]; /* valid names, "native" included */
        text_kind_t text;
        const char *sentencepiece; /* file */
        decode_kind_t decode;
    } compile;
    struct {
        dtype_t dtype;
        train_memory_t memory;
        double memory_bytes;            /* MEMORY_SIZE: of the workspace, inclusive */
        reformer_optimizer_t optimizer; /* each number said, whatever was left to defaults */
        reformer_schedule_t schedule;   /* total 0: the steps of the run, which it alone knows */
        double max_grad_norm;           /* 0: none */
        spec_patterns_t no_decay, freeze;
        train_task_t task;
        const char *text, *eval_text, *text_column, *label_column, *weights, *sample_prompt;
        double eval_fraction, mlm_probability, mask_replace_prob, random_replace_prob;
        int64_t mask_token_id; /* -1: not given */
        int n_never_masked;
        int64_t *never_masked;          /* [n_never_masked] */
        int64_t steps;                  /* -1: other limits alone end it */
        double epochs, minutes;         /* -1: no such limit */
        double save_minutes;            /* 0: no checkpoint by the clock */
        int64_t batch_size, accumulate; /* rows of a micro-batch; micro-batches of a step */
        int64_t sequence_length;        /* -1: not given */
        /* Windows -1: all */
        int64_t eval_every, eval_windows, eval_num_hashes, patience, save_every, keep, log_every;
        int64_t sample_every, sample_tokens, seed;
        bool overfit_batch, new_head;
    } train;
    struct {
        bool has_workspace, has_flops;
        double workspace; /* bytes: budget, inclusive unless strict */
        double flops_per_token;
        bool workspace_strict, flops_strict; /* "<" instead of "<=" */
    } expect;

    srcloc_t at[KEY_COUNT]; /* where each value stood; {path,0,0} where it is the default */
    bool given[KEY_COUNT], set[KEY_COUNT]; /* by the file or a setting; by a setting */
} spec_t;

/* One layer, as attention and feed-forward see it. */
typedef struct {
    bool lsh; /* else local */
    int64_t num_attention_heads, attention_head_size, feed_forward_size;
    act_t hidden_act;
    dtype_t dtype;
    int64_t chunk_length, num_chunks_before, num_chunks_after; /* of its kind */
    int64_t num_hashes;                                        /* LSH; 1 in local layers */
    int n_bucket_factors; /* 0: chosen from the length; nothing in local layers */
    int64_t num_buckets[MAX_FACTORS];
} spec_layer_t;

/* What ends texts, and what stands behind an end. */
typedef struct {
    int n_eos_tokens;
    int64_t *eos_tokens; /* [n_eos_tokens] */
    bool has_pad_token;
    int64_t pad_token;
} ends_t;

/* A `--set KEY=VALUE`, as typed. */
typedef struct {
    const char *key, *value;
    const char *shown; /* how messages call it, an option that stands for it; NULL: --set KEY */
} setting_t;

/* Reads `path`: a file, a checkpoint folder, or "-" (stdin). NULL after errors,
 * all of them in d. */
spec_t *spec_load(arena_t *a, const char *path, const setting_t *sets, int n_sets, diag_t *d);
/* The spec's, but a checkpoint folder's generation_config.json comes before its config.json, as in
 * Hugging Face; settings come before both. Warns of what else that file asks of generation, which
 * is left to the command line. False after errors. */
bool spec_ends(arena_t *a, const spec_t *s, ends_t *ends, diag_t *d);
/* What compile.text says, else what a vocabulary of this size means; TEXT_UNSET: unknown. */
text_kind_t spec_text_kind(const spec_t *s, int64_t vocab);
/* Of a file that the key's value names: a relative one starts in the spec's folder; one of --set
 * that is not there, and one of another option, in the current folder; free(). */
char *spec_file_path(const spec_t *s, spec_key_t key, const char *name);
/* Of the SentencePiece model that a spec with TEXT_SENTENCEPIECE names; free(). */
char *text_model_path(const spec_t *s);
/* What was read of a file or of stdin, `shown` in messages; text[bytes] is NUL, and the
 * text lives as long as d. */
spec_t *spec_from_text(arena_t *a, const char *shown, const char *text, size_t bytes,
                       const setting_t *sets, int n_sets, diag_t *d);
/* The head of a graph: its text, which is YAML, ends before the first graph. */
spec_t *spec_parse_head(arena_t *a, const char *path, const char *text, size_t bytes,
                        const setting_t *sets, int n_sets, diag_t *d);
void spec_print_head(const spec_t *s, sbuf_t *out); /* of any spec; what spec_parse_head reads */
/* The same from memory (tests, fuzzing). */
spec_t *spec_parse(arena_t *a, const char *path, const char *text, size_t bytes,
                   const setting_t *sets, int n_sets, diag_t *d);
/* architectures absent: the weights' tensor names decide (has_lm_head …), else is_decoder.
 * Also makes the checks that need the architecture. False after errors. */
bool spec_resolve_architecture(spec_t *s, bool has_lm_head, bool has_classifier, bool has_qa,
                               diag_t *d);

/* The facts of layer 0 … n_layers - 1: nobody else asks what kind of layer it is, and
 * which keys are the kind's. */
spec_layer_t spec_layer(const spec_t *s, int layer);
/* Whether it has a value of its own, and not the model's. */
bool spec_layer_has(const spec_t *s, int layer, spec_key_t key);
/* Where the key's value of this layer stood. */
srcloc_t spec_layer_at(const spec_t *s, int layer, spec_key_t key);
/* The keys that say a kind's chunk length, look-back and look-ahead. */
typedef struct {
    spec_key_t chunk, before, after;
} window_keys_t;
window_keys_t spec_window_keys(bool lsh);
int spec_layers_of(const spec_t *s, bool lsh);   /* how many of a kind */
int spec_first_layer(const spec_t *s, bool lsh); /* -1: none of that kind */
/* The layers that are unlike all before them: their numbers in `first` [n_layers].
 * Returns how many. */
int spec_layer_forms(const spec_t *s, int *first);
/* The spec of that layer alone. */
spec_t spec_of_layer(arena_t *a, const spec_t *s, int layer);

/* The number type of a layer's products; of what is no layer's, -1, and of layers
 * beyond: the model's. */
dtype_t spec_dtype(const spec_t *s, int layer);
bool spec_has_dtype(const spec_t *s, dtype_t dtype); /* of the model, or of a layer */

bool spec_trains(const spec_t *s); /* it has a section `train:`, with a key in it */

/* Derived facts of docs/semantics.md, in one place. */
int64_t spec_lcm(const spec_t *s);       /* of the chunk lengths of all layers */
int64_t spec_min_chunk(const spec_t *s); /* minc */
int64_t spec_padded_length(const spec_t *s, int64_t length); /* the auto-padding rule */
/* The padding token; -1: there is none in the vocabulary. */
int64_t spec_pad_token(const spec_t *s);
int64_t spec_positions(const spec_t *s); /* that have an embedding */
/* Greatest length whose padded length fits the positions */
int64_t spec_max_length(const spec_t *s);
/* An LSH layer's factors for sequences of this padded length: the given, or Hugging
 * Face's choice. Returns n. */
int spec_bucket_factors(const spec_t *s, int layer, int64_t padded_length,
                        int64_t factors[MAX_FACTORS]);
const char *arch_hf_name(arch_t a); /* "ReformerModelWithLMHead" … */
const char *act_name(act_t a);
const char *dtype_name(dtype_t d);   /* as compile.dtype has it */
bool is_c_keyword(const char *word); /* of C or C++: no prefix of generated names */

void spec_help(sbuf_t *out);           /* --help-spec */
void spec_json_schema(sbuf_t *out);    /* reformerc schema */
void spec_reference_page(sbuf_t *out); /* docs: Markdown */
void spec_fuzz_dictionary(sbuf_t *out);
/* For completion: what --set takes before its "=", a line each; the words that a key takes, a
 * line each: none of most; of those that are a word or a truth value, "KEY=yes no", a line each,
 * with a * for a layer's number. */
void spec_list_keys(sbuf_t *out);
void spec_list_words(const char *key, sbuf_t *out);
void spec_list_values(sbuf_t *out);
/* The keys that a training has for good, with their values as text: those of the model, and of
 * train: all but where it ends, what it shows and keeps, and the paths of its
 * files. Returns how many. */
typedef struct {
    const char *key, *value;
    srcloc_t at;
    /* Of a key that is a word: its default, which it had before there was such
     * a key; NULL: not told */
    const char *before;
} spec_value_t;
size_t spec_fixed_values(arena_t *a, const spec_t *s, spec_value_t **values);
/* A number that specs have in common where they agree in all of these, and in
 * what `compile:` gives. */
uint64_t spec_digest(const spec_t *s);
void spec_free_keys(sbuf_t *out); /* of train: all others, "text, steps, …" */
/* A schedule whose course ends at `total`. */
bool schedule_ends(reformer_schedule_type_t type);
const char *schedule_behind_end(reformer_schedule_type_t type); /* what its rate does there */
/* Keys that decide numbers or shapes in a canonical text: of two specs with one text the models are
 * one. `factors` as above. */
void spec_canonical(const spec_t *s, int n_factors, const int64_t *factors, sbuf_t *out);
/* The spec as a Hugging Face config.json. */
void spec_to_config_json(const spec_t *s, sbuf_t *out);
/* The same for a checkpoint folder, in which `pieces` is the name of a SentencePiece model's copy:
 * with what becomes of text, where the spec says it. */
void spec_to_checkpoint_json(const spec_t *s, const char *pieces, sbuf_t *out);

#endif
