/* The descriptor, which tells the runtime what the model is. */
#include <string.h>

#include "emit/c_int.h"

static const char *cpu_name(int target) {
    static const char *const names[] = {
        [REFORMER_CPU_X86_64] = "REFORMER_CPU_X86_64",
        [REFORMER_CPU_X86_64_V3] = "REFORMER_CPU_X86_64_V3",
        [REFORMER_CPU_X86_64_V4] = "REFORMER_CPU_X86_64_V4",
        [REFORMER_CPU_AARCH64] = "REFORMER_CPU_AARCH64",
        [REFORMER_CPU_X86_64_V3_VNNI] = "REFORMER_CPU_X86_64_V3_VNNI",
        [REFORMER_CPU_X86_64_V4_VNNI] = "REFORMER_CPU_X86_64_V4_VNNI",
        [REFORMER_CPU_X86_64_V4_BF16] = "REFORMER_CPU_X86_64_V4_BF16",
        [REFORMER_CPU_AARCH64_BF16] = "REFORMER_CPU_AARCH64_BF16",
        [REFORMER_CPU_WASM32] = "REFORMER_CPU_WASM32"};
    return names[target];
}

static void put_number(sbuf_t *out, int depth, const char *field, int64_t x) {
    if (x) put_line(out, depth, ".%s = %lld,", field, (long long)x);
}

static void put_size(sbuf_t *out, int depth, const char *field, size_t x) {
    if (x) put_line(out, depth, ".%s = %zu,", field, x);
}

static void put_variant(const reformer_variant_t *v, const char *run, sbuf_t *out) {
    put_line(out, 1, "{");
    put_line(out, 2, ".target = %s,", cpu_name(v->target));
    put_number(out, 2, "max_length", v->max_length);
    put_number(out, 2, "unit", v->unit);
    put_number(out, 2, "padded", v->padded);
    put_number(out, 2, "rows", v->rows);
    put_number(out, 2, "unpadded", v->unpadded);
    put_number(out, 2, "absent", v->absent);
    put_number(out, 2, "hashes", v->hashes);
    put_size(out, 2, "workspace_bytes", v->workspace_bytes);
    put_size(out, 2, "workspace_per_unit", v->workspace_per_unit);
    put_size(out, 2, "scratch_bytes", v->scratch_bytes);
    put_size(out, 2, "scratch_per_unit", v->scratch_per_unit);
    put_line(out, 2, ".run = %s,", run);
    put_line(out, 1, "},");
}

static const char *const head_names[] = {
    [REFORMER_HEAD_NONE] = "REFORMER_HEAD_NONE",
    [REFORMER_HEAD_CAUSAL_LM] = "REFORMER_HEAD_CAUSAL_LM",
    [REFORMER_HEAD_MASKED_LM] = "REFORMER_HEAD_MASKED_LM",
    [REFORMER_HEAD_CLASSIFIER] = "REFORMER_HEAD_CLASSIFIER",
    [REFORMER_HEAD_QA] = "REFORMER_HEAD_QA",
};
static const char *const loss_names[] = {
    [REFORMER_LOSS_NONE] = "REFORMER_LOSS_NONE",
    [REFORMER_LOSS_CROSS_ENTROPY] = "REFORMER_LOSS_CROSS_ENTROPY",
    [REFORMER_LOSS_QA] = "REFORMER_LOSS_QA",
    [REFORMER_LOSS_MSE] = "REFORMER_LOSS_MSE",
    [REFORMER_LOSS_BCE] = "REFORMER_LOSS_BCE",
};

/* Bytes of the parts of a cache; the array's name. */
static const char *put_parts(emitter_t *c, const char *name, const size_t *bytes, int n,
                             sbuf_t *out) {
    if (n == 0) return NULL;
    name = own_name(c, name);
    put_line(out, 0, "static const size_t %s[] = {", name);
    for (int i = 0; i < n; i++) put_line(out, 1, "%zu,", bytes[i]);
    put_line(out, 0, "};");
    return name;
}

/* Where gradients stand: a line per stack, and the layers of each; the array's name. */
static const char *put_stacks(emitter_t *c, const reformer_desc_t *d, sbuf_t *out) {
    const char **layers = ARENA_ARRAY(c->arena, const char *, d->n_stacks);
    for (int i = 0; i < d->n_stacks; i++) {
        const reformer_stack_t *s = &d->stacks[i];
        if (!s->layers) continue;
        sbuf_t list = {0};
        for (int k = 0; k < s->count; k++) sbuf_printf(&list, "%s%d", k ? ", " : "", s->layers[k]);
        for (int k = 0; k < i && !layers[i]; k++) {
            const reformer_stack_t *o = &d->stacks[k];
            size_t bytes = sizeof *s->layers * (size_t)s->count;
            if (o->layers && o->count == s->count && memcmp(o->layers, s->layers, bytes) == 0)
                layers[i] = layers[k];
        }
        if (!layers[i]) {
            layers[i] = own_name(c, "layers");
            put_line(out, 0, "static const int32_t %s[] = {%s};", layers[i], list.data);
        }
        sbuf_free(&list);
    }
    const char *name = own_name(c, "stacks");
    put_line(out, 0, "static const reformer_stack_t %s[] = {", name);
    for (int i = 0; i < d->n_stacks; i++) {
        const reformer_stack_t *s = &d->stacks[i];
        const char *shape = "";
        for (int k = 0; k < s->rank; k++)
            shape =
                arena_printf(c->arena, "%s%s%lld", shape, k ? ", " : "", (long long)s->shape[k]);
        put_line(out, 1, "{%s, %d, {%s}, %d, %s, %zu},", c_string(c->arena, s->name), s->rank,
                 shape, s->count, layers[i] ? layers[i] : "0", s->offset);
    }
    put_line(out, 0, "};");
    return name;
}

static void put_train_fields(const reformer_desc_t *d, const char *trains, const char *stacks,
                             sbuf_t *out) {
    if (!d->trains) return;
    put_line(out, 1, ".trains = %s,", trains);
    put_line(out, 1, ".train_loss = %s,", loss_names[d->train_loss]);
    put_line(out, 1, ".stacks = %s,", stacks);
    put_number(out, 1, "n_stacks", d->n_stacks);
    put_size(out, 1, "gradients_bytes", d->gradients_bytes);
    put_number(out, 1, "train_positions", d->train_positions);
}

/* Names of the arrays and of the training. */
typedef struct {
    const char *updates, *training, *rotations;
} learning_t;

static void put_learning_fields(const reformer_desc_t *d, const learning_t *l, sbuf_t *out) {
    if (!d->updates) return;
    put_line(out, 1, ".updates = %s,", l->updates);
    put_line(out, 1, ".training = &%s,", l->training);
    put_line(out, 1, ".state_bytes = {%zu, %zu, %zu},", d->state_bytes[0], d->state_bytes[1],
             d->state_bytes[2]);
    if (l->rotations) put_line(out, 1, ".rotations = %s,", l->rotations);
    put_number(out, 1, "n_rotations", d->n_rotations);
}

static void put_decoder_fields(const reformer_desc_t *d, const char *variants, const char *prefills,
                               const char *steps, const char *const *parts, sbuf_t *out) {
    if (!d->steps) return;
    put_line(out, 1, ".prefills = %s,", d->prefills == d->variants ? variants : prefills);
    put_line(out, 1, ".steps = %s,", steps);
    put_number(out, 1, "positions", d->positions);
    if (d->n_cache_parts) put_line(out, 1, ".cache_parts = %s,", parts[0]);
    if (d->n_record_parts) put_line(out, 1, ".record_parts = %s,", parts[1]);
    put_number(out, 1, "n_cache_parts", d->n_cache_parts);
    put_number(out, 1, "n_record_parts", d->n_record_parts);
}

/* The LSH layers, where they differ; the array's name. */
static const char *put_lsh_layers(emitter_t *c, const reformer_desc_t *d, sbuf_t *out) {
    if (!d->lsh) return NULL;
    const char *name = own_name(c, "lsh_layers");
    put_line(out, 0, "static const reformer_lsh_t %s[] = { /* chunk, heads, rounds, buckets + 1 */",
             name);
    for (int64_t i = 0; i < d->lsh_layers; i++) {
        const reformer_lsh_t *l = &d->lsh[i];
        put_line(out, 1, "{%lld, %lld, %lld, %lld},", (long long)l->chunk, (long long)l->heads,
                 (long long)l->rounds, (long long)l->max_bucket);
    }
    put_line(out, 0, "};");
    return name;
}

static void put_desc_fields(emitter_t *c, const reformer_desc_t *d, const char *variants,
                            const char *lsh, sbuf_t *out) {
    put_line(out, 1, ".size = sizeof(reformer_desc_t),");
    put_line(out, 1, ".abi = REFORMER_ABI,");
    put_line(out, 1, ".sizes = REFORMER_SIZES,");
    put_line(out, 1, ".version = %s,", c_string(c->arena, d->version));
    put_line(out, 1, ".name = %s,", c_string(c->arena, d->name));
    put_line(out, 1, ".fingerprint = UINT64_C(0x%016llx),", (unsigned long long)d->fingerprint);
    put_line(out, 1, ".weights_bytes = UINT64_C(%llu),", (unsigned long long)d->weights_bytes);
    put_line(out, 1, ".head = %s,", head_names[d->head]);
    put_number(out, 1, "batch", d->batch);
    put_number(out, 1, "hidden", d->hidden);
    put_number(out, 1, "vocab", d->vocab);
    put_number(out, 1, "labels", d->labels);
    put_number(out, 1, "pad_token", d->pad_token);
    put_number(out, 1, "max_length", d->max_length);
    put_number(out, 1, "lsh_layers", d->lsh_layers);
    put_number(out, 1, "heads", d->heads);
    put_number(out, 1, "rounds", d->rounds);
    put_number(out, 1, "max_bucket", d->max_bucket);
    put_number(out, 1, "imposes_buckets", d->imposes_buckets);
    put_line(out, 1, ".float_loss = %s,", loss_names[d->float_loss]);
    put_number(out, 1, "label_is_float", d->label_is_float);
    put_line(out, 1, ".n_variants = (int)(sizeof %s / sizeof %s[0]),", variants, variants);
    put_line(out, 1, ".variants = %s,", variants);
    if (lsh) put_line(out, 1, ".lsh = %s,", lsh);
}

/* An array of the parts of one kind; its name. */
static const char *put_variants(emitter_t *c, part_kind_t kind, const char *name,
                                const reformer_variant_t *v, const char *const *run, sbuf_t *out) {
    name = own_name(c, name);
    put_line(out, 0, "static const reformer_variant_t %s[] = {", name);
    for (int k = 0; k < plan_parts(c->plan); k++)
        if (plan_part(c->plan, k) == kind) put_variant(&v[k], run[k], out);
    put_line(out, 0, "};");
    return name;
}

const char *put_descriptor(emitter_t *c, const reformer_desc_t *d, const reformer_variant_t *v,
                           const char *const *run, sbuf_t *out) {
    put_comment(out, 0, "---- description %.*s", 59,
                "-------------------------------------------------------------------------");
    const char *variants = put_variants(c, PART_FORWARD, "variants", v, run, out);
    const char *prefills = NULL, *steps = NULL;
    if (d->prefills && d->prefills != d->variants)
        prefills = put_variants(c, PART_PREFILL, "prefills", v, run, out);
    const char *parts[] = {NULL, NULL};
    if (d->steps) {
        steps = put_variants(c, PART_STEP, "steps", v, run, out);
        parts[0] = put_parts(c, "cache_parts", d->cache_parts, d->n_cache_parts, out);
        parts[1] = put_parts(c, "record_parts", d->record_parts, d->n_record_parts, out);
    }
    const char *trains = variants, *stacks = NULL;
    if (d->trains && d->trains != d->variants)
        trains = put_variants(c, PART_TRAIN, "trains", v, run, out);
    if (d->trains) stacks = put_stacks(c, d, out);
    learning_t learning = {0};
    if (d->updates) {
        learning.updates = put_variants(c, PART_UPDATE, "updates", v, run, out);
        learning.training = put_training(c, d->training, out);
        learning.rotations = put_drawn_rotations(c, d, out);
    }
    const char *lsh = put_lsh_layers(c, d, out), *desc = own_name(c, "description");
    put_line(out, 0, "static const reformer_desc_t %s = {", desc);
    put_desc_fields(c, d, variants, lsh, out);
    put_decoder_fields(d, variants, prefills, steps, parts, out);
    put_train_fields(d, trains, stacks, out);
    put_learning_fields(d, &learning, out);
    put_line(out, 0, "};\n");
    return desc;
}
