/* The runtime that generated models link to. C11, nothing but libc, and its threads
 * (POSIX's); valid C++ as well.
 *
 * A generated model is a set of kernels, one schedule per specialised length and target, and one
 * reformer_desc_t that describes them. Everything that does not depend on the spec's sizes is here:
 * checking inputs, preparing them, choosing the variant, running kernels on workers, weights files.
 *
 * No allocation, no printing, no errno, no globals, but for what the system does where threads are
 * started; of the process's state only the environment variable REFORMER_CPU is read, when a model
 * is bound and where the size of a workspace is asked for (reformer_cpu_takes). A reformer_model_t
 * is read-only after binding: any number of threads may run forwards on it at once, each
 * with its own workspace.
 *
 * fork(): a child may go on with models, caches, workspaces and pools of its parent, unless a call
 * was at work on them. (Built on OpenMP, which keeps threads of its own: see openmp.c.)
 *
 * Rounding mode and flushing of denormals (fesetround, a link with -ffast-math) are the host's:
 * calls compute with rounding to nearest and denormals kept, on every thread, and
 * leave them as they were. */
#ifndef REFORMER_RT_H
#define REFORMER_RT_H

#include <stddef.h>
#include <stdint.h>

/* A shared library exports the functions of the models in it, also one of -fvisibility=hidden, and
 * nothing of the runtime: it finds no other library's runtime in the place of its own. Define
 * REFORMER_HIDE_MODELS where models are its own business too, REFORMER_SHARED where the runtime is
 * a shared library by itself. */
#if defined(__GNUC__) && !defined(_WIN32) && !defined(REFORMER_HIDE_MODELS)
#define REFORMER_MODEL_BEGIN _Pragma("GCC visibility push(default)")
#define REFORMER_MODEL_END   _Pragma("GCC visibility pop")
#else
#define REFORMER_MODEL_BEGIN
#define REFORMER_MODEL_END
#endif
#if defined(__GNUC__) && !defined(_WIN32) && !defined(REFORMER_SHARED) && !defined(__cplusplus)
#define REFORMER_BEGIN _Pragma("GCC visibility push(hidden)")
#define REFORMER_END   _Pragma("GCC visibility pop")
#else /* of C++, types would be hidden as well */
#define REFORMER_BEGIN
#define REFORMER_END
#endif

#ifdef __cplusplus
extern "C" {
#endif
REFORMER_BEGIN

#define REFORMER_ABI         6 /* what changes what crosses this border raises it (docs/stability.md) */
#define REFORMER_VERSION     "0.1.0"
#define REFORMER_MAX_THREADS 1024

/* Of the runtime that is linked: REFORMER_VERSION, REFORMER_ABI. */
const char *reformer_version(void); /* static text */
uint32_t reformer_abi(void);

/* Structures that a caller hands in, to be read or to be filled, begin with their
 * size, which the caller sets:
 *
 *     reformer_io_t io = {.size = sizeof io, .input_ids = ids, …};
 *
 * So headers, generated code and runtime of different versions cannot be mixed up: any other size,
 * 0 too, is REFORMER_E_SIZE, and nothing is read or written. Models and trainers are set up by bind
 * and begin instead, and what generated code describes carries sizes of its own
 * (reformer_desc_t). */

/* ---- errors: values are pinned, new ones are appended --------------------------------------- */

enum {
    REFORMER_OK = 0,
    REFORMER_E_ARGUMENT = 1, /* a NULL or contradictory argument */
    REFORMER_E_TOKEN = 2,    /* an input id is negative or >= vocab_size */
    REFORMER_E_LENGTH = 3,   /* length is 0 or longer than any specialised length */
    REFORMER_E_BATCH = 4,    /* more rows than the model was compiled for */
    REFORMER_E_LABEL = 5,    /* a label is neither -100 nor a class; a position is out of reach */
    REFORMER_E_CPU = 6,      /* this CPU lacks the features of every target in the artefact */
    REFORMER_E_WEIGHTS = 7,  /* not a weights file, or truncated */
    REFORMER_E_VERSION = 8,  /* weights file or model of another version: reformer_explain() */
    REFORMER_E_FINGERPRINT = 9, /* weights of another model, or of another number type: likewise */
    REFORMER_E_ALIGNMENT = 10,  /* weights or workspace not 64-byte aligned */
    REFORMER_E_CHECKSUM = 11,   /* weights damaged */
    REFORMER_E_NAN = 12,        /* weights hold a NaN or infinity */
    REFORMER_E_OUTPUT = 13,     /* an output was asked for that this model does not have */
    REFORMER_E_CACHE = 14,      /* the cache is not initialised, damaged, or another model's */
    REFORMER_E_FULL = 15,       /* a row of the cache has no room for another token */
    REFORMER_E_EMPTY = 16,      /* a step of a row that holds no token yet: prefill it first */
    REFORMER_E_DECODE = 17,   /* this model does not generate: no causal LM, or compiled without */
    REFORMER_E_LOGITS = 18,   /* sampling: a NaN or +infinity, or -infinity for every token */
    REFORMER_E_TRAIN = 19,    /* this model gives no gradients: no loss, or compiled without */
    REFORMER_E_POSITION = 20, /* a row of a train step begins or ends outside of the positions */
    REFORMER_E_DIVERGED = 21, /* the gradient holds a NaN or an infinity: nothing was updated */
    REFORMER_E_WORKSPACE =
        22, /* workspace, cache or other memory that is too small: nothing was written */
    REFORMER_E_SIZE = 23, /* a structure whose size is not set, or another version's */
    REFORMER_E_MODEL = 24 /* a model, or a trainer, that is not of this spec */
};
const char *reformer_strerror(int code); /* never NULL; static text */

/* ---- threads -------------------------------------------------------------------------------- */

/* The product's own threads. parallel_for must call body(arg, i, worker) once for every 0 <= i < n,
 * with 0 <= worker < workers and never two calls at once with the same worker, and return when all
 * are done. Order and assignment are free: results do not depend on them. */
typedef struct reformer_pool {
    size_t size; /* sizeof(reformer_pool_t) */
    void *ctx;
    void (*parallel_for)(void *ctx, int64_t n, int workers,
                         void (*body)(void *arg, int64_t i, int worker), void *arg);
} reformer_pool_t;

/* Threads of the runtime, for who has none of his own: the caller's and so many more, less one,
 * which sleep while they have nothing to do. `memory` is 64-byte aligned, the caller's until the
 * pool has ended. NULL: a bad argument. A pool runs one job at a time; a thread that finds it at
 * work runs its job alone, so any number may share one.
 *
 *     pool = reformer_pool_begin(memory, REFORMER_POOL_BYTES(4), 4);
 *     io.threads = 4, io.pool = pool; ... forwards, steps ...
 *     reformer_pool_end(pool);                             no call may be at work on it
 *
 * Without a pool (NULL) a call that asks for several threads starts them and ends them: for a
 * forward that is nothing, for the steps of a text it is much, and a pool is quicker. After fork()
 * a pool may be used, and ended, in both processes: in the child its threads are started with its
 * first job. pthread_cancel() ends no thread in the middle of a job, as far as the runtime goes: it
 * waits for nothing that could be cancelled.
 *
 * Stack: where code is optimised (-O1 and more) a thread that calls, or that runs tasks, needs 64
 * KiB of it; where it is not (-O0), kernels for AVX-512 take up to 0.5 MB with gcc, 1.1 MB with
 * clang. The runtime's threads have 2 MiB or more. */
#define REFORMER_POOL_BYTES(threads) (512 + 32 * (size_t)(threads))
const reformer_pool_t *reformer_pool_begin(void *memory, size_t bytes, int threads);
void reformer_pool_end(const reformer_pool_t *pool); /* NULL is fine */
/* Threads that it really has: fewer where the system gave fewer. 1 for NULL. Of
 * reformer_pool_begin's pools alone. */
int reformer_pool_threads(const reformer_pool_t *pool);

/* Threads to ask for on this machine: CPUs that this process may run on, or that its control
 * group's quota pays for, rounded down; at least 1. Reads files of the system, which takes a
 * fraction of a millisecond, and may change errno. */
int reformer_default_threads(void);

/* Calls job once, with a pool of so many threads that lives as long as it runs,
 * or NULL: there is none. */
typedef void reformer_threads_fn(void *ctx, const reformer_pool_t *pool);
void reformer_with_threads(int threads, reformer_threads_fn *job, void *ctx);
/* In one C file of a product, outside of functions: it brings its pool, or needs none. No thread is
 * started where io names no pool, and neither threads nor OpenMP are linked for it. */
#define REFORMER_WITHOUT_THREADS                                                                   \
    void reformer_with_threads(int threads, reformer_threads_fn *job, void *ctx) {                 \
        (void)threads;                                                                             \
        job(ctx, NULL);                                                                            \
    }                                                                                              \
    struct reformer_pool

/* For pools: takes tasks off 0 … n-1, of which those below *next are taken already; several workers
 * may call at once. They are neighbours, since a kernel prefetches what its next task reads, and
 * fewer and fewer towards the end, so that all workers finish together. Returns how many, the first
 * of them in *first; 0: all are taken. */
int64_t reformer_take_tasks(int64_t *next, int64_t n, int workers, int64_t *first);

/* ---- one forward ---------------------------------------------------------------------------- */

typedef void reformer_trace_fn(void *ctx, const char *name, const void *data, int dtype,
                               const int64_t *shape, int rank);
enum { REFORMER_F32 = 0, REFORMER_I32 = 1 }; /* dtype of a traced tensor */
/* begin 1: the launch `name` ("layer3.lsh.hash") is about to run; 0: it is done. Called on the
 * thread of the forward, in pairs, one after the other; the runtime reads no clock itself. */
typedef void reformer_profile_fn(void *ctx, const char *name, int begin);

/* Of the gradients that a call writes, floats first … first + floats - 1 are done: the call neither
 * writes nor reads them any more, and whoever asked for them may send them off, or overwrite them,
 * while the rest is computed. Called on the thread of the call, between two launches, once for each
 * tensor, and in one order whatever the inputs and the number of threads. */
typedef void reformer_ready_fn(void *ctx, size_t first, size_t floats);

/* Set its size, zero the rest; NULL output = not wanted; fields are only ever appended. Shapes,
 * with `hidden`, `vocab` and `labels` of the model; arrays are dense, row-major,
 * aligned to their type.
 *
 * Labels are as Hugging Face takes them, -100 = ignore: [batch][length] for LMs, [batch] for
 * classes; they are looked at only where a loss is wanted. Imposed buckets live only in code
 * compiled with --buckets, trace only in code compiled with --dump-activations, profile only in
 * code compiled with --instrument. Buckets carry round offsets, as Hugging Face's do; their batch
 * is the one the model was compiled for. */
typedef struct reformer_io {
    size_t size;                   /* sizeof(reformer_io_t) */
    const int32_t *input_ids;      /* [batch][length] */
    const uint8_t *attention_mask; /* [batch][length], 1 = token, 0 = padding; NULL = all tokens */
    size_t batch, length;          /* rows (0 = what the model was compiled for), tokens per row */
    int threads;                   /* 0 = 1, at most REFORMER_MAX_THREADS; never changes a result */
    float *last_hidden_state;      /* [batch][length][2 * hidden] */
    float *logits;                 /* LMs: [batch][length][vocab]; classifiers: [batch][labels] */
    float *start_logits, *end_logits; /* [batch][length], question answering */
    const int32_t *labels;
    const int32_t *start_positions, *end_positions; /* [batch] */
    const float *labels_f32;     /* [batch] regression, [batch][labels] several labels */
    float *loss;                 /* [1] */
    const reformer_pool_t *pool; /* the product's own threads; NULL = built in */
    reformer_trace_fn *trace;
    void *trace_ctx;
    /* Of the LSH layers that hash at this length, in order: [batch][heads][rounds][padded length],
     * a layer's behind the other's, whose heads and rounds may be others. */
    const int32_t *buckets;
    const uint8_t *buckets_given; /* of the same layers: 1 = impose, 0 = hash; NULL = all */
    reformer_profile_fn *profile; /* NULL: launches are not told */
    void *profile_ctx;
    /* LMs: [batch][length], of the label that each token predicts (causal: the next token's) its
     * cross-entropy, whose mean is the loss; 0 where it predicts none. Asks for labels. */
    float *token_losses;
    /* Of train steps alone: which elements dropout drops. The same numbers give the same
     * masks, whatever else differs. */
    uint64_t dropout_seed;
    uint32_t dropout_step; /* of the optimiser, from 0 */
    /* Rows of the step that come before this call's: of other micro-batches */
    uint32_t dropout_row;
    /* Of train steps alone: [batch], the position of each row's first token, so that rows that are
     * shorter than the model's positions train all of them; the row ends within them. NULL: 0. */
    const int32_t *positions;
    /* Of gradients alone, not of a trainer's steps: told as they become final. NULL: nobody is. */
    reformer_ready_fn *ready;
    void *ready_ctx;
} reformer_io_t;

/* ---- generation ----------------------------------------------------------------------------- */

/* A causal language model continues texts, one token per row and step. What it has read stays in a
 * cache, memory of the caller's:
 *
 *     cache = 64-byte aligned memory of bytes = cache_bytes(length), cache_init(cache, bytes,
 *     length) prefill: reads prompts into rows of the cache          logits: of
 *     what follows each prompt
 *     step:    appends one token to each row                 logits: of what follows it
 *
 * The time of a step does not depend on how much was read before. Each row is computed as if it
 * were alone: rows of different lengths, side by side, give bit for bit what each gives by itself.
 * Positions count a row's own tokens: what attention_mask leaves out, padding on either side
 * included, is no part of the row. A token left out between others is as if it had never stood
 * there; a forward with that mask, which counts its place, gives another result.
 *
 * What prefill computes equals Hugging Face's forward of the row (padded as the model was compiled,
 * see reformer_forward). Steps are Hugging Face's cached decoding: an approximation of a forward
 * over all tokens, by its design, since a new token is sorted into buckets that exist already.
 *
 * A cache is plain memory without pointers: it may be copied, moved, saved and loaded, by the same
 * build of the same model. Calls check its head (the model, the rows, the tokens in each), not the
 * memory behind it, which may hold anything in a cache that was damaged or that somebody else made:
 * kernels then read and write elsewhere. Who loads a cache asks cache_check(cache, bytes) whether
 * that memory holds all of it; who saves caches where they can be damaged keeps a checksum of
 * cache_bytes(length) bytes beside them (reformer_checksum), and compares it.
 *
 * One step allocates nothing and keeps nothing outside of cache and workspace: any number of
 * threads may generate from one model at once, each with a cache and a workspace of its own. */
typedef struct reformer_decode {
    size_t size;              /* sizeof(reformer_decode_t) */
    const int32_t *input_ids; /* prefill: [batch][length]; step: [batch] */
    /* Of the same shape, 1 = token, 0 = none; NULL = all tokens. A row without any token stays as
     * it is, outputs included */
    const uint8_t *attention_mask;
    size_t batch;                 /* rows, 0 = what the model was compiled for */
    size_t length;                /* prefill: tokens per row; step: not read */
    int threads;                  /* 0 = 1, at most REFORMER_MAX_THREADS; never changes a result */
    float *logits;                /* [batch][vocab]: of the token after each row's last one */
    float *last_hidden_state;     /* [batch][2 * hidden]: of each row's last token */
    const reformer_pool_t *pool;  /* the product's own threads; NULL = built in */
    reformer_profile_fn *profile; /* as in reformer_io_t */
    void *profile_ctx;
} reformer_decode_t;

/* ---- training: what updates the weights ------------------------------------------------------ */

typedef enum {
    REFORMER_ADAMW,
    REFORMER_ADAM,
    REFORMER_SGD,
    REFORMER_ADAFACTOR
} reformer_optimizer_type_t;
/* Whose formulas, where they differ: torch's and transformers', or trax's (Adam, SGD and Adafactor:
 * decay that no rate scales; Adam and Adafactor: steps counted from 2). */
typedef enum { REFORMER_HUGGINGFACE, REFORMER_TRAX } reformer_dialect_t;

/* A rule, with every one of its numbers said: there are no defaults here. What
 * another rule alone reads is 0. */
typedef struct reformer_optimizer {
    reformer_optimizer_type_t type;
    reformer_dialect_t dialect;
    double lr;       /* the schedule's factor times it is a step's rate; relative_step: not read */
    double betas[2]; /* Adam, AdamW */
    double eps[2]; /* Adam, AdamW: [0]; Adafactor: of squares, and the least scale of a parameter */
    double weight_decay;
    double momentum, dampening; /* SGD; momentum 0: it has no state */
    double clip_threshold;      /* Adafactor: greatest root mean square of an update; 0: none */
    double decay_rate;          /* Adafactor: below 0, as transformers' -0.8 */
    double beta1;               /* Adafactor: of the mean of updates; below 0: none is kept */
    int nesterov;
    int scale_parameter, relative_step, warmup_init; /* Adafactor */
} reformer_optimizer_t;

typedef enum {
    REFORMER_SCHEDULE_NONE, /* the rate is lr */
    REFORMER_SCHEDULE_CONSTANT,
    REFORMER_SCHEDULE_LINEAR,
    REFORMER_SCHEDULE_COSINE,
    REFORMER_SCHEDULE_INVERSE_SQRT,
    REFORMER_SCHEDULE_POLYNOMIAL,
    REFORMER_SCHEDULE_WSD,        /* llm.c's: warm-up, stable, decay by 1 - sqrt */
    REFORMER_SCHEDULE_MULTIFACTOR /* trax's: a product of factors */
} reformer_schedule_type_t;
/* Rate of the first of `warmup` steps: 0 (transformers), or the peak / warmup. trax's schedules
 * count steps from 0 or from 1. */
typedef enum { REFORMER_WARMUP_ZERO, REFORMER_WARMUP_FIRST } reformer_warmup_t;
typedef enum {
    REFORMER_FACTOR_CONSTANT,
    REFORMER_FACTOR_LINEAR_WARMUP,
    REFORMER_FACTOR_RSQRT_DECAY,
    REFORMER_FACTOR_RSQRT_NORMALIZED_DECAY,
    REFORMER_FACTOR_DECAY_EVERY,
    REFORMER_FACTOR_COSINE_DECAY,
    REFORMER_FACTOR_TWO_CONSTANTS
} reformer_factor_t;
enum { REFORMER_FACTORS = 8 };

/* The course of the rate over steps; again without defaults. */
typedef struct reformer_schedule {
    reformer_schedule_type_t type;
    reformer_warmup_t warmup_from;
    int64_t warmup, total; /* steps: of the warm-up, and until the decay's end */
    int64_t timescale;     /* inverse square root; 0: the warm-up, or 10,000 where there is none */
    double min_ratio;      /* linear, cosine, wsd: the least factor after the warm-up */
    double num_cycles;     /* cosine: 0.5 is one fall */
    double power, lr_end;  /* polynomial */
    double decay_from;     /* wsd: share of the steps after which it decays, 0.8 */
    /* multifactor */
    reformer_factor_t factors[REFORMER_FACTORS];
    int n_factors;
    double constant, decay_factor, second_constant, minimum;
    int64_t steps_per_decay, steps_per_cycle, second_constant_step;
} reformer_schedule_t;

/* All that a step of training is made of beside its batch. */
typedef struct reformer_training {
    reformer_optimizer_t optimizer;
    reformer_schedule_t schedule;
    double max_grad_norm; /* the gradient is scaled to this norm where it is longer; 0: never */
    uint64_t seed;        /* of dropout and of new rotations */
    int new_rotations;    /* 1: each step draws those of its LSH layers, 0: they stay */
} reformer_training_t;

/* Rate of the update number `step`, from 0; Adafactor's with relative_step: its own,
 * before the parameters' scale. */
double reformer_learning_rate(const reformer_training_t *t, int64_t step);
/* The same of a schedule alone. */
double reformer_schedule_rate(const reformer_schedule_t *s, double lr, int64_t step);

/* The hash rotations of an LSH layer. */
typedef struct reformer_rotations {
    int layer;
    int64_t heads, head_size, rounds, half; /* half: of the product of its factors of num_buckets */
    size_t offset;                          /* bytes into the weights file */
} reformer_rotations_t;
/* Those of one step (runtime/rotations.c), as Hugging Face shapes them, or as weights files hold
 * them; of `parts` equal parts the one of this number, so that several threads may draw. */
void reformer_draw_rotations(const reformer_rotations_t *r, uint64_t seed, uint32_t step,
                             int in_weights, int part, int parts, float *to);

/* ---- what generated code exports to the runtime --------------------------------------------- */

enum { REFORMER_CACHE_PARTS = 160, REFORMER_RECORD_PARTS = 64, REFORMER_STATES = 3 }; /* at most */

/* Buffers bound at call time, by number. IDS … CONTROL, LABELS_F32 and GIVEN are prepared by the
 * runtime from the io, at the front of the workspace; rows = padded length rounded up. */
enum {
    REFORMER_SLOT_IDS, /* i32 [batch][rows]: ids, padded with pad_token_id, in 0 … vocab-1 */
    REFORMER_SLOT_KEY, /* i32 [batch][rows]: position as a key; REFORMER_MASKED where none */
    REFORMER_SLOT_ROW, /* i32 [batch][rows]: row of the outputs, < batch * length; -1 = none */
    /* i32 [batch][rows]: class to predict at this row, shifted for a causal LM; -1 = none.
     * QA: [b][0] start, [b][1] end. Classifiers: [b][0]. */
    REFORMER_SLOT_TARGET,
    REFORMER_SLOT_CONTROL,    /* i32 [REFORMER_CONTROLS] */
    REFORMER_SLOT_HIDDEN,     /* f32 [batch * length][2 * hidden] */
    REFORMER_SLOT_LOGITS,     /* f32 [batch * length][vocab] or [batch][labels] */
    REFORMER_SLOT_START,      /* f32 [batch * length] */
    REFORMER_SLOT_END,        /* f32 [batch * length] */
    REFORMER_SLOT_LOSS,       /* f32 [1] */
    REFORMER_SLOT_LABELS_F32, /* f32 [batch][labels], zeros where absent */
    REFORMER_SLOT_BUCKETS,    /* i32, as in reformer_io_t */
    REFORMER_SLOT_GIVEN,      /* i32, 0 or 1 */
    /* Steps: a row of IDS, KEY … is a row of the cache; ROW -1: the row gets no token. */
    REFORMER_SLOT_POSITION, /* i32 [batch]: tokens of the row before this one, < positions;
                             * train steps: the position of the row's first token */
    /* i32 [batch]: the row's tokens are in buckets where an LSH layer's chunk
     * length is below this */
    REFORMER_SLOT_HASHED,
    /* f32 [batch * length] */
    REFORMER_SLOT_TOKEN_LOSSES,
    /* Parts of the cache, in its memory one after the other, of each kind of layer that attends
     * differently. A head's keys are scaled (LSH: normalised), `half` is head size rounded up to
     * 16. First those that each row has, in the order of the layers' kinds:
     *   local  f32 [batch][layers][heads][window][key, value][half]
     *   LSH    i32 [batch][layers][heads][rounds][buckets]: tokens in it
     *          i32 [batch][layers][heads][rounds][buckets][first and latest]: which tokens */
    REFORMER_SLOT_CACHE,
    /* then those that each token of a row has:
     *   LSH    f32 [positions][batch][layers][heads][key, value][half] */
    REFORMER_SLOT_RECORDS = REFORMER_SLOT_CACHE + REFORMER_CACHE_PARTS,
    /* f32: gradients of a train step, as its layout says */
    REFORMER_SLOT_GRADIENTS = REFORMER_SLOT_RECORDS + REFORMER_RECORD_PARTS,
    /* Of an update, as gradients are laid out: the weights that it updates; the sum of gradients
     * over micro-batches, which may be the gradients' own memory where there is one. */
    REFORMER_SLOT_PARAMS, /* f32 */
    REFORMER_SLOT_SUM,    /* f32 */
    /* f32: the first of the arrays that the optimiser keeps from step to step */
    REFORMER_SLOT_STATE,
    REFORMER_SLOT_PHASES = REFORMER_SLOT_STATE + REFORMER_STATES, /* i32 [REFORMER_PHASES] */
    REFORMER_SLOT_COEFFICIENTS,                                   /* f32 [REFORMER_COEFFICIENTS] */
    REFORMER_SLOT_PACKED,                                         /* the weights file in memory */
    REFORMER_SLOT_NORM, /* f64 [1]: of the sum, before it is clipped */
    REFORMER_SLOTS
};
#define REFORMER_MASKED (1 << 30)
#define REFORMER_ABSENT (REFORMER_MASKED + 1) /* beyond an input that is not padded */

/* Elements of REFORMER_SLOT_CONTROL. */
enum {
    REFORMER_WANT_HIDDEN, /* 0 or 1 */
    REFORMER_WANT_LOGITS, /* 0 or 1; QA: start logits */
    REFORMER_LOSS_KIND,   /* reformer_loss_t: what the labels ask for */
    REFORMER_ANY_MASKED,  /* 1: at least one position of the batch is masked or padded */
    REFORMER_BATCH_ROWS,  /* rows really given, 1 … batch */
    REFORMER_LOSS_LENGTH, /* tokens per row the QA loss runs over */
    REFORMER_WANT_TRACE,  /* 0 or 1 */
    REFORMER_WANT_END,    /* 0 or 1: end logits of QA */
    REFORMER_WANT_CACHE,  /* 0 or 1: a prefill */
    REFORMER_CACHE_ROW,   /* prefill: row of the cache */
    REFORMER_TOKENS,      /* of a row that was given, 1 … max_length */
    /* 0 or 1 */
    REFORMER_WANT_TOKEN_LOSSES,
    /* Of dropout, as the fields of reformer_io_t: the seed's halves, the step,
     * the first row's number. */
    REFORMER_SEED_LOW,
    REFORMER_SEED_HIGH,
    REFORMER_DROPOUT_STEP,
    REFORMER_FIRST_ROW,
    REFORMER_CONTROLS = 16
};
typedef enum {
    REFORMER_LOSS_NONE,
    REFORMER_LOSS_CROSS_ENTROPY, /* mean over targets that are not -1 */
    REFORMER_LOSS_QA,
    REFORMER_LOSS_MSE,
    REFORMER_LOSS_BCE
} reformer_loss_t;

/* Elements of REFORMER_SLOT_PHASES, 0 or 1: what a call of an update is to do, in this order. */
enum {
    REFORMER_PHASE_SCALE, /* sum *= share: of gradients that stand there, a micro-batch's */
    REFORMER_PHASE_ADD,   /* sum += share * gradients */
    REFORMER_PHASE_NORM,  /* the sum's */
    /* Params and state, once the caller has seen that the norm is a finite number */
    REFORMER_PHASE_UPDATE,
    /* Params into the weights file, in every arrangement that they stand in there */
    REFORMER_PHASE_PACK,
    REFORMER_PHASE_UNPACK, /* params from the weights file */
    REFORMER_PHASES
};

/* Elements of REFORMER_SLOT_COEFFICIENTS: what of an update's numbers differs from step to step. */
enum {
    /* Of SET and ADD, the caller's: labels of the micro-batch / labels of the step */
    REFORMER_RATE_SHARE,
    /* What decay leaves of a weight: AdamW 1 - rate * decay, trax 1 - decay, else 1 */
    REFORMER_RATE_KEPT,
    REFORMER_RATE_STEP, /* Adam -rate / (1 - beta1^t), SGD -rate, Adafactor rate */
    REFORMER_RATE_ROOT, /* Adam: sqrt(1 - beta2^t) */
    /* Of a mean so far: Adafactor's beta2, SGD's momentum, 0 at its first step */
    REFORMER_RATE_OLD,
    /* Of what joins it: Adafactor 1 - beta2; SGD 1 - dampening, 1 at its first step */
    REFORMER_RATE_NEW,
    REFORMER_RATE_CLIP, /* what gradients are scaled by */
    REFORMER_COEFFICIENTS = 8
};

/* Everything a kernel can reach. */
typedef struct reformer_call {
    const unsigned char *weights;
    unsigned char *workspace; /* of the schedule's own buffers */
    unsigned char *scratch;   /* [threads][scratch_stride] */
    size_t scratch_stride;
    void *slot[REFORMER_SLOTS];
    int64_t units;    /* U of `dynamic`, else 0 */
    int64_t capacity; /* tokens that a row of the cache has room for; 0: no cache */
    int threads;
    const reformer_pool_t *pool;
    reformer_trace_fn *trace;
    void *trace_ctx;
    reformer_profile_fn *profile;
    void *profile_ctx;
    reformer_ready_fn *ready;
    void *ready_ctx;
} reformer_call_t;

/* One kernel: task in 0 … tasks-1, scratch of the worker that runs it, arg its parameters. */
typedef void reformer_kernel_fn(const reformer_call_t *call, unsigned char *scratch,
                                const int64_t *arg, int64_t task);
void reformer_launch(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                     const int64_t *arg);
/* The same between two calls of call->profile (if set), with '#' in name replaced by layer (layer <
 * 0: no '#'). What code compiled with --instrument calls. */
void reformer_launch_labelled(const reformer_call_t *call, reformer_kernel_fn *kernel,
                              int64_t tasks, const int64_t *arg, const char *name, int64_t layer);
/* Calls call->trace (if set) with '#' in name replaced by layer (layer < 0: no '#'). */
void reformer_trace(const reformer_call_t *call, const char *name, int64_t layer, const void *data,
                    int dtype, const int64_t *shape, int rank);

/* Calls call->ready (if set). What code of train steps calls behind the last launch that
 * touches those gradients. */
void reformer_ready(const reformer_call_t *call, int64_t first, int64_t floats);

enum {
    REFORMER_CPU_X86_64,
    REFORMER_CPU_X86_64_V3,
    REFORMER_CPU_X86_64_V4,
    REFORMER_CPU_AARCH64,
    REFORMER_CPU_X86_64_V3_VNNI,
    REFORMER_CPU_X86_64_V4_VNNI,
    REFORMER_CPU_X86_64_V4_BF16,
    REFORMER_CPU_AARCH64_BF16,
    REFORMER_CPU_WASM32
};
/* 1 or 0. v3: AVX2 FMA …, v4: AVX-512 F BW CD DQ VL, v3+vnni: AVX-VNNI, v4+vnni: AVX512-VNNI,
 * v4+bf16: AVX512-BF16 and AVX512-VNNI; asks the OS too. wasm32: SIMD of 128 bits, without which a
 * host takes no module that has any. */
int reformer_cpu_supports(int target);
/* The same, of a CPU that has no more than the environment variable REFORMER_CPU names ("x86-64",
 * "x86-64-v3", "x86-64-v4+bf16" …); other values are as none. What bind chooses by: getenv() is
 * called there, and where sizes of workspaces are asked for, so no other thread may change
 * the environment meanwhile. */
int reformer_cpu_takes(int target);
const char *reformer_target_name(int target); /* NULL: there is no such target */

typedef struct reformer_model reformer_model_t;

/* One specialised length for one target: literal, or with `unit` linear in U, the number of units;
 * then rows = padded = unit * U. `unpadded` variants equal Hugging Face for the unpadded input
 * (dynamic and its short form): their QA loss runs over io.length, not over max_length. */
typedef struct reformer_variant {
    int target;         /* REFORMER_CPU_* */
    int64_t max_length; /* inputs of 1 … max_length tokens */
    int64_t unit;       /* 0: everything literal */
    int64_t padded;     /* literal: padded length */
    int64_t rows;       /* literal: rows per batch element, >= padded */
    int unpadded;       /* 0 or 1 */
    int absent; /* 1: what stands beyond io.length is no token at all, not even a masked key: inputs
                 * of at most one chunk, which Hugging Face never pads */
    int hashes; /* 1: its LSH layers sort tokens into buckets, 0: they see every token */
    /* of the schedule's own buffers, and per worker: fixed + per_unit * U */
    size_t workspace_bytes, workspace_per_unit;
    size_t scratch_bytes, scratch_per_unit;
    void (*run)(const reformer_call_t *call);
} reformer_variant_t;

/* Gradients of one shape, one behind the other, dense and row-major, in the memory that a train
 * step fills: of tensors whose names differ in the number of their layer alone. */
enum { REFORMER_TENSOR_RANK = 8, REFORMER_TENSOR_NAME = 256 };
typedef struct reformer_stack {
    const char *name; /* Hugging Face's; '#' stands for the layer's number */
    int rank;
    int64_t shape[REFORMER_TENSOR_RANK];
    int count;
    const int32_t *layers; /* [count]; NULL: there is one, named as it stands */
    size_t offset;         /* bytes from the start, a multiple of 64 */
} reformer_stack_t;

/* An LSH layer of a model whose LSH layers differ. */
typedef struct reformer_lsh {
    int64_t chunk; /* it hashes what is padded to more tokens */
    int64_t heads, rounds;
    int64_t max_bucket; /* buckets per round + 1 for padding */
} reformer_lsh_t;

typedef enum {
    REFORMER_HEAD_NONE, /* base model */
    REFORMER_HEAD_CAUSAL_LM,
    REFORMER_HEAD_MASKED_LM,
    REFORMER_HEAD_CLASSIFIER,
    REFORMER_HEAD_QA
} reformer_head_t;

/* Every structure that generated code and the runtime share, as the compiler of
 * this header lays it out. */
#define REFORMER_SIZES                                                                             \
    {                                                                                              \
        sizeof(reformer_call_t), sizeof(reformer_variant_t), sizeof(reformer_stack_t),             \
            sizeof(reformer_lsh_t), sizeof(reformer_rotations_t), sizeof(reformer_training_t),     \
            sizeof(reformer_model_t), sizeof(reformer_io_t), sizeof(reformer_decode_t),            \
            sizeof(reformer_trainer_t), sizeof(reformer_train_report_t), sizeof(reformer_tensor_t) \
    }
enum { REFORMER_SHARED = 12 };

typedef struct reformer_desc {
    size_t size;                   /* sizeof(reformer_desc_t) */
    uint32_t abi;                  /* REFORMER_ABI of the header it was compiled with */
    size_t sizes[REFORMER_SHARED]; /* REFORMER_SIZES */
    const char *version;           /* of the reformerc that compiled it, and from which spec */
    const char *name;
    uint64_t fingerprint;   /* of the model keys and the weights layout */
    uint64_t weights_bytes; /* size of the weights file */
    reformer_head_t head;
    int64_t batch, hidden, vocab, labels, pad_token;
    int64_t max_length;                /* of all variants */
    int64_t lsh_layers, heads, rounds; /* of LSH layers: how many, and the most that one has */
    int64_t max_bucket;                /* buckets per round + 1 for padding, at most */
    int imposes_buckets;               /* compiled with --buckets */
    reformer_loss_t float_loss;        /* what labels_f32 mean: MSE or BCE (classifiers) */
    int label_is_float;                /* one label: integer labels are taken as numbers */
    int n_variants;
    /* grouped by target, better ones first; within a target by ascending max_length */
    const reformer_variant_t *variants;
    /* Generation; without: steps NULL. Prefills take one row and are grouped as variants are, the
     * same number per target; a step takes all rows, one per target, in the order of the groups. */
    const reformer_variant_t *prefills, *steps;
    int64_t positions;          /* most tokens of a row of the cache */
    const size_t *cache_parts;  /* [n_cache_parts]: bytes per row, by slot from CACHE on */
    const size_t *record_parts; /* [n_record_parts]: bytes per row and token, from RECORDS on */
    int n_cache_parts, n_record_parts;
    /* [lsh_layers]; NULL: all have what stands above, and hash where the variant does */
    const reformer_lsh_t *lsh;
    /* Training; without: trains NULL. Train steps are grouped as variants are, the same number per
     * target; where the artefact holds nothing else, they are the variants. */
    const reformer_variant_t *trains;
    reformer_loss_t train_loss;     /* what they derive: labels must ask for this one */
    const reformer_stack_t *stacks; /* [n_stacks] */
    int n_stacks;
    size_t gradients_bytes;
    int64_t train_positions; /* where rows of a train step may stand; 0: they begin at the first */
    /* Updates; without: updates NULL. One per target, in the order of the groups. */
    const reformer_variant_t *updates;
    const reformer_training_t *training;
    size_t state_bytes[REFORMER_STATES];   /* of what the optimiser keeps */
    const reformer_rotations_t *rotations; /* [n_rotations]: those that each step draws */
    int n_rotations;
} reformer_desc_t;

/* Filled by bind, in memory of the caller's; zeros until then. Generated code wraps it into a type
 * of its own. So that bind never writes more than the caller has, it is of 128
 * bytes in every version. */
enum { REFORMER_MODEL_BYTES = 128 };
struct reformer_model {
    size_t size; /* sizeof(reformer_model_t), by bind */
    const reformer_desc_t *desc;
    const unsigned char *weights;
    size_t bytes;
    const reformer_variant_t *variants; /* first of the chosen target */
    int n_variants;
    const reformer_variant_t *prefills, *step; /* of the chosen target; NULL: none */
    const reformer_variant_t *trains;          /* likewise; [n_variants] */
    const reformer_variant_t *update;          /* likewise; NULL: none */
    uint64_t reserved[6];
};

/* Functions with `desc` beside m refuse a model that is of another: REFORMER_E_MODEL. */
int reformer_bind(reformer_model_t *m, const reformer_desc_t *desc, const void *weights,
                  size_t bytes);
/* What reformer_bind says of such weights, and why, in words for people: what was expected and what
 * was found. Cut at `room` bytes, the NUL counted; one line. */
int reformer_explain(const reformer_desc_t *desc, const void *weights, size_t bytes, char *text,
                     size_t room);
int reformer_check_weights(const reformer_desc_t *desc, const reformer_model_t *m);
/* Which reformerc compiled the model from which spec: "reformerc 0.1.0, ABI 6, weights 2, spec
 * 0123456789abcdef". Static text. */
const char *reformer_translator(const reformer_desc_t *desc);
/* The target that bind took, "x86-64-v3" …; "none": m is not bound. Static text. */
const char *reformer_target(const reformer_model_t *m);
/* Enough for inputs of up to `length` tokens, on any target of desc. 0 when length or threads are
 * out of range, or no target runs on this CPU. */
size_t reformer_workspace_bytes(const reformer_desc_t *desc, size_t length, int threads);
/* `bytes`: of the workspace. Fewer than this call needs: REFORMER_E_WORKSPACE;
 * reformer_workspace_bytes() are enough. */
int reformer_forward(const reformer_desc_t *desc, const reformer_model_t *m,
                     const reformer_io_t *io, void *workspace, size_t bytes);

/* ---- training ------------------------------------------------------------------------------- */

/* One train step without its update: a forward with dropout at the model's rates, whose masks
 * io->dropout_* name, and the gradient of its loss by every tensor of the weights that the loss
 * depends on. Labels, or positions, must be there, whether the loss is wanted or not; where no
 * label counts, the loss is NaN and gradients are 0. Outputs of io are those of this forward.
 * `gradients`: reformer_gradients_bytes() of the caller's memory, 64-byte aligned, written over as
 * a whole but for what lies between tensors. Workspace: reformer_train_bytes(), 64-byte aligned.
 * Memory that is too small: REFORMER_E_WORKSPACE. Allocates nothing and keeps nothing: any number
 * of threads at once, each with gradients and a workspace of its own; after an error gradients are
 * undefined. The number of threads never changes a result. */
int reformer_gradients(const reformer_desc_t *desc, const reformer_model_t *m,
                       const reformer_io_t *io, float *gradients, size_t gradients_bytes,
                       void *workspace, size_t bytes);
size_t reformer_gradients_bytes(const reformer_desc_t *desc); /* 0: this model gives none */
/* Workspace for inputs of up to `length` tokens, on any target of desc; 0: out of range, no target
 * runs on this CPU, or this model gives no gradients. */
size_t reformer_train_bytes(const reformer_desc_t *desc, size_t length, int threads);

/* A tensor of the gradients: floats [offset, offset + elements) of them. */
typedef struct reformer_tensor {
    size_t size;                     /* sizeof(reformer_tensor_t) */
    char name[REFORMER_TENSOR_NAME]; /* Hugging Face's */
    int rank;
    int64_t shape[REFORMER_TENSOR_RANK];
    size_t offset, elements;
} reformer_tensor_t;
/* Tensor number i, from 0 on. REFORMER_E_ARGUMENT: there are fewer. */
int reformer_gradient(const reformer_desc_t *desc, size_t i, reformer_tensor_t *t);

/* A model that learns: weights that it is bound to, which the caller may write, and memory of the
 * caller's for what training keeps beside them.
 *
 *     model bound to `weights`, memory of trainer_bytes(micro_batches), workspace of
 *     trainer_workspace(length, threads), all 64-byte aligned
 *     trainer_begin(t, model, weights, memory, memory_bytes, micro_batches, workspace, bytes)
 *     train_step(t, io, n, report, workspace, bytes): the gradient of n <= micro_batches batches of
 *     any rows, the update of their labels' mean loss, by the rule that the model was compiled with
 *
 * Forwards of the model read the newest weights; none may run during a step. Nothing is allocated.
 * The same steps give the same bits, whatever the number of threads. To go on later: keep the
 * weights (reformer_sign_weights() gives their file a right checksum), the memory and t->step; then
 * bind, and trainer_resume() in place of trainer_begin(). */
typedef struct reformer_trainer {
    /* sizeof(reformer_trainer_t), by begin and resume; as a model's, 128 in every version */
    size_t size;
    const reformer_model_t *model;
    unsigned char *weights; /* the model's */
    /* as gradients are laid out: weights in float32; the step's gradient; that of further
     * micro-batches (NULL: none) */
    float *params, *sum, *gradients;
    float *state[REFORMER_STATES];
    float *rotations; /* those of the weights, while a step's own stand there */
    int64_t step;     /* number of the next one, from 0 */
    uint64_t reserved[5];
} reformer_trainer_t;

typedef struct reformer_train_report {
    size_t size;      /* sizeof(reformer_train_report_t) */
    double loss;      /* the mean over all labels of the step, of the weights before it */
    double grad_norm; /* before it is clipped */
    double learning_rate;
    int64_t items; /* labels that counted */
    int64_t step;  /* this one's number */
    /* REFORMER_E_DIVERGED: a tensor with such a gradient (reformer_gradient()); else -1 */
    int64_t bad;
} reformer_train_report_t;

/* 0: this model does not learn, or out of range. */
size_t reformer_trainer_bytes(const reformer_desc_t *desc, size_t micro_batches);
size_t reformer_trainer_workspace(const reformer_desc_t *desc, size_t length, int threads);
int reformer_trainer_begin(const reformer_desc_t *desc, reformer_trainer_t *t,
                           const reformer_model_t *m, void *weights, void *memory,
                           size_t memory_bytes, size_t micro_batches, void *workspace,
                           size_t bytes);
int reformer_trainer_resume(const reformer_desc_t *desc, reformer_trainer_t *t,
                            const reformer_model_t *m, void *weights, void *memory,
                            size_t memory_bytes, size_t micro_batches, int64_t step);
/* io[n]: with labels; seed, step and row of dropout are the trainer's. Micro-batches without a
 * label that counts are passed over; REFORMER_E_LABEL: none has one. After an error weights and
 * state are what they were. report may be NULL. */
int reformer_train_step(const reformer_desc_t *desc, reformer_trainer_t *t, const reformer_io_t *io,
                        size_t n, reformer_train_report_t *report, void *workspace, size_t bytes);
/* Its parts, for whoever adds up gradients of several processes in t->sum in between. share: labels
 * of this micro-batch / labels of the step; first: it begins the sum. dropout_row is the io's. */
int reformer_train_accumulate(reformer_trainer_t *t, const reformer_io_t *io, double share,
                              int first, void *workspace, size_t bytes);
/* The update by t->sum; report gets what it knows. */
int reformer_train_update(reformer_trainer_t *t, int threads, const reformer_pool_t *pool,
                          reformer_train_report_t *report, void *workspace, size_t bytes);
/* Labels of io that its loss is the mean of; QA: rows with a start or an end that counts.
 * -REFORMER_E_BATCH, -REFORMER_E_LENGTH: no model takes so many rows, tokens; -REFORMER_E_SIZE. */
int64_t reformer_items(const reformer_desc_t *desc, const reformer_io_t *io);
/* 1: of a row of QA start or end counts, and the other is behind the last token. The means over
 * starts and over ends are over other rows then, and no one share is right for both: such a
 * micro-batch is a step of its own, and among others REFORMER_E_LABEL. 0: there is no such row, or
 * it is another model. io: one that reformer_items() takes. */
int reformer_half_items(const reformer_desc_t *desc, const reformer_io_t *io);
/* What a step of io[n] is, for whoever derives micro-batches otherwise. Labels of all of them; else
 * a code, and *at is the micro-batch that it is about, n: all of them, none of
 * which has a label. */
int reformer_step_items(const reformer_desc_t *desc, const reformer_io_t *io, size_t n,
                        int64_t *items, size_t *at);
/* Calls derive for each that has a label, in order: as reformer_train_accumulate(). dropout_row is
 * set, and io->loss points to where its loss is to go. Its code, if it is none, ends the step.
 * loss: the mean over all labels. */
typedef int reformer_derive_t(void *ctx, const reformer_io_t *io, double share, int first);
int reformer_step_derive(const reformer_desc_t *desc, const reformer_io_t *io, size_t n,
                         int64_t items, reformer_derive_t *derive, void *ctx, double *loss);
/* Checksum and number of NaN and infinities of weights that have changed since
 * their file was written. */
int reformer_sign_weights(const reformer_desc_t *desc, void *weights, size_t bytes);

/* The steps of an update, for executors of their own: lays out the workspace, fills
 * prepared slots and `call`. */
typedef struct reformer_update {
    size_t size; /* sizeof(reformer_update_t) */
    unsigned char *weights;
    float *params, *sum, *gradients; /* gradients NULL: the sum's memory */
    float *state[REFORMER_STATES];
    int32_t phases[REFORMER_PHASES];
    double share; /* of SET and ADD */
    int64_t step; /* of UPDATE, from 0 */
    double *norm; /* [1]: NORM writes it, UPDATE is told by it how to clip */
    int threads;
    const reformer_pool_t *pool;
} reformer_update_t;
int reformer_prepare_update(const reformer_desc_t *desc, const reformer_variant_t *update,
                            const reformer_update_t *u, void *workspace, size_t bytes,
                            reformer_call_t *call);
size_t reformer_prepare_update_bytes(const reformer_variant_t *update, int threads);

/* Coefficients of update number t, from 1 on, at this rate (of a relative step: that), in double
 * and rounded once; share and clip are 1. */
void reformer_coefficients(const reformer_optimizer_t *o, double rate, int64_t t,
                           float coefficients[REFORMER_COEFFICIENTS]);
/* The clip of gradients of this norm, for a norm of at most max_norm; 0: whatever it is. */
void reformer_clip(double norm, double max_norm, float coefficients[REFORMER_COEFFICIENTS]);

/* As reformer_prepare, of a train step. */
int reformer_prepare_gradients(const reformer_desc_t *desc, const reformer_variant_t *trains,
                               int n_trains, const unsigned char *weights, const reformer_io_t *io,
                               float *gradients, size_t gradients_bytes, void *workspace,
                               size_t bytes, reformer_call_t *call,
                               const reformer_variant_t **chosen);
/* Workspace of that, whatever this CPU supports; 0: out of range. */
size_t reformer_prepare_gradients_bytes(const reformer_desc_t *desc,
                                        const reformer_variant_t *trains, int n_trains,
                                        size_t length, int threads);

/* Bytes of a cache for rows of up to `length` tokens; 0: out of range, or this
 * model does not generate. */
size_t reformer_cache_bytes(const reformer_desc_t *desc, size_t length);
/* Makes empty rows of so many bytes of memory. REFORMER_E_WORKSPACE: they are
 * too few for this length. */
int reformer_cache_init(const reformer_desc_t *desc, void *cache, size_t bytes, size_t length);
/* Of a cache that was saved or copied: whether it is one of this model, and memory of so many bytes
 * holds all of it. Prefills and steps trust the length in its head. */
int reformer_cache_check(const reformer_desc_t *desc, const void *cache, size_t bytes);
/* Tokens in a row; 0: none, or no such row. */
size_t reformer_cache_tokens(const void *cache, size_t row);
/* Row `to` becomes a copy of row `from` (beam search). Costs what the two rows do not have in
 * common already: their state of fixed size, and the tokens since they were copied last. */
int reformer_cache_copy_row(const reformer_desc_t *desc, void *cache, size_t from, size_t to);
/* Workspace of prefills of up to `length` tokens per row (padding is none) and of steps; length 0:
 * of steps alone. 0: out of range, no target runs on this CPU, or this model does not generate. */
size_t reformer_decode_bytes(const reformer_desc_t *desc, size_t length, int threads);
int reformer_prefill(const reformer_desc_t *desc, const reformer_model_t *m,
                     const reformer_decode_t *io, void *cache, void *workspace, size_t bytes);
/* Inputs are checked before anything changes: after an error the cache is what it was. */
int reformer_step(const reformer_desc_t *desc, const reformer_model_t *m,
                  const reformer_decode_t *io, void *cache, void *workspace, size_t bytes);

/* The steps of reformer_forward, for executors of their own (the compiler's interpreter and JIT):
 * picks the variant, lays out the workspace, fills prepared slots and `call`. */
int reformer_prepare(const reformer_desc_t *desc, const reformer_variant_t *variants,
                     int n_variants, const unsigned char *weights, const reformer_io_t *io,
                     void *workspace, size_t bytes, reformer_call_t *call,
                     const reformer_variant_t **chosen);
/* Workspace that reformer_prepare lays out for inputs of up to `length` tokens, in bytes whatever
 * this CPU supports. 0: out of range. */
size_t reformer_prepare_bytes(const reformer_desc_t *desc, const reformer_variant_t *variants,
                              int n_variants, size_t length, int threads);

/* Between the two a thread rounds to nearest, keeps denormals and traps nothing, whatever its host
 * has set (float_mode.c). The functions of this header do so themselves. */
uint64_t reformer_enter(void);
void reformer_leave(uint64_t host);

/* The same for executors of their own: `run` runs one schedule and returns REFORMER_OK or a code,
 * which ends the call (the row at hand is then undefined: prefill it anew). */
typedef struct reformer_engine {
    size_t size; /* sizeof(reformer_engine_t) */
    const reformer_desc_t *desc;
    const reformer_variant_t *prefills, *step; /* of one target; [n_prefills], ascending */
    int n_prefills;
    const unsigned char *weights;
    int (*run)(void *ctx, const reformer_variant_t *v, const reformer_call_t *call);
    void *ctx;
} reformer_engine_t;
int reformer_engine_prefill(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                            void *workspace, size_t bytes);
int reformer_engine_step(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                         void *workspace, size_t bytes);
/* Workspace of these two, whatever this CPU supports; as reformer_decode_bytes. */
size_t reformer_engine_bytes(const reformer_engine_t *e, size_t length, int threads);

/* ---- what generated code and the runtime share ----------------------------------------------- */
/* Of two kernels with one text gcc keeps one, and makes the other a call of it: gcc 12 loses that
 * call, of functions that launches alone name, and the kernel does nothing. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__has_attribute)
#if __has_attribute(no_icf)
#define REFORMER_KERNEL __attribute__((no_icf))
#endif
#endif
#ifndef REFORMER_KERNEL
#define REFORMER_KERNEL
#endif

/* clang compiles parts of -ffast-math without a macro that says so. This one has the optimiser
 * prove what holds under them alone, of a's and b's that nobody knows; where it can, the file does
 * not compile (before clang 14: not link). Without optimisation it proves nothing, and has no
 * use of such flags either. */
#if defined(__clang__) && defined(__OPTIMIZE__)
#if __has_attribute(error)
#define REFORMER_REFUSAL                                                                           \
    __attribute__((error("compile without -ffast-math or parts of it: results would differ")))
#else
#define REFORMER_REFUSAL
#endif
#define REFORMER_REFUSE_FAST_MATH(name)                                                            \
    void name##_compile_without_fast_math(void) REFORMER_REFUSAL;                                  \
    __attribute__((used)) static void name(float a, float b) {                                     \
        union {                                                                                    \
            float x;                                                                               \
            uint32_t bits;                                                                         \
        } sum = {(a + b) - a}, zero = {a + 0.0f}, third = {a / 3.0f}, part = {a * (1.0f / 3.0f)},  \
          as = {a}, bs = {b};                                                                      \
        const int associative = sum.bits == bs.bits, unsigned_zeros = zero.bits == as.bits;        \
        const int reciprocal = third.bits == part.bits, no_nan = a != a;                           \
        const int no_infinity = __builtin_fabsf(a) == __builtin_inff();                            \
        if (__builtin_constant_p(associative) || __builtin_constant_p(unsigned_zeros) ||           \
            __builtin_constant_p(reciprocal) || __builtin_constant_p(no_nan) ||                    \
            __builtin_constant_p(no_infinity))                                                     \
            name##_compile_without_fast_math();                                                    \
    }
#else
#define REFORMER_REFUSE_FAST_MATH(name)
#endif

/* A product that a sum must not swallow: -ffp-contract=fast of clang knows no
 * pragma, gcc's does. */
#if defined(__clang__) && defined(__aarch64__)
#define REFORMER_SETTLE(product) __asm__("" : "+w"(product))
#elif defined(__clang__) && defined(__x86_64__)
#define REFORMER_SETTLE(product) __asm__("" : "+v"(product))
#else
#define REFORMER_SETTLE(product) (void)(product)
#endif

/* ---- the weights file ----------------------------------------------------------------------- */
/* Little-endian. A header of 4096 bytes (this struct, zero-padded), then a section per number type,
 * with arrays at 64-byte aligned offsets (weights/layout.h lays them out), then a
 * table of contents in text. */
#define REFORMER_WEIGHTS_MAGIC   "RFMWGT\x1a\n"
#define REFORMER_WEIGHTS_VERSION 2 /* rises with every arrangement of what is inside */
#define REFORMER_WEIGHTS_HEADER  4096
typedef struct reformer_weights_header {
    char magic[8];
    uint32_t version, reserved;
    uint64_t fingerprint;
    uint64_t bytes;     /* of the whole file: header, data, contents */
    uint64_t data_end;  /* data are [REFORMER_WEIGHTS_HEADER, data_end); contents follow */
    uint64_t checksum;  /* reformer_checksum of everything after the header */
    uint64_t nonfinite; /* number of NaN or infinite values found when it was written */
    /* Where the sections of bfloat16 and of integers begin, behind that of float32;
     * 0: there is none. */
    uint64_t bf16_at, integers_at;
} reformer_weights_header_t;
uint64_t reformer_checksum(const void *data, size_t bytes);

REFORMER_END
#ifdef __cplusplus
}
#endif
#endif
