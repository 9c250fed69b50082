/* The entry as it is written: schedule.c, layer after layer; schedule_band.c, regions;
 * schedule_launch.c, launches. */
#ifndef REFORMERC_LOWER_SCHEDULE_H
#define REFORMERC_LOWER_SCHEDULE_H

#include "lower/lower_int.h"

typedef struct {
    lower_t *L;
    builder_t *b;
    trace_t *trace;
    value_t *layer; /* NULL: outside of layers */
    int n_layers;
    const int *turn; /* by region: how many of its class come before it in its layer */
    /* Tables that were looked up already in this branch. */
    struct {
        const buffer_t *table;
        int64_t bound;
        value_t *value;
    } known[MAX_INDICES * 4];
    int n_known;
    /* The branch that is open, of what runs when. */
    when_t open;
    inst_t *of_mode, *of_wanted;
    int n_known_outside; /* tables looked up before it */
} sched_t;

part_t *part_of(const sched_t *s, const region_t *region);
/* "layer#.lsh.hash"; `what` may be "". */
const char *launch_label(const sched_t *s, const char *part, const char *what);

/* What follows runs then: opens, goes on with or ends branches. A value that is looked
 * up in one ends with it. */
void run_when(sched_t *s, when_t when);
void run_always(sched_t *s);
/* Looks the region's places in stacks up, to know them in branches that follow too. */
void know_places(sched_t *s, const region_t *region);
value_t *place_of_member(sched_t *s, const region_t *region, int vector);
/* Launches a kernel whose parameters are the region's places, then the group where there is one. */
void launch_part(sched_t *s, lfunc_t *kernel, const region_t *region, value_t *group,
                 const char *label);
/* The kernels of a row program, chunk after chunk where sums are made of its rows. */
void launch_stages(sched_t *s, const region_t *region, value_t *group, const char *name);

/* A region, or the whole band that it begins. Returns the last region that ran. */
const region_t *schedule_region(sched_t *s, const region_t *region);

#endif
