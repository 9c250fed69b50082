/* libFuzzer's door to the spec reader. Built with clang and -DREFORMERC_FUZZ=ON:
 *   reformerc schema --format dictionary > spec.dict
 *   fuzz_spec -dict=spec.dict CORPUS tests/spec/cases specs */
#include <stddef.h>
#include <stdint.h>

#include "spec_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = malloc(size + 1); /* so that a read behind the end is seen */
    MUST(copy);
    memcpy(copy, data, size);
    char *exact = realloc(copy, size ? size : 1);
    spec_one_input(exact, size);
    free(exact);
    return 0;
}
