/* The rows of schema.def as a table, and how the parts of the spec folder see them. */
#ifndef REFORMERC_SPEC_SCHEMA_H
#define REFORMERC_SPEC_SCHEMA_H

#include <stddef.h>

#include "spec/spec.h"

typedef enum {
    KIND_INT,
    KIND_INT_NULL, /* null: its has_ flag is false; without one the value is -1 */
    KIND_REAL,
    KIND_REAL_NULL, /* likewise */
    KIND_BOOL,
    KIND_WORD,    /* one of `words`; an enum, or a pointer to the word where values are absent */
    KIND_INTS,    /* int64_t[], MAX_AXIAL of them at most */
    KIND_BUCKETS, /* int, list or null */
    KIND_TOKENS,  /* int, list or null; of any length */
    KIND_LAYERS,
    KIND_ARCHITECTURES,
    KIND_LAYER_COUNT,
    KIND_MODEL_TYPE,
    KIND_LAYER_SETTINGS, /* a list of mappings or null */
    KIND_LABELS,         /* a mapping of which only the size counts */
    KIND_NAME,
    KIND_STRING,
    KIND_LENGTH,
    KIND_TARGETS,
    KIND_TEXT,
    KIND_PATTERNS, /* a text, a list of them, or null: spec_patterns_t */
    KIND_PAIR,     /* double[2] */
    KIND_EPS,      /* a number or two: double[2] */
    KIND_FACTORS,  /* words, in a list or with * between them */
    KIND_MEMORY,   /* a word, or bytes */
    KIND_BYTES,    /* a budget */
    KIND_FLOPS,
    KIND_NOTHING, /* null or empty */
    KIND_ANYTHING
} kind_t;

typedef enum { ROLE_MODEL, ROLE_TRAIN, ROLE_PLAIN, ROLE_OWN, ROLE_IGNORED } key_role_t;

/* A word and what it stands for: a value of an enum, or a factor of a unit. */
typedef struct {
    const char *word;
    double value;
} word_t;

typedef struct {
    const char *section; /* "", "extensions", "compile", "train", "train.optimizer" … */
    const char *name;    /* without the section */
    const char *full;    /* with it: "compile.name" */
    kind_t kind;
    key_role_t role;
    size_t at, extra; /* offsets in spec_t: the value, its flag or count; NO_PLACE */
    double low, high;
    const word_t *words;  /* ended by {NULL} */
    const char *standard; /* the default as text, or NULL */
    const char *doc;
} key_info_t;

#define NO_PLACE SIZE_MAX

extern const key_info_t schema[KEY_COUNT];
/* "", "extensions", "compile", "train", "train.optimizer" … NULL: one with a dot is a
 * mapping inside another. */
extern const char *const sections[];
bool is_nested(const char *section);
/* Words that one key alone takes stand in its row. */
#define WORDS(...) ((const word_t[]){__VA_ARGS__, {NULL, 0}})
extern const word_t act_words[], architecture_words[], layer_words[], problem_words[],
    dtype_words[], train_dtype_words[], decode_words[], target_words[], length_words[],
    optimizer_words[], schedule_words[], factor_words[], byte_units[], flop_units[];

/* The section of this name in `outer`, "" for the top level: "train.optimizer" for "train",
 * "optimizer"; NULL: none. */
const char *section_inside(const char *outer, const char *name);
/* The key of this name in this section, or KEY_COUNT. */
spec_key_t schema_find(const char *section, const char *name);
/* The value's name among the words, or NULL. */
const char *word_of(const word_t *words, double value);

/* The keys that a layer may have for itself, KEY_COUNT behind the last. */
extern const spec_key_t layer_keys[];
/* The list as JSON; false where no layer has any. */
bool print_layer_settings(const spec_t *s, sbuf_t *out);

void print_quoted(sbuf_t *out, const char *text); /* a string of JSON */
/* The value as JSON (also legal YAML); false when the key has no value to print. */
bool print_key_value(const spec_t *s, spec_key_t key, sbuf_t *out);

/* "an integer, 1 … 4096", "relu, gelu …": what the key takes, for help and messages. */
void print_range(spec_key_t key, sbuf_t *out);

#endif
