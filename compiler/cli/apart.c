/* The check of apart.h. In: options. Out: errors.
 *
 * Two paths are one file when they lead to the same inode; a file that is not there yet is known by
 * its folder, without links, and its name. */
#include "cli/apart.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/name.h"
#include "support/file.h"
#include "support/heap.h"

typedef struct {
    const char *what, *path; /* "--output"; as typed */
} named_path_t;

typedef struct {
    arena_t *arena;
    named_path_t *items;
    size_t n, cap;
} named_paths_t;

/* What goes to stdout may go to a file, too. */
static void add(named_paths_t *p, const char *what, const char *path) {
    if (path && strcmp(path, "-") == 0) path = "/dev/stdout";
    if (path && *path) ARENA_PUSH(p->arena, p->items, p->n, p->cap) = (named_path_t){what, path};
}

/* ---- one file or two ------------------------------------------------------------------------- */

/* Devices and pipes are not overwritten. */
static bool same_file(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* NULL: nothing is made anew there. */
static const char *whole_path(arena_t *a, const char *path) {
    char *target = output_target(path);
    if (!target) return NULL;
    char *slash = strrchr(target, '/');
    const char *name = arena_strdup(a, slash ? slash + 1 : target);
    if (slash) slash[1] = 0;
    char *folder = realpath(slash ? target : ".", NULL);
    const char *whole = folder ? arena_printf(a, "%s/%s", folder, name) : NULL;
    heap_free(folder);
    heap_free(target);
    return whole;
}

static bool same_place(arena_t *a, const char *x, const char *y) {
    if (same_file(x, y)) return true;
    const char *p = whole_path(a, x), *q = whole_path(a, y);
    return p && q && strcmp(p, q) == 0;
}

/* ---- what is written ------------------------------------------------------------------------- */

static bool command_is(const options_t *o, const char *name) {
    return strcmp(o->command->name, name) == 0;
}

/* Loop IR that is read is one module, and so is what becomes of it. */
static void add_translation(const options_t *o, named_paths_t *out) {
    static const char *const code[] = {".h", ".weights", NULL};
    static const char *const loops[] = {".prefill.rir", ".train.rir", ".step.rir", ".update.rir",
                                        NULL};
    const char *path = o->text[OPT_OUTPUT];
    if (!path || strcmp(path, "-") == 0) return;
    bool is_loops = strcmp(path_suffix(path), ".rir") == 0;
    if (strcmp(path_suffix(path), ".graph") == 0) return; /* it stands alone */
    if (is_loops && o->model && strcmp(path_suffix(o->model), ".rir") == 0) return;
    for (const char *const *end = is_loops ? loops : code; *end; end++)
        add(out, "what stands beside --output", replace_suffix(o->arena, path, *end));
}

static named_paths_t written(const options_t *o) {
    named_paths_t out = {.arena = o->arena};
    bool many = command_is(o, "score") || command_is(o, "sweep") || command_is(o, "bench");
    for (int i = 0; many && i < o->n_outputs; i++) add(&out, "--output", o->outputs[i]);
    if (!many) add(&out, "--output", o->text[OPT_OUTPUT]);
    if (command_is(o, "")) add_translation(o, &out);
    if (command_is(o, "sweep") && o->n_outputs)
        add(&out, "its record", arena_printf(o->arena, "%s.partial", o->outputs[0]));
    add(&out, "--gradients", o->text[OPT_GRADIENTS]);
    add(&out, "--instrument", o->text[OPT_PROFILE]);
    add(&out, "--html", o->text[OPT_HTML]);
    add(&out, "--tuning", o->text[OPT_TUNING_FILE]);
    return out;
}

/* ---- what is read ---------------------------------------------------------------------------- */

/* "model-00001-of-00003.safetensors" too. */
static bool may_be_read(const char *name) {
    static const char *const names[] = {"config.json",       "generation_config.json",
                                        "model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "spiece.model"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(name, names[k]) == 0) return true;
    const char *of = strstr(name, "-of-");
    return of && strcmp(path_suffix(name), ".safetensors") == 0;
}

static void add_folder(named_paths_t *in, const char *folder) {
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        if (may_be_read(e->d_name))
            add(in, "", arena_printf(in->arena, "%s/%s", folder, e->d_name));
    closedir(d);
}

/* An index of weights is read with the files that it lists, which stand beside it. */
static void add_input(named_paths_t *in, const char *path) {
    if (!path) return;
    if (strcmp(path, "-") == 0) path = "/dev/stdin";
    if (is_directory(path)) {
        add_folder(in, path);
        return;
    }
    add(in, "", path);
    if (!ends_with(path, ".index.json")) return;
    const char *slash = strrchr(path, '/');
    add_folder(in, slash ? arena_strndup(in->arena, path, (size_t)(slash - path) + 1) : ".");
}

static named_paths_t read_files(const options_t *o) {
    static const option_id_t options[] = {OPT_WEIGHTS, OPT_INPUT, OPT_ROTATIONS,
                                          OPT_BUCKETS, OPT_TEXT,  OPT_PROMPT_FILE,
                                          OPT_TUNING,  OPT_VS,    OPT_CALIBRATE};
    named_paths_t in = {.arena = o->arena};
    add_input(&in, o->model);
    for (size_t k = 0; k < sizeof options / sizeof *options; k++)
        add_input(&in, o->text[options[k]]);
    if (command_is(o, "generate") && !o->given[OPT_INPUT] && o->n_prompts == 0) add_input(&in, "-");
    return in;
}

/* ---- the checks ------------------------------------------------------------------------------ */

/* A config.json or a text.csv would be gone. */
static bool spares(const options_t *o, const named_paths_t *out, const char *input, diag_t *d) {
    for (size_t i = 0; i < out->n; i++) {
        if (!same_file(out->items[i].path, input)) continue;
        diag_error(d, IN_FILE(out->items[i].path),
                   "is an input of this %s and would be overwritten",
                   *o->command->name ? o->command->name : "compilation");
        return false;
    }
    return true;
}

bool outputs_spare(const options_t *o, const char *input, diag_t *d) {
    named_paths_t out = written(o);
    return spares(o, &out, input, d);
}

static bool differ(const options_t *o, const named_path_t *x, const named_path_t *y, diag_t *d) {
    if (!same_place(o->arena, x->path, y->path)) return true;
    if (x->what == y->what && strcmp(x->path, y->path) == 0)
        diag_error(d, IN_FILE(y->path), "%s stands twice with this name", y->what);
    else
        diag_error(d, IN_FILE(y->path), "two outputs would go to this one file: %s ('%s') and %s",
                   x->what, x->path, y->what);
    return false;
}

bool outputs_apart(const options_t *o, diag_t *d) {
    named_paths_t out = written(o), in = read_files(o);
    bool ok = true;
    for (size_t i = 0; ok && i < in.n; i++) ok = spares(o, &out, in.items[i].path, d);
    for (size_t i = 0; ok && i < out.n; i++)
        for (size_t j = 0; ok && j < i; j++) ok = differ(o, &out.items[j], &out.items[i], d);
    return ok;
}
