/* What a product calls: functions with the model's prefix, one line each. */
#include <string.h>

#include "emit/c_int.h"

/* %N: the prefix, %D: the descriptor, %M: m as the runtime's, which is all that a
 * model's own type holds. */
static const struct {
    duty_t duty;
    const char *head, *call;
} interface[] = {
    {DUTY_ALL, "size_t %N_workspace_bytes(size_t length, int threads)",
     "reformer_workspace_bytes(&%D, length, threads)"},
    {DUTY_ALL, "int %N_bind(%N_t *m, const void *weights, size_t bytes)",
     "reformer_bind((reformer_model_t *)m, &%D, weights, bytes)"},
    {DUTY_ALL, "int %N_explain(const void *weights, size_t bytes, char *text, size_t room)",
     "reformer_explain(&%D, weights, bytes, text, room)"},
    {DUTY_ALL, "int %N_check_weights(const %N_t *m)", "reformer_check_weights(&%D, %M)"},
    {DUTY_ALL, "const char *%N_target(const %N_t *m)", "reformer_target(%M)"},
    {DUTY_ALL, "int %N_forward(const %N_t *m, const %N_io_t *io, void *workspace, size_t bytes)",
     "reformer_forward(&%D, %M, io, workspace, bytes)"},
    {DUTY_ALL, "const char *%N_strerror(int code)", "reformer_strerror(code)"},
    {DUTY_ALL, "const char *%N_version(void)", "reformer_translator(&%D)"},
    {DUTY_GENERATES, "size_t %N_cache_bytes(size_t length)", "reformer_cache_bytes(&%D, length)"},
    {DUTY_GENERATES, "int %N_cache_init(void *cache, size_t bytes, size_t length)",
     "reformer_cache_init(&%D, cache, bytes, length)"},
    {DUTY_GENERATES, "int %N_cache_check(const void *cache, size_t bytes)",
     "reformer_cache_check(&%D, cache, bytes)"},
    {DUTY_GENERATES, "size_t %N_cache_tokens(const void *cache, size_t row)",
     "reformer_cache_tokens(cache, row)"},
    {DUTY_GENERATES, "int %N_cache_copy_row(void *cache, size_t from, size_t to)",
     "reformer_cache_copy_row(&%D, cache, from, to)"},
    {DUTY_GENERATES, "size_t %N_decode_bytes(size_t length, int threads)",
     "reformer_decode_bytes(&%D, length, threads)"},
    {DUTY_GENERATES,
     "int %N_prefill(const %N_t *m, const %N_decode_t *io, void *cache, void *workspace, "
     "size_t bytes)",
     "reformer_prefill(&%D, %M, io, cache, workspace, bytes)"},
    {DUTY_GENERATES,
     "int %N_step(const %N_t *m, const %N_decode_t *io, void *cache, void *workspace, "
     "size_t bytes)",
     "reformer_step(&%D, %M, io, cache, workspace, bytes)"},
    {DUTY_TRAINS, "size_t %N_gradients_bytes(void)", "reformer_gradients_bytes(&%D)"},
    {DUTY_TRAINS, "int %N_gradient(size_t i, reformer_tensor_t *t)",
     "reformer_gradient(&%D, i, t)"},
    {DUTY_TRAINS, "size_t %N_train_bytes(size_t length, int threads)",
     "reformer_train_bytes(&%D, length, threads)"},
    {DUTY_TRAINS,
     "int %N_gradients(const %N_t *m, const %N_io_t *io, float *gradients, "
     "size_t gradients_bytes, void *workspace, size_t bytes)",
     "reformer_gradients(&%D, %M, io, gradients, gradients_bytes, workspace, bytes)"},
    {DUTY_LEARNS, "size_t %N_trainer_bytes(size_t micro_batches)",
     "reformer_trainer_bytes(&%D, micro_batches)"},
    {DUTY_LEARNS, "size_t %N_trainer_workspace(size_t length, int threads)",
     "reformer_trainer_workspace(&%D, length, threads)"},
    {DUTY_LEARNS,
     "int %N_trainer_begin(%N_trainer_t *t, const %N_t *m, void *weights, void *memory, "
     "size_t memory_bytes, size_t micro_batches, void *workspace, size_t bytes)",
     "reformer_trainer_begin(&%D, (reformer_trainer_t *)t, %M, weights, memory, memory_bytes, "
     "micro_batches, workspace, bytes)"},
    {DUTY_LEARNS,
     "int %N_trainer_resume(%N_trainer_t *t, const %N_t *m, void *weights, void *memory, "
     "size_t memory_bytes, size_t micro_batches, int64_t step)",
     "reformer_trainer_resume(&%D, (reformer_trainer_t *)t, %M, weights, memory, memory_bytes, "
     "micro_batches, step)"},
    {DUTY_LEARNS,
     "int %N_train_step(%N_trainer_t *t, const %N_io_t *io, size_t n, "
     "%N_train_report_t *report, void *workspace, size_t bytes)",
     "reformer_train_step(&%D, (reformer_trainer_t *)t, io, n, report, workspace, bytes)"},
    {DUTY_LEARNS, "int %N_sign_weights(void *weights, size_t bytes)",
     "reformer_sign_weights(&%D, weights, bytes)"},
};

bool plan_has_duty(const plan_t *p, duty_t duty) {
    switch (duty) {
    case DUTY_ALL: return true;
    case DUTY_GENERATES: return p->step != NULL;
    case DUTY_TRAINS: return p->trains != NULL;
    case DUTY_LEARNS: break;
    }
    return p->updates;
}

static const char *fill_in(arena_t *a, const char *text, const char *name, const char *desc) {
    sbuf_t s = {0};
    for (const char *p = text; *p; p++) {
        if (*p != '%') sbuf_write(&s, p, 1);
        else if (*++p == 'M') sbuf_puts(&s, "(const reformer_model_t *)m");
        else sbuf_puts(&s, *p == 'N' ? name : desc);
    }
    const char *r = arena_strdup(a, s.data);
    sbuf_free(&s);
    return r;
}

void put_interface(emitter_t *c, const char *desc, sbuf_t *out) {
    for (size_t k = 0; k < sizeof interface / sizeof *interface; k++) {
        if (!plan_has_duty(c->plan, interface[k].duty)) continue;
        put_line(out, 0, "%s {", fill_in(c->arena, interface[k].head, c->plan->name, desc));
        put_line(out, 1, "return %s;", fill_in(c->arena, interface[k].call, c->plan->name, desc));
        put_line(out, 0, "}");
    }
}

void reserve_interface(emitter_t *c) {
    static const char *const ends[] = {"_t",
                                       "_io_t",
                                       "_workspace_bytes",
                                       "_bind",
                                       "_explain",
                                       "_check_weights",
                                       "_target",
                                       "_forward",
                                       "_strerror",
                                       "_version",
                                       "_decode_t",
                                       "_cache_bytes",
                                       "_cache_init",
                                       "_cache_check",
                                       "_cache_tokens",
                                       "_cache_copy_row",
                                       "_decode_bytes",
                                       "_prefill",
                                       "_step",
                                       "_gradients_bytes",
                                       "_gradient",
                                       "_train_bytes",
                                       "_gradients",
                                       "_trainer_t",
                                       "_train_report_t",
                                       "_trainer_bytes",
                                       "_trainer_workspace",
                                       "_trainer_begin",
                                       "_trainer_resume",
                                       "_train_step",
                                       "_sign_weights",
                                       "_embedded_weights",
                                       "_weights_begin",
                                       "_weights_end"};
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
        names_reserve(c->globals, arena_printf(c->arena, "%s%s", c->plan->name, ends[k]));
    /* fields of a call, which the macros of put_own_names() must not rename */
    static const char *const fields[] = {"weights", "workspace", "scratch", "slot", "units"};
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        names_reserve(c->globals, fields[k]);
}
