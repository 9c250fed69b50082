/* Numbers as JSON writes them (RFC 8259), with a leading '+', '.5' and '5.' allowed too. YAML 1.1
 * has octal, sexagesimal and underscored forms and does not take 1e-12 for a number: neither rule
 * is followed, the former are refused by name. */
#define _GNU_SOURCE /* strtod_l */
#include "spec/numbers.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* strtod in the C locale, whatever locale the program that links us has set. */
static double to_double(const char *text, char **end) {
    static locale_t c_locale;
    locale_t mine = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);
    if (!mine) {
        mine = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (!mine) bug("no C locale");
        locale_t none = (locale_t)0;
        if (!__atomic_compare_exchange_n(&c_locale, &none, mine, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            freelocale(mine);
            mine = none;
        }
    }
    return strtod_l(text, end, mine);
}

static size_t digits(const char *p) {
    size_t n = 0;
    while (isdigit((unsigned char)p[n])) n++;
    return n;
}

/* Decimal notation, whole text. */
static bool is_decimal(const char *p) {
    if (*p == '+' || *p == '-') p++;
    size_t whole = digits(p), part = 0;
    p += whole;
    if (*p == '.') {
        part = digits(p + 1);
        p += 1 + part;
    }
    if (whole + part == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-') p++;
        size_t n = digits(p);
        if (n == 0) return false;
        p += n;
    }
    return *p == 0;
}

static number_t classify_other(const char *text) {
    static const char *const infinite[] = {".inf", ".nan", "inf", "nan", "infinity", NULL};
    const char *p = text + (*text == '+' || *text == '-');
    for (int i = 0; infinite[i]; i++)
        if (strcasecmp(p, infinite[i]) == 0) return NUMBER_INFINITE;
    if (!isdigit((unsigned char)*p)) return NUMBER_NOT;
    if (p[0] == '0' && strchr("xXoObB", p[1]) && p[1]) return NUMBER_FORM;
    return p[strspn(p, "0123456789_:.,eE+-")] == 0 ? NUMBER_FORM : NUMBER_NOT;
}

/* 017 is octal in YAML 1.1, fifteen or seventeen elsewhere. */
static bool leading_zero(const char *p) {
    if (*p == '+' || *p == '-') p++;
    return p[0] == '0' && isdigit((unsigned char)p[1]);
}

number_t parse_int(const char *text, int64_t *value) {
    const char *p = text + (*text == '+' || *text == '-');
    if (!is_decimal(text)) return classify_other(text);
    if (leading_zero(text)) return NUMBER_FORM;
    if (p[digits(p)] != 0) return NUMBER_FRACTION;
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno == ERANGE) return NUMBER_RANGE;
    *value = v;
    return NUMBER_OK;
}

number_t parse_real(const char *text, double *value) {
    if (!is_decimal(text)) return classify_other(text);
    if (leading_zero(text)) return NUMBER_FORM;
    double v = to_double(text, NULL);
    if (isinf(v)) return NUMBER_RANGE;
    *value = v;
    return NUMBER_OK;
}

bool parse_budget(const char *text, const word_t *units, double *value, bool *strict) {
    const char *p = text + strspn(text, " ");
    *strict = *p == '<' && p[1] != '=';
    if (*p == '<') p += *strict ? 1 : 2;
    p += strspn(p, " ");
    if (!isdigit((unsigned char)*p) && *p != '.') return false;
    size_t n = strspn(p, "0123456789.");
    if ((p[n] == 'e' || p[n] == 'E') && (isdigit((unsigned char)p[n + 1]) || p[n + 1] == '+'))
        n += 1 + strspn(p + n + 1, "+0123456789");
    char number[64];
    if (n >= sizeof number) return false;
    memcpy(number, p, n);
    number[n] = 0;
    if (parse_real(number, value) != NUMBER_OK) return false;
    p += n;
    p += strspn(p, " ");
    if (*p == 0) return true;
    for (; units->word; units++)
        if (strcmp(units->word, p) == 0) {
            *value *= units->value;
            return isfinite(*value);
        }
    return false;
}

void print_real(sbuf_t *out, double v) {
    char text[40];
    for (int digit = 1; digit <= 17; digit++) {
        snprintf(text, sizeof text, "%.*g", digit, v);
        char *point = text + strspn(text, "+-0123456789");
        if (*point && *point != 'e') *point = '.'; /* a locale may write a comma */
        if (to_double(text, NULL) == v) break;
    }
    sbuf_puts(out, text);
    if (!strpbrk(text, ".en")) sbuf_puts(out, ".0");
}
