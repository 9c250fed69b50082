/* Between layers.c, which says what a layer is, and layer_settings.c, which reads what
 * layers have of their own. */
#ifndef REFORMERC_SPEC_LAYERS_INT_H
#define REFORMERC_SPEC_LAYERS_INT_H

#include "spec/read.h"

enum { N_LAYER_KEYS = 13 }; /* in layer_keys */

/* The kind of layer that has a key. */
typedef enum { ANY_LAYER, LSH_LAYER, LOCAL_LAYER } layer_of_t;
layer_of_t layer_of_key(int k); /* of layer_keys[k] */

typedef struct {
    spec_layer_t values;
    bool given[N_LAYER_KEYS];
    srcloc_t at[N_LAYER_KEYS];
} layer_own_t;

struct layer_settings {
    int n;
    layer_own_t **of; /* [n]; NULL: a layer that has the model's values */
};

const layer_own_t *layer_own(const spec_t *s, int layer); /* NULL: it has none */
spec_layer_t layer_of_model(const spec_t *s, int layer);  /* what it is without values of its own */
void layer_to_model(spec_t *s, const spec_layer_t *l); /* the model's values become the layer's */

#endif
