/* The options of generate.h. In: the command line. Out: numbers in range, and no two options that
 * contradict each other; each message names the option and what to do. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands/generate/generate.h"

enum { MAX_BEAMS = 1024 };

/* Untouched where the option is not given. */
static bool whole_number(const options_t *o, option_id_t id, const char *where, int64_t max,
                         int64_t *x, diag_t *d) {
    const char *text = o->text[id];
    if (!text) return true;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && value >= 1 && value <= max) {
        *x = value;
        return true;
    }
    diag_error(d, IN_FILE(where), "'%s' is not a number from 1 to %lld", text, (long long)max);
    return false;
}

/* Above `min`, or from there on; up to `max`. `range` says it in words. */
typedef struct {
    double min, max;
    bool open;
    const char *range;
} option_range_t;

static bool number(const options_t *o, option_id_t id, const char *where, option_range_t r,
                   double *x, diag_t *d) {
    const char *text = o->text[id];
    if (!text) return true;
    char *end;
    double value = strtod(text, &end);
    bool above = r.open ? value > r.min : value >= r.min;
    if (end != text && !*end && isfinite(value) && above && value <= r.max) {
        *x = value;
        return true;
    }
    diag_error(d, IN_FILE(where), "'%s' is not a number %s", text, r.range);
    return false;
}

/* Temperature 0 is the limit: the likeliest token, however many others may be drawn. */
static bool read_sampling(generate_t *g) {
    const options_t *o = g->session->o;
    diag_t *d = g->session->d;
    const option_range_t temperature = {0, 1e9, false, "from 0 to 1e9"};
    const option_range_t top_p = {0, 1, true, "above 0, up to 1"};
    const option_range_t penalty = {0, 1e9, true, "above 0, up to 1e9"};
    double t = -1, p = 0, r = 0;
    int64_t k = 0;
    bool ok = number(o, OPT_TEMPERATURE, "--temperature", temperature, &t, d);
    ok = whole_number(o, OPT_TOP_K, "--top-k", INT32_MAX, &k, d) && ok;
    ok = number(o, OPT_TOP_P, "--top-p", top_p, &p, d) && ok;
    ok = number(o, OPT_REPETITION_PENALTY, "--repetition-penalty", penalty, &r, d) && ok;
    reformer_sampling_t *s = &g->sampling;
    *s = (reformer_sampling_t){
        .size = sizeof(reformer_sampling_t), .repetition_penalty = (float)r, .seed = o->seed};
    if (t == 0 || !ok) return ok;
    s->temperature = t < 0 ? 0 : fmaxf((float)t, 1e-30f);
    s->top_k = (int32_t)k;
    s->top_p = fmaxf((float)p, p > 0 ? 1e-30f : 0);
    return true;
}

static bool read_beams(generate_t *g) {
    const options_t *o = g->session->o;
    diag_t *d = g->session->d;
    const option_range_t penalty = {-32, 32, false, "from -32 to 32"};
    g->beams = 1;
    g->length_penalty = 1;
    bool ok = whole_number(o, OPT_BEAMS, "--beams", MAX_BEAMS, &g->beams, d);
    return number(o, OPT_LENGTH_PENALTY, "--length-penalty", penalty, &g->length_penalty, d) && ok;
}

/* ---- what does not go together --------------------------------------------------------------- */

typedef struct {
    option_id_t id;
    const char *name;
} named_t;

/* An error for each of these that is given; `why` follows its name. */
static bool refuse(const options_t *o, const named_t *options, int n, const char *why, diag_t *d) {
    bool ok = true;
    for (int i = 0; i < n; i++) {
        if (!o->given[options[i].id]) continue;
        diag_error(d, IN_FILE(options[i].name), "%s", why);
        ok = false;
    }
    return ok;
}

static bool check_beams(const generate_t *g) {
    static const named_t draws[] = {{OPT_TEMPERATURE, "--temperature"},
                                    {OPT_TOP_K, "--top-k"},
                                    {OPT_TOP_P, "--top-p"},
                                    {OPT_STOP, "--stop"}};
    static const named_t of_beams[] = {{OPT_LENGTH_PENALTY, "--length-penalty"},
                                       {OPT_EARLY_STOPPING, "--early-stopping"},
                                       {OPT_EARLY_STOPPING_NEVER, "--early-stopping-never"}};
    static const named_t never[] = {{OPT_EARLY_STOPPING_NEVER, "--early-stopping-never"}};
    const options_t *o = g->session->o;
    diag_t *d = g->session->d;
    if (g->beams == 1) return refuse(o, of_beams, 3, "is of beam search: give --beams too", d);
    if (o->given[OPT_EARLY_STOPPING] &&
        !refuse(o, never, 1, "is the opposite of --early-stopping: leave one out", d))
        return false;
    return refuse(o, draws, 4, "is not of beam search: leave it out, or --beams", d);
}

static bool check_sources(const generate_t *g) {
    static const named_t sources[] = {
        {OPT_INPUT, "--input"}, {OPT_PROMPT_FILE, "--prompt-file"}, {OPT_PROMPT, "--prompt"}};
    static const named_t text_only[] = {{OPT_ECHO, "--echo"}};
    const options_t *o = g->session->o;
    diag_t *d = g->session->d;
    int first = 0;
    while (first < 3 && !o->given[sources[first].id]) first++;
    bool ok = true;
    if (first < 2)
        ok = refuse(
            o, sources + first + 1, 2 - first,
            arena_printf(o->arena, "another prompt beside %s: leave one out", sources[first].name),
            d);
    if (!o->given[OPT_OUTPUT]) return ok;
    return refuse(o, text_only, 1, "is for text on stdout: leave it out, or --output", d) && ok;
}

bool generate_read_options(generate_t *g) {
    const options_t *o = g->session->o;
    bool ok = whole_number(o, OPT_TOKENS, "--tokens", INT32_MAX, &g->max_tokens, g->session->d);
    ok = read_sampling(g) && ok;
    ok = read_beams(g) && check_beams(g) && ok;
    return check_sources(g) && ok;
}
