/* What generate continues: texts of the command line, a file or stdin, encoded as the spec says, or
 * the rows of a safetensors file. Rows of different lengths stand at the right, a mask tells
 * which tokens are theirs. */
#include <string.h>

#include "commands/generate/generate.h"
#include "support/heap.h"

static const char stdin_path[] = "/dev/stdin";

bool prompts_given(const options_t *o) {
    return o->given[OPT_INPUT] || o->given[OPT_PROMPT] || o->given[OPT_PROMPT_FILE];
}

/* ---- rows of a file -------------------------------------------------------------------------- */

static int64_t count_row(const inputs_t *in, int64_t row) {
    int64_t n = 0;
    for (int64_t t = 0; t < in->length; t++)
        n += !in->attention_mask || in->attention_mask[row * in->length + t];
    return n;
}

/* Room for rows whose lengths are known. */
static void make_room(prompts_t *p, arena_t *a) {
    for (int64_t r = 0; r < p->batch; r++)
        if (p->tokens[r] > p->length) p->length = p->tokens[r];
    p->ids = ARENA_ARRAY(a, int32_t, p->batch * p->length);
    p->mask = ARENA_ARRAY(a, uint8_t, p->batch * p->length);
    for (int64_t r = 0; r < p->batch; r++)
        memset(p->mask + (r + 1) * p->length - p->tokens[r], 1, (size_t)p->tokens[r]);
}

static int32_t *row_of(const prompts_t *p, int64_t r) {
    return p->ids + (r + 1) * p->length - p->tokens[r];
}

/* Padding stands before a row's tokens or behind them. A forward would count the place of a token
 * that is left out between others, and hide it; a row of the cache has no such places. */
static bool check_holes(const inputs_t *in, int64_t row, diag_t *d) {
    if (!in->attention_mask) return true;
    const uint8_t *mask = in->attention_mask + row * in->length;
    int64_t first = 0, last = in->length - 1;
    while (first < last && !mask[first]) first++;
    while (last > first && !mask[last]) last--;
    for (int64_t t = first; t <= last; t++) {
        if (mask[t]) continue;
        diag_error(d, IN_FILE(in->path),
                   "attention_mask[%lld][%lld] leaves out a token between others: texts are "
                   "continued without holes",
                   (long long)row, (long long)t);
        diag_hint(
            d, "take the token out of input_ids, or let the mask be 0 at the ends of a row only");
        return false;
    }
    return true;
}

/* Tokens that a mask leaves out at a row's ends are no part of it. */
static bool read_tensors(generate_t *g) {
    session_t *s = g->session;
    prompts_t *p = &g->prompts;
    inputs_t in;
    if (!inputs_read(&in, s->arena, &s->model.facts, s->o->text[OPT_INPUT], s->d) ||
        !inputs_of_forward(&in, s->d))
        return false;
    *p = (prompts_t){.path = in.path, .row = "row", .batch = in.batch};
    p->tokens = ARENA_ARRAY(s->arena, int64_t, in.batch);
    for (int64_t r = 0; r < in.batch; r++) {
        p->tokens[r] = count_row(&in, r);
        if (p->tokens[r] > 0 && check_holes(&in, r, s->d)) continue;
        if (p->tokens[r] == 0)
            diag_error(s->d, IN_FILE(p->path), "attention_mask[%lld] leaves no token of this row",
                       (long long)r);
        return false;
    }
    make_room(p, s->arena);
    for (int64_t r = 0; r < in.batch; r++) {
        int32_t *to = row_of(p, r);
        for (int64_t at = r * in.length; at < (r + 1) * in.length; at++)
            if (!in.attention_mask || in.attention_mask[at]) *to++ = in.input_ids[at];
    }
    return true;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool encode(generate_t *g, const char *text, size_t bytes, tokens_t *t) {
    session_t *s = g->session;
    if (!text_encode(g->text, text, bytes, t, g->prompts.path, s->d)) return false;
    if (t->n > 0) return true;
    diag_error(s->d, IN_FILE(g->prompts.path), "%s: a model needs at least one token to continue",
               bytes ? "has no token" : "is empty");
    return false;
}

static void put_rows(generate_t *g, const tokens_t *texts) {
    prompts_t *p = &g->prompts;
    p->tokens = ARENA_ARRAY(g->session->arena, int64_t, p->batch);
    for (int64_t r = 0; r < p->batch; r++) p->tokens[r] = texts[r].n;
    make_room(p, g->session->arena);
    for (int64_t r = 0; r < p->batch; r++)
        memcpy(row_of(p, r), texts[r].ids, (size_t)texts[r].n * sizeof *texts[r].ids);
}

static bool read_arguments(generate_t *g) {
    const options_t *o = g->session->o;
    g->prompts = (prompts_t){.path = "--prompt", .row = "prompt", .batch = o->n_prompts};
    tokens_t *texts = ARENA_ARRAY(o->arena, tokens_t, o->n_prompts);
    bool ok = true;
    for (int i = 0; ok && i < o->n_prompts; i++)
        ok = encode(g, o->prompts[i], strlen(o->prompts[i]), &texts[i]);
    if (ok) put_rows(g, texts);
    for (int i = 0; i < o->n_prompts; i++) tokens_free(&texts[i]);
    return ok;
}

static bool read_file(generate_t *g) {
    const char *path = g->session->o->text[OPT_PROMPT_FILE];
    if (!path || strcmp(path, "-") == 0) path = stdin_path;
    g->prompts = (prompts_t){.path = path, .row = "prompt", .batch = 1};
    size_t bytes;
    char *content = text_read(g->text, path, &bytes, g->session->d);
    tokens_t text = {0};
    bool ok = content && encode(g, content, bytes, &text);
    if (ok) put_rows(g, &text);
    tokens_free(&text);
    heap_free(content);
    return ok;
}

bool prompts_read(generate_t *g) {
    const options_t *o = g->session->o;
    if (o->given[OPT_INPUT]) return read_tensors(g);
    return o->given[OPT_PROMPT] ? read_arguments(g) : read_file(g);
}
