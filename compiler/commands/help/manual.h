/* Help in the forms that others read: pages of `man`, completion of shells. All is made of the
 * table of commands and options.def, and so never older than the program that prints it. */
#ifndef REFORMERC_COMMANDS_HELP_MANUAL_H
#define REFORMERC_COMMANDS_HELP_MANUAL_H

#include "cli/options.h"

/* troff; of the nameless command: reformerc(1), which lists them all. */
void manual_page(const command_t *all, const command_t *c, sbuf_t *out);
void completion_bash(const command_t *all, sbuf_t *out);
void completion_zsh(const command_t *all, sbuf_t *out);
void completion_fish(const command_t *all, sbuf_t *out);

/* What a shell offers in the place of an option's argument. */
typedef enum { OFFER_NOTHING, OFFER_FILES, OFFER_FOLDERS, OFFER_WORDS, OFFER_SETTINGS } offer_t;
offer_t option_offer(option_id_t id);
/* Several, with commas between them. */
bool option_is_list(option_id_t id);
/* OFFER_WORDS, OFFER_SETTINGS: the words, a line each; a setting ends with its '='. */
void option_words(option_id_t id, sbuf_t *out);
/* The first words of a text, about a line of a menu. */
void short_doc(const char *doc, sbuf_t *out);

#endif
