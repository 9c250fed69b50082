/* Names at file scope: of the functions and tables of a module, and with the model's prefix. */
#include <string.h>

#include "emit/c_int.h"

static const char *global_name(emitter_t *c, const void *what) {
    for (size_t k = 0; k < c->n_globals; k++) {
        if (c->global[k].what != what) continue;
        c->global[k].used = true;
        return c->global[k].name;
    }
    bug("a function or table without a name");
}

const char *c_func_name(emitter_t *c, const lfunc_t *f) {
    return global_name(c, f);
}

const char *c_table_name(emitter_t *c, const buffer_t *b) {
    return global_name(c, b);
}

bool global_is_used(const emitter_t *c, const void *what) {
    for (size_t k = 0; k < c->n_globals; k++)
        if (c->global[k].what == what) return c->global[k].used;
    return false;
}

static void name_global(emitter_t *c, const void *what, const char *name) {
    name = arena_printf(c->arena, "%s%s", name, c->suffix);
    name = what == module_entry(c->m) ? own_name(c, name) : names_make(c->globals, name);
    ARENA_PUSH(c->arena, c->global, c->n_globals, c->cap_globals) = (global_t){what, name, false};
}

/* A name of one word may be the C library's, which compilers know (index, exp, random). */
static const char *func_base(emitter_t *c, const lfunc_t *f) {
    if (f->kind == FN_ENTRY) return "run";
    if (*c->suffix || strchr(f->name, '_')) return f->name;
    return arena_printf(c->arena, "%s_%s", f->name, f->kind == FN_KERNEL ? "kernel" : "value");
}

void name_globals(emitter_t *c) {
    const module_t *m = c->m;
    c->n_globals = 0;
    for (size_t k = 0; k < m->n_funcs; k++) name_global(c, m->funcs[k], func_base(c, m->funcs[k]));
    for (size_t k = 0; k < m->n_buffers; k++)
        if (m->buffers[k]->kind == BUF_TABLE) name_global(c, m->buffers[k], m->buffers[k]->name);
}

/* The descriptor and what it holds stand behind the macros of put_own_names(),
 * among fields of such names. */
const char *own_name(emitter_t *c, const char *name) {
    return names_make(c->globals, arena_printf(c->arena, "%s_%s", c->plan->name, name));
}

/* Two models may stand in one translation unit, each with a kernel local_attention, a type f32x8, a
 * helper load_f32x8 of its own. Inside of a region such a name stands for one with the model's
 * prefix, so that the code keeps its short ones. */
void put_own_name(emitter_t *c, const char *name, bool define, sbuf_t *out) {
    if (!define) {
        sbuf_printf(out, "#undef %s\n", name);
        return;
    }
    const char *own = own_name(c, name); /* a table may be called variants, a kernel forward */
    bool fits = strlen("#define ") + strlen(name) + 1 + strlen(own) <= COLUMNS;
    sbuf_printf(out, "#define %s %s%s\n", name, fits ? "" : "\\\n", own);
}
