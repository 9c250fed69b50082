/* The schedule: the embedding, the layers, the heads. For each layer the kernels of its regions, in their order, with the layer's places in the
 * stacks of weights. Layers whose regions are of the same classes are one form; the schedule is a loop over layers with a
 * branch per form, so that its size does not depend on depth. */
#include "lower/cache.h"

/* ---- places in stacks ------------------------------------------------------------------------------------------- */

typedef struct {
    lower_t *L;
    builder_t *b;
    trace_t *trace;
    value_t *layer;
    int n_layers;
    /* Tables that were looked up already in this branch. */
    struct {
        const buffer_t *table;
        int64_t bound;
        value_t *value;
    } known[MOST_INDICES * 4];
    int n_known;
    /* The branch that is open, of what runs when. */
    when_t open;
    inst_t *of_mode, *of_wanted;
    int n_known_outside; /* tables looked up before it */
} sched_t;

/* ---- what runs when ----------------------------------------------------------------------------------------------- */

bool is_prefill(const lower_t *L) {
    return L->o->cache_batch > 0 && !L->few;
}

bool only_prefills(const lower_t *L) {
    return is_prefill(L) && L->o->cache_batch > 1;
}

/* By which costs are told, a forward is the rule. */
static inst_t *if_forward(const sched_t *s) {
    value_t *none = b_iconst(s->b, SCALAR(E_I32), 0);
    value_t *asked = control(s->b, s->L, REFORMER_WANT_CACHE);
    inst_t *branch = b_if(s->b, b_compare(s->b, OP_EQ, asked, none), 0, NULL);
    b_likely(branch);
    return branch;
}

static inst_t *if_wanted(const sched_t *s, unsigned wanted) {
    value_t *any = NULL;
    for (int c = 0; c < REFORMER_CONTROLS; c++) {
        if (!(wanted >> c & 1)) continue;
        value_t *one = control(s->b, s->L, c);
        any = any ? b_binary(s->b, OP_OR, any, one) : one;
    }
    return b_if(s->b, any, 0, NULL);
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

/* What follows runs then: opens, goes on with or ends branches. A value that is looked up in one ends with it. */
static void run_when(sched_t *s, when_t when) {
    bool same = s->open.mode == when.mode && s->open.wanted == when.wanted;
    if (same) return;
    if (s->open.mode != ANY_CALL || s->open.wanted) s->n_known = s->n_known_outside;
    s->n_known_outside = s->n_known;
    if (s->open.wanted) b_end_if(s->b, s->of_wanted, NULL);
    s->open.wanted = 0;
    set_mode(s, when.mode);
    if (when.wanted) s->of_wanted = if_wanted(s, when.wanted);
    s->open.wanted = when.wanted;
}

static void run_always(sched_t *s) {
    run_when(s, (when_t){ANY_CALL, 0});
}

/* Whether a table says the same of the members' layers, where it says something. */
static bool agrees(const int32_t *said, const part_t *p, int vector) {
    for (int m = 0; m < p->class->count; m++) {
        int32_t at = said[p->class->members[m]->layer];
        if (at >= 0 && at != p->vector[vector][m]) return false;
    }
    return true;
}

/* The table of indices by layer that has the vector's; layers of other classes may have their own in it. */
static buffer_t *table_with(sched_t *s, const part_t *p, int vector) {
    lower_t *L = s->L;
    int k = 0;
    while (k < L->n_tables && !agrees(L->said[k], p, vector)) k++;
    if (k == L->n_tables) {
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
        L->n_tables++;
    }
    for (int m = 0; m < p->class->count; m++) {
        int layer = p->class->members[m]->layer;
        L->index[k][layer] = L->said[k][layer] = p->vector[vector][m];
    }
    return L->tables[k];
}

/* The table holds other classes' indices too: the bound makes this one provable. */
static value_t *place_of(sched_t *s, const part_t *p, int vector) {
    if (p->bound[vector] >= s->n_layers && counts_layers(p, vector)) return s->layer;
    buffer_t *table = table_with(s, p, vector);
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

/* Launches a kernel whose parameters are the part's places, then the group where there is one. */
static void launch_part(sched_t *s, lfunc_t *kernel, const part_t *p, value_t *group,
                        const char *label) {
    value_t *args[MOST_INDICES + 1];
    int n = 0;
    for (; n < p->n_vectors; n++) args[n] = place_of(s, p, n);
    if (group) args[n++] = group;
    launch(s->b, kernel, n ? args : NULL, label, s->layer);
}

/* ---- attention ------------------------------------------------------------------------------------------------------ */

static const char *label(const sched_t *s, const attention_t *a, const char *what) {
    return arena_printf(s->L->arena, "layer#.%s.%s", a->name, what);
}

static void schedule_keep(sched_t *s, const attention_t *a, lfunc_t *kernel, value_t *group,
                          const char *what) {
    if (!kernel) return;
    for (int i = 0; i < a->kept->n_vectors; i++) place_of(s, a->kept, i); /* before the branch */
    run_when(s, (when_t){only_prefills(s->L) ? ANY_CALL : PREFILL, 0});
    launch_part(s, kernel, a->kept, group, label(s, a, what));
    run_always(s);
}

/* The kernels of a part that stands in a layer, under the label. */
static void launch_stages(sched_t *s, const part_t *p, value_t *group, const char *name) {
    if (p->kernel) launch_part(s, p->kernel, p, group, name);
    for (int i = 0; i < p->stages.n; i++) {
        const stage_t *stage = &p->stages.at[i];
        const char *own = name;
        if (stage->suffix) own = arena_printf(s->L->arena, "%s.%s", name, stage->suffix);
        run_when(s, (when_t){ANY_CALL, stage->wanted});
        launch_part(s, stage->kernel, p, group, own);
    }
    run_always(s);
}

static void schedule_hash(sched_t *s, const attention_t *a, value_t *group) {
    lower_t *L = s->L;
    if (!a->impose) {
        launch_part(s, a->hash, a->hash_part, group, label(s, a, "hash"));
    } else {
        dim_t n = dim(L->n_hashes);
        buffer_t *given = module_find_buffer(L->m, "buckets_given");
        if (!given)
            given = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_GIVEN, "buckets_given", E_I32, 1, &n);
        for (int i = 0; i < a->hash_part->n_vectors; i++)
            place_of(s, a->hash_part, i); /* before the branch */
        affine_t ix = ax_v(place_of(s, a->hash_part, a->hash_number));
        inst_t *branch = b_if(s->b, load1(s->b, given, 1, &ix), 0, NULL);
        launch_part(s, a->impose, a->hash_part, group, label(s, a, "impose"));
        b_else(s->b, branch, NULL);
        launch_part(s, a->hash, a->hash_part, group, label(s, a, "hash"));
        b_end_if(s->b, branch, NULL);
    }
    launch(s->b, a->sort, L->o->trace ? &group : NULL, label(s, a, "sort"), s->layer);
}

static void schedule_mixer(sched_t *s, const attention_t *a, value_t *group) {
    builder_t *b = s->b;
    if (!group) { /* of few rows: it knows its place in the cache */
        if (a->forgetting) launch_part(s, a->forgetting, a->own, NULL, label(s, a, "forgetting"));
        launch_part(s, a->attend, a->own, NULL, label(s, a, "attention"));
        return;
    }
    schedule_keep(s, a, a->keep, group, "keep");
    if (a->exact) launch(b, a->norms, NULL, label(s, a, "norms"), s->layer);
    if (!a->lsh || a->exact) {
        launch(b, a->attend, NULL, label(s, a, "attention"), s->layer);
        return;
    }
    schedule_hash(s, a, group);
    schedule_keep(s, a, a->file, group, "file");
    inst_t *rounds = b_for(b, "round", dim(0), dim(a->rounds), 0, NULL);
    value_t *round = loop_var(rounds);
    launch(b, a->attend, &round, label(s, a, "attention"), s->layer);
    b_end_for(b, rounds, NULL);
}

/* ---- layers ------------------------------------------------------------------------------------------------------------- */

static part_t *part_of(const sched_t *s, const region_t *region) {
    return &s->L->parts[region->class->id];
}

/* The operands' region, the mixer and the result's region, group after group of heads. */
static const region_t *schedule_band(sched_t *s, const region_t *first, const attention_t *a) {
    const regions_t *r = s->L->regions;
    const region_t *last = first;
    while (part_of(s, last)->from != a) last = r->regions[last->order + 1];
    trace_before(s->L, s->trace, s->b, last);
    for (int i = 0; i < a->project->n_vectors; i++) place_of(s, a->project, i);
    int known = s->n_known; /* what is looked up in the loop is known in it alone */
    inst_t *groups = s->L->few ? NULL : b_for(s->b, "group", dim(0), dim(a->groups), 0, NULL);
    value_t *group = groups ? loop_var(groups) : NULL; /* few rows take all heads at once */
    launch_stages(s, a->project, group, label(s, a, "project"));
    schedule_mixer(s, a, group);
    launch_stages(s, a->combine, group, label(s, a, "output"));
    if (groups) {
        b_end_for(s->b, groups, NULL);
        s->n_known = s->n_known_outside = known;
    }
    trace_attention(s->trace, s->b, a, s->layer);
    trace_after(s->L, s->trace, s->b, last, s->layer);
    return last;
}

static const region_t *schedule_region(sched_t *s, const region_t *region) {
    const part_t *p = part_of(s, region);
    if (p->into) return schedule_band(s, region, p->into);
    trace_before(s->L, s->trace, s->b, region);
    const char *name = p->kernel ? p->kernel->name : p->stages.name;
    launch_stages(s, p, NULL, arena_printf(s->L->arena, "layer#.%s", name));
    trace_after(s->L, s->trace, s->b, region, s->layer);
    return region;
}

/* Regions of layer `layer`: from, and how many. */
typedef struct {
    int first, n;
} span_t;

static bool same_form(const regions_t *r, span_t a, span_t b) {
    for (int i = 0; i < a.n && a.n == b.n; i++)
        if (r->regions[a.first + i]->class != r->regions[b.first + i]->class) return false;
    return a.n == b.n;
}

/* How many regions at the end all forms have in common, whole bands only. */
static int common_end(const sched_t *s, const span_t *forms, int n_forms) {
    const regions_t *r = s->L->regions;
    int common = 0;
    for (int k = 1; k <= forms[0].n; k++) {
        const region_t *region = r->regions[forms[0].first + forms[0].n - k];
        for (int f = 1; f < n_forms; f++)
            if (k > forms[f].n ||
                r->regions[forms[f].first + forms[f].n - k]->class != region->class)
                return common;
        if (region->kind == K_ROW && !part_of(s, region)->from) common = k;
    }
    return common;
}

static void schedule_span(sched_t *s, span_t span) {
    for (int i = span.first; i < span.first + span.n;)
        i = schedule_region(s, s->L->regions->regions[i])->order + 1;
}

/* if (form is k) … else if … */
static void schedule_forms(sched_t *s, const span_t *forms, int k, int n_forms, int common,
                           value_t *form) {
    span_t own = {forms[k].first, forms[k].n - common};
    if (k + 1 == n_forms) {
        s->n_known = 0;
        schedule_span(s, own);
        return;
    }
    value_t *is = k == 0 && n_forms == 2
                      ? form
                      : b_compare(s->b, OP_NE, form, b_iconst(s->b, SCALAR(E_I32), k));
    inst_t *branch = b_if(s->b, is, 0, NULL);
    schedule_forms(s, forms, k + 1, n_forms, common, form);
    b_else(s->b, branch, NULL);
    s->n_known = 0;
    schedule_span(s, own);
    b_end_if(s->b, branch, NULL);
}

static value_t *form_of_layer(sched_t *s, const int32_t *form, int n_forms) {
    dim_t n = dim(s->n_layers);
    buffer_t *table = module_buffer(s->L->m, BUF_TABLE, "layer_form", E_I32, 1, &n);
    table->data = (int32_t *)(uintptr_t)form;
    set_range(table, dim(0), dim(n_forms - 1));
    affine_t ix = ax_v(s->layer);
    return b_name(load1(s->b, table, 1, &ix), "form");
}

/* The spans of all layers; false: they do not follow each other. */
static bool find_layers(lower_t *L, span_t **layers, int *n) {
    const regions_t *r = L->regions;
    *layers = ARENA_ARRAY(L->arena, span_t, r->n_regions + 1);
    *n = 0;
    bool after = false;
    for (int i = 0; i < r->n_regions; i++) {
        int layer = r->regions[i]->layer;
        if (layer < 0) {
            after = *n > 0;
            continue;
        }
        if (after || layer < *n - 1 || layer > *n) {
            const gnode_t *node = r->regions[i]->results.at[0];
            diag_error(L->d, node->at,
                       "%s: layers are computed one after the other, and this is layer %d after %d",
                       node->name, layer, *n - 1);
            return false;
        }
        if (layer == *n) (*layers)[(*n)++] = (span_t){i, 0};
        (*layers)[layer].n++;
    }
    return true;
}

static bool schedule_layers(sched_t *s) {
    lower_t *L = s->L;
    span_t *layers, *forms;
    if (!find_layers(L, &layers, &s->n_layers)) return false;
    if (s->n_layers == 0) return true;
    int32_t *form = ARENA_ARRAY(L->arena, int32_t, s->n_layers);
    forms = ARENA_ARRAY(L->arena, span_t, s->n_layers);
    int n_forms = 0;
    for (int i = 0; i < s->n_layers; i++) {
        int k = 0;
        while (k < n_forms && !same_form(L->regions, forms[k], layers[i])) k++;
        if (k == n_forms) forms[n_forms++] = layers[i];
        form[i] = k;
    }
    inst_t *loop = b_for(s->b, "layer", dim(0), dim(s->n_layers), 0, NULL);
    s->layer = loop_var(loop);
    int common = n_forms > 1 ? common_end(s, forms, n_forms) : 0;
    schedule_forms(s, forms, 0, n_forms, common,
                   n_forms > 1 ? form_of_layer(s, form, n_forms) : NULL);
    s->n_known = 0;
    schedule_span(s, (span_t){forms[0].first + forms[0].n - common, common});
    b_end_for(s->b, loop, NULL);
    s->layer = NULL;
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------ */

/* What stands in no layer has no places to be told. */
static void schedule_head(sched_t *s, const head_stages_t *head) {
    for (int i = 0; i < head->stages.n; i++) {
        const stage_t *stage = &head->stages.at[i];
        run_when(s, (when_t){head->mode, stage->wanted});
        launch(s->b, stage->kernel, NULL, stage->label ? stage->label : head->stages.name, NULL);
    }
}

bool schedule(lower_t *L, trace_t *t, const head_stages_t *heads, int n_heads) {
    const region_t *embed = L->regions->of_node[L->embed->id];
    builder_t b = build_entry(L->m, L->few ? "step" : "forward");
    sched_t s = {.L = L, .b = &b, .trace = t};
    launch(&b, L->parts[embed->class->id].kernel, NULL, "embed", NULL);
    trace_after(L, t, &b, embed, NULL);
    if (!schedule_layers(&s)) return false;
    for (int i = 0; i < n_heads; i++) schedule_head(&s, &heads[i]);
    run_always(&s);
    return true;
}
