/* What a kernel begins with: its place in the task space, its parameters, pointers
 * to its buffers. */
#include <string.h>

#include "emit/c_int.h"

static const char *offset_text(func_t *f, const char *base, dim_t offset) {
    if (!dim_literal(offset)) f->uses_units = true;
    if (offset.c == 0 && offset.u == 0) return base;
    return arena_printf(f->c->arena, "(%s + %s)", base, c_dim(f->c->arena, offset));
}

static const char *slot_name(emitter_t *c, int slot) {
    static const char *const names[REFORMER_SLOTS] = {
        [REFORMER_SLOT_IDS] = "IDS",
        [REFORMER_SLOT_KEY] = "KEY",
        [REFORMER_SLOT_ROW] = "ROW",
        [REFORMER_SLOT_TARGET] = "TARGET",
        [REFORMER_SLOT_CONTROL] = "CONTROL",
        [REFORMER_SLOT_HIDDEN] = "HIDDEN",
        [REFORMER_SLOT_LOGITS] = "LOGITS",
        [REFORMER_SLOT_START] = "START",
        [REFORMER_SLOT_END] = "END",
        [REFORMER_SLOT_LOSS] = "LOSS",
        [REFORMER_SLOT_LABELS_F32] = "LABELS_F32",
        [REFORMER_SLOT_BUCKETS] = "BUCKETS",
        [REFORMER_SLOT_GIVEN] = "GIVEN",
        [REFORMER_SLOT_POSITION] = "POSITION",
        [REFORMER_SLOT_HASHED] = "HASHED",
        [REFORMER_SLOT_TOKEN_LOSSES] = "TOKEN_LOSSES",
        [REFORMER_SLOT_GRADIENTS] = "GRADIENTS",
        [REFORMER_SLOT_PARAMS] = "PARAMS",
        [REFORMER_SLOT_SUM] = "SUM",
        [REFORMER_SLOT_STATE] = "STATE",
        [REFORMER_SLOT_PHASES] = "PHASES",
        [REFORMER_SLOT_COEFFICIENTS] = "COEFFICIENTS",
        [REFORMER_SLOT_PACKED] = "PACKED",
        [REFORMER_SLOT_NORM] = "NORM",
    };
    if (slot < 0 || slot >= REFORMER_SLOTS) bug("slot %d", slot);
    if (names[slot]) return arena_printf(c->arena, "REFORMER_SLOT_%s", names[slot]);
    if (slot > REFORMER_SLOT_STATE)
        return arena_printf(c->arena, "REFORMER_SLOT_STATE + %d", slot - REFORMER_SLOT_STATE);
    if (slot >= REFORMER_SLOT_RECORDS)
        return arena_printf(c->arena, "REFORMER_SLOT_RECORDS + %d", slot - REFORMER_SLOT_RECORDS);
    return arena_printf(c->arena, "REFORMER_SLOT_CACHE + %d", slot - REFORMER_SLOT_CACHE);
}

static bool is_alone(const func_t *f, size_t k) {
    for (size_t i = 0; i < f->n_buffers; i++)
        if (i != k && !buffers_disjoint(f->buffers[i], f->buffers[k], f->c->m->units)) return false;
    return true;
}

static const char *shape_text(emitter_t *c, const buffer_t *b) {
    const char *text = "";
    for (int k = 0; k < b->rank; k++)
        text = arena_printf(c->arena, "%s[%s]", text, c_dim(c->arena, b->dims[k]));
    if (!b->comment) return text;
    return arena_printf(c->arena, "%s: %s", text, b->comment);
}

/* const float *restrict x = (const void *)(call->weights + 4096); */
static void put_buffer(func_t *f, size_t k, sbuf_t *out) {
    static const char *const bases[] = {[BUF_WEIGHTS] = "call->weights",
                                        [BUF_WORKSPACE] = "call->workspace",
                                        [BUF_SCRATCH] = "scratch"};
    const buffer_t *b = f->buffers[k];
    arena_t *a = f->c->arena;
    const char *constant = f->buffer_written[k] ? "" : "const ", *elem = c_elem(b->elem), *from;
    if (buffer_has_slot(b)) {
        from = arena_printf(a, "call->slot[%s]", slot_name(f->c, b->slot));
        const char *within =
            offset_text(f, arena_printf(a, "(unsigned char *)%s", from), b->offset);
        bool whole = b->offset.c == 0 && b->offset.u == 0;
        if (!whole) from = arena_printf(a, "(%svoid *)%s", constant, within);
    } else {
        from = arena_printf(a, "(%svoid *)%s", constant, offset_text(f, bases[b->kind], b->offset));
    }
    bool alone = b->kind != BUF_WEIGHTS && f->fn->kind == FN_KERNEL && is_alone(f, k);
    const char *line = arena_printf(a, "%s%s *%s%s = %s;", constant, elem, alone ? "restrict " : "",
                                    f->buffer_names[k], from);
    const char *shape = c_comment(a, shape_text(f->c, b));
    if (INDENT + strlen(line) + strlen(shape) + strlen(" /*  */") <= COLUMNS) {
        put_line(out, 1, "%s /* %s */", line, shape);
        return;
    }
    put_comment(out, 1, "%s", shape);
    put_line(out, 1, "%s", line);
}

/* task → coordinates, first dimension slowest */
static void put_tasks(func_t *f, sbuf_t *out) {
    const lfunc_t *fn = f->fn;
    for (int k = 0; k < fn->n_tasks; k++) {
        const vstate_t *s = state_of(f, fn->task[k]);
        if (!s->live) continue;
        if (dim_equal(fn->task_dims[k], dim(1))) {
            put_line(out, 1, "const int64_t %s = 0;", s->e.text);
            continue;
        }
        const char *inner = dim_product(f, fn->task_dims, k + 1, fn->n_tasks);
        const char *outer = dim_product(f, fn->task_dims, k, k + 1);
        const char *divide = strcmp(inner, "1") ? arena_printf(f->c->arena, " / %s", inner) : "";
        const char *modulo = k > 0 ? arena_printf(f->c->arena, " %% %s", outer) : "";
        put_line(out, 1, "const int64_t %s = task%s%s;", s->e.text, divide, modulo);
        f->uses_task = true;
    }
}

static void put_kernel_params(func_t *f, sbuf_t *out) {
    for (int k = 0; k < f->fn->n_params; k++) {
        const vstate_t *s = state_of(f, f->fn->params[k]);
        if (!s->live) continue;
        put_line(out, 1, "const int64_t %s = arg[%d];", s->e.text, k);
        f->uses_arg = true;
    }
}

static void put_units(const func_t *f, sbuf_t *out) {
    if (f->uses_units) put_line(out, 1, "const int64_t U = call->units;");
}

static bool uses_kind(const func_t *f, bool scratch) {
    for (size_t k = 0; k < f->n_buffers; k++)
        if ((f->buffers[k]->kind == BUF_SCRATCH) == scratch) return true;
    return false;
}

/* Parameters that a kernel has no use for. */
static void put_unused(const func_t *f, sbuf_t *out) {
    const char *unused[4];
    int n = 0;
    bool entry = f->fn->kind == FN_ENTRY;
    bool calls = entry && f->out.size > 0;
    if (!uses_kind(f, false) && !f->uses_units && !calls) unused[n++] = "call";
    if (!uses_kind(f, true) && !entry) unused[n++] = "scratch";
    if (!f->uses_arg && !entry) unused[n++] = "arg";
    if (!f->uses_task && !entry) unused[n++] = "task";
    for (int k = 0; k < n; k++) put_line(out, 1, "(void)%s;", unused[k]);
}

void put_locals(func_t *f, sbuf_t *out) {
    sbuf_t text = {0};
    put_tasks(f, &text);
    put_kernel_params(f, &text);
    for (size_t k = 0; k < f->n_buffers; k++) put_buffer(f, k, &text);
    put_unused(f, out);
    put_units(f, out);
    if (text.size) sbuf_write(out, text.data, text.size);
    sbuf_free(&text);
}
