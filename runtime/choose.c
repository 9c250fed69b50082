/* The greatest of many scores: one, or one after the other. */
#include "generate_int.h"

#include <float.h>

int32_t reformer_greatest(const float *score, size_t n) {
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(score[i] <= FLT_MAX)) return -1; /* NaN compares with nothing */
        if (score[i] > score[best]) best = i;
    }
    return score[best] >= -FLT_MAX ? (int32_t)best : -1;
}

static int is_before(const reformer_heap_t *h, int32_t a, int32_t b) {
    float x = h->key[a], y = h->key[b];
    return x > y || (x == y && a < b);
}

static void sift_down(reformer_heap_t *h, size_t at) {
    int32_t id = h->id[at];
    for (size_t child; (child = 2 * at + 1) < h->n; at = child) {
        if (child + 1 < h->n && is_before(h, h->id[child + 1], h->id[child])) child++;
        if (!is_before(h, h->id[child], id)) break;
        h->id[at] = h->id[child];
    }
    h->id[at] = id;
}

void reformer_heap_make(reformer_heap_t *h, const float *key, int32_t *id, size_t n) {
    *h = (reformer_heap_t){key, id, n};
    for (size_t i = 0; i < n; i++) id[i] = (int32_t)i;
    for (size_t i = n / 2; i-- > 0;) sift_down(h, i);
}

int32_t reformer_heap_pop(reformer_heap_t *h) {
    int32_t top = h->id[0];
    h->id[0] = h->id[--h->n];
    if (h->n > 0) sift_down(h, 0);
    h->id[h->n] = top;
    return top;
}
