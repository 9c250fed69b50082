/* The module that has SentencePiece, where there is one. */
#include "text/sentencepiece.h"

#ifndef REFORMERC_SENTENCEPIECE
#error "CMakeLists.txt defines whether SentencePiece was found"
#endif

bool pieces_built_in(void) {
    return REFORMERC_SENTENCEPIECE;
}

const pieces_library_t *pieces_library(struct diag *d) {
    static const module_file_t module = {
        .name = "sentencepiece", .needs = "SentencePiece", .package = "libsentencepiece0"};
    return module_load(&module, d);
}
