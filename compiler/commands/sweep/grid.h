/* The settings of a sweep: `--set KEY=A,B,C` gives a key its alternatives, all combinations are the
 * points. The first key varies slowest. */
#ifndef REFORMERC_COMMANDS_SWEEP_GRID_H
#define REFORMERC_COMMANDS_SWEEP_GRID_H

#include "spec/spec.h"

enum { MAX_POINTS = 10000 };

typedef struct {
    const char *key;
    int n;
    const char **values; /* [n] each one YAML flow value, as typed */
} axis_t;

typedef struct {
    axis_t *axes;
    int n_axes;
    int n_points; /* 1 without any setting */
} grid_t;

/* Commas inside [] {} or quotes separate nothing. False after an error in d: an empty alternative,
 * one that stands twice, a bracket or quote that is not closed. */
bool axis_split(axis_t *x, arena_t *a, const char *key, const char *text, diag_t *d);
/* A key that is set again: the last one wins. Errors read `--set KEY: …`. */
bool grid_make(grid_t *g, arena_t *a, const setting_t *sets, int n, diag_t *d);
const char *grid_value(const grid_t *g, int point, int axis);
/* The settings of a point, one per axis. */
setting_t *grid_settings(const grid_t *g, arena_t *a, int point);
/* "num_hashes=4 lsh_attn_chunk_length=64": what varies, or all settings when nothing does. */
const char *grid_label(const grid_t *g, arena_t *a, int point);

#endif
