/* A report of headings, lines and tables, written once and shown twice: as text for a terminal, as
 * a page of HTML.
 *
 * Everything lives in the arena. Texts may come from specs: both renderers make them harmless. */
#ifndef REFORMERC_REPORT_DOCUMENT_H
#define REFORMERC_REPORT_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "support/arena.h"
#include "support/sbuf.h"

enum { MAX_COLUMNS = 10 };

typedef struct {
    const char *title;
    bool left; /* texts; numbers stand to the right */
} column_t;

typedef struct {
    int n_columns;
    column_t columns[MAX_COLUMNS]; /* without titles there is no head */
    const char **cells;            /* [rows][n_columns] */
    size_t n, cap;                 /* of cells */
    bool totals;                   /* the last row is the sum of the others */
} table_t;

typedef struct {
    const char *heading;
    const char *text;   /* before the table, NULL: none */
    const char *figure; /* HTML only: an <svg>, NULL: none */
    table_t *table;     /* NULL: none */
    const char *note;   /* after the table, NULL: none */
} section_t;

typedef struct {
    arena_t *arena;
    const char *title;
    section_t *sections;
    size_t n, cap;
} document_t;

section_t *document_section(document_t *d, const char *heading); /* valid until the next one */
table_t *table_new(arena_t *a, int n_columns, const column_t *columns);
void table_row(arena_t *a, table_t *t, const char *const *cells);

void document_text(const document_t *d, sbuf_t *out);
void document_html(const document_t *d, sbuf_t *out);
/* Text for HTML or SVG, within a tag's quotes too. */
void put_escaped(sbuf_t *out, const char *text);

/* Numbers for readers. */
const char *text_plural(int64_t n);               /* "" of one, else "s" */
const char *text_bytes(arena_t *a, double bytes); /* "1.5 MiB" */
const char *text_scaled(arena_t *a, double x);    /* "41.06 M", "512" */
const char *text_integer(arena_t *a, double x);   /* "149,182,722" */
const char *text_seconds(arena_t *a, double x);   /* "3.21 ms" */
const char *text_share(arena_t *a, double part);  /* 0.123 → "12.3 %" */
#endif
