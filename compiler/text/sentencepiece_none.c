/* A build without SentencePiece: text_open asks pieces_built_in first, the rest is never called. */
#include "text/sentencepiece.h"

bool pieces_built_in(void) {
    return false;
}

pieces_t *pieces_open(const char *model, size_t bytes, sbuf_t *why) {
    (void)model, (void)bytes;
    sbuf_puts(why, "this build has no SentencePiece");
    return NULL;
}

void pieces_free(pieces_t *p) {
    (void)p;
}

int64_t pieces_count(const pieces_t *p) {
    (void)p;
    return 0;
}

token_piece_t pieces_kind(const pieces_t *p, int32_t id, char *byte) {
    (void)p, (void)id, (void)byte;
    return PIECE_NONE;
}

bool pieces_rewrite(const pieces_t *p) {
    (void)p;
    return false;
}

int64_t pieces_encode(const pieces_t *p, const char *text, size_t bytes, int32_t **ids,
                      int64_t **ends, sbuf_t *why) {
    (void)p, (void)text, (void)bytes, (void)ids, (void)ends, (void)why;
    return -1;
}

bool pieces_decode(const pieces_t *p, const int32_t *ids, int64_t n, sbuf_t *out, sbuf_t *why) {
    (void)p, (void)ids, (void)n, (void)out, (void)why;
    return false;
}
