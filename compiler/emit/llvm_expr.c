/* One op → one LLVM instruction. In: an instruction whose operands are transcribed. Out: its value
 * in the frame. The table llvm_ops has a row per op. Nothing is fused, nothing is fast: the same
 * bits as the C back end's come out. */
#include <math.h>
#include <string.h>

#include "emit/llvm_int.h"

typedef struct llvm_op_form llvm_op_form_t;
typedef LLVMValueRef llvm_write_fn(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form);

struct llvm_op_form {
    llvm_write_fn *write;
    LLVMOpcode real, integer; /* of binary ops */
    LLVMRealPredicate real_test;
    LLVMIntPredicate signed_test, unsigned_test;
    const char *intrinsic;
};

static LLVMBuilderRef at(const llvm_func_t *f) {
    return f->e->builder;
}

static LLVMValueRef operand(const llvm_func_t *f, const inst_t *i, int k) {
    LLVMValueRef v = f->frame.value[i->operand[k]->id];
    if (!v) bug("%s: value %d is used before it is transcribed", f->fn->name, i->operand[k]->id);
    return v;
}

static LLVMTypeRef result_type(const llvm_func_t *f, const inst_t *i) {
    return llvm_type(f->e, i->result->type);
}

static bool is_real(elem_t e) {
    return e == E_F32 || e == E_F64;
}

/* One of a CPU's instructions, by name, which x86 ends with the bits of a vector; `of`: types that
 * it is for. What it calls its operands and its result has changed between versions of LLVM: they
 * are cast to what this one says. */
static LLVMValueRef instruction_of(llvm_func_t *f, const char *full, LLVMTypeRef *of, size_t n_of,
                                   LLVMTypeRef result, int n, LLVMValueRef *args) {
    unsigned id = llvm.LookupIntrinsicID(full, strlen(full));
    if (!id) bug("LLVM has no %s", full);
    LLVMValueRef callee = llvm.GetIntrinsicDeclaration(f->e->module, id, of, n_of);
    LLVMTypeRef signature = llvm.IntrinsicGetType(f->e->context, id, of, n_of);
    LLVMTypeRef types[MAX_OPERANDS];
    if (llvm.CountParamTypes(signature) != (unsigned)n) bug("%s takes other operands", full);
    llvm.GetParamTypes(signature, types);
    for (int k = 0; k < n; k++) args[k] = llvm.BuildBitCast(at(f), args[k], types[k], "");
    LLVMValueRef x = llvm.BuildCall2(at(f), signature, callee, args, (unsigned)n, "");
    return llvm.BuildBitCast(at(f), x, result, "");
}

static LLVMValueRef instruction(llvm_func_t *f, const char *name, int bits, LLVMTypeRef result,
                                int n, LLVMValueRef *args) {
    const char *full = arena_printf(f->e->arena, "%s.%d", name, bits);
    return instruction_of(f, full, NULL, 0, result, n, args);
}

LLVMValueRef llvm_intrinsic(llvm_func_t *f, const char *name, LLVMTypeRef type, int n,
                            LLVMValueRef *args) {
    unsigned id = llvm.LookupIntrinsicID(name, strlen(name));
    LLVMValueRef callee = llvm.GetIntrinsicDeclaration(f->e->module, id, &type, 1);
    LLVMTypeRef signature = llvm.IntrinsicGetType(f->e->context, id, &type, 1);
    return llvm.BuildCall2(at(f), signature, callee, args, (unsigned)n, "");
}

/* ---- constants ------------------------------------------------------------------------------- */

static LLVMValueRef splat_of(const llvm_func_t *f, LLVMValueRef x, int lanes) {
    if (lanes == 1) return x;
    LLVMValueRef *all = ARENA_ARRAY(f->e->arena, LLVMValueRef, lanes);
    for (int k = 0; k < lanes; k++) all[k] = x;
    return llvm.ConstVector(all, (unsigned)lanes);
}

static LLVMValueRef integer_of(const llvm_func_t *f, ltype_t t, int64_t x) {
    return splat_of(f, llvm.ConstInt(f->e->type[t.elem], (unsigned long long)x, true), t.lanes);
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static LLVMValueRef write_const(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    ltype_t t = i->result->type;
    (void)form;
    if (t.elem == E_BF16)
        return integer_of(f, t, isnan(i->f) ? 0x7fc0 : bits_of((float)i->f) >> 16);
    if (is_real(t.elem)) return splat_of(f, llvm.ConstReal(f->e->type[t.elem], i->f), t.lanes);
    return integer_of(f, t, i->i);
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static LLVMValueRef write_binary(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    LLVMOpcode op = is_real(i->result->type.elem) ? form->real : form->integer;
    return llvm.BuildBinOp(at(f), op, operand(f, i, 0), operand(f, i, 1), "");
}

/* Twice as wide on the way: back ends know it as a product's upper half. */
static LLVMValueRef write_mulhi(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    ltype_t wide = VECTOR(E_I64, i->result->type.lanes);
    LLVMTypeRef type = llvm_type(f->e, wide);
    LLVMValueRef x = llvm.BuildZExt(at(f), operand(f, i, 0), type, "");
    LLVMValueRef y = llvm.BuildZExt(at(f), operand(f, i, 1), type, "");
    x = llvm.BuildLShr(at(f), llvm.BuildMul(at(f), x, y, ""), integer_of(f, wide, 32), "");
    (void)form;
    return llvm.BuildTrunc(at(f), x, result_type(f, i), "");
}

static LLVMValueRef write_neg(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    LLVMValueRef x = operand(f, i, 0);
    return is_real(i->result->type.elem) ? llvm.BuildFNeg(at(f), x, "")
                                         : llvm.BuildNeg(at(f), x, "");
}

static LLVMValueRef write_intrinsic(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    LLVMValueRef args[MAX_OPERANDS];
    for (int k = 0; k < i->n_operands; k++) args[k] = operand(f, i, k);
    return llvm_intrinsic(f, form->intrinsic, result_type(f, i), i->n_operands, args);
}

static LLVMValueRef write_instruction(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    LLVMValueRef args[MAX_OPERANDS];
    int bits = 8 * i->result->type.lanes * elem_bytes(i->result->type.elem);
    for (int k = 0; k < i->n_operands; k++) args[k] = operand(f, i, k);
    return instruction(f, form->intrinsic, bits, result_type(f, i), i->n_operands, args);
}

/* Two instructions of arm, each an fma of every other product: the odd ones first. */
static LLVMValueRef write_dot2(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    if (!target_is_arm(f->e->m->target)) return write_instruction(f, i, form);
    LLVMTypeRef type = result_type(f, i);
    LLVMValueRef args[] = {operand(f, i, 0), operand(f, i, 1), operand(f, i, 2)};
    args[0] = instruction_of(f, "llvm.aarch64.neon.bfmlalt", NULL, 0, type, 3, args);
    return instruction_of(f, "llvm.aarch64.neon.bfmlalb", NULL, 0, type, 3, args);
}

static LLVMValueRef write_dot4(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    if (!target_is_arm(f->e->m->target)) return write_instruction(f, i, form);
    LLVMValueRef args[] = {operand(f, i, 0), operand(f, i, 1), operand(f, i, 2)};
    LLVMTypeRef of[] = {result_type(f, i), llvm.TypeOf(args[1])};
    return instruction_of(f, "llvm.aarch64.neon.usdot", of, 2, of[0], 3, args);
}

static LLVMValueRef test(const llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    elem_t e = i->operand[0]->type.elem;
    LLVMValueRef x = operand(f, i, 0), y = operand(f, i, 1);
    if (is_real(e)) return llvm.BuildFCmp(at(f), form->real_test, x, y, "");
    return llvm.BuildICmp(at(f), e == E_U8 ? form->unsigned_test : form->signed_test, x, y, "");
}

/* x > y ? x : y, as ops.def says, NaN and all */
static LLVMValueRef write_extreme(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    return llvm.BuildSelect(at(f), test(f, i, form), operand(f, i, 0), operand(f, i, 1), "");
}

static LLVMValueRef write_shift(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    LLVMValueRef count = integer_of(f, i->result->type, i->i);
    return llvm.BuildBinOp(at(f), form->integer, operand(f, i, 0), count, "");
}

static LLVMValueRef write_divide(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    LLVMValueRef by = llvm_dim(f, i->d); /* never negative, so unsigned */
    return llvm.BuildBinOp(at(f), form->integer, operand(f, i, 0), by, "");
}

/* ---- masks ----------------------------------------------------------------------------------- */

static LLVMValueRef lanes_of(llvm_func_t *f, const inst_t *i, LLVMValueRef mask) {
    f->frame.mask[i->result->id] = mask;
    return llvm.BuildSExt(at(f), mask, result_type(f, i), "");
}

static LLVMValueRef write_compare(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    return lanes_of(f, i, test(f, i, form));
}

/* NULL: v is not known to be a mask. */
static LLVMValueRef known_mask(const llvm_func_t *f, const value_t *v) {
    if (f->frame.mask[v->id]) return f->frame.mask[v->id];
    bool constant = v->def && v->def->op == OP_CONST && (v->def->i == 0 || v->def->i == -1);
    if (!constant || v->type.elem != E_I32) return NULL;
    return splat_of(f, llvm.ConstInt(f->e->i1, v->def->i != 0, false), v->type.lanes);
}

LLVMValueRef llvm_condition(llvm_func_t *f, const value_t *v) {
    LLVMValueRef mask = known_mask(f, v), x = f->frame.value[v->id];
    if (mask) return mask;
    /* the sign tells a mask; a condition may be any number */
    LLVMIntPredicate p = v->type.lanes > 1 ? LLVMIntSLT : LLVMIntNE;
    return llvm.BuildICmp(at(f), p, x, llvm.ConstNull(llvm.TypeOf(x)), "");
}

static LLVMValueRef write_bits(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    LLVMValueRef x = known_mask(f, i->operand[0]), y = known_mask(f, i->operand[1]);
    if (x && y) return lanes_of(f, i, llvm.BuildBinOp(at(f), form->integer, x, y, ""));
    return llvm.BuildBinOp(at(f), form->integer, operand(f, i, 0), operand(f, i, 1), "");
}

static LLVMValueRef write_select(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    LLVMValueRef mask = llvm_condition(f, i->operand[0]);
    return llvm.BuildSelect(at(f), mask, operand(f, i, 1), operand(f, i, 2), "");
}

/* ---- conversions ----------------------------------------------------------------------------- */

/* bf16 is the upper half of f32, rounded to nearest, ties to even; denormals
 * become 0, NaN quiet. */
static LLVMValueRef to_bf16(llvm_func_t *f, LLVMValueRef x, int lanes) {
    LLVMBuilderRef b = at(f);
    ltype_t t = VECTOR(E_I32, lanes);
    LLVMTypeRef half = llvm_type(f->e, VECTOR(E_BF16, lanes));
    if (f->e->m->target->id == T_X86_64_V4_BF16 && lanes >= 8)
        return instruction(f, "llvm.x86.avx512bf16.cvtneps2bf16", 32 * lanes, half, 1, &x);
    LLVMValueRef bits = llvm.BuildBitCast(b, x, llvm_type(f->e, t), "");
    LLVMValueRef top = llvm.BuildLShr(b, bits, integer_of(f, t, 16), "");
    LLVMValueRef odd = llvm.BuildAnd(b, top, integer_of(f, t, 1), "");
    LLVMValueRef sum = llvm.BuildAdd(b, bits, integer_of(f, t, 0x7fff), "");
    sum = llvm.BuildLShr(b, llvm.BuildAdd(b, sum, odd, ""), integer_of(f, t, 16), "");
    LLVMValueRef exponent = llvm.BuildAnd(b, bits, integer_of(f, t, 0x7f800000), "");
    LLVMValueRef zero = llvm.BuildICmp(b, LLVMIntEQ, exponent, integer_of(f, t, 0), "");
    LLVMValueRef sign = llvm.BuildAnd(b, top, integer_of(f, t, 0x8000), "");
    sum = llvm.BuildSelect(b, zero, sign, sum, "");
    LLVMValueRef nan = llvm.BuildFCmp(b, LLVMRealUNO, x, x, "");
    LLVMValueRef quiet = llvm.BuildOr(b, top, integer_of(f, t, 0x40), "");
    return llvm.BuildTrunc(b, llvm.BuildSelect(b, nan, quiet, sum, ""), half, "");
}

static LLVMValueRef from_bf16(llvm_func_t *f, LLVMValueRef x, int lanes) {
    ltype_t t = VECTOR(E_I32, lanes);
    LLVMValueRef wide = llvm.BuildZExt(at(f), x, llvm_type(f->e, t), "");
    LLVMValueRef bits = llvm.BuildShl(at(f), wide, integer_of(f, t, 16), "");
    return llvm.BuildBitCast(at(f), bits, llvm_type(f->e, VECTOR(E_F32, lanes)), "");
}

static LLVMValueRef convert_real(llvm_func_t *f, LLVMValueRef x, elem_t from, elem_t to,
                                 LLVMTypeRef type) {
    if (is_real(from) && is_real(to)) return llvm.BuildFPCast(at(f), x, type, "");
    if (is_real(to))
        return from == E_U8 ? llvm.BuildUIToFP(at(f), x, type, "")
                            : llvm.BuildSIToFP(at(f), x, type, "");
    return to == E_U8 ? llvm.BuildFPToUI(at(f), x, type, "") : llvm.BuildFPToSI(at(f), x, type, "");
}

static LLVMValueRef write_convert(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    elem_t from = i->operand[0]->type.elem, to = i->result->type.elem;
    int lanes = i->result->type.lanes;
    LLVMValueRef x = operand(f, i, 0);
    if (from == E_BF16) {
        x = from_bf16(f, x, lanes);
        from = E_F32;
    }
    LLVMTypeRef type = llvm_type(f->e, VECTOR(to == E_BF16 ? E_F32 : to, lanes));
    if (is_real(from) || is_real(to) || to == E_BF16)
        x = convert_real(f, x, from, to == E_BF16 ? E_F32 : to, type);
    else x = llvm.BuildIntCast2(at(f), x, type, from != E_U8, "");
    return to == E_BF16 ? to_bf16(f, x, lanes) : x;
}

static LLVMValueRef write_bitcast(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    return llvm.BuildBitCast(at(f), operand(f, i, 0), result_type(f, i), "");
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static LLVMValueRef lane_numbers(const llvm_func_t *f, int n, const int *lanes) {
    LLVMValueRef *all = ARENA_ARRAY(f->e->arena, LLVMValueRef, n);
    for (int k = 0; k < n; k++)
        all[k] = llvm.ConstInt(f->e->i32, lanes ? (unsigned long long)lanes[k] : 0, false);
    return llvm.ConstVector(all, (unsigned)n);
}

static LLVMValueRef write_broadcast(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    int n = i->result->type.lanes;
    if (n == 1) return operand(f, i, 0);
    LLVMValueRef none = llvm.GetPoison(result_type(f, i)), zero = llvm.ConstNull(f->e->i64);
    LLVMValueRef first = llvm.BuildInsertElement(at(f), none, operand(f, i, 0), zero, "");
    return llvm.BuildShuffleVector(at(f), first, none, lane_numbers(f, n, NULL), "");
}

static LLVMValueRef write_shuffle(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    LLVMValueRef lanes = lane_numbers(f, i->result->type.lanes, i->lanes);
    return llvm.BuildShuffleVector(at(f), operand(f, i, 0), operand(f, i, 1), lanes, "");
}

static LLVMValueRef write_extract(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    return llvm.BuildExtractElement(at(f), operand(f, i, 0), llvm_int64(f->e, i->i), "");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static LLVMValueRef write_index(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    return llvm_affine(f, &i->index[0]);
}

static LLVMValueRef write_load(llvm_func_t *f, const inst_t *i, const llvm_op_form_t *form) {
    (void)form;
    unsigned alignment;
    LLVMValueRef from = llvm_address(f, i->buffer, i->index, &alignment);
    LLVMValueRef load = llvm.BuildLoad2(at(f), result_type(f, i), from, "");
    llvm.SetAlignment(load, alignment);
    llvm_mark_access(f, i->buffer, load);
    return load;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* clang-format off */
static const llvm_op_form_t llvm_ops[OP_COUNT] = {
    [OP_CONST]     = {.write = write_const},
    [OP_ADD]       = {.write = write_binary, .real = LLVMFAdd, .integer = LLVMAdd},
    [OP_SUB]       = {.write = write_binary, .real = LLVMFSub, .integer = LLVMSub},
    [OP_MUL]       = {.write = write_binary, .real = LLVMFMul, .integer = LLVMMul},
    [OP_MULHI]     = {.write = write_mulhi},
    [OP_DIV]       = {.write = write_binary, .real = LLVMFDiv, .integer = LLVMSDiv},
    [OP_FMA]       = {.write = write_intrinsic, .intrinsic = "llvm.fma"},
    [OP_DOT2]      = {.write = write_dot2, .intrinsic = "llvm.x86.avx512bf16.dpbf16ps"},
    [OP_DOT4]      = {.write = write_dot4, .intrinsic = "llvm.x86.avx512.vpdpbusd"},
    [OP_SQRT]      = {.write = write_intrinsic, .intrinsic = "llvm.sqrt"},
    [OP_MIN]       = {.write = write_extreme, .real_test = LLVMRealOLT, .signed_test = LLVMIntSLT, .unsigned_test = LLVMIntULT},
    [OP_MAX]       = {.write = write_extreme, .real_test = LLVMRealOGT, .signed_test = LLVMIntSGT, .unsigned_test = LLVMIntUGT},
    [OP_NEG]       = {.write = write_neg},
    [OP_AND]       = {.write = write_bits, .integer = LLVMAnd},
    [OP_OR]        = {.write = write_bits, .integer = LLVMOr},
    [OP_XOR]       = {.write = write_bits, .integer = LLVMXor},
    [OP_SHL]       = {.write = write_shift, .integer = LLVMShl},
    [OP_SHR]       = {.write = write_shift, .integer = LLVMLShr},
    [OP_SAR]       = {.write = write_shift, .integer = LLVMAShr},
    [OP_EQ]        = {.write = write_compare, .real_test = LLVMRealOEQ, .signed_test = LLVMIntEQ,  .unsigned_test = LLVMIntEQ},
    [OP_NE]        = {.write = write_compare, .real_test = LLVMRealUNE, .signed_test = LLVMIntNE,  .unsigned_test = LLVMIntNE},
    [OP_LT]        = {.write = write_compare, .real_test = LLVMRealOLT, .signed_test = LLVMIntSLT, .unsigned_test = LLVMIntULT},
    [OP_LE]        = {.write = write_compare, .real_test = LLVMRealOLE, .signed_test = LLVMIntSLE, .unsigned_test = LLVMIntULE},
    [OP_GT]        = {.write = write_compare, .real_test = LLVMRealOGT, .signed_test = LLVMIntSGT, .unsigned_test = LLVMIntUGT},
    [OP_GE]        = {.write = write_compare, .real_test = LLVMRealOGE, .signed_test = LLVMIntSGE, .unsigned_test = LLVMIntUGE},
    [OP_SELECT]    = {.write = write_select},
    [OP_CONVERT]   = {.write = write_convert},
    [OP_BITCAST]   = {.write = write_bitcast},
    [OP_BROADCAST] = {.write = write_broadcast},
    [OP_SHUFFLE]   = {.write = write_shuffle},
    [OP_EXTRACT]   = {.write = write_extract},
    [OP_IDIV]      = {.write = write_divide, .integer = LLVMUDiv},
    [OP_IREM]      = {.write = write_divide, .integer = LLVMURem},
    [OP_INDEX]     = {.write = write_index},
    [OP_LOAD]      = {.write = write_load},
};
/* clang-format on */

void llvm_value(llvm_func_t *f, const inst_t *i) {
    const llvm_op_form_t *form = &llvm_ops[i->op];
    if (!form->write) bug("%s: op %d has no value", f->fn->name, i->op);
    f->frame.value[i->result->id] = form->write(f, i, form);
}
