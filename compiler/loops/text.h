/* What the three files of the text form share: the printer and the parser of values and sums
 * (text_values.c), of instructions (text.c), of buffers, functions and the module
 * (text_module.c). */
#ifndef REFORMERC_LOOPS_TEXT_H
#define REFORMERC_LOOPS_TEXT_H

#include "loops/lex.h"
#include "loops/rules.h"

/* ---- printing -------------------------------------------------------------------------------- */

typedef struct {
    sbuf_t *out;
    const value_t **unique; /* [n_values]: at its id, a value whose name no other one has */
    int n_unique;
    int depth;
    size_t line_start;
} printer_t;

/* Learns which names of a function are unique; what it allocates lives in scratch. */
void rir_print_names(printer_t *p, arena_t *scratch, const lfunc_t *f);
void rir_print_value(printer_t *p, const value_t *v);
void rir_print_type(sbuf_t *s, ltype_t t);
void rir_print_float(sbuf_t *s, elem_t e, double x);
void rir_print_string(sbuf_t *s, const char *text);
void rir_print_affine(printer_t *p, const affine_t *a);
void rir_print_newline(printer_t *p);
/* Between the elements of a list; long lists go on in the next line. */
void rir_print_comma(printer_t *p);
void rir_print_block(printer_t *p, const block_t *b);

/* ---- parsing --------------------------------------------------------------------------------- */

typedef struct {
    const char *key;
    size_t n;
    void *what;
} symbol_t;

typedef struct {
    symbol_t *slots; /* open addressing; at most half of them taken */
    size_t size, taken;
} symbol_table_t;

typedef struct {
    lexer_t x;
    arena_t *scratch; /* gone after the parse */
    module_t *m;
    lfunc_t *f;
    block_t *at;
    int depth, largest_id;
    symbol_table_t values, buffers, funcs;
    struct {
        buffer_t *buffer;
        token_t owner;
    } * scratches; /* buffers whose kernel comes later in the text */
    size_t n_scratches, cap_scratches;
} parser_t;

void *rir_table_find(const symbol_table_t *t, const char *key, size_t n); /* NULL: none */
/* False when the key is there already. */
bool rir_table_enter(parser_t *p, symbol_table_t *t, const char *key, size_t n, void *what);

/* After an error, reported through the lexer, these return something harmless. */
value_t *rir_take_value(parser_t *p); /* one defined before; NULL after an error */
value_t *rir_declare_value(parser_t *p, const token_t *t, ltype_t type, inst_t *def);
elem_t rir_take_elem(parser_t *p);
ltype_t rir_take_type(parser_t *p);
affine_t rir_take_sum(parser_t *p, bool with_values);
dim_t rir_take_dim(parser_t *p);
void rir_take_block(parser_t *p, block_t *b); /* { … } into b */

#endif
