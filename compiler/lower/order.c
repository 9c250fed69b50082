/* The order in which regions run: those of the forward by what is ready, attention by attention and
 * layer by layer; those of the backward pass from its end, as late as may be. See regions.h. */
#include <stdlib.h>

#include "lower/regions.h"

static int by_first_result(const void *a, const void *b) {
    int x = (*(region_t *const *)a)->results.at[0]->id,
        y = (*(region_t *const *)b)->results.at[0]->id;
    return (x > y) - (x < y);
}

/* Regions in the graph's order, until they have one of their own; `order` is their place here. */
typedef struct {
    region_t **all;
    int n, begun; /* all before `begun` are done */
    bool *done;
    int *waits; /* for so many reads */
    int *left;  /* by layer + 1: regions that are not done */
    int **next; /* by region: who reads of it, once for each read; ended by -1 */
} queue_t;

static int maker_of(const regions_t *r, const gnode_t *n) {
    return r->of_node[n->id]->order;
}

static void find_next(const regions_t *r, arena_t *a, queue_t *q) {
    int *readers = ARENA_ARRAY(a, int, q->n);
    for (int i = 0; i < q->n; i++)
        for (int k = 0; k < q->all[i]->reads.n; k++) readers[maker_of(r, q->all[i]->reads.at[k])]++;
    for (int i = 0; i < q->n; i++) {
        q->next[i] = ARENA_ARRAY(a, int, readers[i] + 1);
        q->next[i][readers[i]] = -1;
    }
    for (int i = q->n; i-- > 0;) {
        q->waits[i] = q->all[i]->reads.n;
        for (int k = 0; k < q->all[i]->reads.n; k++) {
            int maker = maker_of(r, q->all[i]->reads.at[k]);
            q->next[maker][--readers[maker]] = i;
        }
    }
}

static bool is_ready(const queue_t *q, int i) {
    return !q->done[i] && q->waits[i] == 0;
}

/* What goes on with the attention of region `last`: its mixers, or what takes the result. */
static int in_band(const queue_t *q, int last) {
    int best = -1;
    for (const int *i = q->next[last]; *i >= 0; i++) {
        bool band = q->all[*i]->kind == K_MIX || q->all[last]->kind == K_MIX;
        if (band && is_ready(q, *i) && (best < 0 || *i < best)) best = *i;
    }
    return best;
}

/* The first one that is ready of this layer; -1: none. */
static int of_layer(const queue_t *q, int layer) {
    for (int i = q->begun; i < q->n && q->left[layer + 1] > 0; i++)
        if (is_ready(q, i) && q->all[i]->layer == layer) return i;
    return -1;
}

/* The first one that is ready, of the lowest layer; what has none comes last. */
static int of_any_layer(const queue_t *q) {
    int best = -1;
    for (int i = q->begun; i < q->n; i++)
        if (is_ready(q, i) &&
            (best < 0 || (unsigned)q->all[i]->layer < (unsigned)q->all[best]->layer))
            best = i;
    return best;
}
/* Attention runs in one go where it can, and a layer too; else the graph's order serves. */
static int next_region(const queue_t *q, int last) {
    int i = last < 0 ? -1 : in_band(q, last);
    if (i < 0 && last >= 0) i = of_layer(q, q->all[last]->layer);
    return i < 0 ? of_any_layer(q) : i;
}

static void finish_region(queue_t *q, int i) {
    q->done[i] = true;
    q->left[q->all[i]->layer + 1]--;
    for (const int *reader = q->next[i]; *reader >= 0; reader++) q->waits[*reader]--;
    while (q->begun < q->n && q->done[q->begun]) q->begun++;
}

/* Of the first n regions, which read of no others. */
static queue_t queue_of(const regions_t *r, arena_t *a, int n) {
    int layers = 0;
    for (int i = 0; i < n; i++)
        if (r->regions[i]->layer >= layers) layers = r->regions[i]->layer + 1;
    queue_t q = {.all = r->regions,
                 .n = n,
                 .done = ARENA_ARRAY(a, bool, n),
                 .waits = ARENA_ARRAY(a, int, n),
                 .left = ARENA_ARRAY(a, int, layers + 1),
                 .next = ARENA_ARRAY(a, int *, n)};
    find_next(r, a, &q);
    for (int i = 0; i < n; i++) q.left[q.all[i]->layer + 1]++;
    return q;
}

/* Fills sorted; false: some wait for each other. */
static bool sort_regions(queue_t *q, region_t **sorted) {
    for (int k = 0, last = -1; k < q->n; k++) {
        last = next_region(q, last);
        if (last < 0) return false;
        sorted[k] = q->all[last];
        finish_region(q, last);
    }
    return true;
}

/* ---- the backward pass ----------------------------------------------------------------------- */

static const gnode_t *last_node(const region_t *region) {
    return region->nodes.at[region->nodes.n - 1];
}

static int by_last_node(const void *a, const void *b) {
    int x = last_node(*(region_t *const *)a)->id, y = last_node(*(region_t *const *)b)->id;
    return (x > y) - (x < y);
}

/* What has to run behind all that is placed, from the end of the pass. */
typedef struct {
    region_t **all; /* by last node */
    int first, end; /* those that may be left */
    bool *done;     /* by their order */
    bool *leads;    /* it has no layer, and is what a layer begins with: a head's gradients */
    int *unread;
} late_t;

/* An attention's gradient, or what goes on with it. Who reads its result comes before: gradients
 * then stand where that did. */
static bool is_behind_attention(const region_t *region) {
    for (int i = 0; i < region->reads.n; i++)
        if (graph_is_attention_gradient(region->reads.at[i])) return true;
    return graph_is_attention_gradient(region->nodes.at[0]);
}

/* Whether a, of two that may be last, is to be that rather than b, which stands
 * behind it in the graph. */
static bool is_later(const region_t *a, const region_t *b, int layer) {
    bool own_a = a->layer >= 0 && a->layer == layer, own_b = b->layer >= 0 && b->layer == layer;
    if (own_a != own_b) return own_a;
    if (a->layer != b->layer) return (unsigned)a->layer < (unsigned)b->layer;
    return is_behind_attention(a) && !is_behind_attention(b);
}

/* Of those that may be last the graph's last: of the layer that runs behind them; else what has no
 * layer, as tables; else of the lowest layer; else what leads to layers: they may make something
 * again before that is known. -1: none may be. */
static int latest_region(const late_t *q, int layer) {
    int of_layer = -1, outside = -1, leading = -1;
    for (int i = q->end - 1; i >= q->first; i--) {
        const region_t *region = q->all[i];
        if (q->done[region->order] || q->unread[region->order] > 0) continue;
        int *last = region->layer >= 0 ? &of_layer : q->leads[region->order] ? &leading : &outside;
        bool later = last == &of_layer && is_later(region, q->all[*last < 0 ? i : *last], layer);
        if (*last < 0 || later) *last = i;
    }
    bool begun = of_layer >= 0 && layer >= 0 && q->all[of_layer]->layer == layer;
    if (outside >= 0 && !begun) return outside;
    return of_layer >= 0 ? of_layer : leading;
}

/* By region: what has no layer, and layers depend on. Regions need not stand in the order in
 * which they read each other. */
static void find_leads(const regions_t *r, int first, bool *leads) {
    for (bool more = true; more;) {
        more = false;
        for (int i = r->n_regions; i-- > first;)
            for (int k = 0; k < r->regions[i]->reads.n; k++) {
                int maker = maker_of(r, r->regions[i]->reads.at[k]);
                bool of_layers = r->regions[i]->layer >= 0 || leads[i];
                if (!of_layers || leads[maker] || r->regions[maker]->layer >= 0) continue;
                leads[maker] = more = true;
            }
    }
}

/* The regions from `first` on, each as late as its readers allow, a layer in one go: what is made
 * again stands before who needs it. */
static bool sort_backward(const regions_t *r, arena_t *a, int first, region_t **sorted) {
    int n = r->n_regions, layer = -1;
    late_t q = {.all = ARENA_ARRAY(a, region_t *, n + 1),
                .first = first,
                .end = n,
                .done = ARENA_ARRAY(a, bool, n + 1),
                .leads = ARENA_ARRAY(a, bool, n + 1),
                .unread = ARENA_ARRAY(a, int, n + 1)};
    find_leads(r, first, q.leads);
    for (int i = first; i < n; i++) {
        q.all[i] = r->regions[i];
        for (int k = 0; k < q.all[i]->reads.n; k++) q.unread[maker_of(r, q.all[i]->reads.at[k])]++;
    }
    qsort(q.all + first, (size_t)(n - first), sizeof *q.all, by_last_node);
    for (int place = n; place-- > first;) {
        while (q.end > first && q.done[q.all[q.end - 1]->order]) q.end--;
        int i = latest_region(&q, layer);
        if (i < 0) return false;
        sorted[place] = q.all[i];
        layer = q.all[i]->layer;
        q.done[q.all[i]->order] = true;
        for (int k = 0; k < q.all[i]->reads.n; k++) q.unread[maker_of(r, q.all[i]->reads.at[k])]--;
    }
    return true;
}

/* ---- circles --------------------------------------------------------------------------------- */

static void finish_all(queue_t *q) {
    for (bool more = true; more;) {
        more = false;
        for (int i = q->begun; i < q->n; i++)
            if (is_ready(q, i)) finish_region(q, i), more = true;
    }
}

/* Of those that are left, those that others of them wait for. */
static void find_circles(const queue_t *q, bool *waits) {
    for (int i = 0; i < q->n; i++) waits[i] = !q->done[i];
    for (bool found = true; found;) {
        found = false;
        for (int i = 0; i < q->n; i++) {
            bool last = waits[i];
            for (const int *k = q->next[i]; last && *k >= 0; k++) last = !waits[*k];
            if (last) waits[i] = false, found = true;
        }
    }
}

/* What is read of a higher layer stands in that; false: all of it does. */
static bool raise_makers(const regions_t *r, int first) {
    bool any = false;
    for (int i = r->n_regions; i-- > first;) /* who reads it stands behind it, but for a few */
        for (int k = 0; k < r->regions[i]->reads.n; k++) {
            region_t *maker = r->of_node[r->regions[i]->reads.at[k]->id];
            bool below = maker->order >= first && maker->layer >= 0;
            if (!below || maker->layer >= r->regions[i]->layer) continue;
            maker->layer = r->regions[i]->layer;
            any = true;
        }
    return any;
}

/* Layers go downwards. A sum of sums stands in the lowest layer that it reads of; what a layer
 * makes again of one below it belongs to its own backward pass. */
static void settle_layers(const regions_t *r, int first) {
    for (int i = first; i < r->n_regions; i++) {
        region_t *sum = r->regions[i];
        for (int k = 0; sum->nodes.at[0]->op == G_TOTAL && k < sum->reads.n; k++) {
            int layer = r->of_node[sum->reads.at[k]->id]->layer;
            if (layer < sum->layer) sum->layer = layer; /* none: behind all layers */
        }
    }
    while (raise_makers(r, first)) continue;
}

bool regions_order(regions_t *r, arena_t *a, bool *waits) {
    int n = r->n_regions, forward = 0;
    qsort(r->regions, (size_t)n, sizeof *r->regions, by_first_result);
    for (int i = 0; i < n; i++) {
        r->regions[i]->order = i;
        if (r->regions[i]->results.at[0]->id < r->backward) forward = i + 1;
    }
    settle_layers(r, forward);
    region_t **sorted = ARENA_ARRAY(a, region_t *, n);
    queue_t q = queue_of(r, a, forward);
    if (!sort_regions(&q, sorted) || !sort_backward(r, a, forward, sorted)) {
        queue_t all = queue_of(r, a, n);
        finish_all(&all);
        find_circles(&all, waits);
        return false;
    }
    for (int i = 0; i < n; i++) sorted[i]->order = i;
    r->regions = sorted;
    return true;
}
