/* Graph: what the model computes, as tensor operations with static shapes. No loops, no targets.
 *
 * In: a Spec and a length. Out: a list of nodes in topological order; every node has one result.
 * Weights are nodes too (OP PARAM) and carry Hugging Face's names without the prefix `reformer.`:
 * the list of params IS the list of tensors that a weights file must hold.
 * Ops are the rows of ops.def; text.c prints and parses; shape.c infers and checks. */
#ifndef REFORMERC_GRAPH_H
#define REFORMERC_GRAPH_H

#include "spec/spec.h"
#include "support/dim.h"

typedef enum {
#define X(op, ...) G_##op,
#include "graph/ops.def"
#undef X
    G_COUNT
} gop_t;

/* What a row of an op's result needs: a column of ops.def. */
typedef enum { K_LEAF, K_ROW, K_PICK, K_MIX, K_REDUCE, K_SUM } gkind_t;
/* U8, U16: buckets, packed. What products are of besides F32: BF16: f32 values, rounded
 * (support/bf16.h); I8: rows, the last dimension, of integers with one f32 scale each: an element's
 * value is their product (support/i8.h). */
typedef enum { G_F32, G_I32, G_U8, G_U16, G_BF16, G_I8, G_TYPES } gtype_t;
enum { G_MAX_RANK = 4, G_MAX_INPUTS = 3 + MAX_AXIAL };

typedef struct gnode {
    int id;
    gop_t op;
    const char *name;  /* unique: "layers.3.y1"; inputs and params: the tensor's name */
    const char *trace; /* name under which --dump-activations shows it ("layers.3.y1"), or NULL */
    int layer;         /* -1: none */
    gtype_t type;
    int rank;
    dim_t shape[G_MAX_RANK];
    int n_in;
    struct gnode *in[G_MAX_INPUTS]; /* a missing optional input is NULL */
    srcloc_t at;                    /* the spec line it came from */
    /* attributes: which ones an op has is a column of ops.def, 0 / NULL otherwise */
    double eps;
    int64_t heads, head_size, rounds;
    int64_t chunk, before, after;
    int n_factors;
    int64_t factors[MAX_FACTORS];
    bool causal, shared_qk;
    bool as_huggingface; /* *_STEP, *_STATE: with defects Q6 and Q7 (docs/semantics.md 12) */
    act_t act;
    int64_t shift; /* CROSS_ENTROPY: 1 for a causal LM */
    int64_t pad_token;
    int n_axial;
    int64_t axial_shape[MAX_AXIAL];
    int64_t first, width;       /* PART: columns */
    int64_t entries, axis;      /* gradients of tables: rows; an axis of the position grid */
    double rate, position_rate; /* of dropout, 0: none; the second of positions, beside words */
    int64_t place;              /* DROPOUT: dropout.h */
    bool to_padded;             /* PAD_ROWS: to the padded length, else to the length */
    /* No attribute, so that no text says it and it makes no difference to what is computed: a PARAM
     * that graph_gradient() makes no GRADIENT of. */
    bool frozen;
} gnode_t;

/* How inputs that are shorter than a literal length are computed. */
typedef enum {
    SHORTER_PADDED, /* as if they had been filled up to it with padding tokens, which are masked */
    SHORTER_UNPADDED, /* as they are: what they are filled up with is nobody's */
    SHORTER_ABSENT    /* and nothing stands behind them, not even a masked key */
} shorter_t;

typedef struct {
    arena_t *arena;
    const spec_t *spec; /* of a text: its head (spec_t.of_graph), or NULL */
    srcloc_t at;        /* its first line, of a text */
    gnode_t **nodes;
    size_t n_nodes, cap_nodes;
    int64_t batch;
    dim_t length;  /* S: tokens per row as given */
    dim_t padded;  /* Spad */
    units_t units; /* {0,0} unless dynamic */
    shorter_t shorter;
    int n_factors; /* buckets of the first layer that hashes; 0: none does */
    int64_t factors[MAX_FACTORS];
} graph_t;

typedef struct {
    int64_t batch;
    int64_t length;        /* tokens per row; ignored when dynamic */
    units_t units;         /* dynamic: {min, max} of U, padded length = lcm * U. {0,0}: literal */
    bool train;            /* with dropout at the rates of the spec, for graph_gradient */
    int64_t bucket_length; /* padded length that decides automatic buckets; 0: this graph's own */
} graph_options_t;

/* NULL after errors in d (too long for the positions, …). Shapes are inferred and checked. */
graph_t *graph_build(arena_t *a, const spec_t *s, const graph_options_t *o, diag_t *d);
/* One step of generation (docs/semantics.md 11) of a causal LM for `batch` rows, with the buckets
 * of `like`, the graph of a forward: inputs input_ids and positions [batch][1], output logits
 * [batch][1][vocab]. Its *_STEP nodes read and write *_STATE, a cache that whoever runs the graph
 * brings along. An error in d: `compile.decode: huggingface` for several rows. */
graph_t *graph_build_step(arena_t *a, const graph_t *like, int64_t batch, diag_t *d);
/* The same of a forward that came as a text: a step for each of its nodes (step.c), of a
 * causal LM without fault. */
graph_t *graph_step_of(arena_t *a, const graph_t *like, int64_t batch, diag_t *d);
/* The first attention that cannot be computed token by token, and why; NULL: there is none. */
const gnode_t *graph_step_fault(const graph_t *forward, const char **why);
/* Makes a prefill of the graph of a forward: every attention that `step` has under the same name
 * gets that one's state, and a *_KEEP that fills it. What the forward computes stays as it is.
 * False after errors in d. */
bool graph_keep(graph_t *forward, const graph_t *step, diag_t *d);
/* The graph of a forward whose rows may each begin at another position, what train steps derive:
 * EMBED_FROM in the place of EMBED, and an input `positions` [B]. A graph with a node of that name
 * is left as it is. NULL after errors in d. */
graph_t *graph_with_positions(arena_t *a, const graph_t *g, diag_t *d);
/* The graph of a forward, of a prefill or of a step, whose products have factors of the spec's
 * types, or of this one (dtype.c); all float32: g, as it is; else another graph.
 * NULL after errors in d. */
graph_t *graph_with_dtypes(arena_t *a, graph_t *g, const spec_t *s, diag_t *d);
graph_t *graph_with_dtype(arena_t *a, graph_t *g, dtype_t dtype, diag_t *d);
/* The same of what train steps derive, and of the forwards beside them: words
 * are trained in float32. */
graph_t *graph_with_train_dtype(arena_t *a, graph_t *g, dtype_t dtype, diag_t *d);
/* Gives the states of a step the number type of `compile.cache_dtype`, or of the attention of their
 * forward (cache_dtype.c). */
void graph_set_cache_dtype(graph_t *step, const graph_t *forward, cache_dtype_t wanted);
bool graph_has_type(const graph_t *g, gtype_t type); /* whether a node is of it */
bool graph_is_embed(const gnode_t *n);               /* whatever says where its tokens stand */
const gnode_t *graph_unrounded(const gnode_t *n);    /* what a ROUND rounds; else n; NULL: NULL */
/* Its input that holds the words; the position tables stand behind it. */
static inline int graph_word_input(const gnode_t *embed) {
    return embed->op == G_EMBED_AT || embed->op == G_EMBED_FROM ? 2 : 1;
}
/* The input that says where each row begins; NULL: at the first position. */
const gnode_t *graph_positions(const gnode_t *n);
/* A train step: the forward's nodes, and behind them those that compute the gradient of a loss
 * (gradient.c), and nothing that frozen params alone would need; what the forward
 * computes stays as it is. */
typedef struct {
    const char *loss; /* the output to derive: NULL: "loss" */
    /* By id of g's nodes: values that the backward pass reads as the forward left them, beyond
     * those that it cannot make again; NULL: none. How much memory a step takes
     * for how much work */
    const bool *keep;
} graph_gradient_options_t;
/* What such values are. */
typedef enum {
    KEPT_NONE,      /* nothing that would have to be made again, or of none of these kinds */
    KEPT_STREAMS,   /* that a sum goes on with: what it adds need not be made again to undo it */
    KEPT_OPERANDS,  /* rows that an attention reads */
    KEPT_ATTENTION, /* an attention's result; its log-sum-exp is kept with it */
    KEPT_HIDDEN,    /* what an activation is of, and a gate beside it */
    KEPT_NORMED,    /* a norm's result */
    KEPT_KINDS
} kept_kind_t;
kept_kind_t *graph_kept_kinds(arena_t *a, const graph_t *g); /* by id of a forward's nodes */
/* o NULL: nothing is said. NULL after errors in d: no loss, an op without a derivative,
 * a name that is taken. */
graph_t *graph_gradient(arena_t *a, const graph_t *g, const graph_gradient_options_t *o, diag_t *d);
bool graph_is_backward(const gnode_t *n);  /* an op of the backward pass alone */
bool graph_is_attention(const gnode_t *n); /* of all tokens, of any kind */
bool graph_is_attention_gradient(const gnode_t *n);
bool graph_is_step(const gnode_t *n); /* attention of one token, from a cache */
bool graph_is_state(const gnode_t *n);
bool graph_is_keep(const gnode_t *n);    /* nobody has to read it */
bool graph_check(graph_t *g, diag_t *d); /* infers all shapes again and compares */
/* What a graph of a text must be to be a model, beyond its shapes (limits.c). */
bool graph_check_model(const graph_t *g, diag_t *d);
gnode_t *graph_find(const graph_t *g, const char *name); /* by name; NULL: none */
/* The next of this op behind the node, NULL: the first of all; NULL: there is none. */
const gnode_t *graph_next(const graph_t *g, gop_t op, const gnode_t *behind);
/* "last_hidden_state", "logits", "start_logits", "end_logits", "loss", "loss_f32" (where the type
 * of a classifier's labels decides: the loss of float labels); NULL: this model has none. */
gnode_t *graph_output(const graph_t *g, const char *name);
/* Buckets that a caller imposes (reformer_io_t) are of the layers that hash in this graph, one
 * [batch][heads][rounds][padded] behind the other: how many of them, and how many rows of [padded],
 * stand before n's, an LSH_HASH; NULL: in all. */
typedef struct {
    int hashes;
    int64_t rows;
} imposed_rows_t;
imposed_rows_t graph_imposed(const graph_t *g, const gnode_t *n);
/* The same as one goes from each to the next, in the graph's order: n is the last that was met. */
void graph_pass_imposed(const graph_t *g, const gnode_t *n, imposed_rows_t *before);
/* By id of nodes: what stands before each that hashes. */
imposed_rows_t *graph_all_imposed(arena_t *a, const graph_t *g);
int64_t graph_longest(const graph_t *g); /* the most tokens of a row */
int64_t graph_padded_length(const graph_t *g,
                            int64_t length); /* what a row of that many is padded to */
const char *graph_op_name(gop_t op);         /* "layer_norm" */
const char *graph_type_name(gtype_t type);   /* "bf16" */
gkind_t graph_kind(const gnode_t *n);
/* The same op with the same attributes and the same type and shape, whatever its inputs are. */
bool graph_same_op(const gnode_t *a, const gnode_t *b);
/* Whether the attributes that both ops have are the same. */
bool graph_same_attrs(const gnode_t *a, const gnode_t *b);
void graph_print(const graph_t *g, sbuf_t *out);
void graph_print_forward(const graph_t *g, sbuf_t *out); /* without what a prefill keeps */
/* What a node does to numbers, in a line: nothing of its name, its inputs and its length. Of a node
 * without attributes: nothing. */
void graph_print_meaning(const gnode_t *n, sbuf_t *out);
/* A text of one graph; one of several, behind a head of `from` bytes: at most `max`, `n` of them.
 * NULL after errors, all of them in d. */
graph_t *graph_parse(arena_t *a, const char *file, const char *text, size_t bytes, diag_t *d);
graph_t **graph_parse_all(arena_t *a, const char *file, const char *text, size_t bytes, size_t from,
                          int max, int *n, diag_t *d);
/* Whether a text holds a graph, and where the first begins. */
bool graph_text_begins(const char *text, size_t bytes, size_t *from);
/* The graph for another batch or length (resize.c). NULL after errors. */
typedef struct {
    int64_t batch;
    dim_t length, padded;
    units_t units;
} graph_size_t;
graph_t *graph_resize(arena_t *a, const graph_t *g, const graph_size_t *size, diag_t *d);

/* The same graph, if each attention has operands of its own and its result by itself; else a copy
 * where they have, for what lowers it (operands.c). */
const graph_t *graph_with_own_operands(arena_t *a, const graph_t *g);

#endif
