/* Kernels by themselves: graphs of a few nodes, run by every executor for every target, against doubles.
 *
 * A test appends nodes to a graph, layer after layer: an embedding makes rows of random numbers, each layer holds one
 * kernel whose result is observed, a final norm ends it. kernels_check() lowers the graph and runs it: the interpreter
 * at all targets, JIT and C at those of this CPU. Every observed value is compared with what right.h says, given what
 * was observed before it, so that a failure names the kernel: nothing that went wrong earlier reaches it. */
#ifndef REFORMERC_TESTS_KERNELS_H
#define REFORMERC_TESTS_KERNELS_H

#include "exec/exec.h"

enum { MAX_NODES = 512 };

typedef struct {
    const char *what; /* for messages */
    arena_t *arena;
    diag_t *diag;
    graph_t *g;
    int layer; /* of the nodes to come; -1: of none */
    int64_t vocab;
    const char *architecture;
    float *values[MAX_NODES];      /* of PARAMs, by node id: [shape] */
    int32_t *ids;                  /* [batch][length] */
    uint8_t *mask;                 /* the same; NULL: none is given */
    int32_t *labels, *start, *end; /* NULL: no loss of them is wanted */
    float *floats;                 /* labels_f32 */
    gnode_t *given_ids;            /* PAD_IDS */
    int32_t *positions;            /* of a step: [batch] */
    struct right_row *rows;        /* and what each row holds: right.h */
    uint64_t dropout_seed;
    uint32_t dropout_step, dropout_row;
    double **first; /* [MOST_NODES]: what was observed first; NULL: nothing yet */
    bool *near_tie; /* set where a last bit may decide a hash; NULL: not looked for */
    bool *rounding; /* set where a step's would be another of what is rounded; NULL: the same */
} kernels_t;

/* An empty graph for rows of `length` tokens that are filled up to `padded`. */
kernels_t *kernels_begin(const char *what, int64_t batch, int64_t length, int64_t padded);
/* Fails the test where a kernel is wrong; k is no more. What is compiled costs a hundred times what is interpreted:
 * `compiled` says whether it is worth that, and then targets take turns, one of JIT's and another one of C's.
 * With kernels_all every graph is compiled, for every target of this CPU. */
void kernels_check(kernels_t *k, bool compiled);
extern bool kernels_all;
/* Factors of products and word tables are bf16; those of dense layers, but of attention's result, and the tables are i8.
 * Then there is no backward pass. */
extern bool kernels_bf16, kernels_i8;
gtype_t k_type(void); /* of factors of dense layers, and of word tables */
bool kernels_target(int t);
void kernels_options(int argc, char **argv); /* of a program: "all", "bf16", "i8" */

/* ---- nodes: inferred and named as given, within their layer; what is `observed` is compared -------------------- */

float k_random(void); /* -1 … 1, from draw() of random_model.h */
/* Random within ±scale. */
gnode_t *k_param(kernels_t *k, const char *name, int rank, const int64_t *shape, double scale);
float *k_values(kernels_t *k, const gnode_t *param);
gnode_t *k_node(kernels_t *k, gop_t op, const char *name, int n_in, gnode_t *const *in);
#define K_NODE(k, op, name, ...)                                                                   \
    k_node(k, op, name, (int)(sizeof((gnode_t *[]){__VA_ARGS__}) / sizeof(gnode_t *)),             \
           (gnode_t *[]){__VA_ARGS__})
gnode_t *k_finish(kernels_t *k, gnode_t *n); /* of k_node(), when attributes are set */
gnode_t *k_observed(gnode_t *n);

/* Rows of random numbers: as many words as there are tokens, one table of positions. Observed. */
gnode_t *k_rows(kernels_t *k, int64_t width);
/* The ROUND of a value: one, however many ask for it. */
gnode_t *k_round(kernels_t *k, gnode_t *x);
gnode_t *k_dense(kernels_t *k, const char *name, gnode_t *x, int64_t n, bool bias);
gnode_t *k_dense_t(kernels_t *k, const char *name, gnode_t *dy, int64_t n); /* of [width,n] */
/* A dense layer whose column j is column first + j * step of x, times scale, a power of two, or its opposite: exact. The
 * second one is its weights alone, [n][depth]. */
gnode_t *k_select(kernels_t *k, const char *name, gnode_t *x, int64_t n, int64_t first,
                  int64_t step, double scale);
void k_selection(float *w, int64_t n, int64_t depth, int64_t first, int64_t step, double scale);
gnode_t *k_norm(kernels_t *k, const char *name, gnode_t *x, double eps);
gnode_t *k_rms_norm(kernels_t *k, const char *name, gnode_t *x, double eps);
/* Of the backward pass: a norm without weights, the gradient of one. */
gnode_t *k_unit(kernels_t *k, const char *name, gop_t op, gnode_t *x, double eps);
gnode_t *k_norm_grad(kernels_t *k, const char *name, gop_t op, gnode_t *dy, gnode_t *x, double eps);
gnode_t *k_act(kernels_t *k, const char *name, gnode_t *x, act_t act);
gnode_t *k_add(kernels_t *k, const char *name, gnode_t *x, gnode_t *y);
gnode_t *k_act_grad(kernels_t *k, const char *name, gnode_t *dy, gnode_t *x, act_t act);
gnode_t *k_sub(kernels_t *k, const char *name, gnode_t *x, gnode_t *y);
gnode_t *k_mul(kernels_t *k, const char *name, gnode_t *x, gnode_t *y);
gnode_t *k_mask(kernels_t *k); /* of keys: once, where there is attention */
/* The end of every graph: last_hidden_state, of y NULL or two streams. */
gnode_t *k_hidden(kernels_t *k, gnode_t *x, gnode_t *y);

#endif
