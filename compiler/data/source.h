/* One long row of token ids, on the disk or in memory.
 *
 * Token files are never read whole: they may be larger than memory. What a crop needs is read when
 * it is needed, and the system keeps the pages that are read often. They are not mapped: a file
 * that shrinks would kill the process, where a read is an error that says so.
 *
 *   *.npy          an array of NumPy of an integer type, any shape in C order
 *                  (rows one after the other)
 *   llm.c's .bin   256 int32 of header (magic 20240520: uint16, 20240801: uint32), then the tokens
 *   nanoGPT's .bin uint16 and nothing else: what ends in .bin and has no magic
 *
 * All are little endian, .npy may be big endian. */
#ifndef REFORMERC_DATA_SOURCE_H
#define REFORMERC_DATA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "support/diag.h"
#include "support/sbuf.h"

typedef struct source source_t;

/* Whether the file is one of tokens (a regular file with a magic, or whose name ends in
 * .bin), not a text. Silent. */
bool source_is_tokens(const char *path);
/* NULL after an error in d. `path` lives as long as d, like all that follow. */
source_t *source_tokens(const char *path, diag_t *d);
/* A file of which each byte is a token, id = byte + offset; a warning or an error where
 * it is no text (format.h). */
source_t *source_bytes_file(const char *path, int32_t offset, diag_t *d);
/* ids[n] in heap memory, taken over, and ends[n], the byte of the text where each
 * token ends; NULL: unknown. */
source_t *source_array(const char *path, int32_t *ids, int64_t *ends, int64_t n);
void source_free(source_t *s); /* NULL is fine */
/* Says of a token file what it does not know: each token is a byte of the text. */
void source_tokens_are_bytes(source_t *s);

const char *source_path(const source_t *s);
int64_t source_count(const source_t *s);
/* Bytes of the text that tokens from … to - 1 stand for; 0: unknown. */
int64_t source_bytes(const source_t *s, int64_t from, int64_t to);
/* Tokens from … from + n - 1. False after an error in d: the file became shorter, or an id is not
 * in 0 … vocabulary - 1. Any number of threads. */
bool source_read(const source_t *s, int64_t from, int64_t n, int64_t vocabulary, int32_t *ids,
                 diag_t *d);
/* All ids, where that takes no longer than a moment (the first 64 Mi of them): a wrong vocabulary
 * is told before the work, not within it. */
bool source_check(const source_t *s, int64_t vocabulary, diag_t *d);
uint64_t source_fingerprint(const source_t *s);

#endif
