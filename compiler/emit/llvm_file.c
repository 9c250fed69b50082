/* model.ll, model.s, model.o: a lowered plan as one LLVM module, with the header that model.c has.
 * Its only exported symbols are the functions that a product calls; kernels, schedules, tables and
 * the description are its own. */
#include <stddef.h>
#include <string.h>

#include "emit/llvm_int.h"
#include "support/guard.h"

/* ---- structures of the runtime as constants -------------------------------------------------- */

static LLVMValueRef constant(llvm_emitter_t *e, const char *name, LLVMValueRef value) {
    LLVMValueRef g = llvm.AddGlobal(e->module, llvm.TypeOf(value), name);
    llvm.SetInitializer(g, value);
    llvm.SetGlobalConstant(g, true);
    llvm.SetLinkage(g, LLVMInternalLinkage);
    llvm.SetAlignment(g, _Alignof(reformer_desc_t));
    return g;
}

static LLVMValueRef text_constant(llvm_emitter_t *e, const char *name, const char *text) {
    return constant(e, name,
                    llvm.ConstStringInContext(e->context, text, (unsigned)strlen(text), false));
}

/* A list of numbers; none: NULL. */
static LLVMValueRef list_constant(llvm_emitter_t *e, const char *name, const void *list,
                                  size_t bytes) {
    if (!list) return llvm.ConstNull(e->pointer);
    return constant(e, name, llvm.ConstStringInContext(e->context, list, (unsigned)bytes, true));
}

/* The same of size_t. */
static LLVMValueRef sizes_constant(llvm_emitter_t *e, const char *name, const size_t *list, int n) {
    if (!list) return llvm.ConstNull(e->pointer);
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, n + 1);
    for (int i = 0; i < n; i++) all[i] = llvm.ConstInt(e->size, list[i], false);
    return constant(e, name, llvm.ConstArray(e->size, all, (unsigned)n));
}

static LLVMValueRef variants_constant(llvm_emitter_t *e, const reformer_variant_t *v,
                                      const LLVMValueRef *run, int n) {
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    for (int k = 0; k < n; k++) {
        llvm_link_t link = {offsetof(reformer_variant_t, run), run[k]};
        all[k] = llvm_image(e, &llvm_variant_layout, &v[k], &link, 1);
    }
    return constant(e, "reformer.variants", llvm.ConstArray(llvm.TypeOf(all[0]), all, (unsigned)n));
}

/* Variant `at` - the first one - of the array. */
static LLVMValueRef variant_address(const llvm_emitter_t *e, LLVMValueRef variants,
                                    const reformer_desc_t *d, const reformer_variant_t *at) {
    if (!at) return llvm.ConstNull(e->pointer);
    size_t each = llvm_offset(&llvm_variant_layout, sizeof *at, e->target);
    LLVMValueRef bytes = llvm.ConstInt(e->i64, (uint64_t)(at - d->variants) * each, false);
    return llvm.ConstGEP2(e->type[E_I8], variants, &bytes, 1);
}

static LLVMValueRef stacks_constant(llvm_emitter_t *e, const reformer_desc_t *d) {
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, d->n_stacks);
    if (!d->trains) return llvm.ConstNull(e->pointer);
    for (int i = 0; i < d->n_stacks; i++) {
        const reformer_stack_t *s = &d->stacks[i];
        llvm_link_t links[] = {
            {offsetof(reformer_stack_t, name), text_constant(e, "reformer.stack", s->name)},
            {offsetof(reformer_stack_t, layers),
             list_constant(e, "reformer.layers", s->layers, (size_t)s->count * sizeof *s->layers)}};
        all[i] = llvm_image(e, &llvm_stack_layout, s, links, sizeof links / sizeof *links);
    }
    return constant(e, "reformer.stacks",
                    llvm.ConstArray(llvm.TypeOf(all[0]), all, (unsigned)d->n_stacks));
}

static LLVMValueRef rotations_constant(llvm_emitter_t *e, const reformer_desc_t *d) {
    if (d->n_rotations == 0) return llvm.ConstNull(e->pointer);
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, d->n_rotations);
    for (int i = 0; i < d->n_rotations; i++)
        all[i] = llvm_image(e, &llvm_rotations_layout, &d->rotations[i], NULL, 0);
    return constant(e, "reformer.rotations",
                    llvm.ConstArray(llvm.TypeOf(all[0]), all, (unsigned)d->n_rotations));
}

static LLVMValueRef description_constant(llvm_emitter_t *e, const reformer_desc_t *d,
                                         LLVMValueRef variants) {
    llvm_link_t links[] = {
        {offsetof(reformer_desc_t, version), text_constant(e, "reformer.version", d->version)},
        {offsetof(reformer_desc_t, name), text_constant(e, "reformer.name", d->name)},
        {offsetof(reformer_desc_t, variants), variants},
        {offsetof(reformer_desc_t, prefills), variant_address(e, variants, d, d->prefills)},
        {offsetof(reformer_desc_t, steps), variant_address(e, variants, d, d->steps)},
        {offsetof(reformer_desc_t, cache_parts),
         sizes_constant(e, "reformer.cache_parts", d->cache_parts, d->n_cache_parts)},
        {offsetof(reformer_desc_t, record_parts),
         sizes_constant(e, "reformer.record_parts", d->record_parts, d->n_record_parts)},
        {offsetof(reformer_desc_t, lsh),
         list_constant(e, "reformer.lsh", d->lsh, (size_t)d->lsh_layers * sizeof *d->lsh)},
        {offsetof(reformer_desc_t, trains), variant_address(e, variants, d, d->trains)},
        {offsetof(reformer_desc_t, stacks), stacks_constant(e, d)},
        {offsetof(reformer_desc_t, updates), variant_address(e, variants, d, d->updates)},
        {offsetof(reformer_desc_t, training),
         list_constant(e, "reformer.training", d->training, sizeof *d->training)},
        {offsetof(reformer_desc_t, rotations), rotations_constant(e, d)}};
    reformer_desc_t there = *d;
    there.size = llvm_offset(&llvm_desc_layout, sizeof there, e->target);
    llvm_sizes(e->target, there.sizes);
    return constant(e, "reformer.description",
                    llvm_image(e, &llvm_desc_layout, &there, links, sizeof links / sizeof *links));
}

/* ---- what a product calls -------------------------------------------------------------------- */

/* A function of the product's and the runtime's function behind it. Types: p pointer, i int, z
 * size_t, l int64_t, D the description, which the product does not pass. */
static const struct {
    duty_t duty;
    const char *name, *callee, *params;
    char result;
} interface[] = {
    {DUTY_ALL, "workspace_bytes", "reformer_workspace_bytes", "Dzi", 'z'},
    {DUTY_ALL, "bind", "reformer_bind", "pDpz", 'i'},
    {DUTY_ALL, "explain", "reformer_explain", "Dpzpz", 'i'},
    {DUTY_ALL, "check_weights", "reformer_check_weights", "Dp", 'i'},
    {DUTY_ALL, "target", "reformer_target", "p", 'p'},
    {DUTY_ALL, "forward", "reformer_forward", "Dpppz", 'i'},
    {DUTY_ALL, "strerror", "reformer_strerror", "i", 'p'},
    {DUTY_ALL, "version", "reformer_translator", "D", 'p'},
    {DUTY_GENERATES, "cache_bytes", "reformer_cache_bytes", "Dz", 'z'},
    {DUTY_GENERATES, "cache_init", "reformer_cache_init", "Dpzz", 'i'},
    {DUTY_GENERATES, "cache_check", "reformer_cache_check", "Dpz", 'i'},
    {DUTY_GENERATES, "cache_tokens", "reformer_cache_tokens", "pz", 'z'},
    {DUTY_GENERATES, "cache_copy_row", "reformer_cache_copy_row", "Dpzz", 'i'},
    {DUTY_GENERATES, "decode_bytes", "reformer_decode_bytes", "Dzi", 'z'},
    {DUTY_GENERATES, "prefill", "reformer_prefill", "Dppppz", 'i'},
    {DUTY_GENERATES, "step", "reformer_step", "Dppppz", 'i'},
    {DUTY_TRAINS, "gradients_bytes", "reformer_gradients_bytes", "D", 'z'},
    {DUTY_TRAINS, "gradient", "reformer_gradient", "Dzp", 'i'},
    {DUTY_TRAINS, "train_bytes", "reformer_train_bytes", "Dzi", 'z'},
    {DUTY_TRAINS, "gradients", "reformer_gradients", "Dpppzpz", 'i'},
    {DUTY_LEARNS, "trainer_bytes", "reformer_trainer_bytes", "Dz", 'z'},
    {DUTY_LEARNS, "trainer_workspace", "reformer_trainer_workspace", "Dzi", 'z'},
    {DUTY_LEARNS, "trainer_begin", "reformer_trainer_begin", "Dppppzzpz", 'i'},
    {DUTY_LEARNS, "trainer_resume", "reformer_trainer_resume", "Dppppzzl", 'i'},
    {DUTY_LEARNS, "train_step", "reformer_train_step", "Dppzppz", 'i'},
    {DUTY_LEARNS, "sign_weights", "reformer_sign_weights", "Dpz", 'i'},
};

static LLVMTypeRef type_of(const llvm_emitter_t *e, char what) {
    return what == 'i' ? e->i32 : what == 'l' ? e->i64 : what == 'z' ? e->size : e->pointer;
}

static void put_interface(llvm_emitter_t *e, const char *prefix, int k, LLVMValueRef description) {
    enum { MAX = 9 };
    LLVMTypeRef outer[MAX], inner[MAX], result = type_of(e, interface[k].result);
    LLVMValueRef args[MAX];
    unsigned n_outer = 0, n = (unsigned)strlen(interface[k].params);
    for (unsigned i = 0; i < n; i++) {
        inner[i] = type_of(e, interface[k].params[i]);
        if (interface[k].params[i] != 'D') outer[n_outer++] = inner[i];
    }
    LLVMTypeRef type = llvm.FunctionType(result, outer, n_outer, false);
    LLVMTypeRef callee_type = llvm.FunctionType(result, inner, n, false);
    LLVMValueRef f = llvm.AddFunction(
        e->module, arena_printf(e->arena, "%s_%s", prefix, interface[k].name), type);
    llvm_mark_function(e, f);
    llvm.PositionBuilderAtEnd(e->builder, llvm.AppendBasicBlockInContext(e->context, f, "entry"));
    n_outer = 0;
    for (unsigned i = 0; i < n; i++)
        args[i] = interface[k].params[i] == 'D' ? description : llvm.GetParam(f, n_outer++);
    LLVMValueRef callee = llvm_declare(e, interface[k].callee, callee_type);
    llvm.BuildRet(e->builder, llvm.BuildCall2(e->builder, callee_type, callee, args, n, ""));
}

/* ---- the module ------------------------------------------------------------------------------ */

/* Kernels and schedule of one variant; the schedule. */
static LLVMValueRef put_variant(llvm_emitter_t *e, const plan_t *p, int k) {
    const module_t *m = plan_module(p, k);
    const char *target = p->n_targets > 1 ? arena_printf(e->arena, ".%s", m->target->suffix) : "";
    llvm_use_module(e, m, arena_printf(e->arena, "%s%s", llvm_part_suffix(e->arena, p, k), target));
    LLVMValueRef schedule = NULL;
    for (size_t i = 0; i < m->n_funcs; i++) {
        if (m->funcs[i]->kind == FN_FUNC) continue;
        LLVMValueRef f = llvm_define_function(e, m->funcs[i], LLVMInternalLinkage);
        if (m->funcs[i]->kind == FN_ENTRY) schedule = f;
    }
    return schedule;
}

static void put_plan(llvm_emitter_t *e, const plan_t *p) {
    int n = plan_parts(p);
    reformer_desc_t d = {0};
    reformer_variant_t *v = ARENA_ARRAY(e->arena, reformer_variant_t, n);
    LLVMValueRef *run = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    plan_describe(p, &d, v);
    for (int k = 0; k < n; k++) run[k] = put_variant(e, p, k);
    LLVMValueRef description = description_constant(e, &d, variants_constant(e, v, run, n));
    for (int k = 0; k < (int)(sizeof interface / sizeof *interface); k++)
        if (plan_has_duty(p, interface[k].duty)) put_interface(e, p->name, k, description);
}

static void dispose_text(void *text, size_t bytes) {
    (void)bytes;
    llvm.DisposeMessage(text);
}

static bool write_form(llvm_emitter_t *e, llvm_form_t form, sbuf_t *out, diag_t *d) {
    if (!llvm_optimize(e->module, e->machine, d)) return false;
    if (form != LLVM_TEXT)
        return llvm_write(e->module, e->machine,
                          form == LLVM_OBJECT ? LLVMObjectFile : LLVMAssemblyFile, out, d);
    char *text = llvm.PrintModuleToString(e->module);
    if (!text) guard_no_memory(0);
    guard_own(text, 0, dispose_text);
    sbuf_puts(out, text);
    guard_disown(text);
    llvm.DisposeMessage(text);
    return true;
}

/* As a text: LLVM's printer of assembly would open the file, which is not there yet. */
static void put_weights_text(llvm_emitter_t *e, const char *prefix, llvm_form_t form,
                             const emit_weights_t *weights, sbuf_t *out) {
    if (form == LLVM_ASSEMBLY)
        sbuf_puts(out, emit_weights_section(e->arena, prefix, weights->file));
}

bool emit_llvm(const plan_t *p, llvm_form_t form, const emit_weights_t *weights, sbuf_t *out,
               diag_t *d) {
    llvm_emitter_t e;
    size_t functions = 0;
    for (int k = 0; k < plan_parts(p); k++) functions += plan_module(p, k)->n_funcs;
    if (!llvm_ready(d) || !llvm_has(p->targets[0], d)) return false;
    llvm_ensure_memory(1, functions);
    llvm_open(&e, p->targets[0]);
    e.instrument = p->instrument;
    llvm_open_module(&e, p->name, llvm_triple(p->targets[0]));
    put_plan(&e, p);
    if (weights) llvm_put_weights(&e, p->name, form, weights);
    if (weights && form == LLVM_TEXT) llvm_put_weights_section(&e, p->name, weights);
    bool ok = write_form(&e, form, out, d);
    if (ok && weights) put_weights_text(&e, p->name, form, weights, out);
    llvm_close(&e);
    return ok;
}
