/* Modules, and the region of a target: its prelude, then functions, kernels and schedule of every
 * length. */
#include <string.h>

#include "emit/c_int.h"

static void put_table(emitter_t *c, const buffer_t *b, sbuf_t *out) {
    int64_t n = 1;
    for (int k = 0; k < b->rank; k++) n *= b->dims[k].c;
    const char *comment = b->comment ? c_comment(c->arena, b->comment) : NULL;
    if (comment) put_comment(out, 0, "%s", comment);
    put_line(out, 0, "static const int32_t %s[%lld] = {", c_table_name(c, b), (long long)n);
    sbuf_t row = {0};
    for (int64_t k = 0; k < n; k++) {
        const char *x = c_integer(c->arena, E_I32, b->data[k]);
        if (row.size + strlen(x) + 2 > COLUMNS - INDENT) {
            put_line(out, 1, "%s", row.data);
            row.size = 0;
        }
        sbuf_printf(&row, "%s%s,", row.size ? " " : "", x);
    }
    put_line(out, 1, "%s", row.data);
    sbuf_puts(out, "};\n\n");
    sbuf_free(&row);
}

/* Callers first, so that only what they call is written; then callees to the front. */
static void put_module(emitter_t *c, sbuf_t *out) {
    const module_t *m = c->m;
    sbuf_t *text = ARENA_ARRAY(c->arena, sbuf_t, m->n_funcs + 1);
    for (size_t k = m->n_funcs; k-- > 0;)
        if (m->funcs[k]->kind == FN_ENTRY || global_is_used(c, m->funcs[k]))
            put_function(c, m->funcs[k], &text[k]);
    for (size_t k = 0; k < m->n_buffers; k++)
        if (global_is_used(c, m->buffers[k])) put_table(c, m->buffers[k], out);
    for (size_t k = 0; k < m->n_funcs; k++) {
        if (text[k].size) sbuf_write(out, text[k].data, text[k].size);
        sbuf_free(&text[k]);
    }
}

static const char *part_suffix(const emitter_t *c, int k) {
    const char *name = plan_part_name(c->plan, k, c->arena);
    return *name ? arena_printf(c->arena, "_%s", name) : "";
}

static void put_own_names(emitter_t *c, bool define, sbuf_t *out) {
    for (size_t k = 0; k < c->n_own; k++) put_own_name(c, c->own[k], define, out);
    sbuf_puts(out, "\n");
}

static void note_globals(emitter_t *c) {
    for (size_t k = 0; k < c->n_globals; k++)
        if (c->global[k].used && c->global[k].what != module_entry(c->m))
            ARENA_PUSH(c->arena, c->own, c->n_own, c->cap_own) = c->global[k].name;
}

/* All parts of one target. */
void put_region(emitter_t *c, int rank, const char **run, sbuf_t *out) {
    const plan_t *p = c->plan;
    const target_t *t = plan_module(p, rank * p->n_variants)->target;
    c->target = t;
    c->target_suffix = p->n_targets > 1 ? arena_printf(c->arena, "_%s", t->suffix) : "";
    c->prelude = prelude_new(c->arena);
    c->n_own = 0;
    sbuf_t prelude = {0}, code = {0};
    for (int k = 0; k < plan_parts(p); k++) {
        if (plan_target(p, k) != rank) continue;
        c->m = plan_module(p, k);
        c->suffix = arena_printf(c->arena, "%s%s", part_suffix(c, k), c->target_suffix);
        if (!module_entry(c->m)) bug("module '%s' without an entry", c->m->name);
        name_globals(c);
        put_module(c, &code);
        note_globals(c);
        run[k] = c_func_name(c, module_entry(c->m));
    }
    put_comment(out, 0, "---- %s %.*s", t->name, (int)(70 - strlen(t->name)),
                "-------------------------------------------------------------------------");
    put_target_open(t, out);
    sbuf_puts(out, "\n");
    put_prelude(c, &prelude);
    put_own_names(c, true, out);
    sbuf_write(out, prelude.data, prelude.size);
    sbuf_puts(out, "\n");
    sbuf_join(out, &code);
    put_own_names(c, false, out);
    put_target_close(t, out);
    sbuf_puts(out, "\n");
    sbuf_free(&prelude);
}
