/* What a key takes, in words: for help and for messages. */
#include <math.h>

#include "spec/numbers.h"
#include "spec/schema.h"

static void print_bound(sbuf_t *out, double v) {
    if (fabs(v) < 1e15 && v == floor(v)) sbuf_printf(out, "%.0f", v);
    else print_real(out, v);
}

static void print_bounds(const key_info_t *k, sbuf_t *out) {
    bool low = isfinite(k->low), high = isfinite(k->high);
    if (!low && !high) return;
    sbuf_puts(out, high ? ", " : " of at least ");
    print_bound(out, k->low);
    if (high) sbuf_puts(out, " … ");
    if (high) print_bound(out, k->high);
}

static void print_words(const word_t *words, sbuf_t *out) {
    sbuf_puts(out, "one of ");
    for (const word_t *w = words; w->word; w++)
        sbuf_printf(out, "%s%s", w == words ? "" : ", ", w->word);
}

static const char *const kind_texts[] = {
    [KIND_INT] = "an integer",
    [KIND_INT_NULL] = "an integer",
    [KIND_REAL] = "a number",
    [KIND_REAL_NULL] = "a number",
    [KIND_BOOL] = "true or false",
    [KIND_INTS] = "a list of integers",
    [KIND_BUCKETS] = "an even integer",
    [KIND_TOKENS] = "an integer",
    [KIND_LAYERS] = "a list of local and lsh",
    [KIND_LAYER_COUNT] = "an integer",
    [KIND_MODEL_TYPE] = "reformer",
    [KIND_LAYER_SETTINGS] = "a list of mappings and nulls",
    [KIND_LABELS] = "a mapping from numbers to names",
    [KIND_NAME] = "a C name of at most 63 characters (a letter, then letters, digits and _)",
    [KIND_STRING] = "a text",
    [KIND_LENGTH] = "an integer",
    [KIND_TEXT] = "bytes or sentencepiece:FILE",
    [KIND_PATTERNS] = "a name or pattern (* ? [a-z]), a list of them, or null",
    [KIND_PAIR] = "a list of two numbers",
    [KIND_EPS] = "a number",
    [KIND_MEMORY] = "reversible, auto, or a size such as 512 MiB",
    [KIND_BYTES] = "a budget such as '<= 64 MiB' (B, kB … TB, KiB … TiB)",
    [KIND_FLOPS] = "a budget such as '<= 50 M' (k, M, G, T)",
    [KIND_NOTHING] = "empty",
    [KIND_ANYTHING] = "anything",
};

void print_range(spec_key_t key, sbuf_t *out) {
    const key_info_t *k = &schema[key];
    if (kind_texts[k->kind]) sbuf_puts(out, kind_texts[k->kind]);
    switch (k->kind) {
    case KIND_INT:
    case KIND_REAL:
    case KIND_INTS:
    case KIND_LAYER_COUNT: print_bounds(k, out); break;
    case KIND_INT_NULL:
    case KIND_REAL_NULL:
        print_bounds(k, out);
        sbuf_puts(out, ", or null");
        break;
    case KIND_BUCKETS:
    case KIND_TOKENS:
        print_bounds(k, out);
        sbuf_puts(out, ", a list of them, or null");
        break;
    case KIND_LENGTH:
        print_bounds(k, out);
        sbuf_puts(out, ", a list of them, or dynamic");
        break;
    case KIND_PAIR: print_bounds(k, out); break;
    case KIND_EPS:
        print_bounds(k, out);
        sbuf_puts(out, ", or a list of two");
        break;
    case KIND_FACTORS:
        sbuf_printf(out, "a list, of at most %d, or a text with * between: ", REFORMER_FACTORS);
        print_words(k->words, out);
        break;
    case KIND_WORD:
    case KIND_ARCHITECTURES: print_words(k->words, out); break;
    case KIND_TARGETS:
        print_words(k->words, out);
        sbuf_puts(out, ", or a list of them");
        break;
    default: break;
    }
}
