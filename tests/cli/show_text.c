/* show_text WHAT SPEC: text.h through stdin and stdout.
 *
 *   built-in        nothing; the exit code is 77 where SentencePiece is not built in
 *   encode, ends    text in; a line per token: its id, or the byte of the text where it ends
 *   file, file-ends the same of stdin as a file, encoded in parts
 *   decode, stream  ids in, one after the other; their text as a whole, or as it arrives
 *   steps           ids in; a line per id, and one for the end: the bytes that became certain, in hexadecimal
 *   agree           many lists of random ids: stream = decode, and not all are without text */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text/parts.h"
#include "text/sentencepiece.h"

enum { MAX_IDS = 1 << 20, SEQUENCES = 4000, LONGEST = 24 };

static int show_tokens(const text_t *t, bool ends, diag_t *d) {
    sbuf_t in = {0};
    for (int c; (c = getchar()) != EOF;) sbuf_write(&in, &(char){(char)c}, 1);
    tokens_t k;
    bool ok = text_encode(t, in.data ? in.data : "", in.size, &k, "stdin", d);
    for (int64_t i = 0; ok && i < k.n; i++)
        printf("%" PRId64 "\n", ends ? tokens_bytes(&k, 0, i + 1) : k.ids[i]);
    tokens_free(&k);
    sbuf_free(&in);
    return !ok;
}

static int show_file(const text_t *t, const char *path, bool ends, diag_t *d) {
    tokens_t k;
    bool ok = text_encode_file(t, path, &k, d);
    for (int64_t i = 0; ok && i < k.n; i++)
        printf("%" PRId64 "\n", ends ? tokens_bytes(&k, 0, i + 1) : k.ids[i]);
    tokens_free(&k);
    return !ok;
}

static void put_hex(const sbuf_t *text) {
    for (size_t i = 0; i < text->size; i++) printf("%02x", (unsigned char)text->data[i]);
    putchar('\n');
}

static int show_steps(const text_t *t, const int32_t *ids, int64_t n) {
    text_stream_t s = text_stream(t);
    for (int64_t i = 0; i <= n; i++) {
        sbuf_t out = {0};
        if (i < n) text_feed(&s, ids[i], &out);
        else text_finish(&s, &out);
        put_hex(&out);
        sbuf_free(&out);
    }
    return 0;
}

static void stream(const text_t *t, const int32_t *ids, int64_t n, sbuf_t *out) {
    text_stream_t s = text_stream(t);
    for (int64_t i = 0; i < n; i++) text_feed(&s, ids[i], out);
    text_finish(&s, out);
}

static int show_text(const text_t *t, const int32_t *ids, int64_t n, bool arrives) {
    sbuf_t out = {0};
    if (arrives) stream(t, ids, n, &out);
    else text_decode(t, ids, n, &out);
    fwrite(out.size ? out.data : "", 1, out.size, stdout);
    sbuf_free(&out);
    return 0;
}

/* Half of them small: controls and, in a model that has them, bytes. */
static int32_t any_id(uint64_t *state, int64_t vocabulary) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *state >> 33;
    return (int32_t)(x % 2 ? x / 2 % 262 : x / 2 % (uint64_t)(vocabulary + 2)) - 1;
}

static int check_agreement(const text_t *t, int64_t vocabulary) {
    uint64_t state = 1;
    size_t bytes = 0;
    int differ = 0;
    for (int i = 0; i < SEQUENCES; i++) {
        int32_t ids[LONGEST];
        int n = i % (LONGEST + 1);
        for (int k = 0; k < n; k++) ids[k] = any_id(&state, vocabulary);
        sbuf_t whole = {0}, parts = {0};
        text_decode(t, ids, n, &whole);
        stream(t, ids, n, &parts);
        bool same = whole.size == parts.size &&
                    (!whole.size || memcmp(whole.data, parts.data, whole.size) == 0);
        if (!same && !differ++)
            for (int k = 0; k < n; k++) printf("%d%c", ids[k], k + 1 < n ? ' ' : '\n');
        bytes += whole.size;
        sbuf_free(&whole);
        sbuf_free(&parts);
    }
    printf("%d of %d differ, %s\n", differ, SEQUENCES, bytes ? "some text" : "no text");
    return differ > 0 || bytes == 0;
}

static int show(const char *what, const text_t *t, int64_t vocabulary, diag_t *d) {
    if (strcmp(what, "encode") == 0) return show_tokens(t, false, d);
    if (strcmp(what, "ends") == 0) return show_tokens(t, true, d);
    if (strcmp(what, "file") == 0) return show_file(t, "/dev/stdin", false, d);
    if (strcmp(what, "file-ends") == 0) return show_file(t, "/dev/stdin", true, d);
    if (strcmp(what, "agree") == 0) return check_agreement(t, vocabulary);
    static int32_t ids[MAX_IDS];
    int64_t n = 0;
    while (n < MAX_IDS && scanf("%" SCNd32, &ids[n]) == 1) n++;
    if (strcmp(what, "steps") == 0) return show_steps(t, ids, n);
    return show_text(t, ids, n, strcmp(what, "stream") == 0);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "built-in") == 0) return pieces_built_in() ? 0 : 77;
    if (argc != 3) return 2;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    loaded_model_t m;
    bool read = model_load(a, &m, argv[2], NULL, 0, d);
    text_t *t = read ? text_open(&m, d) : NULL;
    int code = t ? show(argv[1], t, m.facts.vocab, d) : 1;
    diag_print(d, stderr);
    text_free(t);
    diag_free(d);
    arena_free(a);
    return code;
}
