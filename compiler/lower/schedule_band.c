/* Regions in a schedule: a row program by itself; attention with what makes its operands and what
 * takes its result, group after group of heads where nothing else runs between them. */
#include "lower/attention_dropout.h"
#include "lower/schedule.h"

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
    if (band.a->node->op == G_LSH_ATTENTION)
        band.hash = r->of_node[attention_input(n, 2)->in[0]->id];
    if (band.a->kept) {
        const gnode_t *key = graph_unrounded(band.a->key ? n->in[1] : n->in[0]);
        band.keep = r->of_node[keeper_of(r, key)->id];
    }
    return band;
}

static void schedule_keep(sched_t *s, const band_t *band, lfunc_t *kernel, value_t *group,
                          const char *what) {
    if (!kernel) return;
    know_places(s, band->keep); /* before the branch */
    run_when(s, (when_t){only_prefills(s->L) ? ANY_CALL : PREFILL, 0});
    launch_part(s, kernel, band->keep, group, launch_label(s, band->a->name, what));
    run_always(s);
}

static void schedule_hash(sched_t *s, const band_t *band, value_t *group) {
    lower_t *L = s->L;
    const attention_t *a = band->a;
    if (!a->impose) {
        launch_part(s, a->hash, band->hash, group, launch_label(s, a->name, "hash"));
    } else {
        dim_t n = dim(L->n_hashes);
        buffer_t *given = module_find_buffer(L->m, "buckets_given");
        if (!given)
            given = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_GIVEN, "buckets_given", E_I32, 1, &n);
        know_places(s, band->hash); /* before the branch */
        affine_t ix = ax_v(place_of_member(s, band->hash, a->hash_number));
        inst_t *branch = b_if(s->b, load1(s->b, given, 1, &ix), 0, NULL);
        launch_part(s, a->impose, band->hash, group, launch_label(s, a->name, "impose"));
        b_else(s->b, branch, NULL);
        launch_part(s, a->hash, band->hash, group, launch_label(s, a->name, "hash"));
        b_end_if(s->b, branch, NULL);
    }
}

/* Whether kernels of attention are told where they run. */
static bool is_told(const sched_t *s, const region_t *region) {
    return part_of(s, region)->stacked || drops_probabilities(s->L, part_of(s, region)->own);
}

/* A kernel of attention that drops nothing; group NULL: the one that there is. */
static void launch_plain(sched_t *s, lfunc_t *kernel, const region_t *region, value_t *group,
                         const char *label) {
    if (!part_of(s, region)->stacked) {
        launch(s->b, kernel, NULL, label, s->layer);
        return;
    }
    if (!group) group = b_iconst(s->b, SCALAR(E_I64), 0);
    launch_part(s, kernel, region, group, label);
}

/* A kernel of attention, which is told where it runs if it drops anything, or reads
 * or writes what is kept. */
static void launch_mixer(sched_t *s, lfunc_t *kernel, const region_t *region, value_t *group,
                         value_t *const *more, int n_more, const char *label) {
    value_t *args[MAX_INDICES + 4];
    int n = 0;
    if (is_told(s, region)) {
        for (; n < part_of(s, region)->n_vectors; n++) args[n] = place_of_member(s, region, n);
        args[n++] = group;
    }
    for (int i = 0; i < n_more; i++) args[n++] = more[i];
    launch(s->b, kernel, n ? args : NULL, label, s->layer);
}

/* Packs buckets behind their hash, or has them from where they were packed. */
static void schedule_kept(sched_t *s, const band_t *band, value_t *group) {
    const attention_t *a = band->a;
    const gnode_t *hash = attention_input(band->mix->nodes.at[0], 2)->in[0];
    const nodes_t *readers = &s->L->regions->readers[hash->id];
    for (int i = 0; !a->unpacks && i < readers->n; i++)
        if (readers->at[i]->op == G_PACK_BUCKETS) {
            hash = readers->at[i];
            break;
        }
    launch_part(s, a->keep_buckets, s->L->regions->of_node[hash->id], group,
                launch_label(s, a->name, a->unpacks ? "unpack" : "pack"));
}

/* All offsets of a chunk's keys, round after round: each adds to what those before it have left. */
static void schedule_gradient(sched_t *s, const region_t *region) {
    const attention_t *a = part_of(s, region)->own;
    builder_t *b = s->b;
    know_places(s, region); /* before the loops */
    launch_plain(s, a->gradient_begin, region, NULL, launch_label(s, a->name, "gradient"));
    inst_t *rounds = b_for(b, "round", dim(0), dim(a->rounds), 0, NULL);
    inst_t *offsets = b_for(b, "offset", dim(0), gradient_offsets(s->L, a), 0, NULL);
    value_t *args[] = {loop_var(rounds), loop_var(offsets)}, *group = b_iconst(b, SCALAR(E_I64), 0);
    const char *label = launch_label(s, a->name, "gradient");
    launch_mixer(s, a->gradient_chunks, region, group, args, 2, label);
    if (a->gradient_edges) launch_mixer(s, a->gradient_edges, region, group, args, 2, label);
    b_end_for(b, offsets, NULL);
    b_end_for(b, rounds, NULL);
    if (a->gradient_end)
        launch_plain(s, a->gradient_end, region, NULL, launch_label(s, a->name, "gradient"));
}

static void schedule_sorted(sched_t *s, const band_t *band, value_t *group) {
    lower_t *L = s->L;
    const attention_t *a = band->a;
    if (!a->unpacks) schedule_hash(s, band, group);
    if (a->packed) schedule_kept(s, band, group);
    launch(s->b, a->sort, L->o->trace ? &group : NULL, launch_label(s, a->name, "sort"), s->layer);
}

static void schedule_mixer(sched_t *s, const band_t *band, value_t *group) {
    builder_t *b = s->b;
    const attention_t *a = band->a;
    if (!group) { /* of few rows: it knows its place in the cache */
        if (a->find_lost_offset)
            launch_part(s, a->find_lost_offset, band->mix, NULL,
                        launch_label(s, a->name, "offset_lost"));
        launch_part(s, a->attend, band->mix, NULL, launch_label(s, a->name, "attention"));
        return;
    }
    schedule_keep(s, band, a->store_kv, group, "store_kv");
    if (a->clear) launch_plain(s, a->clear, band->mix, group, launch_label(s, a->name, "clear"));
    if (a->norms) launch_plain(s, a->norms, band->mix, group, launch_label(s, a->name, "norms"));
    if (!a->lsh || a->exact) {
        launch_mixer(s, a->attend, band->mix, group, NULL, 0,
                     launch_label(s, a->name, "attention"));
        return;
    }
    schedule_sorted(s, band, group);
    schedule_keep(s, band, a->append_to_buckets, group, "append_to_buckets");
    if (is_told(s, band->mix)) know_places(s, band->mix); /* before the loop */
    inst_t *rounds = b_for(b, "round", dim(0), dim(a->rounds), 0, NULL);
    value_t *round = loop_var(rounds);
    launch_mixer(s, a->attend, band->mix, group, &round, 1, launch_label(s, a->name, "attention"));
    b_end_for(b, rounds, NULL);
    if (a->keep_sums)
        launch_plain(s, a->keep_sums, band->mix, group, launch_label(s, a->name, "sums"));
}

/* ---- regions --------------------------------------------------------------------------------- */

static void schedule_project(sched_t *s, const band_t *band, value_t *group) {
    launch_stages(s, band->project, group, launch_label(s, band->a->name, "project"));
}

static void schedule_combine(sched_t *s, const band_t *band, value_t *group) {
    launch_stages(s, band->combine, group, launch_label(s, band->a->name, "output"));
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

/* The operands' region, the mixer and the result's region, group after group of heads. Of several
 * groups the first computes operands alone, and a sum is seen when the last has added to it; else
 * each region is seen around itself. */
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
        trace_before(s->L, s->trace, s->b, region);
        launch_stages(s, region, group, launch_label(s, p->into->name, "project"));
        trace_after(s->L, s->trace, s->b, region, s->layer);
    } else if (p->own && graph_is_attention_gradient(region->nodes.at[0])) {
        band_t band = band_of(s, region);
        if (p->own->stands && p->own->lsh && !p->own->exact) schedule_sorted(s, &band, group);
        schedule_gradient(s, region);
    } else if (p->own) {
        band_t band = band_of(s, region);
        schedule_mixer(s, &band, group);
    } else {
        trace_before(s->L, s->trace, s->b, region);
        launch_stages(s, region, group, launch_label(s, p->from->name, "output"));
        for (int i = 0; i < region->reads.n; i++) {
            const gnode_t *mix = region->reads.at[i];
            if (graph_kind(mix) == K_MIX && mix->op == p->from->node->op)
                trace_attention(s->L, s->trace, s->b, s->L->regions->of_node[mix->id], s->layer);
        }
        trace_after(s->L, s->trace, s->b, region, s->layer);
    }
}

static void schedule_rows(sched_t *s, const region_t *region) {
    const part_t *p = part_of(s, region);
    trace_before(s->L, s->trace, s->b, region);
    const char *name = p->stages.name ? p->stages.name : p->kernel->name;
    launch_stages(s, region, NULL, launch_label(s, name, ""));
    trace_after(s->L, s->trace, s->b, region, s->layer);
}

const region_t *schedule_region(sched_t *s, const region_t *region) {
    const part_t *p = part_of(s, region);
    const attention_t *a = p->into ? p->into : p->from ? p->from : p->own;
    if (region->kind == K_SUM) {
        schedule_rows(s, region);
        return region;
    }
    if (p->into && a->together) {
        band_t band = band_of(s, mixer_behind(s, region));
        return schedule_band(s, &band);
    }
    gop_t op = region->nodes.at[0]->op;
    bool by_itself = op == G_SEED || op == G_QA_LOSS_GRAD;
    if (a) schedule_piece(s, region);
    else if (region->kind == K_ROW || region->kind == K_PICK || by_itself) schedule_rows(s, region);
    return region;
}
