/* Values in files for programs: CSV (RFC 4180) and JSON (RFC 8259). */
#ifndef REFORMERC_REPORT_FIELDS_H
#define REFORMERC_REPORT_FIELDS_H

#include "support/sbuf.h"

void put_csv(sbuf_t *out, const char *text);  /* quoted where need be */
void put_json(sbuf_t *out, const char *text); /* a string; bytes that are no UTF-8 become U+FFFD */
/* Numbers, true, false and null as such; everything else as the text that was typed. */
void put_json_value(sbuf_t *out, const char *value);
/* A line `  "KEY": "VALUE",` of the outermost object. */
void put_json_member(sbuf_t *out, const char *key, const char *value);

#endif
