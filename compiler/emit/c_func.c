/* Functions and kernels of a module → C functions. */
#include <string.h>

#include "emit/c_part.h"

static void put_params(func_t *f) {
    const lfunc_t *fn = f->fn;
    for (int k = 0; k < fn->n_params; k++) {
        const value_t *v = fn->params[k];
        const char *name = local_name(f, v->name ? v->name : "x");
        state_of(f, v)->e = (expr_t){.text = name, .prec = P_PRIMARY};
    }
    for (int k = 0; k < fn->n_tasks; k++) {
        const value_t *v = fn->task[k];
        const char *name = local_name(f, v->name ? v->name : "i");
        state_of(f, v)->e = (expr_t){.text = name, .prec = P_PRIMARY};
    }
}

static const char *signature(func_t *f) {
    const lfunc_t *fn = f->fn;
    arena_t *a = f->c->arena;
    const char *name = c_func_name(f->c, fn), *params = "";
    if (fn->kind == FN_ENTRY)
        return arena_printf(a, "static void %s(const reformer_call_t *call)", name);
    if (fn->kind == FN_KERNEL)
        return arena_printf(
            a,
            "REFORMER_KERNEL static void %s(const reformer_call_t *call, unsigned char *scratch, "
            "const int64_t *arg, int64_t task)",
            name);
    for (int k = 0; k < fn->n_params; k++)
        params =
            arena_printf(a, "%s%s%s %s", params, k ? ", " : "", c_type(f->c, fn->params[k]->type),
                         state_of(f, fn->params[k])->e.text);
    if (fn->n_results != 1)
        for (int k = 0; k < fn->n_results; k++)
            params = arena_printf(a, "%s%s%s *result_%d", params, *params ? ", " : "",
                                  c_type(f->c, fn->results[k]), k);
    return arena_printf(a, "static inline %s %s(%s)",
                        fn->n_results == 1 ? c_type(f->c, fn->results[0]) : "void", name,
                        *params ? params : "void");
}

static void put_head_comment(func_t *f, sbuf_t *out) {
    const lfunc_t *fn = f->fn;
    arena_t *a = f->c->arena;
    const char *tasks = "";
    for (int k = 0; k < fn->n_tasks; k++)
        tasks = arena_printf(a, "%s[%s %s]", tasks, state_of(f, fn->task[k])->e.text,
                             c_dim(a, fn->task_dims[k]));
    if (fn->kind == FN_KERNEL)
        put_comment(out, 0, "%s%stasks %s", fn->comment ? fn->comment : "", fn->comment ? "\n" : "",
                    tasks);
    else if (fn->comment) put_comment(out, 0, "%s", fn->comment);
}

static void put_unused_params(const func_t *f, sbuf_t *out) {
    for (int k = 0; k < f->fn->n_params; k++) {
        const vstate_t *s = state_of(f, f->fn->params[k]);
        if (!s->live) put_line(out, 1, "(void)%s;", s->e.text);
    }
}

/* Names of buffers belong to the whole function, so they are made before any scope opens. */
static void name_buffers(func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (!is_needed(f, i)) continue;
        if (i->buffer && i->op != OP_READY) buffer_name(f, i->buffer, i->op == OP_STORE);
        if (i->body) name_buffers(f, i->body);
        if (i->otherwise) name_buffers(f, i->otherwise);
    }
}

/* Lines of a function, at most about: what is longer is hard to read, and slow to compile. What is
 * cut is cut into less: sizes are estimates. */
enum { MAX_LINES = 600, AIM = 540, AIM_LEAST = 240, AIM_STEP = 100 };

/* Of its parts, and of itself at the end, whose text begins at `from`. */
static int *lines_of(const func_t *f, const sbuf_t *text, size_t from) {
    int *lines = ARENA_ARRAY(f->c->arena, int, f->n_parts + 1);
    for (size_t k = 0; k < f->n_parts; k++) lines[k] = f->parts[k]->lines;
    lines[f->n_parts] = count_lines(text->data + from) - 1; /* an empty one behind it */
    return lines;
}

static bool is_long(const int *lines, size_t n_parts) {
    for (size_t k = 0; k <= n_parts; k++)
        if (lines[k] > MAX_LINES) return true;
    return false;
}

/* lines: as it returned them when it wrote the function whole; NULL: it writes it whole. Returns
 * NULL where nothing is too long. */
static const int *put_text(emitter_t *c, const lfunc_t *fn, const int *lines, int aim,
                           sbuf_t *out) {
    func_t f = {.c = c, .fn = fn, .names = names_new(c->arena, c->globals), .depth = 1};
    f.state = ARENA_ARRAY(c->arena, vstate_t, fn->n_values + 1);
    names_reserve(f.names, "U");
    for (int k = 0; fn->n_results != 1 && k < fn->n_results; k++)
        names_reserve(f.names, arena_printf(c->arena, "result_%d", k));
    find_uses(&f);
    find_masks(&f);
    put_params(&f);
    name_buffers(&f, fn->body);
    find_bases(&f);
    find_parts(&f);
    if (lines && fn->kind == FN_ENTRY) find_ranges(&f);
    if (lines && fn->kind == FN_KERNEL) find_seams(&f, lines, MAX_LINES, aim);
    put_block(&f, fn->body);
    flush(&f, FLUSH_ALL, NULL);
    if (f.before.size) sbuf_write(out, f.before.data, f.before.size);
    sbuf_free(&f.before);
    put_head_comment(&f, out);
    size_t from = out->size;
    put_line(out, 0, "%s {", signature(&f));
    if (fn->kind == FN_FUNC) put_unused_params(&f, out);
    else put_locals(&f, out);
    if (f.out.size) sbuf_write(out, f.out.data, f.out.size);
    sbuf_puts(out, "}\n\n");
    sbuf_free(&f.out);
    const int *written = lines_of(&f, out, from);
    return is_long(written, f.n_parts) ? written : NULL;
}

/* Texts of expressions are many times what is written of them: they go with the function. */
void put_function(emitter_t *c, const lfunc_t *fn, sbuf_t *out) {
    sbuf_t text = {0};
    size_t scope = names_enter(c->globals), n_own = c->n_own;
    c->arena = arena_new();
    const int *whole = put_text(c, fn, NULL, 0, &text), *lines = whole;
    for (int aim = AIM; lines && aim >= AIM_LEAST; aim -= AIM_STEP) {
        sbuf_free(&text);
        text = (sbuf_t){0};
        names_leave(c->globals, scope);
        c->n_own = n_own;
        lines = put_text(c, fn, whole, aim, &text);
        if (fn->kind == FN_ENTRY) break;
    }
    sbuf_write(out, text.data, text.size);
    sbuf_free(&text);
    arena_free(c->arena);
    c->arena = c->lasting;
}
