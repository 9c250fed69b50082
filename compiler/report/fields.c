/* The writers of fields.h. */
#include "report/fields.h"

#include <stdbool.h>
#include <string.h>

#include "support/printable.h"

void put_csv(sbuf_t *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        sbuf_puts(out, text);
        return;
    }
    sbuf_puts(out, "\"");
    for (; *text; text++) sbuf_printf(out, *text == '"' ? "\"%c" : "%c", *text);
    sbuf_puts(out, "\"");
}

void put_json(sbuf_t *out, const char *text) {
    sbuf_puts(out, "\"");
    for (const char *p = text, *end = p + strlen(p); p < end;) {
        bool ok;
        size_t n = printable(p, end, &ok);
        if (!ok && (unsigned char)*p < 0x20) sbuf_printf(out, "\\u%04x", (unsigned char)*p);
        else if (!ok) sbuf_puts(out, "\\ufffd");
        else sbuf_printf(out, "%s%.*s", *p == '"' || *p == '\\' ? "\\" : "", (int)n, p);
        p += n;
    }
    sbuf_puts(out, "\"");
}

static size_t digits(const char *p) {
    return strspn(p, "0123456789");
}

/* The grammar of RFC 8259, which allows no leading zeros. */
static bool is_json_number(const char *p) {
    p += *p == '-';
    size_t n = digits(p);
    if (n == 0 || (n > 1 && *p == '0')) return false;
    p += n;
    if (*p == '.') {
        if (!(n = digits(p + 1))) return false;
        p += 1 + n;
    }
    if (*p != 'e' && *p != 'E') return !*p;
    p++;
    p += *p == '+' || *p == '-';
    return (n = digits(p)) && !p[n];
}

void put_json_value(sbuf_t *out, const char *value) {
    bool literal = is_json_number(value) || strcmp(value, "true") == 0 ||
                   strcmp(value, "false") == 0 || strcmp(value, "null") == 0;
    if (literal) sbuf_puts(out, value);
    else put_json(out, value);
}

void put_json_member(sbuf_t *out, const char *key, const char *value) {
    sbuf_printf(out, "  \"%s\": ", key);
    put_json(out, value);
    sbuf_puts(out, ",\n");
}
