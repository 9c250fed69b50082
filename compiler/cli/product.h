/* What reformerc says about itself and to the build of a product: texts for stdout. */
#ifndef REFORMERC_CLI_PRODUCT_H
#define REFORMERC_CLI_PRODUCT_H

#include "support/sbuf.h"

const char *program_version(void); /* "0.1.0" */
void product_version(sbuf_t *out); /* --version */
void product_cflags(sbuf_t *out);  /* --cflags: one line */
void product_libs(sbuf_t *out);    /* --libs: one line */

#endif
