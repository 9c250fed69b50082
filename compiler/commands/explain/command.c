/* reformerc explain: what a model costs, where its time and memory go, and whether
 * its settings fit.
 *
 * In: a spec; nothing of it runs. Out: a report on stdout, on demand as a page of HTML; advice as
 * warnings. Figures are counted from the loop IR and the memory plan; only the predicted time needs
 * a machine: peaks that are given (--peak, --bandwidth) or measured on the spot. */
#include "commands/explain/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "commands/commands.h"
#include "cost/advice.h"
#include "emit/emit.h"
#include "exec/settle.h"
#include "machine/calibrate.h"

/* ---- the plan -------------------------------------------------------------------------------- */

/* Any target can be explained, wherever the code would run; the default is this machine's. */
static options_t options_for(const options_t *o) {
    options_t mine = *o;
    mine.backend = BACKEND_INTERPRETER;
    return mine;
}

static bool make_plan(session_t *s) {
    session_plan_t want = {.name = "model", .runs = true};
    if (!session_spec(s)) return false;
    want.train = spec_trains(s->spec) ? TRAIN_TOO : TRAIN_NOT;
    return session_plan(s, &want) && session_lower(s);
}

/* ---- the machine ----------------------------------------------------------------------------- */

/* *rate in units of one; untouched where the option is not given. */
static bool parse_rate(const options_t *o, option_id_t id, const char *where, double *rate,
                       diag_t *d) {
    if (!o->given[id]) return true;
    char *end;
    double x = strtod(o->text[id], &end);
    if (end != o->text[id] && !*end && isfinite(x) && x > 0) {
        *rate = x * 1e9;
        return true;
    }
    diag_error(d, IN_FILE(where), "'%s' is not a number above 0", o->text[id]);
    return false;
}

static bool given_rates(const options_t *o, peaks_t *given, diag_t *d) {
    double fma = 0;
    bool peak = parse_rate(o, OPT_PEAK, "--peak", &fma, d);
    given->flops = products_like(fma);
    return parse_rate(o, OPT_BANDWIDTH, "--bandwidth", &given->bandwidth, d) && peak;
}

static bool measure_peaks(const explanation_t *e, peaks_t *measured, diag_t *d) {
    pool_t *pool = pool_new(e->threads);
    exec_options_t eo = {.backend = backend_settle(backend_default(), NULL, d), .pool = pool};
    bool ok = calibrate(e->m->target, &eo, e->threads, measured, d);
    pool_free(pool);
    return ok;
}

static double peak_of(const peaks_t *p) {
    return p->flops.of[FACTOR_F32];
}

static const char *how_known(const peaks_t *given) {
    if (peak_of(given) > 0 && given->bandwidth > 0) return "given";
    if (peak_of(given) > 0) return "given (peak) and measured now (memory)";
    if (given->bandwidth > 0) return "measured now (peak) and given (memory)";
    return "measured now, the best of several short runs";
}

/* What is not given is measured, where this machine runs such code at all. */
static bool find_machine(explanation_t *e, const options_t *o, diag_t *d) {
    peaks_t given = {0}, peaks = {0};
    bool known;
    if (!given_rates(o, &given, d)) return false;
    bool all = peak_of(&given) > 0 && given.bandwidth > 0;
    e->has_machine = all || reformer_cpu_takes((int)e->m->target->id);
    if (e->has_machine && !all && !measure_peaks(e, &peaks, d)) return false;
    e->machine = (machine_t){.flops = peak_of(&given) > 0 ? given.flops : peaks.flops,
                             .bandwidth = given.bandwidth > 0 ? given.bandwidth : peaks.bandwidth,
                             .efficiency = target_efficiency(e->m->target, &known),
                             .how = how_known(&given)};
    return true;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool write_page(const explanation_t *e, const char *path, diag_t *d) {
    sbuf_t page = {0};
    document_t doc = explain_document(e, true);
    document_html(&doc, &page);
    bool ok = file_write(path, page.data, page.size, d);
    sbuf_free(&page);
    return ok;
}

static bool print_report(const explanation_t *e, diag_t *d) {
    sbuf_t text = {0};
    document_t doc = explain_document(e, false);
    document_text(&doc, &text);
    bool ok = print_out(&text, d);
    sbuf_free(&text);
    return ok;
}

/* The page first: a report on stdout means that all went well. */
static bool explain_session(session_t *s, const options_t *o) {
    explanation_t e;
    if (!make_plan(s)) return false;
    e = explain_forward(s);
    if (!find_machine(&e, o, s->d)) return false;
    e.train = s->plan->trains ? explain_train(s, &e) : NULL;
    if (s->plan->trains && !e.train) return false;
    if (!s->model.graphs) advise(s->plan, ADVICE_ALL, s->d);
    if (o->given[OPT_HTML] && !write_page(&e, o->text[OPT_HTML], s->d)) return false;
    return (o->given[OPT_HTML] && strcmp(o->text[OPT_HTML], "-") == 0) || print_report(&e, s->d);
}

int command_explain(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    int missing = check_needed(o, NULL, 0);
    if (missing) return missing;
    options_t mine = options_for(o);
    session_t s = session_new(&mine, d);
    bool ok = explain_session(&s, o);
    session_free(&s);
    return ok ? 0 : EXIT_VALUE;
}
