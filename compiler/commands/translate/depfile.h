/* --depfile: which files a translation was made of, for make and ninja. */
#ifndef REFORMERC_COMMANDS_TRANSLATE_DEPFILE_H
#define REFORMERC_COMMANDS_TRANSLATE_DEPFILE_H

#include "cli/options.h"
#include "support/diag.h"
#include "support/sbuf.h"

/* Whether the option has a file to speak of. False after an error in d. */
bool depfile_check(const options_t *o, diag_t *d);

/* "OUT: FILE FILE ...", the files that d has seen opened. False after an error in d. */
bool depfile_put(const options_t *o, diag_t *d, sbuf_t *out);

#endif
