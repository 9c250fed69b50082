/* Help in the forms that others read: pages of `man`, completion of shells. All is made of the table of commands and
 * options.def, and so never older than the program that prints it. */
#ifndef REFORMERC_CLI_MANUAL_H
#define REFORMERC_CLI_MANUAL_H

#include "cli/options.h"

void manual_page(const command_t *c,
                 sbuf_t *out); /* troff; of the nameless command: reformerc(1) */
void completion_bash(sbuf_t *out);
void completion_zsh(sbuf_t *out);
void completion_fish(sbuf_t *out);

/* What a shell offers in the place of an option's argument. */
typedef enum { OFFER_NOTHING, OFFER_FILES, OFFER_FOLDERS, OFFER_WORDS, OFFER_SETTINGS } offer_t;
offer_t option_offer(option_id_t id);
/* OFFER_WORDS, OFFER_SETTINGS: the words, a line each; a setting ends with its '='. */
void option_words(option_id_t id, sbuf_t *out);
/* The first words of a text, about a line of a menu. */
void short_doc(const char *doc, sbuf_t *out);

/* Paragraphs of --help and of reformerc(1). */
extern const char help_title[], help_model[], help_exit[], help_cache[];

#endif
