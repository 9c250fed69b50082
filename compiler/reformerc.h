/* The compiler as a library: a Reformer's spec in, a model that runs in this process out.
 *
 *     reformerc_model_t *model = NULL;
 *     char *message = NULL;
 *     reformerc_options_t options = {.size = sizeof options, .weights = "model.safetensors"};
 *     int error = reformerc_compile(&model, "model.yaml", NULL, &options, &message);
 *     if (error) fprintf(stderr, "%s", message);
 *
 *     reformerc_context_t *context = NULL;
 *     error = reformerc_context_new(&context, model, 4);
 *     reformer_io_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .length = n, .logits =
 *     logits}; error = reformerc_forward(context, &io);
 *
 *     reformerc_context_free(context);
 *     reformerc_free(model);
 *
 * Link with `pkg-config --cflags --libs reformerc`, or, to have all of it in the program, with
 * reformerc-static. Inputs and outputs are those of generated code: reformer_io_t in reformer_rt.h
 * says their shapes. As there, structures begin with their size, which the caller sets; any other
 * is REFORMER_E_SIZE. Valid C++ as well.
 *
 * The shared library shows the functions of this header alone. The runtime inside it is its own: a
 * program that calls functions of reformer_rt.h too, for generated models, links libreformer_rt.a
 * beside it, whatever its version.
 *
 * Errors are values: 0, or a code with a text. Nothing here exits, prints, installs a signal
 * handler or changes the locale, the umask or the current folder because of what a caller hands in.
 * Where memory runs out in the middle of a call, the call returns REFORMERC_E_MEMORY, what it had
 * made is released, and what it was given is as before (of a cache, rows that a failed prefill was
 * to fill may be empty); a defect of this library that it notices itself is REFORMERC_E_DEFECT,
 * with memory that may be lost. One thing does end the process: LLVM, which back end jit compiles
 * with, aborts where it gets no memory, with a line on stderr. So jit first asks the system for as
 * much as LLVM is likely to need, and returns REFORMERC_E_MEMORY where that is not to be had; who
 * must be sure takes another back end, whose compiler is a process of its own. Forwards and steps
 * of jit never call LLVM.
 *
 * Threads: different models share nothing; any number may be compiled, run and freed at once. One
 * model is read-only after compile or bind: any number of contexts may run it at once. One context
 * is for one thread at a time. A child of fork() may compile, and go on with the models and
 * contexts of its parent that no call was at work on: a context's threads are started anew there;
 * freeing frees the child's copy. Compiling reads the environment (CC, HOME, REFORMER_CPU,
 * REFORMERC_CACHE, REFORMERC_CACHE_SIZE, TMPDIR, XDG_CACHE_HOME): no other thread may change it
 * meanwhile. Numbers are read with a point whatever locale the program has set. */
#ifndef REFORMERC_H
#define REFORMERC_H

#include <stddef.h>
#include <stdint.h>

#include "reformer_generate.h"
#include "reformer_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, as text and, for #if, as 10000 major + 100 minor + patch. */
#define REFORMERC_VERSION        "0.1.0"
#define REFORMERC_VERSION_NUMBER 100

/* ---- errors: values are pinned, new ones are appended ---------------------------------------- */

/* Besides those of reformer_rt.h (REFORMER_OK, REFORMER_E_…), which a forward returns. */
enum {
    REFORMERC_E_SPEC = 100,    /* the spec: not there, wrong, or asking for what cannot be */
    REFORMERC_E_OPTION = 101,  /* reformerc_options_t: a bad value */
    REFORMERC_E_WEIGHTS = 102, /* not there, damaged, of another model */
    REFORMERC_E_COMPILE = 103, /* the C compiler, LLVM or the loading of what they made failed */
    REFORMERC_E_MEMORY = 104,  /* out of memory, or of threads */
    REFORMERC_E_UNBOUND = 105, /* a forward of a model that has no weights yet */
    REFORMERC_E_FORWARD =
        106, /* the reference or the interpreter refused: reformerc_context_message */
    REFORMERC_E_DEFECT = 107 /* of this library: the message says what to report */
};
/* Also of reformer_rt.h's codes; never NULL; static text */
const char *reformerc_strerror(int code);
const char *reformerc_version(void); /* of the library that is linked: REFORMERC_VERSION */

/* ---- weights in memory ----------------------------------------------------------------------- */

enum { REFORMERC_F32 = 0, REFORMERC_F16 = 1, REFORMERC_BF16 = 2, REFORMERC_F64 = 3 };

/* A tensor under Hugging Face's name ("reformer." in front or not), dense and row-major, at any
 * address. "layers.N.rotations" [heads, head_size, rounds, …] fix what an LSH layer hashes with. */
typedef struct reformerc_tensor {
    size_t size; /* sizeof(reformerc_tensor_t) */
    const char *name;
    int dtype; /* REFORMERC_F32 … REFORMERC_F64 */
    int rank;  /* 0 … 8 */
    int64_t shape[8];
    const void *data;
} reformerc_tensor_t;

/* ---- compiling ------------------------------------------------------------------------------- */

/* Set its size, zero the rest; fields are only ever appended. Everything is read
 * during the call and not kept. */
typedef struct reformerc_options {
    size_t size; /* sizeof(reformerc_options_t) */
    /* "jit", "c", "reference", "interpreter"; NULL: jit, in a build without LLVM c. Where the
     * system forbids executable memory, c runs in place of jit, after a warning */
    const char *backend;
    const char *target; /* "x86-64-v3" or a list "a,b"; the best that this CPU has runs; NULL:
                          * compile.targets, else "native" */
    const char *const
        *settings; /* [n_settings] "KEY=VALUE", as --set takes; the last of a key wins */
    size_t n_settings;
    /* What to bind at once; without both: the weights of a checkpoint folder, else none yet. Where
     * the spec names no architecture, the tensors' names decide it. */
    /* Safetensors or packed file, checkpoint folder, "random" or "random:SEED" */
    const char *weights;
    const reformerc_tensor_t *tensors; /* [n_tensors], instead of weights; NULL: none */
    size_t n_tensors;
    /* Safetensors with layers.N.rotations; NULL: from the weights, else drawn */
    const char *rotations;
    uint64_t seed;      /* of the rotations where the spec's hash_seed is null */
    int threads;        /* workers that compile, 0 = 1, at most REFORMER_MAX_THREADS */
    const char *cc;     /* C compiler of "c", a program and its arguments; NULL: $CC, else cc */
    int no_cache;       /* 1: the compile cache is neither read nor written */
    int trace;          /* 1: code that calls io.trace */
    int impose_buckets; /* 1: code that takes io.buckets */
    int verify;         /* 1: verifies the loop IR after every pass */
    int instrument;     /* 1: code that calls io.profile */
    int decode;         /* 1: compiles generation too, of a causal language model */
    int train;          /* 1: compiles train steps and updates too, of a model with a loss */
} reformerc_options_t;

typedef struct reformerc_model reformerc_model_t;

/* Compiles a spec, and binds weights where there are any. `model` is a path: a spec in YAML, a
 * config.json, a checkpoint folder or a .graph file; with `text` (NUL-terminated) the spec, or
 * graph, is that text, and `model` only its name in messages (NULL: "spec"). `options` may be NULL.
 * compile.sequence_length decides as always which lengths can be run; a spec without it takes any
 * length up to the model's greatest (`dynamic`), compile.batch_size rows at most.
 *
 * Returns REFORMER_OK and a model in *m, or a code and NULL. *message, where `message` is not NULL,
 * is NULL or a text of one or more lines, as the command line prints them (file:line:col, the line,
 * a caret, a hint): all errors, or after success the warnings. It is the caller's to free(). */
int reformerc_compile(reformerc_model_t **m, const char *model, const char *text,
                      const reformerc_options_t *options, char **message);

/* Binds other weights, or the first; no forward of m may run meanwhile. After an error the earlier
 * ones are still bound. Values are checked (shapes, NaN, infinities) and copied. `weights` as in
 * the options; NULL: those of the checkpoint folder that m was compiled from. The
 * architecture stays what it was. */
int reformerc_bind(reformerc_model_t *m, const char *weights, char **message);
int reformerc_bind_tensors(reformerc_model_t *m, const reformerc_tensor_t *tensors, size_t n,
                           char **message);

/* After all contexts of m are gone. NULL is fine. */
void reformerc_free(reformerc_model_t *m);

/* ---- what a model is ------------------------------------------------------------------------- */

typedef struct reformerc_model_info {
    size_t size;                  /* sizeof(reformerc_info_t) */
    const char *backend, *target; /* "jit", "x86-64-v4"; static text */
    reformer_head_t head;
    int64_t batch;      /* rows of one forward, at most */
    int64_t max_length; /* tokens per row, at most */
    int64_t hidden, vocab, labels, pad_token;
    int64_t lsh_layers, heads, rounds; /* of LSH layers: how many, and the most that one has */
    int variants;                      /* specialised lengths */
    int bound;                         /* 1: has weights */
    int64_t positions; /* tokens that a row of a cache can hold; 0: does not generate */
} reformerc_info_t;
int reformerc_info(const reformerc_model_t *m, reformerc_info_t *info);
/* What a row of `length` tokens is padded to while it is computed, the last dimension of
 * io.buckets; 0: too long. */
int64_t reformerc_padded_length(const reformerc_model_t *m, size_t length);
/* Of a context that runs up to `length` tokens on `threads` workers; 0: out of range,
 * or no workspace needed. */
size_t reformerc_workspace_bytes(const reformerc_model_t *m, size_t length, int threads);

/* ---- running --------------------------------------------------------------------------------- */

/* A workspace and worker threads, which sleep between forwards. The model must outlive it. */
typedef struct reformerc_context reformerc_context_t;

/* `threads` workers, the calling thread among them; 0 = 1, at most REFORMER_MAX_THREADS. */
int reformerc_context_new(reformerc_context_t **c, const reformerc_model_t *m, int threads);
void reformerc_context_free(reformerc_context_t *c); /* NULL is fine */

/* Makes room for `length` tokens now: forwards up to it allocate nothing (back ends jit and c). */
int reformerc_reserve(reformerc_context_t *c, size_t length);

/* One forward. io as in reformer_rt.h, but io->pool NULL = the context's own workers, and
 * io->threads 0 then (or more than it has) = all of them. Returns REFORMER_OK or a code; outputs
 * are defined after REFORMER_OK only. A trace is called on the calling thread. */
int reformerc_forward(reformerc_context_t *c, const reformer_io_t *io);
/* ---- training -------------------------------------------------------------------------------- */

/* One train step of a model (options.train) without its update: the gradient of the loss by every
 * tensor of the weights that it depends on. reformer_rt.h says under reformer_gradients what it
 * reads, writes and refuses; threads and pool are as in reformerc_forward. `gradients`: `bytes` of
 * the caller's memory, reformerc_gradients_bytes() or more, 64-byte aligned; which tensor stands
 * where, reformerc_gradient() says. Where the type of a classifier's labels decides about the loss,
 * integer labels are meant. The workspace is the context's, and grows as in a forward. Returns
 * REFORMER_OK or a code; REFORMER_E_TRAIN: the model was compiled without. */
int reformerc_gradients(reformerc_context_t *c, const reformer_io_t *io, float *gradients,
                        size_t bytes);
size_t reformerc_gradients_bytes(const reformerc_model_t *m); /* 0: the model gives none */
/* Tensor number i; REFORMER_E_ARGUMENT: there are fewer. Static facts of the model: any thread. */
int reformerc_gradient(const reformerc_model_t *m, size_t i, reformer_tensor_t *t);

/* A model (options.train) that learns: its weights change step by step, by the rule of the spec's
 * `train:`. Made of a model with weights, on a context whose threads it works with; both outlive
 * it, and it is the model's only one. From here on forwards and generation of the model, by any
 * context, read what it has learnt; none may run during its calls. After reformerc_trainer_free()
 * the model has no weights, until the next bind; none may be bound before. */
typedef struct reformerc_trainer reformerc_trainer_t;
int reformerc_trainer_new(reformerc_trainer_t **t, reformerc_context_t *c);
void reformerc_trainer_free(
    reformerc_trainer_t *t); /* NULL is fine; before its context and model */
/* One step: the mean loss over the labels of io[n], micro-batches as reformerc_gradients takes
 * them, seed, step and row of dropout aside. report may be NULL. Returns REFORMER_OK or a code, of
 * which reformerc_context_message says more; REFORMER_E_DIVERGED: report->bad is the number of a
 * tensor (reformerc_gradient). After an error weights are what they were. */
int reformerc_train_step(reformerc_trainer_t *t, const reformer_io_t *io, size_t n,
                         reformer_train_report_t *report);
/* Array number i of what it has learnt, under Hugging Face's name, and behind all of those what the
 * optimiser keeps ("exp_avg.NAME"): to read between steps, or, through `data`, to write.
 * REFORMER_E_ARGUMENT: there are fewer. */
int reformerc_trainer_tensor(const reformerc_trainer_t *t, size_t i, reformerc_tensor_t *tensor,
                             float **data);
/* After they were written: goes on with step number `step`, from 0, to the bit as the trainer
 * did that they come from. */
int reformerc_trainer_resume(reformerc_trainer_t *t, int64_t step);

/* Why the last forward, train step or reserve of this context failed, until the
 * next; NULL: it did not. */
const char *reformerc_context_message(const reformerc_context_t *c);

/* ---- generation ------------------------------------------------------------------------------ */

/* Rows of tokens that a model (options.decode) has read: reformer_rt.h, "generation", says what
 * prefills and steps do. A cache works with the threads of its context, which must outlive it, one
 * call of either at a time. */
typedef struct reformerc_cache reformerc_cache_t;

/* For as many rows as the model's batch, of up to `length` tokens, and prompts of up to `prompt`.
 * All memory is allocated here: prefills and steps allocate nothing (back ends jit and c). */
int reformerc_cache_new(reformerc_cache_t **cache, reformerc_context_t *c, size_t length,
                        size_t prompt);
void reformerc_cache_free(reformerc_cache_t *cache); /* NULL is fine */

/* io as in reformer_rt.h; threads and pool as in reformerc_forward. Return REFORMER_OK or a code,
 * of which reformerc_context_message says more. */
int reformerc_prefill(reformerc_cache_t *cache, const reformer_decode_t *io);
int reformerc_step(reformerc_cache_t *cache, const reformer_decode_t *io);
/* Row `to` becomes a copy of row `from`. */
int reformerc_cache_copy_row(reformerc_cache_t *cache, size_t from, size_t to);
size_t reformerc_cache_tokens(const reformerc_cache_t *cache, size_t row);

/* Chooses a token from logits [vocab] as reformer_sample() of reformer_generate.h says;
 * scratch is the context's. */
int reformerc_sample(reformerc_context_t *c, const reformer_sampling_t *s, const float *logits,
                     const int32_t *history, size_t n_history, uint64_t row, uint64_t step,
                     int32_t *token);
/* reformer_generate() and reformer_beam_search() of the same header, with the cache as the decoder;
 * threads and pool are as in reformerc_forward. Scratch is allocated for the call. Return
 * REFORMER_OK or a code, of which reformerc_context_message says more. g->on_token is
 * called on the calling thread. */
int reformerc_generate(reformerc_cache_t *cache, const reformer_generate_t *g);
int reformerc_beam_search(reformerc_cache_t *cache, const reformer_generate_t *g,
                          const reformer_beams_t *beams);

/* How text becomes tokens: "bytes" (id = byte + 2), "sentencepiece:PATH", or
 * NULL, unknown. The model's. */
const char *reformerc_text(const reformerc_model_t *m);
/* End token number i, of a model that generates, whether the vocabulary has it or
 * not; -1: there are fewer. */
int64_t reformerc_end_token(const reformerc_model_t *m, size_t i);

#ifdef __cplusplus
}
#endif
#endif
