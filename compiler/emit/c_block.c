/* Blocks and conditions: each instruction to what writes it. */
#include "emit/c_int.h"

static void put_branch(func_t *f, const block_t *b, const var_t *const *vars) {
    size_t scope = names_enter(f->names);
    f->depth++;
    if (!put_part(f, b)) put_block(f, b);
    put_yield(f, b, vars);
    flush(f, FLUSH_ALL, NULL);
    f->depth--;
    names_leave(f->names, scope);
}

static void put_if(func_t *f, const inst_t *i) {
    arena_t *a = f->c->arena;
    expr_t cond = take(f, i->operand[0]);
    flush(f, FLUSH_ALL, NULL);
    const var_t **vars = ARENA_ARRAY(a, const var_t *, i->n_results + 1);
    for (int k = 0; k < i->n_results; k++) {
        const value_t *v = i->results[k];
        if (!state_of(f, v)->live) continue;
        var_t *var = ARENA_NEW(a, var_t);
        var->name = local_name(f, v->name ? v->name : "chosen");
        vars[k] = var;
        put_line(&f->out, f->depth, "%s %s;", c_type(f->c, v->type), var->name);
        state_of(f, v)->e = (expr_t){.text = var->name, .prec = P_PRIMARY};
    }
    const char *test = cond.cond ? cond.cond : cond.text;
    if (!block_is_needed(f, i->body) && i->n_results == 0) {
        put_line(&f->out, f->depth, "if (!(%s)) {", test);
        put_branch(f, i->otherwise, vars);
        put_line(&f->out, f->depth, "}");
        return;
    }
    put_line(&f->out, f->depth, "if (%s) {", test);
    put_branch(f, i->body, vars);
    if (i->otherwise && (block_is_needed(f, i->otherwise) || i->n_results > 0)) {
        put_line(&f->out, f->depth, "} else {");
        put_branch(f, i->otherwise, vars);
    }
    put_line(&f->out, f->depth, "}");
}

static void put_inst(func_t *f, const inst_t *i) {
    switch (i->op) {
    case OP_COMMENT: put_comment(&f->out, f->depth, "%s", i->text); break;
    case OP_STORE: put_store(f, i); break;
    case OP_PREFETCH: put_prefetch(f, i); break;
    case OP_FOR:
        if (!put_part(f, i->body)) put_loop(f, i);
        break;
    case OP_IF: put_if(f, i); break;
    case OP_LAUNCH: put_launch(f, i); break;
    case OP_TRACE: put_trace(f, i); break;
    case OP_READY: put_ready(f, i); break;
    case OP_RETURN: put_return(f, i); break;
    case OP_YIELD: break; /* the parent's */
    case OP_CALL:
        if (i->n_results != 1) put_call(f, i);
        else put_value(f, i);
        break;
    default: put_value(f, i); break;
    }
}

void put_insts(func_t *f, const block_t *b, size_t from, size_t to) {
    for (size_t k = from; k < to; k++) {
        size_t behind = put_range(f, b, k);
        if (behind > k) {
            k = behind - 1;
            continue;
        }
        const inst_t *i = b->insts[k];
        put_bases(f, b, k);
        if (i->op == OP_COMMENT || is_needed(f, i)) put_inst(f, i);
    }
}

void put_block(func_t *f, const block_t *b) {
    put_insts(f, b, 0, b->n);
}
