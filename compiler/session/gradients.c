/* The questions and the file of gradients.h. */
#include "session/gradients.h"

#include "support/heap.h"

bool gradients_labelled(const facts_t *f, const inputs_t *in) {
    if (f->head == ARCH_QA) return in->start_positions && in->end_positions;
    return in->labels || in->labels_f32;
}

bool gradients_possible(const session_t *s) {
    if (s->model.facts.head != ARCH_BASE) return true;
    diag_error(s->d, IN_FILE(s->spec->path),
               "a %s has no loss, and so no gradients: that takes a head", arch_hf_name(ARCH_BASE));
    diag_hint(s->d, "--set architectures=[ReformerModelWithLMHead], or weights that have one");
    return false;
}

bool gradients_there(const session_t *s, const inputs_t *in) {
    const facts_t *f = &s->model.facts;
    if (!gradients_possible(s)) return false;
    if (gradients_labelled(f, in)) return true;
    diag_error(s->d, IN_FILE(in->path), "%s: missing; gradients are those of a loss",
               f->head == ARCH_QA ? "start_positions and end_positions" : "labels");
    return false;
}

const char *gradients_loss(const facts_t *f, const inputs_t *in) {
    bool open = f->head == ARCH_CLASSIFIER && f->problem == PROBLEM_UNSET && f->labels > 1;
    return open && in->labels_f32 ? "loss_f32" : "loss";
}

void gradients_seed(const options_t *o, reformer_io_t *io) {
    io->dropout_seed = o->seed;
    io->dropout_step = 0;
    io->dropout_row = 0;
}

static void add_stack(const plan_t *p, const layout_entry_t *e, const float *gradients,
                      st_writer_t *w) {
    int64_t shape[8], elements = e->bytes / (int64_t)sizeof *gradients / e->count;
    int rank = weights_hf_shape(p->layout, e, e->source[0], shape);
    const float *from = gradients + e->offset / (int64_t)sizeof *gradients;
    for (int i = 0; i < e->count; i++) {
        const char *name = weights_hf_name(p->arena, p->layout, e->source[i]);
        st_writer_add(w, name, ST_F32, rank, shape, from + i * elements);
    }
}

bool gradients_put(const plan_t *p, const float *gradients, output_set_t *set, const char *path,
                   diag_t *d) {
    st_writer_t *w = st_writer_new();
    for (int i = 0; i < p->gradients->n; i++) add_stack(p, &p->gradients->entries[i], gradients, w);
    bool ok = st_writer_put(w, set, path, d);
    st_writer_free(w);
    return ok;
}
