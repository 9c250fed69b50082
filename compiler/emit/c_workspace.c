/* MODEL_WORKSPACE_BYTES: what NAME_workspace_bytes returns, as an expression that is constant
 * where its arguments are.
 *
 * In: the description. Out: a macro of model.h. Sizes are those of runtime/forward.c, rounded up
 * part by part, so that they are linear in the number of units and of threads: never less than what
 * a call needs, and the same where parts are multiples of 64 bytes and there is one target. */
#include <string.h>

#include "emit/c_int.h"

/* fixed + per_unit * units + threads * (scratch + scratch_per_unit * units) */
typedef struct {
    int64_t max_length, unit; /* unit 0: units is 0 */
    uint64_t fixed, per_unit, scratch, scratch_per_unit;
} room_t;

static uint64_t aligned(uint64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static void raise_to(uint64_t *max, uint64_t x) {
    if (*max < x) *max = x;
}

/* Ids, keys, output rows and targets; control words, labels, given buckets. */
static room_t room_of(const reformer_desc_t *d, const reformer_variant_t *v) {
    enum { PER_ROW = 4, BYTES = 4 };
    uint64_t rows = (uint64_t)d->batch * (uint64_t)(v->unit ? v->unit : v->rows);
    uint64_t slots = PER_ROW * aligned(BYTES * rows);
    uint64_t fixed = aligned(BYTES * REFORMER_CONTROLS) +
                     aligned(BYTES * (uint64_t)(d->batch * d->labels)) +
                     aligned(BYTES * (uint64_t)d->lsh_layers) + aligned(v->workspace_bytes);
    return (room_t){.max_length = v->max_length,
                    .unit = v->unit,
                    .fixed = fixed + (v->unit ? 0 : slots),
                    .per_unit = v->unit ? slots + aligned(v->workspace_per_unit) : 0,
                    .scratch = aligned(v->scratch_bytes),
                    .scratch_per_unit = v->unit ? aligned(v->scratch_per_unit) : 0};
}

static uint64_t max_units(const room_t *r) {
    return r->unit ? (uint64_t)((r->max_length + r->unit - 1) / r->unit) : 0;
}

/* What inputs up to the i-th variant's lengths need, on any target: that variant itself, and
 * shorter ones at their longest. */
static room_t room_up_to(const reformer_desc_t *d, int n, int i) {
    room_t all = room_of(d, &d->variants[i]);
    for (int k = 0; k < d->n_variants; k++) {
        if (k % n > i) continue;
        room_t r = room_of(d, &d->variants[k]);
        bool itself = k % n == i && r.unit == all.unit;
        uint64_t units = itself ? 0 : max_units(&r);
        raise_to(&all.fixed, r.fixed + units * r.per_unit);
        raise_to(&all.scratch, r.scratch + units * r.scratch_per_unit);
        if (!itself) continue;
        raise_to(&all.per_unit, r.per_unit);
        raise_to(&all.scratch_per_unit, r.scratch_per_unit);
    }
    return all;
}

static const char *units_text(arena_t *a, const room_t *r) {
    return arena_printf(a, "(((uint64_t)(length) + %lld) / %lld)", (long long)r->unit - 1,
                        (long long)r->unit);
}

static void put_sum(arena_t *a, const room_t *r, sbuf_t *out) {
    static const char threads[] = "((threads) > 1 ? (uint64_t)(threads) : 1)";
    if (r->unit)
        sbuf_printf(out,
                    "UINT64_C(%llu) + UINT64_C(%llu) * %s + \\\n"
                    "         (UINT64_C(%llu) + UINT64_C(%llu) * %s) * \\\n         %s",
                    (unsigned long long)r->fixed, (unsigned long long)r->per_unit, units_text(a, r),
                    (unsigned long long)r->scratch, (unsigned long long)r->scratch_per_unit,
                    units_text(a, r), threads);
    else
        sbuf_printf(out, "UINT64_C(%llu) + UINT64_C(%llu) * %s", (unsigned long long)r->fixed,
                    (unsigned long long)r->scratch, threads);
}

void put_workspace_macro(const emitter_t *c, const reformer_desc_t *d, sbuf_t *out) {
    int n = 1; /* variants of a target */
    while (n < d->n_variants && d->variants[n].target == d->variants[0].target) n++;
    const char *name = c->plan->name;
    put_comment(
        out, 0,
        "The same as a constant expression, where its arguments are constants; not less than what\n"
        "%s_workspace_bytes returns.",
        name);
    const char *macro =
        arena_printf(c->arena, "#define %s_WORKSPACE_BYTES(", upper_case(c->arena, name));
    bool fits = strlen(macro) + strlen("length, threads) \\") <= COLUMNS;
    sbuf_printf(out, "%s%slength, threads) \\\n    (", macro, fits ? "" : "\\\n    ");
    for (int i = 0; i < n; i++) {
        room_t r = room_up_to(d, n, i);
        if (i < n - 1) sbuf_printf(out, "(length) <= %lld ? \\\n     ", (long long)r.max_length);
        put_sum(c->arena, &r, out);
        if (i < n - 1) sbuf_puts(out, " : \\\n     ");
    }
    sbuf_puts(out, ")\n");
}
