/* Printing of stages. Spec: the effective config.json. Graph and loops: their text forms. Passes:
 * the pass driver prints after each, told by pass_options_t. */
#include "session/stages.h"

#include <stdlib.h>
#include <string.h>

#include "emit/emit.h"
#include "support/heap.h"
#include "text/text.h"

static const char *const stage_names[] = {"spec", "graph", "gradients", "loops", "all"};
enum { N_STAGES = sizeof stage_names / sizeof stage_names[0], MAX_PASSES = 32 };

static const char *stage_of(const options_t *o) {
    return o->text[OPT_DUMP] ? o->text[OPT_DUMP] : "";
}

bool check_stage_name(const options_t *o, diag_t *d) {
    if (!o->given[OPT_DUMP]) return true;
    const char *names[N_STAGES + MAX_PASSES];
    size_t n = 0;
    for (; n < N_STAGES; n++) names[n] = stage_names[n];
    for (int i = 0; i < MAX_PASSES && loops_pass_name(i); i++) names[n++] = loops_pass_name(i);
    for (size_t i = 0; i < n; i++)
        if (strcmp(stage_of(o), names[i]) == 0) return true;
    diag_error(d, IN_FILE("--dump"), "'%s' is not a stage", stage_of(o));
    const char *near = did_you_mean(stage_of(o), names, n);
    sbuf_t list = {0};
    for (size_t i = 0; i < n; i++) sbuf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    if (near) diag_hint(d, "did you mean '%s'?", near);
    else diag_hint(d, "one of %s", list.data);
    sbuf_free(&list);
    return false;
}

pass_options_t pass_options_of(const options_t *o) {
    const char *stage = stage_of(o);
    bool own = strcmp(stage, "spec") == 0 || strcmp(stage, "graph") == 0 ||
               strcmp(stage, "gradients") == 0 || strcmp(stage, "loops") == 0 || !*stage;
    return (pass_options_t){.verify_each = o->given[OPT_VERIFY],
                            .time = o->given[OPT_TIME_PASSES],
                            .dump_after = own ? NULL : stage};
}

static void print_stderr(sbuf_t *text) {
    if (text->size) fwrite(text->data, 1, text->size, stderr);
    sbuf_free(text);
}

bool dump_spec(const options_t *o, const spec_t *spec, diag_t *d) {
    if (strcmp(stage_of(o), "spec") != 0) return true;
    if (spec->of_graph) {
        diag_error(d, IN_FILE("--dump"), "%s is a graph, which has no spec", spec->path);
        return false;
    }
    sbuf_t text = {0};
    spec_to_config_json(spec, &text);
    print_stderr(&text);
    return true;
}

/* Beside the graph, or wherever it is. */
static const char *text_model_of(const plan_t *p, const char *path) {
    const char *name = p->spec->compile.sentencepiece, *slash = strrchr(path, '/');
    const char *folder = slash ? arena_strndup(p->arena, path, (size_t)(slash - path) + 1) : "";
    char *model = text_model_path(p->spec), *whole = realpath(model, NULL);
    char *beside = realpath(arena_printf(p->arena, "%s%s", folder, name), NULL);
    bool same = !whole || (beside && strcmp(whole, beside) == 0);
    const char *kept = same ? name : arena_strdup(p->arena, whole);
    heap_free(model);
    heap_free(whole);
    heap_free(beside);
    return kept;
}

/* What stood beside the spec is said in the graph's own head. */
static bool make_head(const plan_t *p, const char *path, spec_t *head, diag_t *d) {
    ends_t ends;
    *head = *p->spec;
    if (path && head->compile.text == TEXT_SENTENCEPIECE)
        head->compile.sentencepiece = text_model_of(p, path);
    if (!head->generation_path) return true;
    if (!spec_ends(p->arena, p->spec, &ends, d)) return false;
    head->n_eos_tokens = ends.n_eos_tokens;
    head->eos_tokens = ends.eos_tokens;
    head->has_pad_token = ends.has_pad_token;
    head->pad_token_id = ends.pad_token;
    return true;
}

bool print_graphs(const plan_t *p, const char *path, sbuf_t *out, diag_t *d) {
    spec_t head;
    if (!make_head(p, path, &head, d)) return false;
    graph_t **graphs = ARENA_ARRAY(p->arena, graph_t *, p->n_variants);
    for (int i = 0; i < p->n_variants; i++) graphs[i] = p->variants[i].graph;
    model_print(&head, graphs, p->n_variants, out);
    return true;
}

/* A step is no part of the model's text: it follows from the forward, and so
 * stands there as comments. */
static void print_step(const graph_t *step, sbuf_t *out) {
    sbuf_t text = {0};
    graph_print(step, &text);
    sbuf_puts(out, "\n# a step of generation:\n");
    for (const char *line = text.data; *line;) {
        int n = (int)strcspn(line, "\n");
        sbuf_printf(out, "# %.*s\n", n, line);
        line += n + 1;
    }
    sbuf_free(&text);
}

/* Each graph with the gradients of its loss. */
static bool dump_gradients(const plan_t *of, diag_t *d) {
    sbuf_t text = {0};
    plan_t p = *of;
    plan_options_t o = {.train = TRAIN_TOO};
    bool ok = p.trains || plan_add_trains(&p, &o, d);
    for (int i = 0; i < p.n_variants && ok; i++) {
        if (i > 0) sbuf_puts(&text, "\n");
        graph_print_forward(p.trains[i].graph, &text);
    }
    print_stderr(&text);
    return ok;
}

bool dump_graphs(const options_t *o, const plan_t *p, diag_t *d) {
    sbuf_t text = {0};
    if (strcmp(stage_of(o), "gradients") == 0) return dump_gradients(p, d);
    if (strcmp(stage_of(o), "graph") != 0) return true;
    bool ok = print_graphs(p, NULL, &text, d);
    if (ok && p->step) print_step(p->step, &text);
    print_stderr(&text);
    return ok;
}

void dump_loops(const options_t *o, const plan_t *p) {
    if (strcmp(stage_of(o), "loops") != 0) return;
    for (int i = 0; i < plan_parts(p); i++) {
        sbuf_t text = {0};
        module_print(plan_module(p, i), &text);
        print_stderr(&text);
    }
}
