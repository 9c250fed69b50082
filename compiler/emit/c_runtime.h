/* Shared by the files that write what a model needs of the runtime. */
#ifndef REFORMERC_EMIT_C_RUNTIME_H
#define REFORMERC_EMIT_C_RUNTIME_H

#include "emit/c_int.h"
#include "emit/c_scan.h"

/* Functions of the runtime that products call by their own names; name NULL: the end. */
typedef struct {
    duty_t duty;
    const char *name;
} runtime_export_t;
extern const runtime_export_t runtime_exports[];
bool is_exported(const plan_t *p, c_word_t name);

typedef struct {
    const char *name, *text;
    piece_t *piece; /* [n] */
    size_t n;
    bool *needed; /* [n] */
    bool header, put;
} file_t;

/* A name that a piece defines. */
typedef struct {
    c_word_t name;
    int file;
    size_t piece;
    bool local;        /* to its file */
    bool tag;          /* struct NAME */
    const char *shown; /* in model.c */
} entry_t;

struct runtime {
    emitter_t *c;
    arena_t *arena;
    file_t *file; /* [n_files] */
    int n_files;
    entry_t *entry; /* [n_entries], sorted by name */
    size_t n_entries, cap_entries;
    const char **own; /* names that stand behind macros */
    size_t n_own, cap_own;
};

int compare_words(c_word_t a, c_word_t b);
bool is_runtime_name(const char *name); /* reformer_… */
/* What a word of a file means, behind that other word; NULL: nothing of the runtime. */
const entry_t *find_entry(const runtime_t *r, int file, c_word_t w, c_word_t before);
bool file_is_needed(const file_t *f);

/* c_runtime_text.c */
void put_headers(runtime_t *r, int file, sbuf_t *out); /* those that it includes */
void put_file(runtime_t *r, int file, sbuf_t *out);
void put_prototypes(const runtime_t *r, sbuf_t *out);
bool is_feature_macro(const piece_t *x);

#endif
