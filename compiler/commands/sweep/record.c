/* The record of an unfinished sweep: OUT.partial beside the first --output.
 *
 * A text file, written whole after every pass: what the results depend on, as fingerprints of
 * content, and a line per pass over the text, whose point is found again by its settings. So a
 * sweep that ended for whatever reason continues, with more or fewer alternatives or repetitions
 * too; one whose model, weights, text or options changed does not. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/product.h" /* the version: another compiler, other figures */
#include "commands/sweep/sweep.h"
#include "exec/cache.h" /* keys */
#include "exec/targets.h"
#include "support/format.h"
#include "support/heap.h"

static const char magic[] = "reformerc sweep 2";
static const char *const print_names[N_PRINTS] = {"model", "weights", "text", "options"};

/* ---- fingerprints ---------------------------------------------------------------------------- */

static void write_key(const cache_key_t *k, char out[33]) {
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)k->h[0], (unsigned long long)k->h[1]);
}

static bool add_file(cache_key_t *k, const char *path, diag_t *d) {
    content_t m;
    if (!file_load(path, &m, d)) return false;
    uint64_t sum[2] = {m.bytes, reformer_checksum(m.data, m.bytes)};
    cache_key_add(k, sum, sizeof sum);
    file_unload(&m);
    return true;
}

/* A checkpoint folder counts by the file in it, "random:SEED" by its name. */
static bool add_content(cache_key_t *k, const char *path, const char *file, arena_t *a, diag_t *d) {
    if (is_directory(path)) path = arena_printf(a, "%s/%s", path, file);
    if (file_exists(path)) return add_file(k, path, d);
    cache_key_text(k, path);
    return true;
}

/* Of sweeps that train: what decides what is learnt, and on what it is evaluated. */
static void add_training(cache_key_t *k, const options_t *o) {
    static const option_id_t ids[] = {OPT_STEPS,      OPT_EPOCHS,        OPT_MINUTES,
                                      OPT_BATCH_SIZE, OPT_ACCUMULATE,    OPT_LENGTH,
                                      OPT_LR,         OPT_EVAL_FRACTION, OPT_EVAL_WINDOWS};
    cache_key_text(k, "trains");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        cache_key_text(k, o->text[ids[i]] ? o->text[ids[i]] : "");
}

static bool add_options(cache_key_t *k, const sweep_t *s) {
    const options_t *o = s->o;
    const char *cc = o->given[OPT_CC] ? o->text[OPT_CC] : getenv("CC");
    sbuf_t version = {0};
    product_version(&version);
    cache_key_text(k, version.data);
    sbuf_free(&version);
    cache_key_text(k, backend_names[o->backend]);
    cache_key_text(k, cc ? cc : "");
    for (int i = 0; i < DTYPE_COUNT; i++) cache_key_text(k, native_target((dtype_t)i)->name);
    for (int i = 0; i < o->n_targets; i++) cache_key_text(k, o->targets[i]);
    cache_key_add(k, &s->threads, sizeof s->threads);
    cache_key_add(k, &o->seed, sizeof o->seed);
    if (s->trains) add_training(k, o);
    if (o->given[OPT_TUNING] && !add_file(k, o->text[OPT_TUNING], s->d)) return false;
    return !o->given[OPT_ROTATIONS] || add_file(k, o->text[OPT_ROTATIONS], s->d);
}

static bool add_data(cache_key_t *k, const sweep_t *s) {
    cache_key_add(k, s->tokens.ids, (size_t)s->tokens.n * sizeof *s->tokens.ids);
    cache_key_add(k, &s->task, sizeof s->task);
    return (!s->data || add_file(k, s->data, s->d)) &&
           (!s->eval_data || add_file(k, s->eval_data, s->d));
}

static bool take_prints(sweep_t *s) {
    cache_key_t k[N_PRINTS] = {cache_key(), cache_key(), cache_key(), cache_key()};
    bool ok = add_data(&k[2], s) &&
              add_content(&k[0], s->o->model, "config.json", s->arena, s->d) &&
              add_content(&k[1], s->weights, "model.safetensors", s->arena, s->d) &&
              add_options(&k[3], s);
    for (int i = 0; i < N_PRINTS; i++) write_key(&k[i], s->print[i]);
    return ok;
}

/* Of its settings, in whatever order they were given. */
static void take_key(const sweep_t *s, int point) {
    cache_key_t sum = {{0, 0}};
    for (int i = 0; i < s->grid.n_axes; i++) {
        cache_key_t k = cache_key();
        cache_key_text(&k, s->grid.axes[i].key);
        cache_key_text(&k, grid_value(&s->grid, point, i));
        sum.h[0] += k.h[0];
        sum.h[1] += k.h[1];
    }
    write_key(&sum, s->points[point].key);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void write_pass(sbuf_t *out, const point_t *p, const sweep_pass_t *x) {
    const score_t *sc = &p->score;
    sbuf_printf(out, "%s %lld %lld %lld %lld %lld %a %a %a %zu %zu %s\n", p->key,
                (long long)sc->window, (long long)sc->batch, (long long)sc->scored,
                (long long)sc->read, (long long)sc->bytes, sc->nats, x->seconds, x->compile_seconds,
                p->workspace, x->peak_rss, p->target);
}

/* A line per evaluation of a point that was trained, which the evaluation's name ends. */
static void write_learnt(sbuf_t *out, const sweep_t *s, const point_t *p) {
    const trained_t *y = &p->trained;
    for (int i = 0; i < s->n_evals; i++) {
        const trained_eval_t *e = &y->evals[i];
        sbuf_printf(out, "%s %lld %a %a %a %a %a %a %a %a %s %s\n", p->key, (long long)y->steps,
                    y->tokens, y->seconds, y->loss, e->loss, e->accuracy, e->sequences, e->f1,
                    e->bits, p->target, s->evals[i]);
    }
}

/* Figures that a sweep can have written: what is none of these would stand on the front. */
static bool is_time(double x) {
    return isfinite(x) && x >= 0;
}

static bool read_point(arena_t *a, const char *line, point_t *p) {
    long long window, batch, scored, read, bytes, workspace, rss;
    char target[16];
    int end = 0;
    int n = sscanf(line, "%32[0-9a-f] %lld %lld %lld %lld %lld %la %la %la %lld %lld %15s%n",
                   p->key, &window, &batch, &scored, &read, &bytes, &p->score.nats,
                   &p->score.seconds, &p->compile_seconds, &workspace, &rss, target, &end);
    if (n != 12 || line[end] || scored < 1 || !(p->score.seconds > 0)) return false;
    if (window < 1 || batch < 1 || read < scored || bytes < 1 || workspace < 0 || rss < 0)
        return false;
    if (!is_time(p->score.nats) || !is_time(p->score.seconds) || !is_time(p->compile_seconds))
        return false;
    p->workspace = (size_t)workspace;
    p->peak_rss = (size_t)rss;
    p->score.window = window;
    p->score.batch = batch;
    p->score.scored = scored;
    p->score.read = read;
    p->score.bytes = bytes;
    /* a time next to none; a loss is a float */
    if (!isfinite(score_speed(&p->score)) || score_token_nats(&p->score) > (double)FLT_MAX)
        return false;
    p->target = arena_strdup(a, target);
    return true;
}

static bool read_learnt(arena_t *a, const char *line, point_t *p, trained_eval_t *e,
                        const char **eval) {
    long long steps;
    char target[16];
    int end = 0;
    trained_t *y = &p->trained;
    int n = sscanf(line, "%32[0-9a-f] %lld %la %la %la %la %la %la %la %la %15s %n", p->key, &steps,
                   &y->tokens, &y->seconds, &y->loss, &e->loss, &e->accuracy, &e->sequences, &e->f1,
                   &e->bits, target, &end);
    if (n != 11 || !end || !line[end] || steps < 0 || !is_time(y->tokens) || !is_time(y->seconds))
        return false;
    if (!is_time(e->loss)) return false;
    y->steps = steps;
    p->target = arena_strdup(a, target);
    *eval = arena_strdup(a, line + end);
    e->known = true;
    return true;
}

/* ---- the file -------------------------------------------------------------------------------- */

bool record_write(sweep_t *s) {
    if (!s->record) return true;
    sbuf_t out = {0};
    sbuf_printf(&out, "%s\n", magic);
    for (int i = 0; i < N_PRINTS; i++) sbuf_printf(&out, "%s %s\n", print_names[i], s->print[i]);
    for (int i = 0; i < s->grid.n_points; i++) {
        const point_t *p = &s->points[i];
        if (p->state != POINT_DONE) continue;
        if (s->trains) write_learnt(&out, s, p);
        else
            for (int k = 0; k < p->n_passes; k++) write_pass(&out, p, &p->passes[k]);
    }
    if (s->others) sbuf_puts(&out, s->others);
    bool ok = file_write(s->record, out.data, out.size, s->d);
    sbuf_free(&out);
    return ok;
}

void record_remove(const sweep_t *s) {
    if (s->record && !s->others) (void)unlink(s->record);
}

static bool refuse(const sweep_t *s, int line, const char *why) {
    diag_error(s->d, (srcloc_t){s->record, line, 1}, "%s", why);
    diag_hint(s->d, "remove the file to start over, or give another --output");
    return false;
}

static bool check_print(const sweep_t *s, int i, const char *line) {
    const char *name = print_names[i];
    size_t n = strlen(name);
    if (strncmp(line, name, n) != 0 || line[n] != ' ')
        return refuse(s, i + 2, "is no record of a sweep");
    if (strcmp(line + n + 1, s->print[i]) == 0) return true;
    diag_error(s->d, IN_FILE(s->record), "holds an unfinished sweep with other %s",
               i == 3 ? "options (--threads, --backend, --target, --seed, --rotations …)" : name);
    diag_hint(s->d, "continue it as it was started, or remove the file to start over");
    return false;
}

static int by_key(const void *pa, const void *pb) {
    const point_t *const *a = pa, *const *b = pb;
    return strcmp((*a)->key, (*b)->key);
}

/* The points in order of their keys: a record of many lines takes one search each. */
static point_t **sorted_points(const sweep_t *s) {
    point_t **sorted = ARENA_ARRAY(s->arena, point_t *, s->grid.n_points);
    for (int i = 0; i < s->grid.n_points; i++) sorted[i] = &s->points[i];
    qsort(sorted, (size_t)s->grid.n_points, sizeof *sorted, by_key);
    return sorted;
}

static point_t *find_point(const sweep_t *s, point_t **sorted, const point_t *like) {
    point_t **at = bsearch(&like, sorted, (size_t)s->grid.n_points, sizeof *sorted, by_key);
    return at ? *at : NULL;
}

/* A point is done when all its evaluations are known; one that this sweep does
 * not want is kept, too. */
static bool take_learnt(sweep_t *s, point_t **sorted, int number, const char *line,
                        sbuf_t *others) {
    point_t found = {0}, *p;
    trained_eval_t e = {0};
    const char *eval;
    int i = 0, known = 0;
    if (!read_learnt(s->arena, line, &found, &e, &eval))
        return refuse(s, number, "is a damaged line");
    while (i < s->n_evals && strcmp(s->evals[i], eval) != 0) i++;
    if (i == s->n_evals || !(p = find_point(s, sorted, &found))) {
        sbuf_printf(others, "%s\n", line);
        return true;
    }
    if (p->state == POINT_INVALID) return true;
    trained_eval_t *evals = p->trained.evals;
    evals[i] = e;
    p->trained = found.trained;
    p->trained.evals = evals;
    p->target = found.target;
    for (i = 0; i < s->n_evals; i++) known += evals[i].known;
    if (known == s->n_evals) point_learnt(p);
    return true;
}

/* The line of a point that is not in this grid is kept for the sweep that wants it. */
static bool take_point(sweep_t *s, point_t **sorted, int number, const char *line, sbuf_t *others) {
    point_t found = {0};
    if (!read_point(s->arena, line, &found)) return refuse(s, number, "is a damaged line");
    point_t *p = find_point(s, sorted, &found);
    if (!p) {
        sbuf_printf(others, "%s\n", line);
        return true;
    }
    if (p->state == POINT_INVALID) return true;
    p->target = found.target;
    p->workspace = found.workspace;
    return point_add_pass(s->arena, p, &found.score, found.compile_seconds, found.peak_rss) ||
           refuse(s, number, "has other sums than an earlier line of the same settings");
}

static bool take_line(sweep_t *s, point_t **sorted, int number, const char *line, sbuf_t *others) {
    if (number == 1)
        return strcmp(line, magic) == 0 || refuse(s, number, "is no record of a sweep");
    if (number <= 1 + N_PRINTS) return check_print(s, number - 2, line);
    return (s->trains ? take_learnt : take_point)(s, sorted, number, line, others);
}

static bool take_lines(sweep_t *s, const char *text, sbuf_t *others) {
    int number = 0;
    point_t **sorted = sorted_points(s);
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        if (!take_line(s, sorted, ++number, arena_strndup(s->arena, p, n), others)) return false;
        p += n + (p[n] != 0);
    }
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].state == POINT_DONE && !s->trains) point_conclude(&s->points[i]);
    return number > N_PRINTS || refuse(s, number, "is no record of a sweep");
}

static bool take_record(sweep_t *s, const char *text) {
    sbuf_t others = {0};
    bool ok = take_lines(s, text, &others);
    if (ok && others.size) s->others = arena_strndup(s->arena, others.data, others.size);
    sbuf_free(&others);
    return ok;
}

bool record_begin(sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++) take_key(s, i);
    if (s->o->n_outputs == 0) return true;
    s->record = arena_printf(s->arena, "%s.partial", s->o->outputs[0]);
    if (!take_prints(s)) return false;
    if (!file_exists(s->record)) return record_write(s);
    size_t bytes;
    char *text = file_read(s->record, 64 << 20, &bytes, s->d);
    bool ok =
        text && format_fits(s->record, text, bytes, WANT_RECORD, s->d) && take_record(s, text);
    heap_free(text);
    return ok && record_write(s);
}
