/* Shared by the files of the LLVM back end.
 *
 * llvm_emitter.c  context, types, declarations
 * llvm_label.c    symbols, and what launches call
 * llvm_module.c   functions of modules, units for the JIT
 * llvm_file.c     whole modules for files: descriptor, what a product calls
 * llvm_func.c     functions and kernels: blocks, loops, conditions, launches
 * llvm_expr.c     one op → one instruction: the table llvm_ops
 * llvm_layout.c   structures of the runtime as a target has them
 * llvm_address.c  buffers, addresses, what is known of aliases and alignment
 * llvm_target.c   target machines, the passes that LLVM runs, objects
 * llvm_jit.c      objects → code in this process
 * llvm_load.c     libLLVM itself, loaded when it is needed */
#ifndef REFORMERC_EMIT_LLVM_INT_H
#define REFORMERC_EMIT_LLVM_INT_H

#include "emit/llvm.h"
#include "emit/llvm_api.h"

/* ---- one LLVM module ------------------------------------------------------------------------- */

typedef struct {
    arena_t *arena;
    LLVMContextRef context;
    LLVMTargetMachineRef machine;
    LLVMModuleRef module;        /* NULL: none is open */
    LLVMMemoryBufferRef written; /* NULL, or what LLVM wrote, until it is copied */
    LLVMBuilderRef builder;
    LLVMTypeRef type[E_COUNT]; /* of scalars; bf16 is i16 */
    LLVMTypeRef i1, i32, i64, pointer, nothing;
    LLVMTypeRef size; /* size_t of the target */
    const target_t *target;
    /* of the Loops module that is being transcribed */
    const module_t *m;
    const char *suffix;  /* of its symbols: "", ".4096.v4" */
    LLVMValueRef *table; /* [m->n_buffers]: globals of BUF_TABLE made so far */
    bool labels;         /* launches go through functions that bear the names of their labels */
    bool instrument;     /* launches tell the runtime their labels */
} llvm_emitter_t;

/* llvm_emitter.c, llvm_label.c, llvm_module.c */
/* For code of this target; on record (support/guard.h) until llvm_close(), so
 * e stays where it is. */
void llvm_open(llvm_emitter_t *e, const target_t *t);
void llvm_close(llvm_emitter_t *e);
void llvm_open_module(llvm_emitter_t *e, const char *name, const char *triple);
void llvm_close_module(llvm_emitter_t *e);
/* What is defined from here on belongs to m; `suffix` ends its symbols. */
void llvm_use_module(llvm_emitter_t *e, const module_t *m, const char *suffix);
LLVMValueRef llvm_define_function(llvm_emitter_t *e, const lfunc_t *fn, LLVMLinkage linkage);
void llvm_mark_function(const llvm_emitter_t *e, LLVMValueRef f); /* attributes of all */
/* "" where there is one length, else what tells variant k from the others. */
/* ".L4096", ".step"; "" where nothing needs telling apart. */
const char *llvm_part_suffix(arena_t *a, const plan_t *p, int k);

LLVMTypeRef llvm_type(const llvm_emitter_t *e, ltype_t t);
LLVMValueRef llvm_int64(const llvm_emitter_t *e, int64_t x);
/* A function of the module by its symbol, declared at first use. */
LLVMValueRef llvm_declare(llvm_emitter_t *e, const char *symbol, LLVMTypeRef type);

LLVMTypeRef llvm_kernel_type(const llvm_emitter_t *e);
typedef struct llvm_func llvm_func_t;
/* What a launch passes to the runtime: its kernel, or what goes by its label's
 * name and calls it. */
LLVMValueRef llvm_launched(llvm_func_t *f, const inst_t *launch);
/* What a piece of work has of LLVM; no module or bytes yet: NULL. */
void llvm_dispose_of(LLVMContextRef context, LLVMTargetMachineRef machine, LLVMModuleRef module,
                     LLVMMemoryBufferRef bytes);
const char *llvm_symbol(llvm_emitter_t *e, const lfunc_t *fn);
void llvm_add_attribute(const llvm_emitter_t *e, LLVMValueRef f, unsigned index, const char *name,
                        uint64_t value);

/* ---- llvm_layout.c: structures of the runtime ------------------------------------------------ */

typedef struct llvm_layout llvm_layout_t;
extern const llvm_layout_t llvm_call_layout, llvm_variant_layout, llvm_stack_layout,
    llvm_rotations_layout, llvm_desc_layout;
/* Where a target has what stands at offset `at` of this machine's structure; its
 * size: that of the target's. */
size_t llvm_offset(const llvm_layout_t *l, size_t at, const target_t *t);
int llvm_address_bytes(const target_t *t);
/* REFORMER_SIZES of a target. */
void llvm_sizes(const target_t *t, size_t sizes[REFORMER_SHARED]);

/* A pointer inside a structure: where (of this machine), and what it points to. Others are NULL. */
typedef struct {
    size_t at;
    LLVMValueRef to;
} llvm_link_t;
LLVMValueRef llvm_image(const llvm_emitter_t *e, const llvm_layout_t *l, const void *data,
                        const llvm_link_t *links, int n_links);

/* ---- one function ---------------------------------------------------------------------------- */

/* Values of a Loops function; an inlined callee has a frame of its own. */
typedef struct {
    LLVMValueRef *value; /* [n_values] */
    LLVMValueRef *mask;  /* [n_values] of masks: i1 per lane; NULL: unknown. The value itself is
                          * lanes of -1 and 0, and goes when nobody asks for it. */
} llvm_frame_t;

typedef struct {
    const buffer_t *buffer;
    LLVMValueRef base;
    LLVMMetadataRef scope, apart; /* its alias scope; those of buffers that it never meets */
} llvm_place_t;

struct llvm_func {
    llvm_emitter_t *e;
    const lfunc_t *fn;
    LLVMValueRef function;
    LLVMValueRef call, scratch, arg, task; /* parameters */
    LLVMValueRef units;                    /* U; NULL: there is none */
    llvm_frame_t frame;
    llvm_place_t *place; /* [n_places] buffers it uses */
    size_t n_places, cap_places;
    LLVMValueRef launch_args; /* room for the arguments of launches */
};

/* llvm_func.c: defines the function of a kernel or schedule. */
void llvm_define(llvm_emitter_t *e, const lfunc_t *fn, LLVMValueRef function);

/* llvm_expr.c: an instruction with one result; also LOAD. */
void llvm_value(llvm_func_t *f, const inst_t *i);
LLVMValueRef llvm_intrinsic(llvm_func_t *f, const char *name, LLVMTypeRef type, int n,
                            LLVMValueRef *args);
/* An i1 (per lane) that says whether a mask, or an i32 condition, is set. */
LLVMValueRef llvm_condition(llvm_func_t *f, const value_t *v);

/* llvm_address.c */
void llvm_find_places(llvm_func_t *f); /* all buffers of f->fn, at its entry */
LLVMValueRef llvm_dim(const llvm_func_t *f, dim_t d);
LLVMValueRef llvm_affine(llvm_func_t *f, const affine_t *x);
/* Address of an access, and what its alignment is at least. */
LLVMValueRef llvm_address(llvm_func_t *f, const buffer_t *b, const affine_t *index,
                          unsigned *alignment);
/* Marks a load or store of the buffer with its scopes. */
void llvm_mark_access(llvm_func_t *f, const buffer_t *b, LLVMValueRef access);
LLVMValueRef llvm_field(llvm_func_t *f, LLVMTypeRef type,
                        size_t offset); /* of *call, this machine's; constant */

/* ---- llvm_weights.c -------------------------------------------------------------------------- */

/* NAME_embedded_weights(), and in an object what it finds; */
void llvm_put_weights(llvm_emitter_t *e, const char *prefix, llvm_form_t form,
                      const emit_weights_t *w);
/* in the module's text the directives that take the file in. */
void llvm_put_weights_section(llvm_emitter_t *e, const char *prefix, const emit_weights_t *w);

/* ---- llvm_target.c --------------------------------------------------------------------------- */

void llvm_initialize(void); /* before any call of `llvm`; who has asked llvm_ready() may */
/* Reports and frees an error: "LLVM cannot WHAT: …". False: there is none. */
bool llvm_failed(LLVMErrorRef error, const char *what, diag_t *d);
/* A function attribute that is text: "frame-pointer", "all". */
void llvm_add_text(const llvm_emitter_t *e, LLVMValueRef f, const char *key, const char *value);
const char *llvm_triple(const target_t *t); /* static text */
/* LLVM is built with the architectures that its builder wanted. False: an error in d. */
bool llvm_has(const target_t *t, diag_t *d);
LLVMTargetMachineRef llvm_machine(const target_t *t);
/* Code of this target: its features, full-width vectors. */
void llvm_mark_target(const llvm_emitter_t *e, LLVMValueRef function, const target_t *t);
bool llvm_optimize(LLVMModuleRef module, LLVMTargetMachineRef machine, diag_t *d);
bool llvm_write(LLVMModuleRef module, LLVMTargetMachineRef machine, LLVMCodeGenFileType type,
                sbuf_t *out, diag_t *d);

#endif
