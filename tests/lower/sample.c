/* The random models of sample.h. Sizes are drawn so that nothing divides nicely. */
#include "sample.h"

#include <string.h>

static const struct {
    arch_t arch;
    const char *name;
} archs[] = {{ARCH_BASE, "ReformerModel"},
             {ARCH_CAUSAL_LM, "ReformerModelWithLMHead"},
             {ARCH_MASKED_LM, "ReformerForMaskedLM"},
             {ARCH_CLASSIFIER, "ReformerForSequenceClassification"},
             {ARCH_QA, "ReformerForQuestionAnswering"}};

static void write_head(sbuf_t *s, sample_t *m) {
    uint32_t which = m->kind & SAMPLE_TRAINS ? 1 + draw(4) : draw(5);
    m->arch = archs[which].arch;
    m->labels = m->arch == ARCH_CLASSIFIER ? PICK(1, 2, 5) : 2;
    bool causal = m->causal = m->arch == ARCH_CAUSAL_LM || (m->arch != ARCH_MASKED_LM && draw(2));
    sbuf_printf(s, "architectures: [%s]\nis_decoder: %s\nnum_labels: %lld\n", archs[which].name,
                causal ? "true" : "false", (long long)m->labels);
    int64_t local = PICK(2, 3, 4, 5, 8, 12, 16), lsh = PICK(2, 3, 4, 5, 8, 12, 16);
    if (m->longer) local = lsh = 320;
    if (m->deep) local = lsh = 4;
    random_chunks(s, causal, local, lsh);
    int64_t unit = m->unit = min_common_multiple(local, lsh);
    m->length = m->longer ? 70 + draw(231) : 1 + draw(m->deep ? 24 : 96);
    m->hidden = m->deep ? 8 : m->large ? PICK(40, 67) : PICK(8, 19, 32, 40, 67);
    random_positions(s, m->hidden, (m->length + unit - 1) / unit * unit);
}

static void write_compile(sbuf_t *s, const sample_t *m) {
    bool trained = m->kind & SAMPLE_TRAINS && m->kind & SAMPLE_BF16;
    const char *dtype = m->kind & SAMPLE_EDITS || trained ? "float32" /* which round themselves */
                        : m->kind & SAMPLE_BF16           ? "bfloat16"
                        : m->kind & SAMPLE_INT8           ? "int8"
                                                          : "float32";
    if (trained && !(m->kind & SAMPLE_EDITS)) sbuf_puts(s, "train: {dtype: bfloat16}\n");
    uint32_t mode = m->kind & SAMPLE_EDITS ? 8 : draw(8); /* edits are for one length */
    sbuf_printf(s, "compile: {dtype: %s", dtype);
    if (mode == 0) sbuf_puts(s, ", sequence_length: dynamic");
    if (mode == 1) sbuf_printf(s, ", sequence_length: %lld", (long long)m->length);
    if (mode <= 1) sbuf_printf(s, ", batch_size: %lld", (long long)(m->batch + draw(2)));
    sbuf_puts(s, "}\n");
}

static void make_input(arena_t *a, sample_t *m) {
    size_t n = (size_t)(m->batch * m->length), rows = (size_t)m->batch;
    m->ids = ARENA_ARRAY(a, int32_t, n);
    m->targets = ARENA_ARRAY(a, int32_t, n);
    m->start = ARENA_ARRAY(a, int32_t, rows);
    m->end = ARENA_ARRAY(a, int32_t, rows);
    m->floats = ARENA_ARRAY(a, float, rows *(size_t)m->labels);
    m->mask = draw(3) ? NULL : ARENA_ARRAY(a, uint8_t, n);
    uint32_t classes = (uint32_t)(m->arch == ARCH_CLASSIFIER ? m->labels : m->vocab);
    for (size_t i = 0; i < n; i++) {
        m->ids[i] = (int32_t)draw((uint32_t)m->vocab);
        m->targets[i] = draw(5) ? (int32_t)draw(classes) : -100;
        if (m->mask) m->mask[i] = draw(4) != 0;
    }
    bool left = draw(2);
    for (size_t b = 0; m->mask && left && b < rows; b++) /* the first one may mask all */
        memset(m->mask + b * (size_t)m->length, 0, draw((uint32_t)m->length + (b == 0)));
    m->targets[0] = (int32_t)draw(classes);
    if (n > 1) m->targets[1] = (int32_t)draw(classes);
    for (size_t i = 0; i < rows; i++) {
        m->start[i] = (int32_t)draw((uint32_t)m->length);
        m->end[i] = (int32_t)draw((uint32_t)m->length + 3); /* some beyond: ignored */
    }
    m->end[0] = 0;
    for (size_t i = 0; i < rows * (size_t)m->labels; i++) m->floats[i] = (float)draw(100) / 50 - 1;
}

static void write_dropout(sbuf_t *s, const sample_t *m) {
    static const char *const keys[] = {"hidden_dropout_prob", "lsh_attention_probs_dropout_prob",
                                       "local_attention_probs_dropout_prob", "classifier_dropout"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        sbuf_printf(s, "%s: 0.%02lld\n", keys[i],
                    (long long)(m->drops && draw(4) ? PICK(5, 10, 30, 50) : 0));
}

sample_t sample_make(arena_t *a, unsigned kind_of) {
    bool edits = kind_of & SAMPLE_EDITS;
    sample_t m = {.kind = kind_of, .batch = 1 + draw(3)};
    sbuf_t s = {0};
    uint32_t kind = draw(8);
    m.vocab = PICK(11, 64, 258);
    m.deep = edits && draw(24) == 0;
    m.longer = !m.deep && (edits ? kind == 0 : kind <= 1);
    m.large = !edits && kind >= 1 &&
              kind <= 3; /* edits try shapes: rows without a norm are large enough */
    m.hashes = edits ? random_forms(&s, m.deep, &m.forms) > 0
                     : random_layers(&s, kind <= 3 ? 1 : 1 + (int)draw(4)) > 0;
    write_head(&s, &m);
    random_buckets(&s);
    random_widths(&s);
    sbuf_printf(&s, "vocab_size: %lld\n", (long long)m.vocab);
    bool trains =
        m.kind & SAMPLE_TRAINS; /* sharp softmaxes have gradients that roundings turn round */
    random_norms(&s, !m.large ? "0.15" : m.hashes && !trains ? "1.5" : trains ? "0.4" : "0.6");
    if (!edits && !m.large) random_extensions(&s, m.causal, m.unit, true);
    write_compile(&s, &m);
    if (m.kind & SAMPLE_TRAINS) m.drops = draw(2);
    if (trains && !edits) write_dropout(&s, &m); /* graphs say their own */
    m.text = arena_strdup(a, s.data);
    sbuf_free(&s);
    make_input(a, &m);
    return m;
}

/* Vectors of weights are ones and zeros as Hugging Face draws them: no kernel would be caught with another layer's.
 * They are the store's own, in memory that may be written to. */
void sample_vary(const plan_t *p, const store_t *s) {
    const graph_t *g = p->variants[p->n_variants - 1].graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const tensor_t *t = g->nodes[i]->op == G_PARAM ? store_find(s, g->nodes[i]->name) : NULL;
        if (!t || t->rank != 1) continue;
        float *values = (float *)(uintptr_t)t->data;
        for (int64_t k = 0; k < t->elements; k++) values[k] += (float)draw(64) / 128 - 0.25F;
    }
}

inputs_t sample_inputs(const sample_t *m) {
    inputs_t in = {.path = "random",
                   .batch = m->batch,
                   .length = m->length,
                   .input_ids = m->ids,
                   .attention_mask = m->mask};
    bool floats = m->arch == ARCH_CLASSIFIER && (m->labels == 1 || m->start[0] % 2);
    if (m->arch == ARCH_QA) {
        in.start_positions = m->start;
        in.end_positions = m->end;
    } else if (m->arch != ARCH_BASE && floats) {
        in.labels_f32 = m->floats;
    } else if (m->arch != ARCH_BASE) {
        in.labels = m->targets;
    }
    return in;
}
