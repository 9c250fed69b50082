/* model.h: what a product sees. Types are the runtime's; the comments say what this model makes of
 * them: shapes as literals, which fields it reads and writes, who owns what, what can fail. */
#include <ctype.h>
#include <string.h>

#include "emit/c_int.h"

/* Identifiers that begin with a capital and hold no double underscore are ours to take. */
const char *include_guard(arena_t *a, const char *header_name) {
    char *s = arena_printf(a, "REFORMER_MODEL_%s", header_name);
    for (char *p = s; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return s;
}

typedef struct {
    const emitter_t *c;
    const reformer_desc_t *d;
    bool dynamic;
    sbuf_t *out;
} header_t;

/* ---- fields ---------------------------------------------------------------------------------- */

enum {
    ALL = 1 << REFORMER_HEAD_NONE | 1 << REFORMER_HEAD_CAUSAL_LM | 1 << REFORMER_HEAD_MASKED_LM |
          1 << REFORMER_HEAD_CLASSIFIER | 1 << REFORMER_HEAD_QA,
    LM = 1 << REFORMER_HEAD_CAUSAL_LM | 1 << REFORMER_HEAD_MASKED_LM,
    LABELS = 1 << REFORMER_HEAD_CLASSIFIER,
    QA = 1 << REFORMER_HEAD_QA
};

/* %B batch, %W width of last_hidden_state, %V vocabulary, %C classes, %L longest input */
static const struct {
    unsigned heads;
    const char *name, *shape, *text;
} fields[] = {
    {ALL, "input_ids", "[batch][length]", "token ids, 0 … %V - 1"},
    {ALL, "attention_mask", "[batch][length]", "1 = token, 0 = padding; NULL = all tokens"},
    {ALL, "batch", "", "rows given, 1 … %B; 0 = %B"},
    {ALL, "length", "", "tokens per row, 1 … %L"},
    {ALL, "threads", "", "workers to use, 0 = 1; never changes a result"},
    {ALL, "last_hidden_state", "[batch][length][%W]", "out"},
    {LM, "logits", "[batch][length][%V]", "out"},
    {LABELS, "logits", "[batch][%C]", "out"},
    {QA, "start_logits", "[batch][length]", "out"},
    {QA, "end_logits", "[batch][length]", "out"},
    {LM, "labels", "[batch][length]", "for the loss: 0 … %V - 1, -100 = ignore"},
    {LABELS, "labels", "[batch]", "for the loss: integer labels"},
    {LABELS, "labels_f32", "[batch][%C]", "for the loss: float labels, instead of `labels`"},
    {QA, "start_positions", "[batch]", "for the loss"},
    {QA, "end_positions", "[batch]", "for the loss"},
    {ALL & ~(1u << REFORMER_HEAD_NONE), "loss", "[1]", "out; asks for labels"},
    {LM, "token_losses", "[batch][length]", "out; asks for labels: what the loss is the mean of"},
    {ALL, "pool", "", "the product's own threads; NULL = built in"},
};

static const char *number(arena_t *a, int64_t x) {
    return arena_printf(a, "%lld", (long long)x);
}

static const char *fill_in(const header_t *h, const char *text) {
    arena_t *a = h->c->arena;
    sbuf_t s = {0};
    for (; *text; text++) {
        if (*text != '%') sbuf_write(&s, text, 1);
        else if (*++text == 'B') sbuf_puts(&s, number(a, h->d->batch));
        else if (*text == 'W') sbuf_puts(&s, number(a, 2 * h->d->hidden));
        else if (*text == 'V') sbuf_puts(&s, number(a, h->d->vocab));
        else if (*text == 'C') sbuf_puts(&s, number(a, h->d->labels));
        else sbuf_puts(&s, number(a, h->d->max_length));
    }
    const char *r = arena_strdup(a, s.data ? s.data : "");
    sbuf_free(&s);
    return r;
}

static void add_fields(const header_t *h, sbuf_t *text) {
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        if (!(fields[k].heads >> h->d->head & 1)) continue;
        const char *left =
            arena_printf(h->c->arena, "%s%s", fields[k].name, fill_in(h, fields[k].shape));
        sbuf_printf(text, "    %-34s %s\n", left, fill_in(h, fields[k].text));
    }
    if (h->c->o->trace)
        sbuf_printf(text, "    %-34s %s\n", "trace, trace_ctx", "called with every activation");
    if (h->c->plan->instrument)
        sbuf_printf(text, "    %-34s %s\n", "profile, profile_ctx",
                    "called before and after every launch");
    if (h->c->o->impose_buckets) {
        int64_t lsh = h->d->lsh_layers, heads = h->d->heads, rounds = h->d->rounds;
        const char *shape =
            h->d->lsh ? arena_printf(h->c->arena, "buckets[][%lld][heads][rounds][padded]",
                                     (long long)h->d->batch)
                      : arena_printf(h->c->arena, "buckets[%lld][%lld][%lld][%lld][padded]",
                                     (long long)lsh, (long long)h->d->batch, (long long)heads,
                                     (long long)rounds);
        sbuf_printf(text, "    %-34s %s\n", shape, "imposed where given");
        shape = arena_printf(h->c->arena, "buckets_given[%lld]", (long long)lsh);
        sbuf_printf(text, "    %-34s %s\n", shape, "1 = impose, 0 = hash");
    }
}

static void put_fields(const header_t *h) {
    sbuf_t text = {0};
    sbuf_puts(
        &text,
        "One forward. Set `size`, zero the rest; NULL output = not wanted; `batch` and\n"
        "`length` in shapes are the values given. All arrays are dense, row-major, the caller's:\n\n");
    add_fields(h, &text);
    if (h->d->trains)
        sbuf_printf(&text, "    %-34s %s\n", "dropout_seed, _step, _row",
                    "of a train step: which elements are dropped");
    if (h->d->trains)
        sbuf_printf(&text, "    %-34s %s\n", "ready, ready_ctx",
                    "called with gradients as they become final");
    sbuf_puts(&text, "\nWhat this model does not have (other outputs of reformer_io_t) is an error "
                     "to ask for.");
    put_comment(h->out, 0, "%s", text.data);
    sbuf_free(&text);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* A fresh model of Hugging Face would choose by the input; an artefact is one
 * model at all of its lengths. */
static const char *buckets_text(const header_t *h) {
    const plan_t *p = h->c->plan;
    const gnode_t *hash = p->spec->of_graph ? NULL : plan_hash(p);
    if (p->n_variants == 1 || !hash || spec_layer(p->spec, hash->layer).n_bucket_factors)
        return ".";
    const char *number = "";
    for (int i = 0; i < hash->n_factors; i++)
        number = arena_printf(h->c->arena, "%s%s%lld", number, i ? ", " : "",
                              (long long)hash->factors[i]);
    return arena_printf(
        h->c->arena,
        "\nwith num_buckets %s%s%s at every length, the number for %lld tokens: the spec\n"
        "has null.",
        hash->n_factors > 1 ? "[" : "", number, hash->n_factors > 1 ? "]" : "",
        (long long)p->longest);
}

static const char *padding_text(const header_t *h) {
    return arena_printf(
        h->c->arena, "%s%s",
        h->dynamic
            ? "An input of any length gives what Hugging Face gives for it, its own padding included"
            : "An input shorter than a specialised length gives what Hugging Face gives for it\n"
              "padded to that length with an attention mask",
        buckets_text(h));
}

/* What threads need that call a model. Frames of kernels that are not optimised hold every vector
 * by itself: 1.06 MB is the most that was seen (attention, x86-64-v4, clang). The rest is mostly
 * the memory of a call's own threads. tests/cli/compilers.sh runs models on such stacks. */
enum { STACK_KIB = 128, PLAIN_STACK_KIB = 2048 };

/* What a first program asks for. */
static const char *wanted_text(const reformer_desc_t *d) {
    if (d->head == REFORMER_HEAD_NONE) return ".last_hidden_state = hidden";
    if (d->head == REFORMER_HEAD_QA) return ".start_logits = start, .end_logits = end";
    return ".logits = logits";
}

static void put_header_opening(const header_t *h) {
    const plan_t *p = h->c->plan;
    put_comment(
        h->out, 0,
        "%s: the Reformer model of %s, by reformerc.\n%s\n"
        "    %s_t m = {0};\n"
        "    int error = %s_bind(&m, weights, weights_bytes);\n"
        "    size_t bytes = %s_workspace_bytes(length, threads);\n"
        "    %s_io_t io = {.size = sizeof io, .input_ids = ids,\n"
        "        .length = length, .threads = threads, %s};\n"
        "    if (!error) error = %s_forward(&m, &io, workspace, bytes);\n\n"
        "The caller owns all memory; weights and workspace are 64-byte aligned.\n"
        "After binding, a %s_t is read-only:\n"
        "any number of threads may call forward on it at once, each with a workspace of its own and\n"
        "%d KiB of stack (%d KiB where this is compiled without optimisation). Functions return 0\n"
        "or a REFORMER_E_ code. The weights stay where they are while the model is in use.\n%s",
        h->c->o->header_name, spec_name(h->c), origin_text(h->c), p->name, p->name, p->name,
        p->name, wanted_text(h->d), p->name, p->name, STACK_KIB, PLAIN_STACK_KIB, padding_text(h));
}

static void put_macro(const header_t *h, const char *name, const char *value, const char *comment) {
    arena_t *a = h->c->arena;
    const char *macro = arena_printf(a, "#define %s_%s", upper_case(a, h->c->plan->name), name);
    bool fits = strlen(macro) + strlen(value) + strlen(comment) + strlen("  /*  */") <= COLUMNS;
    if (fits) sbuf_printf(h->out, "%s %s /* %s */\n", macro, value, comment);
    else sbuf_printf(h->out, "/* %s */\n%s \\\n    %s\n", comment, macro, value);
}

/* Of models that train. */
static void put_train_macros(const header_t *h) {
    arena_t *a = h->c->arena;
    size_t n = 0;
    for (int i = 0; i < h->d->n_stacks; i++) n += (size_t)h->d->stacks[i].count;
    put_macro(h, "GRADIENTS", number(a, (int64_t)n), "tensors that have a gradient");
    put_macro(h, "GRADIENTS_BYTES", arena_printf(a, "UINT64_C(%zu)", h->d->gradients_bytes),
              "what a train step fills");
    if (h->d->updates)
        put_macro(h, "TRAINER_BYTES",
                  arena_printf(a, "UINT64_C(%zu)", reformer_trainer_bytes(h->d, 1)),
                  "memory of a trainer, steps of one batch");
}

/* Of models that generate. */
static void put_decoder(const header_t *h) {
    arena_t *a = h->c->arena;
    const char *name = h->c->plan->name;
    const reformer_desc_t *d = h->d;
    size_t record = 0; /* a multiple of 64: no part is filled up */
    for (int i = 0; i < d->n_record_parts; i++) record += (size_t)d->batch * d->record_parts[i];
    size_t fixed = reformer_cache_bytes(d, 1) - (record + 63) / 64 * 64;
    put_macro(h, "POSITIONS", number(a, d->positions), "tokens that a row of the cache can hold");
    put_comment(h->out, 0,
                "Bytes of a cache for rows of up to `length` tokens: what %s_cache_bytes returns.",
                name);
    sbuf_printf(h->out,
                "#define %s_CACHE_BYTES(length) \\\n"
                "    (UINT64_C(%zu) + (UINT64_C(%zu) * (length) + 63) / 64 * 64)\n\n",
                upper_case(a, name), fixed, record);
}

static void put_macros(const header_t *h) {
    const reformer_desc_t *d = h->d;
    arena_t *a = h->c->arena;
    put_macro(h, "BATCH", number(a, d->batch), "rows of a call, at most");
    put_macro(h, "MAX_LENGTH", number(a, d->max_length), "tokens per row");
    put_macro(h, "HIDDEN", number(a, 2 * d->hidden), "width of last_hidden_state");
    put_macro(h, "VOCAB", number(a, d->vocab), "token ids");
    if (d->head == REFORMER_HEAD_CLASSIFIER)
        put_macro(h, "LABELS", number(a, d->labels), "classes");
    put_macro(h, "WEIGHTS_BYTES",
              arena_printf(a, "UINT64_C(%llu)", (unsigned long long)d->weights_bytes),
              "size of the weights file");
    if (d->trains) put_train_macros(h);
    if (d->steps) put_decoder(h);
    else sbuf_puts(h->out, "\n");
}

static void put_decode_type(const header_t *h) {
    put_comment(
        h->out, 0, "%s",
        fill_in(
            h,
            "One prefill or step of generation. Set `size`, zero the rest; NULL output = not "
            "wanted:\n\n"
            "    input_ids                          a prefill's [batch][length], a step's [batch]\n"
            "    attention_mask                     of that shape; 1 = token of its row; NULL = all\n"
            "    batch                              rows of the cache, 1 … %B; 0 = %B\n"
            "    length                             of a prefill, 1 … %L\n"
            "    threads, pool                      as in a forward\n"
            "    logits[batch][%V]                 out: of the token that follows each row\n"
            "    last_hidden_state[batch][%W]      out: of each row's last token"));
    put_line(h->out, 0, "typedef reformer_decode_t %s_decode_t;\n", h->c->plan->name);
}

static const struct {
    duty_t duty;
    const char *comment, *text;
} functions[] = {
    {DUTY_ALL,
     "Bytes of the workspace for inputs of up to `length` tokens on `threads` workers; 0: out of\n"
     "range, or this CPU runs none of the targets.",
     "size_t %s_workspace_bytes(size_t length, int threads);"},
    {DUTY_ALL,
     "Checks magic, version, fingerprint and size of the weights, which are 64-byte aligned, and\n"
     "chooses the best target of this CPU. Reads the header only.",
     "int %s_bind(%s_t *m, const void *weights, size_t bytes);"},
    {DUTY_ALL,
     "What bind says of these weights, and in text[room] why: what was expected and what was found.",
     "int %s_explain(const void *weights, size_t bytes, char *text, size_t room);"},
    {DUTY_ALL, "Checksum and finite values: reads everything.",
     "int %s_check_weights(const %s_t *m);"},
    {DUTY_ALL,
     "The target that bind took, \"x86-64-v3\" …; REFORMER_CPU in the environment names the\n"
     "best that it may take. Static text, as those below.",
     "const char *%s_target(const %s_t *m);"},
    {DUTY_ALL,
     "`bytes`: of the workspace, as of other memory below; REFORMER_E_WORKSPACE: they are too few.",
     "int %s_forward(const %s_t *m, const %s_io_t *io, void *workspace, size_t bytes);"},
    {DUTY_ALL, NULL, "const char *%s_strerror(int code);"},
    {DUTY_ALL, "Of the reformerc that compiled this model.", "const char *%s_version(void);"},
    {DUTY_GENERATES,
     "Generation, as reformer_rt.h describes it: a cache of 64-byte aligned memory, a workspace for\n"
     "prompts of up to `length` tokens, padding not counted (0: for steps alone), a prefill, then steps.",
     "size_t %s_cache_bytes(size_t length);"},
    {DUTY_GENERATES, NULL, "size_t %s_decode_bytes(size_t length, int threads);"},
    {DUTY_GENERATES, "Makes empty rows in that many bytes.",
     "int %s_cache_init(void *cache, size_t bytes, size_t length);"},
    {DUTY_GENERATES, "Of one that was saved or copied: is it this model's, and all of it there?",
     "int %s_cache_check(const void *cache, size_t bytes);"},
    {DUTY_GENERATES, "Tokens that a row holds.",
     "size_t %s_cache_tokens(const void *cache, size_t row);"},
    {DUTY_GENERATES, "Row `to` becomes what row `from` is.",
     "int %s_cache_copy_row(void *cache, size_t from, size_t to);"},
    {DUTY_GENERATES, "Reads prompts into rows.",
     "int %s_prefill(const %s_t *m, const %s_decode_t *io, void *cache, void *workspace, "
     "size_t bytes);"},
    {DUTY_GENERATES, "Appends a token to each row.",
     "int %s_step(const %s_t *m, const %s_decode_t *io, void *cache, void *workspace, "
     "size_t bytes);"},
    {DUTY_TRAINS,
     "Training: the gradient of the loss by every tensor of the weights, of one step with dropout at\n"
     "the model's rates (reformer_rt.h, reformer_gradients). They are written to 64-byte aligned memory\n"
     "of this many bytes, dense and row-major, all of them anew at each call.",
     "size_t %s_gradients_bytes(void);"},
    {DUTY_TRAINS,
     "Tensor number i of them: Hugging Face's name, its shape, where it begins and ends, in floats.\n"
     "REFORMER_E_ARGUMENT: there are no more.",
     "int %s_gradient(size_t i, reformer_tensor_t *t);"},
    {DUTY_TRAINS, "Bytes of the workspace of a train step, otherwise as the forward's.",
     "size_t %s_train_bytes(size_t length, int threads);"},
    {DUTY_TRAINS,
     "io as in a forward, with labels (REFORMER_E_ARGUMENT: without); its outputs are those of the\n"
     "step. Any number of threads at once, each with gradients and a workspace of its own; after an\n"
     "error gradients are undefined.",
     "int %s_gradients(const %s_t *m, const %s_io_t *io, float *gradients, "
     "size_t gradients_bytes, void *workspace, size_t bytes);"},
    {DUTY_LEARNS,
     "Learning: weights that a model is bound to, changed step by step by the rule of the spec's\n"
     "`train:` (reformer_rt.h, reformer_trainer_t). Memory and workspace are 64-byte aligned; a step\n"
     "adds up the gradients of at most `micro_batches` batches.",
     "size_t %s_trainer_bytes(size_t micro_batches);"},
    {DUTY_LEARNS, NULL, "size_t %s_trainer_workspace(size_t length, int threads);"},
    {DUTY_LEARNS, "`weights` are those that m is bound to, in memory that may be written.",
     "int %s_trainer_begin(%s_trainer_t *t, const %s_t *m, void *weights, void *memory, "
     "size_t memory_bytes, size_t micro_batches, void *workspace, size_t bytes);"},
    {DUTY_LEARNS, "The same of weights and memory as they were kept after that many steps.",
     "int %s_trainer_resume(%s_trainer_t *t, const %s_t *m, void *weights, void *memory, "
     "size_t memory_bytes, size_t micro_batches, int64_t step);"},
    {DUTY_LEARNS,
     "One step on io[n], each with labels; no forward of m may run meanwhile. report may be NULL.",
     "int %s_train_step(%s_trainer_t *t, const %s_io_t *io, size_t n, %s_train_report_t *report, "
     "void *workspace, size_t bytes);"},
    {DUTY_LEARNS, "Gives the file of weights that have learnt a right checksum.",
     "int %s_sign_weights(void *weights, size_t bytes);"},
};

static void put_weights_function(const header_t *h) {
    put_comment(
        h->out, 0,
        "The weights inside of the object, as bind takes them; *bytes: their size, NULL is fine.");
    put_line(h->out, 0, "const void *%s_embedded_weights(size_t *bytes);", h->c->plan->name);
}

static void put_functions(const header_t *h) {
    const char *name = h->c->plan->name;
    put_line(h->out, 0, "REFORMER_MODEL_BEGIN");
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        sbuf_t text = {0};
        if (!plan_has_duty(h->c->plan, functions[k].duty)) continue;
        for (const char *p = functions[k].text; *p; p++) {
            if (strncmp(p, "%s", 2) == 0) sbuf_puts(&text, name), p++;
            else sbuf_write(&text, p, 1);
        }
        if (k && functions[k].duty != functions[k - 1].duty) sbuf_puts(h->out, "\n");
        if (functions[k].comment) put_comment(h->out, 0, "%s", functions[k].comment);
        put_line(h->out, 0, "%s", text.data);
        if (k == 0) put_workspace_macro(h->c, h->d, h->out);
        sbuf_free(&text);
    }
    if (h->c->o->weights_file) put_weights_function(h);
    put_line(h->out, 0, "REFORMER_MODEL_END");
}

static void put_own_type(const header_t *h, const char *end, const char *field) {
    const char *name = arena_printf(h->c->arena, "%s%s", h->c->plan->name, end);
    sbuf_printf(h->out, "typedef struct %s {\n    %s\n} %s;\n", name, field, name);
}

void put_header(const emitter_t *c, const reformer_desc_t *d, const reformer_variant_t *v,
                sbuf_t *out) {
    header_t h = {.c = c, .d = d, .out = out};
    for (int k = 0; k < d->n_variants; k++) h.dynamic = h.dynamic || v[k].unpadded;
    const char *guard = include_guard(c->arena, c->o->header_name);
    put_header_opening(&h);
    sbuf_printf(out, "#ifndef %s\n#define %s\n\n", guard, guard);
    if (c->o->standalone) put_runtime_header(c, out);
    else sbuf_puts(out, "#include \"reformer_rt.h\"\n\n");
    put_macros(&h);
    sbuf_puts(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    put_comment(out, 0, "Types of its own, so that no other model's can take their place.");
    put_own_type(&h, "_t", "reformer_model_t model;");
    if (d->updates) put_own_type(&h, "_trainer_t", "reformer_trainer_t trainer;");
    put_fields(&h);
    put_line(out, 0, "typedef reformer_io_t %s_io_t;\n", c->plan->name);
    if (d->steps) put_decode_type(&h);
    if (d->updates) {
        put_line(out, 0, "typedef reformer_train_report_t %s_train_report_t;\n", c->plan->name);
    }
    put_functions(&h);
    sbuf_puts(out, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}
