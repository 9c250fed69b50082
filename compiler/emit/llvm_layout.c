/* Structures of the runtime as a target lays them out: where a field stands, and a
 * whole one as a constant.
 *
 * Pointers and size_t are as wide as the target's addresses, everything is aligned to its size: so
 * do x86-64, aarch64 and wasm32. A table names all fields of a structure in order; that it does is
 * checked against this machine's own layout. */
#include <stddef.h>
#include <string.h>

#include "emit/llvm_int.h"

/* Elements of fields: 4 bytes, 8 bytes, size_t, pointer. */
typedef enum { INT, LONG, SIZE, POINTER, KINDS } field_kind_t;

typedef struct {
    size_t at, bytes; /* of this machine's structure */
    field_kind_t kind;
} field_t;

struct llvm_layout {
    const char *name;
    size_t bytes;
    const field_t *field;
    int n;
};

#define FIELD(name, kind)                                                                          \
    { offsetof(OF, name), sizeof(((OF *)0)->name), kind }
#define LAYOUT(table)                                                                              \
    { #table, sizeof(OF), table, sizeof table / sizeof *table }

#define OF reformer_call_t
static const field_t call_fields[] = {
    FIELD(weights, POINTER),     FIELD(workspace, POINTER), FIELD(scratch, POINTER),
    FIELD(scratch_stride, SIZE), FIELD(slot, POINTER),      FIELD(units, LONG),
    FIELD(capacity, LONG),       FIELD(threads, INT),       FIELD(pool, POINTER),
    FIELD(trace, POINTER),       FIELD(trace_ctx, POINTER), FIELD(profile, POINTER),
    FIELD(profile_ctx, POINTER), FIELD(ready, POINTER),     FIELD(ready_ctx, POINTER)};
const llvm_layout_t llvm_call_layout = LAYOUT(call_fields);
#undef OF

#define OF reformer_variant_t
static const field_t variant_fields[] = {FIELD(target, INT),
                                         FIELD(max_length, LONG),
                                         FIELD(unit, LONG),
                                         FIELD(padded, LONG),
                                         FIELD(rows, LONG),
                                         FIELD(unpadded, INT),
                                         FIELD(absent, INT),
                                         FIELD(hashes, INT),
                                         FIELD(workspace_bytes, SIZE),
                                         FIELD(workspace_per_unit, SIZE),
                                         FIELD(scratch_bytes, SIZE),
                                         FIELD(scratch_per_unit, SIZE),
                                         FIELD(run, POINTER)};
const llvm_layout_t llvm_variant_layout = LAYOUT(variant_fields);
#undef OF

#define OF reformer_stack_t
static const field_t stack_fields[] = {FIELD(name, POINTER),   FIELD(rank, INT),
                                       FIELD(shape, LONG),     FIELD(count, INT),
                                       FIELD(layers, POINTER), FIELD(offset, SIZE)};
const llvm_layout_t llvm_stack_layout = LAYOUT(stack_fields);
#undef OF

#define OF reformer_rotations_t
static const field_t rotations_fields[] = {FIELD(layer, INT),      FIELD(heads, LONG),
                                           FIELD(head_size, LONG), FIELD(rounds, LONG),
                                           FIELD(half, LONG),      FIELD(offset, SIZE)};
const llvm_layout_t llvm_rotations_layout = LAYOUT(rotations_fields);
#undef OF

#define OF reformer_desc_t
static const field_t desc_fields[] = {FIELD(size, SIZE),
                                      FIELD(abi, INT),
                                      FIELD(sizes, SIZE),
                                      FIELD(version, POINTER),
                                      FIELD(name, POINTER),
                                      FIELD(fingerprint, LONG),
                                      FIELD(weights_bytes, LONG),
                                      FIELD(head, INT),
                                      FIELD(batch, LONG),
                                      FIELD(hidden, LONG),
                                      FIELD(vocab, LONG),
                                      FIELD(labels, LONG),
                                      FIELD(pad_token, LONG),
                                      FIELD(max_length, LONG),
                                      FIELD(lsh_layers, LONG),
                                      FIELD(heads, LONG),
                                      FIELD(rounds, LONG),
                                      FIELD(max_bucket, LONG),
                                      FIELD(imposes_buckets, INT),
                                      FIELD(float_loss, INT),
                                      FIELD(label_is_float, INT),
                                      FIELD(n_variants, INT),
                                      FIELD(variants, POINTER),
                                      FIELD(prefills, POINTER),
                                      FIELD(steps, POINTER),
                                      FIELD(positions, LONG),
                                      FIELD(cache_parts, POINTER),
                                      FIELD(record_parts, POINTER),
                                      FIELD(n_cache_parts, INT),
                                      FIELD(n_record_parts, INT),
                                      FIELD(lsh, POINTER),
                                      FIELD(trains, POINTER),
                                      FIELD(train_loss, INT),
                                      FIELD(stacks, POINTER),
                                      FIELD(n_stacks, INT),
                                      FIELD(gradients_bytes, SIZE),
                                      FIELD(train_positions, LONG),
                                      FIELD(updates, POINTER),
                                      FIELD(training, POINTER),
                                      FIELD(state_bytes, SIZE),
                                      FIELD(rotations, POINTER),
                                      FIELD(n_rotations, INT)};
const llvm_layout_t llvm_desc_layout = LAYOUT(desc_fields);
#undef OF

/* ---- places ---------------------------------------------------------------------------------- */

int llvm_address_bytes(const target_t *t) {
    return target_family(t) == FAMILY_WASM ? 4 : 8;
}

static size_t kind_bytes(field_kind_t kind, int address_bytes) {
    return kind == INT ? 4 : kind == LONG ? 8 : (size_t)address_bytes;
}

static size_t aligned(size_t at, size_t to) {
    return (at + to - 1) / to * to;
}

static size_t elements(const field_t *f) {
    return f->bytes / kind_bytes(f->kind, sizeof(void *));
}

/* Where field k stands; k == n: the whole structure's size. */
static size_t place(const llvm_layout_t *l, int k, int address_bytes) {
    size_t at = 0;
    for (int i = 0; i <= k && i < l->n; i++) {
        size_t each = kind_bytes(l->field[i].kind, address_bytes);
        at = aligned(at, each);
        if (i < k) at += elements(&l->field[i]) * each;
    }
    return k < l->n ? at : aligned(at, 8); /* each has something of 8 bytes */
}

/* A field that the structure got and the table did not. */
static void check(const llvm_layout_t *l) {
    for (int k = 0; k <= l->n; k++)
        if (place(l, k, sizeof(void *)) != (k < l->n ? l->field[k].at : l->bytes))
            bug("llvm_layout.c: %s misses a field, at %d", l->name, k);
}

size_t llvm_offset(const llvm_layout_t *l, size_t at, const target_t *t) {
    int bytes = llvm_address_bytes(t);
    check(l);
    for (int k = 0; k < l->n; k++) {
        const field_t *f = &l->field[k];
        if (at < f->at || at >= f->at + f->bytes) continue;
        size_t element = (at - f->at) / kind_bytes(f->kind, sizeof(void *));
        return place(l, k, bytes) + element * kind_bytes(f->kind, bytes);
    }
    if (at != l->bytes) bug("llvm_layout.c: %s has no field at %zu", l->name, at);
    return place(l, l->n, bytes);
}

/* What generated code and the runtime share, in the order of REFORMER_SIZES: by its table; or by
 * kinds of fields (i int, l int64_t, z size_t, p pointer) and how many more of 8 bytes; or the same
 * on all targets, having neither of the last two. */
static const struct {
    const llvm_layout_t *table;
    const char *kinds;
    size_t longs, bytes;
} shared[REFORMER_SHARED] = {
    {.table = &llvm_call_layout},
    {.table = &llvm_variant_layout},
    {.table = &llvm_stack_layout},
    {.bytes = sizeof(reformer_lsh_t)},
    {.table = &llvm_rotations_layout},
    {.bytes = sizeof(reformer_training_t)},
    {.kinds = "zppzpipppp", .longs = 6},        /* reformer_model_t */
    {.kinds = "zppzzipppppppppppppppppliippp"}, /* reformer_io_t */
    {.kinds = "zppzzippppp"},                   /* reformer_decode_t */
    {.kinds = "zppppppppp", .longs = 6},        /* reformer_trainer_t */
    {.kinds = "z", .longs = 6},                 /* reformer_train_report_t */
    {.kinds = "zizz",
     /* reformer_tensor_t */ .longs = REFORMER_TENSOR_NAME / 8 + REFORMER_TENSOR_RANK},
};

static size_t sum_of_kinds(const char *kinds, size_t longs, int address_bytes) {
    size_t at = 0, max = longs ? 8 : 1;
    for (; *kinds; kinds++) {
        size_t each = *kinds == 'i' ? 4 : *kinds == 'l' ? 8 : (size_t)address_bytes;
        at = aligned(at, each) + each;
        if (each > max) max = each;
    }
    return aligned(at, max) + 8 * longs;
}

static size_t shared_bytes(int i, int address_bytes) {
    if (shared[i].table) return place(shared[i].table, shared[i].table->n, address_bytes);
    if (shared[i].bytes) return shared[i].bytes;
    return sum_of_kinds(shared[i].kinds, shared[i].longs, address_bytes);
}

void llvm_sizes(const target_t *t, size_t sizes[REFORMER_SHARED]) {
    static const size_t here[REFORMER_SHARED] = REFORMER_SIZES;
    for (int i = 0; i < REFORMER_SHARED; i++) {
        if (shared_bytes(i, sizeof(void *)) != here[i])
            bug("llvm_layout.c: shared structure %d has %zu bytes, not %zu", i, here[i],
                shared_bytes(i, sizeof(void *)));
        sizes[i] = shared_bytes(i, llvm_address_bytes(t));
    }
}

/* ---- constants ------------------------------------------------------------------------------- */

static LLVMValueRef link_at(const llvm_link_t *links, int n, size_t at) {
    for (int i = 0; i < n; i++)
        if (links[i].at == at) return links[i].to;
    return NULL;
}

static LLVMValueRef number(const llvm_emitter_t *e, field_kind_t kind, const void *data) {
    uint64_t x = 0; /* little-endian, like all targets */
    memcpy(&x, data, kind_bytes(kind, sizeof(void *)));
    return llvm.ConstInt(kind == INT ? e->i32 : kind == LONG ? e->i64 : e->size, x, false);
}

static LLVMValueRef field_constant(const llvm_emitter_t *e, const field_t *f, const void *data,
                                   const llvm_link_t *links, int n_links) {
    if (f->kind == POINTER) {
        LLVMValueRef to = link_at(links, n_links, f->at);
        return to ? to : llvm.ConstNull(e->pointer);
    }
    const unsigned char *from = (const unsigned char *)data + f->at;
    size_t n = elements(f), each = kind_bytes(f->kind, sizeof(void *));
    if (n == 1) return number(e, f->kind, from);
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    for (size_t i = 0; i < n; i++) all[i] = number(e, f->kind, from + i * each);
    return llvm.ConstArray(llvm.TypeOf(all[0]), all, (unsigned)n);
}

LLVMValueRef llvm_image(const llvm_emitter_t *e, const llvm_layout_t *l, const void *data,
                        const llvm_link_t *links, int n_links) {
    check(l);
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, l->n);
    for (int k = 0; k < l->n; k++) all[k] = field_constant(e, &l->field[k], data, links, n_links);
    return llvm.ConstStructInContext(e->context, all, (unsigned)l->n, false);
}
