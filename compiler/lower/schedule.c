/* The schedule: the embedding, the layers, the heads; of a train step, the layers of the backward
 * pass from the last down to the first, with what stands before and behind them. For each layer the
 * kernels of its regions, in their order, with the layer's places in the stacks of weights. Layers
 * whose regions are of the same classes are one form; the schedule is a loop over layers with a
 * branch per form, so that its size does not depend on depth. */
#include "lower/schedule.h"
#include "lower/totals.h"

/* ---- layers ---------------------------------------------------------------------------------- */

/* Regions of layer `layer`: from, and how many. */
typedef struct {
    int first, n;
} region_span_t;

static bool same_form(const regions_t *r, region_span_t a, region_span_t b) {
    for (int i = 0; i < a.n && a.n == b.n; i++)
        if (r->regions[a.first + i]->class != r->regions[b.first + i]->class) return false;
    return a.n == b.n;
}

/* How many regions at the end all forms have in common, whole bands only. */
static int common_end(const sched_t *s, const region_span_t *forms, int n_forms) {
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
        bool rows = region->kind == K_ROW || region->kind == K_SUM;
        if (rows && !part_of(s, region)->from) common = k;
    }
    return common;
}

/* How many at the beginning, that are at no end of an attention: what they leave behind is theirs
 * alone, and lives no longer than that. */
static int common_begin(const sched_t *s, const region_span_t *forms, int n_forms) {
    const regions_t *r = s->L->regions;
    for (int k = 0; k < forms[0].n; k++) {
        const region_t *region = r->regions[forms[0].first + k];
        const part_t *p = part_of(s, region);
        if (region->kind == K_MIX || p->into || p->from) return k;
        for (int f = 1; f < n_forms; f++) {
            if (k >= forms[f].n) return k;
            const region_t *other = r->regions[forms[f].first + k];
            if (other->class != region->class || s->turn[other->order] != s->turn[region->order])
                return k;
        }
    }
    return forms[0].n;
}

/* The caller may take gradients behind the region that they are made in: no other one writes or
 * reads the caller's memory. Without a branch of its own, so that calls tell them in one order. */
static void tell_ready(sched_t *s, const region_t *region) {
    const nodes_t *nodes = &region->class->pattern->nodes;
    for (int i = 0; i < nodes->n; i++) {
        int vector;
        if (nodes->at[i]->op != G_GRADIENT) continue;
        buffer_t *array = gradient_array(s->L, part_of(s, region), i, &vector);
        b_ready(s->b, array, place_of_member(s, region, vector));
    }
}

/* Returns the number of the next. */
static int schedule_next(sched_t *s, int i) {
    const regions_t *r = s->L->regions;
    int next = schedule_region(s, r->regions[i])->order + 1;
    for (; i < next; i++) tell_ready(s, r->regions[i]);
    return next;
}

static void schedule_span(sched_t *s, region_span_t span) {
    for (int i = span.first; i < span.first + span.n;) i = schedule_next(s, i);
}

enum { LADDER = 8 }; /* Forms that are tried one after the other; of more, which half it is. */

/* if (form is k) … else if …: of the forms k … end - 1, this layer's. */
static void schedule_forms(sched_t *s, const region_span_t *forms, int k, int end, int common,
                           value_t *form) {
    if (k + 1 == end) {
        s->n_known = 0;
        schedule_span(s, (region_span_t){forms[k].first, forms[k].n - common});
        return;
    }
    int next = end - k > LADDER ? k + (end - k) / 2 : k + 1;
    value_t *is = form;
    if (next > k + 1) is = b_compare(s->b, OP_LT, b_iconst(s->b, SCALAR(E_I32), next - 1), form);
    else if (k > 0 || end > 2) is = b_compare(s->b, OP_NE, form, b_iconst(s->b, SCALAR(E_I32), k));
    inst_t *branch = b_if(s->b, is, 0, NULL);
    schedule_forms(s, forms, next, end, common, form);
    b_else(s->b, branch, NULL);
    schedule_forms(s, forms, k, next, common, form);
    b_end_if(s->b, branch, NULL);
}

static value_t *form_of_layer(sched_t *s, const int32_t *form, int n_forms) {
    dim_t n = dim(s->n_layers);
    bool second = module_find_buffer(s->L->m, "layer_form") != NULL;
    buffer_t *table =
        module_buffer(s->L->m, BUF_TABLE, second ? "layer_form_back" : "layer_form", E_I32, 1, &n);
    table->data = (int32_t *)(uintptr_t)form;
    set_range(table, dim(0), dim(n_forms - 1));
    affine_t ix = ax_v(s->layer);
    return b_name(load1(s->b, table, 1, &ix), "form");
}

/* A pass over the layers: its regions, and which way it goes. */
typedef struct {
    int first, end;
    bool back;
} layer_pass_t;

static int layers_of(const regions_t *r) {
    int n = 0;
    for (int i = 0; i < r->n_regions; i++)
        if (r->regions[i]->layer >= n) n = r->regions[i]->layer + 1;
    return n;
}

static bool follows(const layer_pass_t *pass, int layer, int last) {
    return last < 0 || (pass->back ? layer <= last : layer >= last);
}

/* The spans of all layers, of which some may do nothing; false: they do not follow each other. */
static bool find_layers(lower_t *L, const layer_pass_t *pass, region_span_t *layers) {
    const regions_t *r = L->regions;
    int last = -1;
    bool after = false;
    for (int i = pass->first; i < pass->end; i++) {
        int layer = r->regions[i]->layer;
        if (layer < 0) {
            after = last >= 0;
            continue;
        }
        if (after || !follows(pass, layer, last)) {
            const gnode_t *node = r->regions[i]->results.at[0];
            diag_error(L->d, node->at,
                       "%s: layers are computed one after the other, and this is layer %d after %d",
                       node->name, layer, last);
            return false;
        }
        if (layers[layer].n++ == 0) layers[layer].first = i;
        last = layer;
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

/* What has no layer, from region `from` up to the first that has one, or to the end, but
 * for embedding and heads. */
static void schedule_outside(sched_t *s, int from, int end) {
    const regions_t *r = s->L->regions;
    int i = from;
    while (i < end && r->regions[i]->layer < 0) {
        bool other = r->regions[i]->nodes.at[0] == s->L->embed || is_head(s->L, r->regions[i]);
        i = other ? i + 1 : schedule_next(s, i);
    }
}

static void schedule_loop(sched_t *s, const region_span_t *layers, bool back) {
    lower_t *L = s->L;
    int32_t *form = ARENA_ARRAY(L->arena, int32_t, s->n_layers);
    region_span_t *forms = ARENA_ARRAY(L->arena, region_span_t, s->n_layers);
    int n_forms = 0;
    for (int i = 0; i < s->n_layers; i++) {
        int k = 0;
        while (k < n_forms && !same_form(L->regions, forms[k], layers[i])) k++;
        if (k == n_forms) forms[n_forms++] = layers[i];
        form[i] = k;
    }
    inst_t *loop = b_for(s->b, back ? "step" : "layer", dim(0), dim(s->n_layers), 0, NULL);
    s->layer = loop_var(loop);
    if (back) {
        affine_t down = ax_plus(ax_scale(ax_v(s->layer), -1), s->n_layers - 1);
        s->layer = b_name(b_index(s->b, down), "layer");
    }
    int begin = back && n_forms > 1 ? common_begin(s, forms, n_forms) : 0;
    schedule_span(s, (region_span_t){forms[0].first, begin});
    for (int f = 0; f < n_forms; f++)
        forms[f] = (region_span_t){forms[f].first + begin, forms[f].n - begin};
    int common = n_forms > 1 ? common_end(s, forms, n_forms) : 0;
    schedule_forms(s, forms, 0, n_forms, common,
                   n_forms > 1 ? form_of_layer(s, form, n_forms) : NULL);
    s->n_known = 0;
    schedule_span(s, (region_span_t){forms[0].first + forms[0].n - common, common});
    b_end_for(s->b, loop, NULL);
    s->layer = NULL;
    s->n_known = 0;
}

static bool schedule_layers(sched_t *s, const layer_pass_t *pass) {
    const regions_t *r = s->L->regions;
    region_span_t *layers = ARENA_ARRAY(s->L->arena, region_span_t, s->n_layers + 1);
    if (!find_layers(s->L, pass, layers)) return false;
    int first = pass->first;
    while (first < pass->end && r->regions[first]->layer < 0) first++;
    schedule_outside(s, pass->first, pass->end);
    if (first == pass->end) return true;
    schedule_loop(s, layers, pass->back);
    while (first < pass->end && r->regions[first]->layer >= 0) first++;
    schedule_outside(s, first, pass->end);
    return true;
}

/* The forward's regions come first. */
static int forward_regions(const regions_t *r) {
    int n = 0;
    while (n < r->n_regions && r->regions[n]->results.at[0]->id < r->backward) n++;
    return n;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* What stands in no layer has no places to be told. */
static void schedule_head(sched_t *s, const head_stages_t *head) {
    for (int i = 0; i < head->stages.n; i++) {
        const stage_t *stage = &head->stages.at[i];
        run_when(s, (when_t){head->mode, stage->wanted});
        launch(s->b, stage->kernel, NULL, stage->label ? stage->label : head->stages.name, NULL);
    }
}

bool schedule(lower_t *L, trace_t *t, const head_stages_t *heads, int n_heads) {
    const regions_t *r = L->regions;
    const region_t *embed = r->of_node[L->embed->id];
    int forward = forward_regions(r);
    bool trained = forward < r->n_regions;
    builder_t b = build_entry(L->m, L->few ? "step" : trained ? "train_step" : "forward");
    sched_t s = {.L = L, .b = &b, .trace = t, .turn = find_turns(L), .n_layers = layers_of(r)};
    launch(&b, L->parts[embed->class->id].kernel, NULL, "embed", NULL);
    trace_after(L, t, &b, embed, NULL);
    if (!schedule_layers(&s, &(layer_pass_t){0, forward, false})) return false;
    for (int i = 0; i < n_heads; i++) schedule_head(&s, &heads[i]);
    run_always(&s);
    return !trained || schedule_layers(&s, &(layer_pass_t){forward, r->n_regions, true});
}
