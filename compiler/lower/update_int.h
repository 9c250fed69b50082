/* Shared by the files that lower updates: what is updated, the buffers, kernels
 * over parts of tensors. */
#ifndef REFORMERC_LOWER_UPDATE_INT_H
#define REFORMERC_LOWER_UPDATE_INT_H

#include "lower/lower_int.h"
#include "lower/update.h"

/* Tensors of one shape, one behind the other: an entry of the gradients' layout. */
typedef struct {
    int64_t count, elements;               /* tensors, elements of each */
    int64_t matrices, rows, columns;       /* of each; of a vector [1][1][elements] */
    bool vector;                           /* it has one axis */
    int64_t first, state[REFORMER_STATES]; /* elements before it */
    int64_t number;                        /* tensors before it */
} group_t;

typedef struct {
    lower_t L; /* for its helpers: a module, an arena, lanes */
    builder_t entry;
    const update_lowering_t *o;
    const update_t *update;
    group_t *groups; /* [n] */
    int n;
    int64_t elements; /* of params */
    /* flat: [elements] */
    buffer_t *params, *gradients, *sum, *state[REFORMER_STATES], *packed;
    buffer_t *phases, *coefficients, *norm; /* slots */
    buffer_t *decays;                       /* [tensors] 0 or 1; NULL: nothing decays */
    buffer_t *squares; /* workspace, f64 [parts]: of each slice, to be added up */
    /* The weights file: what is moved when it is packed or unpacked; tables of all
     * moves' pairs (update_pack.c). */
    struct move *moves;
    int n_moves;
    buffer_t *param_at, *packed_at;
    struct adafactor *adafactor; /* its buffers; NULL: it is not the rule */
} updater_t;

/* ---- kernels: update_kernel.c ---------------------------------------------------------------- */

/* "adam_6x512x2048": what one kernel does for all groups of one shape; n sizes. */
const char *shape_name(updater_t *U, const char *what, int n, const int64_t *sizes);
/* NULL: there is a kernel of this name already, which is *made, and nothing is to be built. */
bool open_kernel(updater_t *U, const char *name, const char *doc, int n, const int64_t *tasks,
                 const char *const *names, builder_t *b, lfunc_t **made);
/* Where `size` elements begin among `all`, a param of the kernel. */
affine_t place_param(builder_t *b, const char *name, int64_t size, int64_t all);
void launch_update(updater_t *U, lfunc_t *kernel, int n, const int64_t *args, const char *label);

value_t *coefficient(updater_t *U, builder_t *b, int which);
value_t *real(builder_t *b, double x, int width); /* an f32 */
/* x, where the tensor of this number decays, else `other`. */
value_t *where_decays(updater_t *U, builder_t *b, affine_t number, value_t *x, double other);
value_t *clip_of(updater_t *U, builder_t *b); /* NULL: gradients are taken as they are */
/* Elements of the sum of gradients, clipped. */
value_t *gradient_at(updater_t *U, builder_t *b, value_t *clip, affine_t at, int width);

/* n elements in slices: `size` in each, and of the last one `rest`, where that is not 0. */
typedef struct {
    int64_t size, full, rest, n;
} slices_t;
enum { SLICE = 16384 };                                  /* elements that a task takes */
slices_t slices_of(int64_t elements, int64_t max);       /* all of one size, if a divisor is near */
slices_t slices_of_size(int64_t elements, int64_t size); /* exactly this size */
/* Builds the body for a slice: twice where the last one is shorter. */
typedef void slice_fn(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n);
void in_slice(updater_t *U, builder_t *b, const slices_t *s, value_t *slice, slice_fn *body,
              void *ctx);
/* Elements base … base + n - 1: in vectors, then one by one. */
typedef void element_fn(updater_t *U, builder_t *b, void *ctx, affine_t at, int width);
void each_element(updater_t *U, builder_t *b, affine_t base, int64_t n, element_fn *body,
                  void *ctx);

/* ---- sums in double: update_sums.c ----------------------------------------------------------- */

/* f32: elements at … at + width - 1 of 0 … n-1. Their squares are added up, or,
 * `plain`, they themselves. */
typedef value_t *term_fn(updater_t *U, builder_t *b, void *ctx, affine_t at, int width);
typedef void addend_fn(updater_t *U, builder_t *b, void *ctx, affine_t at, value_t *addend);
typedef struct {
    term_fn *term;
    addend_fn *each; /* NULL, or told every addend, f64 */
    bool plain;
    void *ctx;
} sum_t;
int double_lanes(const updater_t *U); /* of the widest f64 vector */
/* In an order that no target and no number of threads changes. */
value_t *sum_in_double(updater_t *U, builder_t *b, const sum_t *s, int64_t n);
/* Of n doubles, `step` apart, from one on; width: of columns side by side. */
value_t *sum_parts(builder_t *b, buffer_t *parts, affine_t first, int64_t step, int64_t n,
                   int width);
/* Squares of which there are at most so many at a time. */
int64_t max_squares(const updater_t *U);
void lower_update_norm(updater_t *U);

/* ---- one file each: launches, and the kernels for them --------------------------------------- */

void lower_accumulate(updater_t *U, bool more); /* update_flat.c */
void lower_adam(updater_t *U, const group_t *g);
void lower_sgd(updater_t *U, const group_t *g);
void make_adafactor(updater_t *U); /* its buffers */
void lower_adafactor(updater_t *U, const group_t *g);
void make_moves(updater_t *U); /* and their tables */
void lower_moves(updater_t *U, bool unpack);

#endif
