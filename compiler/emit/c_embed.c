/* Weights in the object (--embed-weights): model.c takes the packed file in while it is assembled,
 * as it stands, into read-only memory that begins at 64 bytes. No compiler ever
 * sees the numbers. */
#include <string.h>

#include "emit/c_int.h"

/* A name of a file inside of the quotes of a directive. */
static const char *quoted(arena_t *a, const char *file) {
    sbuf_t s = {0};
    sbuf_puts(&s, "");
    for (; *file; file++) {
        if (*file == '"' || *file == '\\') sbuf_puts(&s, "\\");
        sbuf_write(&s, file, 1);
    }
    const char *r = arena_strdup(a, s.data);
    sbuf_free(&s);
    return r;
}

static const char *const weights_section[] = {".pushsection .rodata.%N_weights,\"a\",%%progbits",
                                              ".balign 64",
                                              ".globl %N_weights_begin",
                                              ".hidden %N_weights_begin",
                                              ".type %N_weights_begin,%%object",
                                              "%N_weights_begin:",
                                              ".incbin \"%F\"",
                                              ".globl %N_weights_end",
                                              ".hidden %N_weights_end",
                                              "%N_weights_end:",
                                              ".popsection"};
enum { N_LINES = sizeof weights_section / sizeof *weights_section };

static const char *fill_in(arena_t *a, const char *text, const char *prefix, const char *file) {
    sbuf_t s = {0};
    for (; *text; text++) {
        if (*text != '%') sbuf_write(&s, text, 1);
        else if (*++text == 'N') sbuf_puts(&s, prefix);
        else sbuf_puts(&s, *text == 'F' ? file : "%");
    }
    const char *r = arena_strdup(a, s.data);
    sbuf_free(&s);
    return r;
}

const char *emit_weights_section(arena_t *a, const char *prefix, const char *file) {
    sbuf_t s = {0};
    for (int i = 0; i < N_LINES; i++)
        sbuf_printf(&s, "\t%s\n", fill_in(a, weights_section[i], prefix, quoted(a, file)));
    const char *r = arena_strdup(a, s.data);
    sbuf_free(&s);
    return r;
}

/* "text", without its last quote */
static void put_open_string(emitter_t *c, const char *text, sbuf_t *out) {
    const char *string = c_string(c->arena, fill_in(c->arena, text, c->plan->name, ""));
    sbuf_write(out, string, strlen(string) - 1);
}

/* The directives as a string, in which the file's name is a macro. */
static void put_section(emitter_t *c, const char *macro, sbuf_t *out) {
    sbuf_puts(out, "__asm__(");
    for (int i = 0; i < N_LINES; i++) {
        const char *line = weights_section[i], *file = strstr(line, "%F");
        if (i) sbuf_puts(out, "\n        ");
        put_open_string(c, file ? arena_strndup(c->arena, line, (size_t)(file - line)) : line, out);
        if (file) sbuf_printf(out, "\" %s ", macro);
        if (file) put_open_string(c, file + 2, out);
        sbuf_puts(out, "\\n\"");
    }
    sbuf_puts(out, ");\n");
}

void put_embedded_weights(emitter_t *c, sbuf_t *out) {
    const char *name = c->plan->name, *upper = upper_case(c->arena, name);
    const char *file = arena_printf(c->arena, "%s_WEIGHTS_FILE", upper);
    put_comment(out, 0,
                "---- weights ---------------------------------------------------------------\n"
                "The assembler looks for the file as it stands and in folders of -I; with -flto it "
                "does when the program is linked, and needs a whole path. With "
                "-D%s_WEIGHTS_ELSEWHERE another object brings %s_weights_begin and %s_weights_end.",
                upper, name, name);
    sbuf_printf(out, "#ifndef %s\n#define %s %s\n#endif\n", file, file,
                c_string(c->arena, quoted(c->arena, c->o->weights_file)));
    sbuf_printf(out,
                "#ifndef %s_WEIGHTS_ELSEWHERE\n#ifndef __ELF__\n"
                "#error \"weights are embedded in ELF objects: -D%s_WEIGHTS_ELSEWHERE\"\n#endif\n",
                upper, upper);
    put_section(c, file, out);
    sbuf_puts(out, "#endif\n");
    static const char *const ends[] = {"begin", "end"};
    for (int i = 0; i < 2; i++)
        put_line(out, 0,
                 "extern const unsigned char %s_weights_%s[] "
                 "__attribute__((visibility(\"hidden\")));",
                 name, ends[i]);
    put_line(out, 0, "const void *%s_embedded_weights(size_t *bytes) {", name);
    put_line(
        out, 1,
        "if (bytes) *bytes = (size_t)((uintptr_t)%s_weights_end - (uintptr_t)%s_weights_begin);",
        name, name);
    put_line(out, 1, "return %s_weights_begin;", name);
    put_line(out, 0, "}");
}
