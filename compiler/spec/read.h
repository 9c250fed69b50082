/* One reading of one spec: what read.c, values.c and check.c share. */
#ifndef REFORMERC_SPEC_READ_H
#define REFORMERC_SPEC_READ_H

#include "spec/schema.h"
#include "spec/tree.h"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    spec_t *spec;
    bool lenient;             /* the file says `model_type: reformer` */
    bool of_layer;            /* values of one layer: named without a section */
    bool head;                /* of a graph: only its keys may be given, and have defaults */
    int errors;               /* reported by complain(); at MAX_ERRORS it falls silent */
    int warnings;             /* of unknown keys, likewise */
    node_t *nodes[KEY_COUNT]; /* the value of each key, the default's included; NULL: absent */
    bool set[KEY_COUNT];      /* by --set */
    bool bad[KEY_COUNT];      /* did not convert: checks that need it stay away */
} reader_t;

/* An error at the place; false, for `return complain(…)`. */
bool complain(reader_t *r, srcloc_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A hint for the error just reported. */
void suggest(reader_t *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where to point when two values disagree: at the first that the user gave. */
srcloc_t blame(const reader_t *r, spec_key_t first, spec_key_t second);

/* nodes[key] → the members of spec_t. Sets bad[key] after errors. */
void convert_value(reader_t *r, spec_key_t key);

/* The list of extensions.layers: each mapping's values convert as the model's do. */
bool convert_layer_settings(reader_t *r, const node_t *n);
/* "layers.2.num_hashes", "layers.2": puts the value into the list of nodes[KEY_extensions_layers],
 * which others that share its nodes do not see. False: the name is of another form. */
bool set_layer(reader_t *r, const char *name, srcloc_t at, node_t *value);
bool spec_key_of_graph(spec_key_t key); /* header.c */

/* train.c: what a setting of optimizer.type or schedule.type makes meaningless is dropped; defaults
 * that depend on them, and which of the keys have an effect. */
void drop_of_other_rules(reader_t *r);
void settle_train(reader_t *r);
void check_train_of(reader_t *r); /* what depends on the architecture */

/* The rules that join several values; those that need the architecture only if it is known. */
void check_spec(reader_t *r);
void check_head(reader_t *r); /* of a graph */

#endif
