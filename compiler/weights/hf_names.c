/* What Hugging Face calls a tensor, and the shape that it has there.
 *
 * In: names of weights files and of a layout. Out: what they say (a layer's number, an axial
 * table), and the way back from a layout to the checkpoint that it was packed from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/packed_int.h"
#include "weights/store_int.h"

static bool starts_with(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool is_axial_table(const char *name) {
    return starts_with(name, "embeddings.position_embeddings.weights.");
}

int layer_of_name(const char *name, const char **behind) {
    int layer, end = 0;
    bool number = starts_with(name, "layers.") && name[7] >= '0' && name[7] <= '9';
    if (!number || sscanf(name + 7, "%9d.%n", &layer, &end) != 1 || end == 0) return -1;
    if (behind) *behind = name + 7 + end;
    return layer;
}

bool names_rotations(const char *name, int *layer) {
    const char *behind = name;
    *layer = layer_of_name(name, &behind);
    return *layer >= 0 && strcmp(behind, "rotations") == 0;
}

static bool is_head(const layout_t *l) {
    static const char *const heads[] = {"lm_head.", "classifier.", "qa_outputs."};
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < 3; j++)
            if (strncmp(l->entries[i].source[0], heads[j], strlen(heads[j])) == 0) return true;
    return false;
}

static int axes_of(const layout_t *l) {
    int axes = 0;
    for (int i = 0; i < l->n; i++) axes += is_axial_table(l->entries[i].source[0]);
    return axes;
}

/* Axial tables go back to Hugging Face's [1, .., s_a, .., 1, dim_a]. */
int weights_hf_shape(const layout_t *l, const layout_entry_t *e, const char *source,
                     int64_t *shape) {
    if (!is_axial_table(source)) {
        memcpy(shape, e->shape, (size_t)e->rank * sizeof *shape);
        return e->rank;
    }
    int axes = axes_of(l), axis = atoi(strrchr(source, '.') + 1);
    for (int i = 0; i < axes; i++) shape[i] = i == axis ? e->shape[0] : 1;
    shape[axes] = e->shape[1];
    return axes + 1;
}

const char *weights_hf_name(arena_t *a, const layout_t *l, const char *source) {
    bool inner = strncmp(source, "embeddings.", 11) == 0 || strncmp(source, "encoder.", 8) == 0;
    return inner && is_head(l) ? arena_printf(a, "reformer.%s", source) : source;
}

bool hf_names_are_right(const layout_t *l) {
    int axes = axes_of(l);
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < l->entries[i].count; j++) {
            const layout_entry_t *e = &l->entries[i];
            if (!is_axial_table(e->source[j])) continue;
            const char *axis = strrchr(e->source[j], '.') + 1;
            bool digit = axis[0] >= '0' && axis[0] <= '9' && axis[1] == 0;
            if (j > 0 || e->rank != 2 || axes >= ST_RANK || !digit || axis[0] - '0' >= axes)
                return false;
        }
    return true;
}
