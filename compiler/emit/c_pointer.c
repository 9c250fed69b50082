/* Base pointers as text: their declarations, in front of what first goes on from them. */
#include <string.h>

#include "emit/c_int.h"

/* w_attention_self_attention_value_weight: value_weight */
static const char *short_name(const func_t *f, const buffer_t *b) {
    enum { LONG_NAME = 16 };
    const char *name = buffer_base(f, b), *next;
    while (strlen(name) > LONG_NAME && (next = strchr(name, '_'))) name = next + 1;
    return name;
}

/* What it points to is called by the innermost of its values. */
const char *c_base_name(const func_t *f, const address_t *x) {
    const char *of = c_value_name(address_innermost(f, x));
    return arena_printf(f->c->arena, "%s_%s", short_name(f, address_buffer(x)), of);
}

static void put_base(func_t *f, base_t *b) {
    const address_t *x = b->address;
    const buffer_t *buffer = address_buffer(x);
    base_t *from = address_from(x);
    if (b->name) return;
    if (from) put_base(f, from);
    expr_t e = {0};
    const char *text = address_text(f, x, &e), *constant = b->written ? "" : "const ";
    b->name = local_name(f, c_base_name(f, x));
    b->shift = from ? from->shift : buffer->kind == BUF_TABLE ? 0 : *buffer_shift(f, buffer);
    put_line(&f->out, f->depth, "%s%s *%s = %s;", constant, c_elem(buffer->elem), b->name, text);
}

void put_bases(func_t *f, const block_t *b, size_t at) {
    for (size_t k = 0; k < f->n_bases; k++)
        if (f->bases[k]->block == b && f->bases[k]->at == at) put_base(f, f->bases[k]);
}
