/* Helpers for ops that C lacks: what they are called, and what they take. */
#include <ctype.h>
#include <string.h>

#include "emit/c_int.h"

const helper_form_t helpers[H_COUNT] = {
    [H_LOAD] = {"load", S_OWN},
    [H_STORE] = {"store", S_OWN},
    [H_PREFETCH] = {"prefetch", S_OWN},
    [H_SPLAT] = {"splat", S_OWN},
    [H_BITS] = {"bits", S_OWN},
    [H_FROM_BITS] = {"from_bits", S_OWN},
    [H_TO_BF16] = {"to_bf16", S_OWN},
    [H_FROM_BF16] = {"from_bf16", S_OWN},
    [H_ADD] = {"add", S_BINARY},
    [H_SUB] = {"sub", S_BINARY},
    [H_MUL] = {"mul", S_BINARY},
    [H_MULHI] = {"mulhi", S_BINARY},
    [H_DIV] = {"div", S_BINARY},
    [H_NEG] = {"neg", S_UNARY},
    [H_FMA] = {"fma", S_TERNARY},
    [H_DOT2] = {"dot2", S_DOT2},
    [H_DOT4] = {"dot4", S_DOT4},
    [H_SQRT] = {"sqrt", S_UNARY},
    [H_MIN] = {"min", S_BINARY},
    [H_MAX] = {"max", S_BINARY},
    [H_SELECT] = {"select", S_SELECT},
    [H_BLEND] = {"blend", S_BLEND},
    [H_EQ] = {"eq", S_MASK},
    [H_NE] = {"ne", S_MASK},
    [H_LT] = {"lt", S_MASK},
    [H_LE] = {"le", S_MASK},
    [H_GT] = {"gt", S_MASK},
    [H_GE] = {"ge", S_MASK},
    [H_SHUFFLE] = {"shuffle", S_OWN},
};

/* fma8: of vectors of floats, the type of most, a helper is called by their lanes alone. */
bool is_short_helper(helper_t h, ltype_t t) {
    const char *name = helpers[h].name;
    return t.elem == E_F32 && t.lanes > 1 && !isdigit((unsigned char)name[strlen(name) - 1]);
}

bool is_helper_name(const char *name) {
    const char *last = strrchr(name, '_');
    for (int h = 0; last && h < H_COUNT; h++) {
        size_t n = strlen(helpers[h].name);
        if (strncmp(name, helpers[h].name, n) != 0) continue;
        if (h == H_SHUFFLE || (size_t)(last - name) == n) return true;
    }
    return false;
}

bool is_short_helper_name(const char *name) {
    for (int h = 0; h < H_COUNT; h++) {
        if (*name != *helpers[h].name) continue; /* of nearly all */
        size_t n = strlen(helpers[h].name), digits;
        if (strncmp(name, helpers[h].name, n) != 0) continue;
        digits = strspn(name + n, "0123456789");
        if ((digits > 0 || h == H_PREFETCH) && (!name[n + digits] || name[n + digits] == '_'))
            return true;
    }
    return false;
}
