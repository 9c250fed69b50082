/* Names of wrapped modules.
 *
 * In: open tensors. Out: the same under the names that the module inside has: PyTorch's wrappers
 * (data parallel, compiled, fully sharded, checkpointed) put a component of their own before the
 * names of what they wrap, each anew, and no Reformer has a component of such a name. */
#include <string.h>

#include "weights/names.h"
#include "weights/st_int.h"

static const char *const wrappers[] = {"module.", "_orig_mod.", "_fsdp_wrapped_module.",
                                       "_checkpoint_wrapped_module.", NULL};

static size_t wrapper_at(const char *p) {
    for (int i = 0; wrappers[i]; i++)
        if (strncmp(p, wrappers[i], strlen(wrappers[i])) == 0) return strlen(wrappers[i]);
    return 0;
}

/* NULL: nothing to take off. *first: what was taken off first. */
static const char *unwrapped(arena_t *a, const char *name, const char **first) {
    char *out = NULL;
    size_t at = 0;
    for (const char *p = name; *p;) {
        size_t n = wrapper_at(p);
        if (n && !out) {
            out = arena_strdup(a, name);
            at = (size_t)(p - name);
        }
        if (n && !*first) *first = arena_strndup(a, p, n);
        p += n;
        if (n) continue;
        size_t component = strcspn(p, ".");
        component += p[component] == '.';
        if (out) memcpy(out + at, p, component), at += component;
        p += component;
    }
    if (out) out[at] = 0;
    return out;
}

bool st_unwrap(st_file_t *f, diag_t *d) {
    for (size_t i = 0; i < f->n; i++) {
        const char *bare = unwrapped(f->arena, f->tensors[i].name, &f->unwrapped);
        if (bare) f->tensors[i].name = bare;
    }
    if (!f->unwrapped) return true;
    st_sort(f);
    for (size_t i = 1; i < f->n; i++) {
        char shown[SHOWN_BYTES];
        if (strcmp(f->by_name[i - 1]->name, f->by_name[i]->name) != 0) continue;
        diag_error(d, IN_FILE(f->path), "tensor '%s' is there with '%s' and without",
                   shown_name(f->by_name[i]->name, shown), f->unwrapped);
        return false;
    }
    return true;
}

const char *st_unwrapped(const st_file_t *f) {
    return f->unwrapped;
}
