/* A state → a checkpoint (checkpoint.h). The files are written into a folder beside the place, and
 * synced one by one; when all are there, that folder takes the place. What stops before leaves the
 * checkpoint before as it was. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/checkpoint_int.h"
#include "support/file.h"
#include "weights/weights.h"

typedef struct {
    const checkpoint_t *state;
    const char *folder;
    output_set_t set;
    arena_t *arena;
    diag_t *d;
} writing_t;

static const char *path_of(const writing_t *w, const char *file) {
    return arena_printf(w->arena, "%s/%s", w->folder, file);
}

static bool put_arrays(writing_t *w, const char *file, bool state) {
    st_writer_t *st = st_writer_new();
    st_writer_for_torch(st);
    for (size_t i = 0; i < w->state->n_arrays; i++) {
        const checkpoint_array_t *a = &w->state->arrays[i];
        if (a->state == state) st_writer_borrow(st, a->name, ST_F32, a->rank, a->shape, a->data);
    }
    bool ok = st_writer_put(st, &w->set, path_of(w, file), w->d);
    st_writer_free(st);
    return ok;
}

static bool put_text(writing_t *w, const char *file, sbuf_t *text) {
    bool ok = output_set_write(&w->set, path_of(w, file), text->data, text->size, w->d);
    sbuf_free(text);
    return ok;
}

static bool put_pieces(writing_t *w) {
    content_t pieces;
    if (!w->state->pieces) return true;
    if (!file_load(w->state->pieces, &pieces, w->d)) return false;
    bool ok = output_set_write(&w->set, path_of(w, PIECES_FILE), pieces.data, pieces.bytes, w->d);
    file_unload(&pieces);
    return ok;
}

static bool put_all(writing_t *w) {
    const char *graph = w->state->graph;
    sbuf_t model = {0}, state = {0};
    if (graph) sbuf_puts(&model, graph);
    else spec_to_checkpoint_json(w->state->spec, PIECES_FILE, &model);
    state_print(w->state, arrays_hash(w->state->arrays, w->state->n_arrays), &state);
    bool ok = put_text(w, graph ? GRAPH_FILE : CONFIG_FILE, &model);
    ok = put_text(w, STATE_FILE, &state) && ok;
    ok = ok && put_pieces(w) && put_arrays(w, MODEL_FILE, false) &&
         put_arrays(w, OPTIMIZER_FILE, true);
    if (ok) return output_set_commit(&w->set);
    output_set_abort(&w->set);
    return false;
}

static void tell_what_is_left(checkpoints_t *c, const char *name, diag_t *d) {
    diag_t *quiet = diag_new();
    int64_t step = checkpoint_has(c, name) ? checkpoint_step(c, name, quiet) : -1;
    diag_free(quiet);
    if (step >= 0) diag_hint(d, "%s is as it was, of step %lld", inside(c, name), (long long)step);
}

bool checkpoint_write(checkpoints_t *c, const char *name, const checkpoint_t *state, diag_t *d) {
    if (c->lock < 0) bug("a checkpoint is written by who only looks on");
    writing_t w = {.state = state, .arena = arena_new(), .d = d};
    w.folder = arena_printf(w.arena, "%s", inside(c, arena_printf(w.arena, ".%s.new", name)));
    checkpoint_remove(w.folder, NULL);
    bool made = mkdir(w.folder, 0777) == 0;
    if (!made) diag_error(d, IN_FILE(w.folder), "cannot make this folder: %s", strerror(errno));
    bool ok = made && put_all(&w) && checkpoint_place(c, name, d);
    if (!ok) {
        tell_what_is_left(c, name, d);
        checkpoint_remove(w.folder, NULL);
    }
    arena_free(w.arena);
    return ok;
}
