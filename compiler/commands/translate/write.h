/* What a translation can write. */
#ifndef REFORMERC_COMMANDS_TRANSLATE_WRITE_H
#define REFORMERC_COMMANDS_TRANSLATE_WRITE_H

#include "session/session.h"

typedef enum {
    OUT_NOTHING,
    OUT_C,
    OUT_C_STDOUT,
    OUT_RIR,
    OUT_GRAPH,
    OUT_LL,
    OUT_ASSEMBLY,
    OUT_OBJECT,
    OUT_LIBRARY,
    OUT_BAD
} out_kind_t;

/* Each writes -o OUT, what stands beside it and --depfile, of a session that is lowered; a graph:
 * planned. False after errors in its d. */
bool write_c(session_t *s, bool to_stdout);
bool write_machine_code(session_t *s, out_kind_t kind); /* OUT_LL … OUT_LIBRARY */
bool write_rir(session_t *s);
bool write_graph(session_t *s);
/* A module that was read from loop IR. */
bool write_module(const options_t *o, const module_t *m, diag_t *d);

#endif
