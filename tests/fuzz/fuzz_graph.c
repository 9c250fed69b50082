/* libFuzzer's door to the reader of .graph files and the lowering behind it. Built with clang and -DREFORMERC_FUZZ=ON:
 *   reformerc SPEC -o CORPUS/model.graph
 *   fuzz_graph -dict=graph.dict CORPUS */
#include <stddef.h>
#include <stdint.h>

#include "graph_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = malloc(size + 1); /* texts end in NUL, and a read behind it is seen */
    MUST(copy);
    memcpy(copy, data, size);
    copy[size] = 0;
    (void)graph_one_input(copy, size);
    free(copy);
    return 0;
}
