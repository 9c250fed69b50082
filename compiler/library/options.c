/* The library's options, which come from a program, in the compiler's terms. In: strings and
 * numbers that nobody has checked. Out: request_t, an st_file_t; or errors that name the field. */
#include "library/library.h"

#include <string.h>

#include "exec/settle.h"

static bool read_settings(request_t *r, arena_t *a, const reformerc_options_t *o, diag_t *d) {
    if (o->n_settings > INT32_MAX || (o->n_settings && !o->settings)) {
        diag_error(d, IN_FILE("options.settings"), "%zu settings, but no list", o->n_settings);
        return false;
    }
    r->settings = ARENA_ARRAY(a, setting_t, o->n_settings);
    for (size_t i = 0; i < o->n_settings; i++) {
        const char *text = o->settings[i] ? arena_strdup(a, o->settings[i]) : "";
        const char *equals = strchr(text, '=');
        if (!equals || equals == text) {
            diag_error(d, IN_FILE("options.settings"), "'%s' is not KEY=VALUE", text);
            return false;
        }
        r->settings[r->n_settings++] = (setting_t){
            .key = arena_strndup(a, text, (size_t)(equals - text)), .value = equals + 1};
    }
    return true;
}

static bool check_threads(const reformerc_options_t *o, diag_t *d) {
    if (o->threads >= 0 && o->threads <= REFORMER_MAX_THREADS) return true;
    diag_error(d, IN_FILE("options.threads"), "%d is not a number from 0 to %d", o->threads,
               REFORMER_MAX_THREADS);
    return false;
}

static bool check_weights(const reformerc_options_t *o, diag_t *d) {
    if (!o->weights || (!o->tensors && !o->n_tensors)) return true;
    diag_error(d, IN_FILE("options.weights"), "'%s', and tensors in memory too", o->weights);
    return false;
}

bool request_read(request_t *r, arena_t *a, const reformerc_options_t *o, diag_t *d) {
    *r = (request_t){.backend = backend_default()};
    bool ok = !o->backend || backend_parse(o->backend, "options.backend", &r->backend, d);
    if (o->target)
        ok &= targets_parse(a, o->target, "options.target", r->targets, &r->n_targets, d);
    ok &= read_settings(r, a, o, d);
    ok &= check_threads(o, d);
    ok &= check_weights(o, d);
    if (ok) r->backend = backend_settle(r->backend, o->cc, d);
    r->exec = (exec_options_t){.backend = r->backend,
                               .cc = o->cc,
                               .no_cache = o->no_cache,
                               .passes = {.verify_each = o->verify}};
    return ok;
}

/* ---- tensors --------------------------------------------------------------------------------- */

static bool read_tensor(const reformerc_tensor_t *t, size_t i, st_tensor_t *out, diag_t *d) {
    static const st_dtype_t dtypes[] = {[REFORMERC_F32] = ST_F32,
                                        [REFORMERC_F16] = ST_F16,
                                        [REFORMERC_BF16] = ST_BF16,
                                        [REFORMERC_F64] = ST_F64};
    if (t->size != sizeof *t) {
        diag_error(d, IN_FILE("tensors"), "the size of number %zu is not set, or another version's",
                   i);
        return false;
    }
    if (!t->name || !*t->name) {
        diag_error(d, IN_FILE("tensors"), "number %zu has no name", i);
        return false;
    }
    if (t->dtype < REFORMERC_F32 || t->dtype > REFORMERC_F64) {
        diag_error(d, IN_FILE("tensors"), "tensor '%s': there is no dtype %d", t->name, t->dtype);
        return false;
    }
    *out =
        (st_tensor_t){.name = t->name, .dtype = dtypes[t->dtype], .rank = t->rank, .data = t->data};
    memcpy(out->shape, t->shape, sizeof out->shape);
    return true;
}

st_file_t *tensors_open(const reformerc_tensor_t *tensors, size_t n, diag_t *d) {
    if (!tensors && n) {
        diag_error(d, IN_FILE("tensors"), "%zu tensors, but no list", n);
        return NULL;
    }
    arena_t *a = arena_new();
    st_tensor_t *list = ARENA_ARRAY(a, st_tensor_t, n);
    bool ok = true;
    for (size_t i = 0; i < n; i++) ok &= read_tensor(&tensors[i], i, &list[i], d);
    st_file_t *f = ok ? st_from_memory("tensors", list, n, d) : NULL;
    arena_free(a);
    if (!f || st_unwrap(f, d)) return f;
    st_close(f);
    return NULL;
}
