/* A model that learns, as a module for numbers.mjs: forward, gradients, steps of training. */
#include "heap.h"
#include "model.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static model_t model;
static heap_t heap;
static reformer_tensor_t tensor = {.size = sizeof tensor};

EXPORT(take) void *take(size_t bytes) {
    return heap_take(&heap, bytes);
}

EXPORT(bind) int32_t bind(const void *weights, size_t bytes) {
    int code = model_bind(&model, weights, bytes);
    return code ? code : model_check_weights(&model);
}

EXPORT(forward)
int32_t forward(const int32_t *ids, const int32_t *labels, size_t length, float *logits,
                float *loss) {
    size_t bytes = model_workspace_bytes(length, 1);
    model_io_t io = {.size = sizeof io,
                     .input_ids = ids,
                     .labels = labels,
                     .length = length,
                     .logits = logits,
                     .loss = loss};
    return model_forward(&model, &io, take(bytes), bytes);
}

EXPORT(gradients_bytes) size_t gradients_bytes(void) {
    return model_gradients_bytes();
}

EXPORT(gradients)
int32_t gradients(const int32_t *ids, const int32_t *labels, size_t length, uint64_t seed,
                  float *to) {
    size_t bytes = model_train_bytes(length, 1);
    model_io_t io = {.size = sizeof io,
                     .input_ids = ids,
                     .labels = labels,
                     .length = length,
                     .dropout_seed = seed};
    return model_gradients(&model, &io, to, model_gradients_bytes(), take(bytes), bytes);
}

/* Of gradient number i: its name; NULL: there are fewer. Then where it stands. */
EXPORT(gradient_name) const char *gradient_name(size_t i) {
    return model_gradient(i, &tensor) ? 0 : tensor.name;
}

EXPORT(gradient_offset) size_t gradient_offset(void) {
    return tensor.offset;
}

EXPORT(gradient_elements) size_t gradient_elements(void) {
    return tensor.elements;
}

/* A step of one batch; the first one begins. Reports the loss before it and the gradient's norm. */
EXPORT(learn)
int32_t learn(void *weights, const int32_t *ids, const int32_t *labels, size_t length,
              double to[2]) {
    static model_trainer_t trainer;
    static void *memory, *workspace;
    size_t bytes = model_trainer_workspace(length, 1), own = model_trainer_bytes(1);
    if (!memory) {
        memory = take(own);
        workspace = take(bytes);
        int code = model_trainer_begin(&trainer, &model, weights, memory, own, 1, workspace, bytes);
        if (code) return code;
    }
    model_io_t io = {.size = sizeof io, .input_ids = ids, .labels = labels, .length = length};
    model_train_report_t report = {.size = sizeof report};
    int code = model_train_step(&trainer, &io, 1, &report, workspace, bytes);
    to[0] = report.loss;
    to[1] = report.grad_norm;
    return code;
}
