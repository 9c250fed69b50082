/* Weights: Hugging Face tensors in, packed file out.
 *
 * safetensors.c  reads, every header field checked; with st_writer.c, index.c and json.c the
 *                only user of <jansson.h>
 * st_writer.c    writes the same
 * st_dtypes.c    types of elements
 * index.c        a checkpoint in several files, by its index
 * rows.c         a file of any size, row by row
 * unwrap.c       names of modules that were saved inside a wrapper
 * convert.c      number types of a file → float32, int32, float64
 * narrow.c       float32 → float16, bfloat16
 * open.c         a file of weights of any kind, as safetensors
 * hf_names.c     what Hugging Face calls a tensor
 * store.c        a set of float32 tensors under Hugging Face's names
 * load.c         its values from files
 * initial.c      its values drawn at random; rotations
 * layout.c       where each weight stands in a packed file (layout.h)
 * pack.c         store + layout → the bytes of runtime/reformer_rt.h's weights file, and back
 * contents.c     the table at the end of that file, as text
 * packed.c       such a file by its table, without the model: as tensors
 * rng.c          torch's CPU generator, bit for bit (randn) */
#ifndef REFORMERC_WEIGHTS_H
#define REFORMERC_WEIGHTS_H

#include "graph/graph.h"
#include "reformer_rt.h"
#include "support/file.h"
#include "weights/layout.h"

/* ---- safetensors ---------------------------------------------------------------------------- */

typedef enum {
    ST_BOOL,
    ST_U8,
    ST_I8,
    ST_I16,
    ST_I32,
    ST_I64,
    ST_F16,
    ST_BF16,
    ST_F32,
    ST_F64,
    ST_OTHER
} st_dtype_t;

typedef struct {
    const char *name;
    st_dtype_t dtype;
    const char *dtype_name; /* as in the file */
    int rank; /* of a tensor in a file perhaps above 8: then the first 8 dimensions are kept */
    int64_t shape[8];
    int64_t elements;
    size_t offset;             /* in its file's data */
    const unsigned char *data; /* may be unaligned; NULL after st_open_names() */
    size_t bytes;
} st_tensor_t;

typedef struct st_file st_file_t;
/* NULL after errors in d that name the file and the tensor. The bytes are read
 * into memory, whole. */
st_file_t *st_open(const char *path, diag_t *d);
/* A checkpoint's weights: as above, an index file (*.index.json) of several such files, which lie
 * beside it or below, or a packed file. Components of names that wrappers of modules put there
 * (`module.`, `_orig_mod.` …) are taken off. */
st_file_t *st_open_weights(const char *path, diag_t *d);
st_file_t *st_open_names(const char *path,
                         diag_t *d); /* the same without values, which stay unread */
/* Takes them off tensors that are open already; false after an error. */
bool st_unwrap(st_file_t *f, diag_t *d);
/* What st_unwrap() took off the first name, NULL: nothing */
const char *st_unwrapped(const st_file_t *f);
/* Tensors in memory as if they were a file with the name `shown`. Given: name, dtype, rank, shape,
 * data; names are copied, data are not and must outlive it. */
st_file_t *st_from_memory(const char *shown, const st_tensor_t *tensors, size_t n, diag_t *d);
void st_close(st_file_t *f);
/* A file whose values stay in it: names and shapes are read, rows along the first dimension when
 * they are asked for. The file stays open. NULL or false after errors in d. */
typedef struct st_rows st_rows_t;
st_rows_t *st_rows_open(const char *path, diag_t *d);
void st_rows_close(st_rows_t *r); /* NULL is fine */
const st_file_t *st_rows_header(const st_rows_t *r);
bool st_rows_read(const st_rows_t *r, const st_tensor_t *t, int64_t row, void *out, diag_t *d);
size_t st_count(const st_file_t *f);
const st_tensor_t *st_at(const st_file_t *f, size_t i); /* in order of their data */
const st_tensor_t *st_find(const st_file_t *f, const char *name);
const char *st_path(const st_file_t *f);
/* (convert.c) Into caller's arrays of t->elements, from F16 BF16 F32 F64 and from I64 I32 I16 I8 U8
 * BOOL. False after an error in d (wrong dtype, a value that does not fit) that names `path`. */
bool st_to_f32(const st_tensor_t *t, float *out, const char *path, diag_t *d);
bool st_to_i32(const st_tensor_t *t, int32_t *out, const char *path, diag_t *d);

/* Elements from … of a tensor of numbers, as they are; 64-bit integers to the nearest. */
bool st_has_numbers(const st_tensor_t *t);
void st_to_f64(const st_tensor_t *t, int64_t from, int64_t n, double *out);
/* (narrow.c) Into `to`, of n elements: F32, F16 or BF16, to the nearest, ties to even. False after
 * an error in d that names the tensor, the element and its value: it is not finite,
 * or would not be. */
bool st_from_f32(st_dtype_t to, const char *name, const float *x, int64_t n, void *out,
                 const char *path, diag_t *d);

/* Collects tensors (copies), writes one file, whole or not at all. */
typedef struct st_writer st_writer_t;
st_writer_t *st_writer_new(void);
void st_writer_add(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                   const int64_t *shape, const void *data);
/* The same without data: zeroed room for them, which the caller fills before saving. */
void *st_writer_space(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                      const int64_t *shape);
/* The same without a copy: `data` must outlive the writer. */
void st_writer_borrow(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                      const int64_t *shape, const void *data);
/* The file says that its tensors are torch's, which older transformers want to
 * read before they take any. */
void st_writer_for_torch(st_writer_t *w);
bool st_writer_save(st_writer_t *w, const char *path, diag_t *d); /* does not free w */
bool st_writer_put(st_writer_t *w, output_set_t *set, const char *path,
                   diag_t *d); /* one of a set */
void st_writer_free(st_writer_t *w);

/* ---- torch's generator ---------------------------------------------------------------------- */

typedef struct {
    uint32_t state[624];
    int at;
    int has_next; /* the second normal of the scalar path, kept across calls */
    double next;
} torch_rng_t;
void torch_seed(torch_rng_t *g, uint64_t seed); /* torch.manual_seed */
uint32_t torch_u32(torch_rng_t *g);
float torch_uniform(torch_rng_t *g); /* [0, 1) */
void torch_randn(torch_rng_t *g, float *out, size_t n);
/* The same bits without vector units. */
void torch_randn_scalar(torch_rng_t *g, float *out, size_t n);

/* ---- a set of tensors ----------------------------------------------------------------------- */

typedef struct {
    const char *name;
    int rank;
    int64_t shape[8];
    int64_t elements;
    const float *data;
    /* Rotations from the stream of store_options_t.seed: no file and no hash_seed says them */
    bool drawn;
    bool from_file; /* and not drawn, by whatever seed */
} tensor_t;

typedef struct store store_t;

/* Which parts the tensor names show, for spec_resolve_architecture; no values are read. */
typedef struct {
    bool has_lm_head, has_classifier, has_qa, has_prefix;
} weights_kind_t;
bool weights_kind(const char *path, weights_kind_t *k, diag_t *d);
weights_kind_t weights_kind_of(const st_file_t *f);

/* "random" or "random:SEED"; *bad_seed when what follows is no seed. */
bool names_random(const char *text, uint64_t *seed, bool *bad_seed);
/* "layers.3.y1" → 3, and what stands behind: "y1"; -1: of no layer. `behind` NULL: nobody asks. */
int layer_of_name(const char *name, const char **behind);
/* "layers.N.rotations" */
bool names_rotations(const char *name, int *layer);

/* Loads every param of g: strips `reformer.`, ignores mask-value buffers, takes lm_head.bias or
 * lm_head.decoder.bias, widens bf16 and f16, checks shapes, NaN and infinities, reports missing and
 * (as a warning) unknown tensors. `path` may be a safetensors file, a checkpoint folder, or
 * "random[:SEED]" (Hugging Face's initialisation). Rotations, under "layers.N.rotations":
 * from `rotations_path` where present there, else from the weights file (`reformerc pack` writes
 * them), else drawn from hash_seed (each layer alike), else one stream from `seed` through the
 * layers that draw, in order. NULL after errors in d. */
typedef struct {
    const char *path;
    const st_file_t *tensors;   /* instead of path, NULL: none; must outlive the store */
    const char *rotations_path; /* NULL: none */
    uint64_t seed;
    bool fills; /* what the file lacks is drawn as random weights are, and a warning lists it */
    uint64_t fill_seed; /* of those */
    bool new_head;      /* so are the head's tensors, whatever the file has for them */
} store_options_t;
store_t *store_load(const graph_t *g, const store_options_t *o, diag_t *d);
/* Copies the values: from here on `tensors` may go. False after an error: no memory. */
bool store_own(store_t *s, diag_t *d);
/* Whether random weights fit into memory, before anything is done; false after an error at the key
 * of the largest. A `path` that is a file, or NULL: true. */
bool store_fits(const graph_t *g, const char *path, diag_t *d);
/* The next weights_pack() is the last who reads it: values from a file leave memory as they are
 * packed, so that large weights do not stand there twice. */
void store_spend(store_t *s);
void store_free(store_t *s);
const tensor_t *store_find(const store_t *s, const char *name); /* NULL: none */
/* A store of the same tensors, with the same values, in the same order: s outlives it. Its tensors
 * may then be pointed to others, memory of the caller's. */
store_t *store_view(const store_t *s);
void store_point(store_t *view, const char *name, const float *data);

/* ---- the packed file ------------------------------------------------------------------------ */

/* Size of the file: header, data and contents table; a function of the layout alone, so that
 * generated code (reformer_desc_t.weights_bytes) can know it without weights. */
size_t weights_packed_bytes(const layout_t *l);
/* 64-byte aligned bytes of the weights file, free() them; contents table included. */
unsigned char *weights_pack(const layout_t *l, const store_t *s, size_t *bytes, diag_t *d);
/* One tensor of the layout's, of this number in this entry, into the bytes of a weights file; the
 * checksum in the header is then another's. */
void weights_pack_tensor(const layout_entry_t *e, int index, const float *values,
                         unsigned char *file);
/* What Hugging Face calls a source of the layout (`reformer.` in front of what a head stands on),
 * and the shape that it has there: at most 8 dimensions, whose number is returned. */
const char *weights_hf_name(arena_t *a, const layout_t *l, const char *source);
int weights_hf_shape(const layout_t *l, const layout_entry_t *e, const char *source,
                     int64_t *shape);
/* And back: an element of bf16 as it was rounded, one of i8 as its integer times
 * its row's scale. */
void weights_unpack_tensor(const layout_entry_t *e, int index, const unsigned char *file,
                           float *values);

/* A packed file, by its own table of contents. */
typedef struct {
    arena_t *arena;
    const char *path;
    content_t content; /* all of it, its checksum right; of no bytes: the table alone was read */
    reformer_weights_header_t header;
    layout_t *layout;
} packed_file_t;
bool is_packed_file(const char *path); /* by its first bytes; nothing is said */
/* NULL after an error in d: no such file, of another version, truncated or damaged. */
packed_file_t *packed_open(const char *path, bool values, diag_t *d);
void packed_close(packed_file_t *p);         /* NULL is fine */
const char *contents_kind(pack_kind_t kind); /* "head_panels", as the table has it */

#endif
