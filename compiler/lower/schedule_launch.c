/* Launches: in which branch of what a call wants they run, and the places in stacks of
 * weights that they are told. */
#include "lower/chunks.h"
#include "lower/schedule.h"

/* ---- what runs when -------------------------------------------------------------------------- */

/* By which costs are told, a forward is the rule. */
static inst_t *if_forward(const sched_t *s) {
    value_t *none = b_iconst(s->b, SCALAR(E_I32), 0);
    value_t *asked = control(s->b, s->L, REFORMER_WANT_CACHE);
    inst_t *branch = b_if(s->b, b_compare(s->b, OP_EQ, asked, none), 0, NULL);
    b_likely(branch);
    return branch;
}

static void set_mode(sched_t *s, call_t mode) {
    if (s->open.mode == mode) return;
    if (s->open.mode == FORWARD && mode == PREFILL) {
        b_else(s->b, s->of_mode, NULL);
    } else {
        if (s->open.mode != ANY_CALL) b_end_if(s->b, s->of_mode, NULL);
        if (mode != ANY_CALL) s->of_mode = if_forward(s);
        if (mode == PREFILL) b_else(s->b, s->of_mode, NULL);
    }
    s->open.mode = mode;
}

void run_when(sched_t *s, when_t when) {
    bool same = s->open.mode == when.mode && s->open.wanted == when.wanted;
    if (same) return;
    if (s->open.mode != ANY_CALL || s->open.wanted) s->n_known = s->n_known_outside;
    s->n_known_outside = s->n_known;
    if (s->open.wanted) b_end_if(s->b, s->of_wanted, NULL);
    s->open.wanted = 0;
    set_mode(s, when.mode);
    if (when.wanted) s->of_wanted = if_wanted(s->L, s->b, when.wanted);
    s->open.wanted = when.wanted;
}

void run_always(sched_t *s) {
    run_when(s, (when_t){ANY_CALL, 0});
}

/* ---- places in stacks ------------------------------------------------------------------------ */

/* Whether a table says the same of the members' layers, where it says something. Of several in one
 * layer, each turn has a table of its own. */
static bool agrees(const sched_t *s, const int32_t *said, const part_t *p, int vector, int turn) {
    for (int m = 0; m < p->class->count; m++) {
        const region_t *member = p->class->members[m];
        if (member->layer < 0 || s->turn[member->order] != turn) continue;
        int32_t at = said[member->layer];
        if (at >= 0 && at != p->vector[vector][m]) return false;
    }
    return true;
}

static void add_table(sched_t *s) {
    lower_t *L = s->L;
    int k = L->n_tables++;
    dim_t n = dim(s->n_layers);
    const char *name = k ? arena_printf(L->arena, "layer_index_%d", k + 1) : "layer_index";
    int32_t *data = ARENA_ARRAY(L->arena, int32_t, s->n_layers);
    int32_t *said = ARENA_ARRAY(L->arena, int32_t, s->n_layers);
    for (int i = 0; i < s->n_layers; i++) said[i] = -1;
    L->tables = arena_grow(L->arena, L->tables, (size_t)k, &L->cap_tables, sizeof *L->tables);
    L->index = arena_grow(L->arena, L->index, (size_t)k, &L->cap_index, sizeof *L->index);
    L->said = arena_grow(L->arena, L->said, (size_t)k, &L->cap_said, sizeof *L->said);
    L->tables[k] = module_buffer(L->m, BUF_TABLE, name, E_I32, 1, &n);
    L->tables[k]->data = L->index[k] = data;
    L->said[k] = said;
}

/* The table of indices by layer that has the vector's; layers of other classes
 * may have their own in it. */
static buffer_t *table_with(sched_t *s, const part_t *p, int vector, int turn) {
    const lower_t *L = s->L;
    int k = 0;
    while (k < L->n_tables && !agrees(s, L->said[k], p, vector, turn)) k++;
    if (k == L->n_tables) add_table(s);
    for (int m = 0; m < p->class->count; m++) {
        int layer = p->class->members[m]->layer;
        if (layer < 0 || s->turn[p->class->members[m]->order] != turn) continue;
        L->index[k][layer] = L->said[k][layer] = p->vector[vector][m];
    }
    return L->tables[k];
}

/* The table holds other classes' indices too: the bound makes this one provable. */
value_t *place_of_member(sched_t *s, const region_t *region, int vector) {
    const part_t *p = part_of(s, region);
    if (!s->layer) return b_iconst(s->b, SCALAR(E_I64), p->vector[vector][region->index]);
    if (p->bound[vector] >= s->n_layers && counts_layers(p, vector)) return s->layer;
    buffer_t *table = table_with(s, p, vector, s->turn[region->order]);
    for (int i = 0; i < s->n_known; i++)
        if (s->known[i].table == table && s->known[i].bound == p->bound[vector])
            return s->known[i].value;
    builder_t *b = s->b;
    affine_t ix = ax_v(s->layer);
    value_t *i = load1(b, table, 1, &ix);
    i = b_binary(b, OP_MIN, i, b_iconst(b, SCALAR(E_I32), p->bound[vector] - 1));
    i = b_binary(b, OP_MAX, i, b_iconst(b, SCALAR(E_I32), 0));
    value_t *value = b_name(b_convert(b, E_I64, i), "index");
    if (s->n_known < (int)(sizeof s->known / sizeof *s->known)) {
        s->known[s->n_known].table = table;
        s->known[s->n_known].bound = p->bound[vector];
        s->known[s->n_known++].value = value;
    }
    return value;
}

void know_places(sched_t *s, const region_t *region) {
    for (int i = 0; i < part_of(s, region)->n_vectors; i++) place_of_member(s, region, i);
}

static void launch_with(sched_t *s, lfunc_t *kernel, const region_t *region, value_t *group,
                        value_t *chunk, const char *label) {
    value_t *args[MAX_INDICES + 2];
    int n = 0;
    for (; n < part_of(s, region)->n_vectors; n++) args[n] = place_of_member(s, region, n);
    if (group) args[n++] = group;
    if (chunk) args[n++] = chunk;
    launch(s->b, kernel, n ? args : NULL, label, s->layer);
}

void launch_part(sched_t *s, lfunc_t *kernel, const region_t *region, value_t *group,
                 const char *label) {
    launch_with(s, kernel, region, group, NULL, label);
}

/* ---- kernels of a part ----------------------------------------------------------------------- */

part_t *part_of(const sched_t *s, const region_t *region) {
    return &s->L->parts[region->class->id];
}

const char *launch_label(const sched_t *s, const char *part, const char *what) {
    return arena_printf(s->L->arena, "%s%s%s%s", s->layer ? "layer#." : "", part, *what ? "." : "",
                        what);
}

/* A chunk's row program, then its sums. */
static void launch_chunk(sched_t *s, const region_t *region, value_t *chunk, const char *name) {
    const part_t *p = part_of(s, region);
    launch_with(s, p->kernel, region, NULL, chunk, name);
    for (int i = 0; i < p->sums.n; i++) {
        const row_sum_t *sum = &p->sums.at[i];
        value_t *args[] = {place_of_member(s, region, sum->vector), chunk};
        const char *label = arena_printf(s->L->arena, "%s.%s", name, sum->suffix);
        launch(s->b, sum->kernel, args, label, s->layer);
    }
}

static void launch_chunks(sched_t *s, const region_t *region, const char *name) {
    know_places(s, region); /* before the loop */
    if (picks_rows(region)) {
        launch_chunk(s, region, b_iconst(s->b, SCALAR(E_I64), 0), name);
        return;
    }
    chunk_loop_t loop = for_chunks(s->L, s->b);
    launch_chunk(s, region, loop.chunk, name);
    end_chunks(s->b, &loop);
}

void launch_stages(sched_t *s, const region_t *region, value_t *group, const char *name) {
    const part_t *p = part_of(s, region);
    if (p->sums.n > 0) {
        launch_chunks(s, region, name);
        return;
    }
    if (p->kernel) launch_part(s, p->kernel, region, group, name);
    for (int i = 0; i < p->stages.n; i++) {
        const stage_t *stage = &p->stages.at[i];
        const char *own = name;
        if (stage->suffix) own = arena_printf(s->L->arena, "%s.%s", name, stage->suffix);
        run_when(s, (when_t){ANY_CALL, stage->wanted});
        launch_part(s, stage->kernel, region, group, own);
    }
    run_always(s);
}
