/* Weights of any kind, opened as one table of tensors: safetensors, an index of several
 * such files, a packed file. */
#include <string.h>

#include "weights/packed_int.h"

/* Whether JSON stands there: a safetensors file begins with its header's length,
 * and none is that long. */
static bool is_index(const char *path) {
    diag_t *quiet = diag_new();
    input_t in;
    bool json = false;
    if (input_open(path, &in, quiet)) {
        unsigned char begin[16];
        size_t n = in.bytes < sizeof begin ? (size_t)in.bytes : sizeof begin, i = 0;
        if (input_read(&in, 0, begin, n, quiet)) {
            while (i < n && begin[i] && strchr(" \t\r\n", begin[i])) i++;
            json = i < n && begin[i] == '{' && !(n > 8 && begin[8] == '{' && begin[7] == 0);
        }
        input_close(&in);
    }
    diag_free(quiet);
    return json;
}

static st_file_t *open_any(const char *path, bool values, diag_t *d) {
    st_file_t *f = is_packed_file(path) ? st_open_packed(path, values, d)
                   : is_index(path)     ? st_open_index(path, values, d)
                                        : st_open_one(path, values, d);
    if (!f || st_unwrap(f, d)) return f;
    st_close(f);
    return NULL;
}

st_file_t *st_open_weights(const char *path, diag_t *d) {
    return open_any(path, true, d);
}

st_file_t *st_open_names(const char *path, diag_t *d) {
    return open_any(path, false, d);
}
