/* Kinds of products: a row each. */
#include "cost/products.h"

const char *product_name(factor_t p) {
    static const dtype_t types[FACTOR_COUNT] = {
        [FACTOR_F32] = DTYPE_FLOAT32, [FACTOR_BF16] = DTYPE_BFLOAT16, [FACTOR_I8] = DTYPE_INT8};
    return dtype_name(types[p]);
}

products_t products_times(const products_t *work, double times) {
    products_t x;
    for (int p = 0; p < FACTOR_COUNT; p++) x.of[p] = work->of[p] * times;
    return x;
}

products_t products_sum(const products_t *a, const products_t *b) {
    products_t x;
    for (int p = 0; p < FACTOR_COUNT; p++) x.of[p] = a->of[p] + b->of[p];
    return x;
}

bool target_has_product(const target_t *t, factor_t p) {
    switch (p) {
    case FACTOR_BF16: return t->dot2;
    case FACTOR_I8: return t->dot4;
    default: return true;
    }
}

products_t products_like(double fma) {
    products_t x;
    for (int p = 0; p < FACTOR_COUNT; p++) x.of[p] = fma * flops_at_once[p];
    return x;
}

double products_seconds(const products_t *work, const products_t *peak) {
    double seconds = 0;
    for (int p = 0; p < FACTOR_COUNT; p++)
        if (work->of[p] > 0) seconds += work->of[p] / peak->of[p];
    return seconds;
}

double products_as_fma(const products_t *work) {
    products_t peak = products_like(1);
    return products_seconds(work, &peak);
}

const char *products_text(arena_t *a, const products_t *work) {
    double all = 0;
    int max = 0;
    for (int p = 0; p < FACTOR_COUNT; p++) {
        all += work->of[p];
        if (work->of[p] > work->of[max]) max = p;
    }
    if (all <= 0) return NULL;
    double share = 100 * work->of[max] / all;
    return share >= 99.5 ? product_name(max)
                         : arena_printf(a, "%s %.0f %%", product_name(max), share);
}

bool products_are_mixed(const products_t *work) {
    for (int p = FACTOR_F32 + 1; p < FACTOR_COUNT; p++)
        if (work->of[p] > 0) return true;
    return false;
}

void products_json(const products_t *work, sbuf_t *out) {
    const char *separator = "";
    sbuf_puts(out, ", \"products\": {");
    for (int p = 0; p < FACTOR_COUNT; p++) {
        if (work->of[p] <= 0) continue;
        sbuf_printf(out, "%s\"%s\": %.9g", separator, product_name(p), work->of[p]);
        separator = ", ";
    }
    sbuf_puts(out, "}");
}
