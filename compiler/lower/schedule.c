/* The schedule: the embedding, the layers, the heads. For each layer the kernels of its regions, in their order, with the layer's places in the
 * stacks of weights. Layers whose regions are of the same classes are one form; the schedule is a loop over layers with a
 * branch per form, so that its size does not depend on depth. */
#include "lower/cache.h"

/* ---- places in stacks ------------------------------------------------------------------------------------------- */

typedef struct {
    lower_t *L;
    builder_t *b;
    trace_t *trace;
    value_t *layer; /* NULL: outside of layers */
    int n_layers;
    const int *turn; /* by region: how many of its class come before it in its layer */
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

/* Whether a table says the same of the members' layers, where it says something. Of several in one layer, each turn has a
 * table of its own. */
static bool agrees(const sched_t *s, const int32_t *said, const part_t *p, int vector, int turn) {
    for (int m = 0; m < p->class->count; m++) {
        const region_t *member = p->class->members[m];
        if (member->layer < 0 || s->turn[member->order] != turn) continue;
        int32_t at = said[member->layer];
        if (at >= 0 && at != p->vector[vector][m]) return false;
    }
    return true;
}

/* The table of indices by layer that has the vector's; layers of other classes may have their own in it. */
static buffer_t *table_with(sched_t *s, const part_t *p, int vector, int turn) {
    lower_t *L = s->L;
    int k = 0;
    while (k < L->n_tables && !agrees(s, L->said[k], p, vector, turn)) k++;
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
        if (layer < 0 || s->turn[p->class->members[m]->order] != turn) continue;
        L->index[k][layer] = L->said[k][layer] = p->vector[vector][m];
    }
    return L->tables[k];
}

/* The table holds other classes' indices too: the bound makes this one provable. */
static value_t *place_of(sched_t *s, const region_t *region, int vector) {
    const part_t *p = &s->L->parts[region->class->id];
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

static void know_places(sched_t *s, const region_t *region) {
    for (int i = 0; i < s->L->parts[region->class->id].n_vectors; i++) place_of(s, region, i);
}

/* Launches a kernel whose parameters are the region's places, then the group where there is one. */
static void launch_part(sched_t *s, lfunc_t *kernel, const region_t *region, value_t *group,
                        const char *label) {
    value_t *args[MOST_INDICES + 1];
    int n = 0;
    for (; n < s->L->parts[region->class->id].n_vectors; n++) args[n] = place_of(s, region, n);
    if (group) args[n++] = group;
    launch(s->b, kernel, n ? args : NULL, label, s->layer);
}

/* ---- attention ------------------------------------------------------------------------------------------------------ */

static const char *label(const sched_t *s, const char *part, const char *what) {
    return arena_printf(s->L->arena, "%s%s%s%s", s->layer ? "layer#." : "", part, *what ? "." : "",
                        what);
}

/* The regions of one of the attention's layers. */
typedef struct {
    const attention_t *a;
    const region_t *project, *hash, *keep, *mix, *combine; /* hash, keep NULL: it does not */
} band_t;

static band_t band_of(const sched_t *s, const region_t *mix) {
    const regions_t *r = s->L->regions;
    const gnode_t *n = mix->nodes.at[0];
    band_t band = {.a = s->L->parts[mix->class->id].own,
                   .project = r->of_node[n->in[0]->id],
                   .mix = mix,
                   .combine = r->of_node[r->readers[n->id].at[0]->id]};
    if (n->op == G_LSH_ATTENTION) band.hash = r->of_node[n->in[2]->in[0]->id];
    if (band.a->kept) band.keep = r->of_node[keeper_of(r, band.a->key ? n->in[1] : n->in[0])->id];
    return band;
}

static void schedule_keep(sched_t *s, const band_t *band, lfunc_t *kernel, value_t *group,
                          const char *what) {
    if (!kernel) return;
    know_places(s, band->keep); /* before the branch */
    run_when(s, (when_t){only_prefills(s->L) ? ANY_CALL : PREFILL, 0});
    launch_part(s, kernel, band->keep, group, label(s, band->a->name, what));
    run_always(s);
}

/* The kernels of a row program, under the label. */
static void launch_stages(sched_t *s, const region_t *region, value_t *group, const char *name) {
    const part_t *p = &s->L->parts[region->class->id];
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

static void schedule_hash(sched_t *s, const band_t *band, value_t *group) {
    lower_t *L = s->L;
    const attention_t *a = band->a;
    if (!a->impose) {
        launch_part(s, a->hash, band->hash, group, label(s, a->name, "hash"));
    } else {
        dim_t n = dim(L->n_hashes);
        buffer_t *given = module_find_buffer(L->m, "buckets_given");
        if (!given)
            given = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_GIVEN, "buckets_given", E_I32, 1, &n);
        know_places(s, band->hash); /* before the branch */
        affine_t ix = ax_v(place_of(s, band->hash, a->hash_number));
        inst_t *branch = b_if(s->b, load1(s->b, given, 1, &ix), 0, NULL);
        launch_part(s, a->impose, band->hash, group, label(s, a->name, "impose"));
        b_else(s->b, branch, NULL);
        launch_part(s, a->hash, band->hash, group, label(s, a->name, "hash"));
        b_end_if(s->b, branch, NULL);
    }
    launch(s->b, a->sort, L->o->trace ? &group : NULL, label(s, a->name, "sort"), s->layer);
}

static void schedule_mixer(sched_t *s, const band_t *band, value_t *group) {
    builder_t *b = s->b;
    const attention_t *a = band->a;
    if (!group) { /* of few rows: it knows its place in the cache */
        if (a->forgetting)
            launch_part(s, a->forgetting, band->mix, NULL, label(s, a->name, "forgetting"));
        launch_part(s, a->attend, band->mix, NULL, label(s, a->name, "attention"));
        return;
    }
    schedule_keep(s, band, a->keep, group, "keep");
    if (a->exact) launch(b, a->norms, NULL, label(s, a->name, "norms"), s->layer);
    if (!a->lsh || a->exact) {
        launch(b, a->attend, NULL, label(s, a->name, "attention"), s->layer);
        return;
    }
    schedule_hash(s, band, group);
    schedule_keep(s, band, a->file, group, "file");
    inst_t *rounds = b_for(b, "round", dim(0), dim(a->rounds), 0, NULL);
    value_t *round = loop_var(rounds);
    launch(b, a->attend, &round, label(s, a->name, "attention"), s->layer);
    b_end_for(b, rounds, NULL);
}

/* ---- regions ------------------------------------------------------------------------------------------------------------ */

static part_t *part_of(const sched_t *s, const region_t *region) {
    return &s->L->parts[region->class->id];
}

static void schedule_project(sched_t *s, const band_t *band, value_t *group) {
    launch_stages(s, band->project, group, label(s, band->a->name, "project"));
}

static void schedule_combine(sched_t *s, const band_t *band, value_t *group) {
    launch_stages(s, band->combine, group, label(s, band->a->name, "output"));
}

/* The mixer that a region makes operands for. */
static const region_t *mixer_behind(const sched_t *s, const region_t *project) {
    const regions_t *r = s->L->regions;
    for (int i = 0; i < project->results.n; i++) {
        const nodes_t *readers = &r->readers[project->results.at[i]->id];
        for (int k = 0; k < readers->n; k++) {
            const region_t *region = r->of_node[readers->at[k]->id];
            if (part_of(s, region)->own) return region;
        }
    }
    bug("a region of operands without attention");
}

/* The operands' region, the mixer and the result's region, group after group of heads. Of several groups the first
 * computes operands alone, and a sum is seen when the last has added to it; else each region is seen around itself. */
static const region_t *schedule_band(sched_t *s, const band_t *band) {
    bool once = band->a->groups == 1;
    if (once) trace_before(s->L, s->trace, s->b, band->project);
    else trace_before(s->L, s->trace, s->b, band->combine);
    know_places(s, band->project);
    int known = s->n_known;
    dim_t n = dim(band->a->groups);
    inst_t *groups = s->L->few ? NULL : b_for(s->b, "group", dim(0), n, 0, NULL);
    value_t *group = groups ? loop_var(groups) : NULL; /* few rows take all heads at once */
    schedule_project(s, band, group);
    if (once) trace_after(s->L, s->trace, s->b, band->project, s->layer);
    schedule_mixer(s, band, group);
    if (once) trace_before(s->L, s->trace, s->b, band->combine);
    schedule_combine(s, band, group);
    if (groups) b_end_for(s->b, groups, NULL);
    /* what is looked up in the loop is known in it alone */
    s->n_known = s->n_known_outside = known;
    if (!once) trace_after(s->L, s->trace, s->b, band->project, s->layer);
    trace_attention(s->L, s->trace, s->b, band->mix, s->layer);
    trace_after(s->L, s->trace, s->b, band->combine, s->layer);
    return band->combine;
}

/* What runs between the ends of a band leaves its one group where it is. */
static void schedule_piece(sched_t *s, const region_t *region) {
    const part_t *p = part_of(s, region);
    value_t *group = s->L->few ? NULL : b_iconst(s->b, SCALAR(E_I64), 0);
    if (p->into) {
        band_t band = band_of(s, mixer_behind(s, region));
        trace_before(s->L, s->trace, s->b, region);
        schedule_project(s, &band, group);
        trace_after(s->L, s->trace, s->b, region, s->layer);
    } else if (p->own) {
        band_t band = band_of(s, region);
        schedule_mixer(s, &band, group);
    } else {
        const gnode_t *mix = NULL;
        for (int i = 0; i < region->reads.n && !mix; i++)
            if (graph_kind(region->reads.at[i]) == K_MIX) mix = region->reads.at[i];
        band_t band = band_of(s, s->L->regions->of_node[mix->id]);
        trace_before(s->L, s->trace, s->b, region);
        schedule_combine(s, &band, group);
        trace_attention(s->L, s->trace, s->b, band.mix, s->layer);
        trace_after(s->L, s->trace, s->b, region, s->layer);
    }
}

static void schedule_rows(sched_t *s, const region_t *region) {
    const part_t *p = part_of(s, region);
    trace_before(s->L, s->trace, s->b, region);
    const char *name = p->kernel ? p->kernel->name : p->stages.name;
    launch_stages(s, region, NULL, label(s, name, ""));
    trace_after(s->L, s->trace, s->b, region, s->layer);
}

/* Returns the last region that ran. */
static const region_t *schedule_region(sched_t *s, const region_t *region) {
    const part_t *p = part_of(s, region);
    const attention_t *a = p->into ? p->into : p->from ? p->from : p->own;
    if (p->into && a->together) {
        band_t band = band_of(s, mixer_behind(s, region));
        return schedule_band(s, &band);
    }
    if (a) schedule_piece(s, region);
    else if (region->kind == K_ROW) schedule_rows(s, region);
    return region;
}

/* ---- layers ------------------------------------------------------------------------------------------------------------- */

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
        for (int f = 1; f < n_forms; f++)
            if (s->turn[r->regions[forms[f].first + forms[f].n - k]->order] !=
                s->turn[region->order])
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

/* The spans of all layers, of which some may do nothing; false: they do not follow each other. */
static bool find_layers(lower_t *L, span_t **layers, int *n) {
    const regions_t *r = L->regions;
    int most = 0;
    for (int i = 0; i < r->n_regions; i++)
        if (r->regions[i]->layer >= most) most = r->regions[i]->layer + 1;
    *layers = ARENA_ARRAY(L->arena, span_t, most + 1);
    *n = 0;
    bool after = false;
    for (int i = 0; i < r->n_regions; i++) {
        int layer = r->regions[i]->layer;
        if (layer < 0) {
            after = *n > 0;
            continue;
        }
        if (after || layer < *n - 1) {
            const gnode_t *node = r->regions[i]->results.at[0];
            diag_error(L->d, node->at,
                       "%s: layers are computed one after the other, and this is layer %d after %d",
                       node->name, layer, *n - 1);
            return false;
        }
        while (layer >= *n) (*layers)[(*n)++] = (span_t){i, 0};
        (*layers)[layer].n++;
    }
    return true;
}

/* By region: how many of its class come before it in its layer. */
static const int *find_turns(lower_t *L) {
    const regions_t *r = L->regions;
    int *turn = ARENA_ARRAY(L->arena, int, r->n_regions + 1);
    for (int i = 0; i < r->n_classes; i++) {
        const class_t *c = r->classes[i];
        for (int m = 1; m < c->count; m++)
            if (c->members[m]->layer == c->members[m - 1]->layer)
                turn[c->members[m]->order] = turn[c->members[m - 1]->order] + 1;
    }
    return turn;
}

/* What has no layer, from region `from` up to the first that has one, or to the end, but for embedding and heads. */
static void schedule_outside(sched_t *s, int from) {
    const regions_t *r = s->L->regions;
    int i = from;
    while (i < r->n_regions && r->regions[i]->layer < 0) {
        bool other = r->regions[i]->nodes.at[0] == s->L->embed || is_head(s->L, r->regions[i]);
        i = other ? i + 1 : schedule_region(s, r->regions[i])->order + 1;
    }
}

static void schedule_loop(sched_t *s, const span_t *layers) {
    lower_t *L = s->L;
    int32_t *form = ARENA_ARRAY(L->arena, int32_t, s->n_layers);
    span_t *forms = ARENA_ARRAY(L->arena, span_t, s->n_layers);
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
    s->n_known = 0;
}

static bool schedule_layers(sched_t *s) {
    span_t *layers;
    if (!find_layers(s->L, &layers, &s->n_layers)) return false;
    schedule_outside(s, 0);
    if (s->n_layers == 0) return true;
    schedule_loop(s, layers);
    const span_t *last = &layers[s->n_layers - 1];
    schedule_outside(s, last->first + last->n);
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
    sched_t s = {.L = L, .b = &b, .trace = t, .turn = find_turns(L)};
    launch(&b, L->parts[embed->class->id].kernel, NULL, "embed", NULL);
    trace_after(L, t, &b, embed, NULL);
    if (!schedule_layers(&s)) return false;
    for (int i = 0; i < n_heads; i++) schedule_head(&s, &heads[i]);
    run_always(&s);
    return true;
}
