/* The types of elements that safetensors files have. */
#include <string.h>

#include "weights/st_int.h"

static const dtype_info_t dtypes[] = {
    {"BOOL", ST_BOOL, 1}, {"U8", ST_U8, 1},   {"I8", ST_I8, 1},     {"I16", ST_I16, 2},
    {"I32", ST_I32, 4},   {"I64", ST_I64, 8}, {"F16", ST_F16, 2},   {"BF16", ST_BF16, 2},
    {"F32", ST_F32, 4},   {"F64", ST_F64, 8}, {"U16", ST_OTHER, 2}, {"U32", ST_OTHER, 4},
    {"U64", ST_OTHER, 8},
};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

const dtype_info_t *st_dtype_named(const char *name) {
    for (int i = 0; i < N_DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
    return NULL;
}

const dtype_info_t *st_dtype_info(st_dtype_t t) {
    for (int i = 0; i < N_DTYPES; i++)
        if (dtypes[i].dtype == t) return &dtypes[i];
    bug("no size for dtype %d", (int)t);
}
