/* default.h: the Reformer model of default.yaml, by reformerc.
 * reformerc 0.1.0, ABI 6, weights 2, spec 3f9443037a72674c
 *
 *     m_default_t m = {0};
 *     int error = m_default_bind(&m, weights, weights_bytes);
 *     size_t bytes = m_default_workspace_bytes(length, threads);
 *     m_default_io_t io = {.size = sizeof io, .input_ids = ids,
 *         .length = length, .threads = threads, .last_hidden_state = hidden};
 *     if (!error) error = m_default_forward(&m, &io, workspace, bytes);
 *
 * The caller owns all memory; weights and workspace are 64-byte aligned.
 * After binding, a m_default_t is read-only:
 * any number of threads may call forward on it at once, each with a workspace of its own and
 * 128 KiB of stack (2048 KiB where this is compiled without optimisation). Functions return 0
 * or a REFORMER_E_ code. The weights stay where they are while the model is in use.
 * An input shorter than a specialised length gives what Hugging Face gives for it
 * padded to that length with an attention mask. */
#ifndef REFORMER_MODEL_DEFAULT_H
#define REFORMER_MODEL_DEFAULT_H

#include "reformer_rt.h"

#define M_DEFAULT_BATCH 1 /* rows of a call, at most */
#define M_DEFAULT_MAX_LENGTH 4096 /* tokens per row */
#define M_DEFAULT_HIDDEN 512 /* width of last_hidden_state */
#define M_DEFAULT_VOCAB 320 /* token ids */
#define M_DEFAULT_WEIGHTS_BYTES UINT64_C(23846458) /* size of the weights file */

#ifdef __cplusplus
extern "C" {
#endif

/* Types of its own, so that no other model's can take their place. */
typedef struct m_default_t {
    reformer_model_t model;
} m_default_t;
/* One forward. Set `size`, zero the rest; NULL output = not wanted; `batch` and
 * `length` in shapes are the values given. All arrays are dense, row-major, the caller's:
 *
 *     input_ids[batch][length]           token ids, 0 … 320 - 1
 *     attention_mask[batch][length]      1 = token, 0 = padding; NULL = all tokens
 *     batch                              rows given, 1 … 1; 0 = 1
 *     length                             tokens per row, 1 … 4096
 *     threads                            workers to use, 0 = 1; never changes a result
 *     last_hidden_state[batch][length][512] out
 *     pool                               the product's own threads; NULL = built in
 *
 * What this model does not have (other outputs of reformer_io_t) is an error to ask for. */
typedef reformer_io_t m_default_io_t;

REFORMER_MODEL_BEGIN
/* Bytes of the workspace for inputs of up to `length` tokens on `threads` workers; 0: out of
 * range, or this CPU runs none of the targets. */
size_t m_default_workspace_bytes(size_t length, int threads);
/* The same as a constant expression, where its arguments are constants; not less than what
 * m_default_workspace_bytes returns. */
#define M_DEFAULT_WORKSPACE_BYTES(length, threads) \
    (UINT64_C(11682048) + UINT64_C(204800) * ((threads) > 1 ? (uint64_t)(threads) : 1))
/* Checks magic, version, fingerprint and size of the weights, which are 64-byte aligned, and
 * chooses the best target of this CPU. Reads the header only. */
int m_default_bind(m_default_t *m, const void *weights, size_t bytes);
/* What bind says of these weights, and in text[room] why: what was expected and what was found. */
int m_default_explain(const void *weights, size_t bytes, char *text, size_t room);
/* Checksum and finite values: reads everything. */
int m_default_check_weights(const m_default_t *m);
/* The target that bind took, "x86-64-v3" …; REFORMER_CPU in the environment names the
 * best that it may take. Static text, as those below. */
const char *m_default_target(const m_default_t *m);
/* `bytes`: of the workspace, as of other memory below; REFORMER_E_WORKSPACE: they are too few. */
int m_default_forward(const m_default_t *m, const m_default_io_t *io, void *workspace,
    size_t bytes);
const char *m_default_strerror(int code);
/* Of the reformerc that compiled this model. */
const char *m_default_version(void);
REFORMER_MODEL_END

#ifdef __cplusplus
}
#endif

#endif
