/* crime-and-punishment-bytes.h: the Reformer model of crime-and-punishment-bytes.yaml, by
 * reformerc.
 * reformerc 0.1.0, ABI 6, weights 2, spec f6b1ece06c3d0dd0
 *
 *     crime_and_punishment_bytes_t m = {0};
 *     int error = crime_and_punishment_bytes_bind(&m, weights, weights_bytes);
 *     size_t bytes = crime_and_punishment_bytes_workspace_bytes(length, threads);
 *     crime_and_punishment_bytes_io_t io = {.size = sizeof io, .input_ids = ids,
 *         .length = length, .threads = threads, .logits = logits};
 *     if (!error) error = crime_and_punishment_bytes_forward(&m, &io, workspace, bytes);
 *
 * The caller owns all memory; weights and workspace are 64-byte aligned.
 * After binding, a crime_and_punishment_bytes_t is read-only:
 * any number of threads may call forward on it at once, each with a workspace of its own and
 * 128 KiB of stack (2048 KiB where this is compiled without optimisation). Functions return 0
 * or a REFORMER_E_ code. The weights stay where they are while the model is in use.
 * An input shorter than a specialised length gives what Hugging Face gives for it
 * padded to that length with an attention mask. */
#ifndef REFORMER_MODEL_CRIME_AND_PUNISHMENT_BYTES_H
#define REFORMER_MODEL_CRIME_AND_PUNISHMENT_BYTES_H

#include "reformer_rt.h"

#define CRIME_AND_PUNISHMENT_BYTES_BATCH 1 /* rows of a call, at most */
#define CRIME_AND_PUNISHMENT_BYTES_MAX_LENGTH 512 /* tokens per row */
#define CRIME_AND_PUNISHMENT_BYTES_HIDDEN 384 /* width of last_hidden_state */
#define CRIME_AND_PUNISHMENT_BYTES_VOCAB 258 /* token ids */
#define CRIME_AND_PUNISHMENT_BYTES_WEIGHTS_BYTES UINT64_C(7509185) /* size of the weights file */
#define CRIME_AND_PUNISHMENT_BYTES_POSITIONS 512 /* tokens that a row of the cache can hold */
/* Bytes of a cache for rows of up to `length` tokens: what
 * crime_and_punishment_bytes_cache_bytes returns. */
#define CRIME_AND_PUNISHMENT_BYTES_CACHE_BYTES(length) \
    (UINT64_C(345664) + (UINT64_C(3072) * (length) + 63) / 64 * 64)

#ifdef __cplusplus
extern "C" {
#endif

/* Types of its own, so that no other model's can take their place. */
typedef struct crime_and_punishment_bytes_t {
    reformer_model_t model;
} crime_and_punishment_bytes_t;
/* One forward. Set `size`, zero the rest; NULL output = not wanted; `batch` and
 * `length` in shapes are the values given. All arrays are dense, row-major, the caller's:
 *
 *     input_ids[batch][length]           token ids, 0 … 258 - 1
 *     attention_mask[batch][length]      1 = token, 0 = padding; NULL = all tokens
 *     batch                              rows given, 1 … 1; 0 = 1
 *     length                             tokens per row, 1 … 512
 *     threads                            workers to use, 0 = 1; never changes a result
 *     last_hidden_state[batch][length][384] out
 *     logits[batch][length][258]         out
 *     labels[batch][length]              for the loss: 0 … 258 - 1, -100 = ignore
 *     loss[1]                            out; asks for labels
 *     token_losses[batch][length]        out; asks for labels: what the loss is the mean of
 *     pool                               the product's own threads; NULL = built in
 *
 * What this model does not have (other outputs of reformer_io_t) is an error to ask for. */
typedef reformer_io_t crime_and_punishment_bytes_io_t;

/* One prefill or step of generation. Set `size`, zero the rest; NULL output = not wanted:
 *
 *     input_ids                          a prefill's [batch][length], a step's [batch]
 *     attention_mask                     of that shape; 1 = token of its row; NULL = all
 *     batch                              rows of the cache, 1 … 1; 0 = 1
 *     length                             of a prefill, 1 … 512
 *     threads, pool                      as in a forward
 *     logits[batch][258]                 out: of the token that follows each row
 *     last_hidden_state[batch][384]      out: of each row's last token */
typedef reformer_decode_t crime_and_punishment_bytes_decode_t;

REFORMER_MODEL_BEGIN
/* Bytes of the workspace for inputs of up to `length` tokens on `threads` workers; 0: out of
 * range, or this CPU runs none of the targets. */
size_t crime_and_punishment_bytes_workspace_bytes(size_t length, int threads);
/* The same as a constant expression, where its arguments are constants; not less than what
 * crime_and_punishment_bytes_workspace_bytes returns. */
#define CRIME_AND_PUNISHMENT_BYTES_WORKSPACE_BYTES(length, threads) \
    (UINT64_C(1007872) + UINT64_C(253952) * ((threads) > 1 ? (uint64_t)(threads) : 1))
/* Checks magic, version, fingerprint and size of the weights, which are 64-byte aligned, and
 * chooses the best target of this CPU. Reads the header only. */
int crime_and_punishment_bytes_bind(crime_and_punishment_bytes_t *m, const void *weights,
    size_t bytes);
/* What bind says of these weights, and in text[room] why: what was expected and what was found. */
int crime_and_punishment_bytes_explain(const void *weights, size_t bytes, char *text, size_t room);
/* Checksum and finite values: reads everything. */
int crime_and_punishment_bytes_check_weights(const crime_and_punishment_bytes_t *m);
/* The target that bind took, "x86-64-v3" …; REFORMER_CPU in the environment names the
 * best that it may take. Static text, as those below. */
const char *crime_and_punishment_bytes_target(const crime_and_punishment_bytes_t *m);
/* `bytes`: of the workspace, as of other memory below; REFORMER_E_WORKSPACE: they are too few. */
int crime_and_punishment_bytes_forward(const crime_and_punishment_bytes_t *m,
    const crime_and_punishment_bytes_io_t *io, void *workspace, size_t bytes);
const char *crime_and_punishment_bytes_strerror(int code);
/* Of the reformerc that compiled this model. */
const char *crime_and_punishment_bytes_version(void);

/* Generation, as reformer_rt.h describes it: a cache of 64-byte aligned memory, a workspace for
 * prompts of up to `length` tokens, padding not counted (0: for steps alone), a prefill, then
 * steps. */
size_t crime_and_punishment_bytes_cache_bytes(size_t length);
size_t crime_and_punishment_bytes_decode_bytes(size_t length, int threads);
/* Makes empty rows in that many bytes. */
int crime_and_punishment_bytes_cache_init(void *cache, size_t bytes, size_t length);
/* Of one that was saved or copied: is it this model's, and all of it there? */
int crime_and_punishment_bytes_cache_check(const void *cache, size_t bytes);
/* Tokens that a row holds. */
size_t crime_and_punishment_bytes_cache_tokens(const void *cache, size_t row);
/* Row `to` becomes what row `from` is. */
int crime_and_punishment_bytes_cache_copy_row(void *cache, size_t from, size_t to);
/* Reads prompts into rows. */
int crime_and_punishment_bytes_prefill(const crime_and_punishment_bytes_t *m,
    const crime_and_punishment_bytes_decode_t *io, void *cache, void *workspace, size_t bytes);
/* Appends a token to each row. */
int crime_and_punishment_bytes_step(const crime_and_punishment_bytes_t *m,
    const crime_and_punishment_bytes_decode_t *io, void *cache, void *workspace, size_t bytes);
REFORMER_MODEL_END

#ifdef __cplusplus
}
#endif

#endif
