/* reformerc run: one forward pass over the tensors of a file, or one train step,
 * through any executor. */
#include "commands/run/forward.h"

#include "cli/help.h"
#include "commands/commands.h"
#include "session/gradients.h"
#include "support/heap.h"

/* Exactly this length and batch, where the spec leaves them open. */
static bool make_plan(session_t *s, const inputs_t *in) {
    session_plan_t want = {.name = "model",
                           .exact_length = in->length,
                           .exact_batch = in->batch,
                           .runs = true,
                           .trace = s->o->given[OPT_DUMP_ACTIVATIONS],
                           .impose_buckets = s->o->given[OPT_BUCKETS]};
    if (s->o->given[OPT_GRADIENTS]) {
        want.train = TRAIN_ALONE;
        want.train_loss = gradients_loss(&s->model.facts, in);
    }
    return session_plan(s, &want);
}

/* Imposed buckets are what they are, however many there could be. */
static void check_bucket_number(const session_t *s, const inputs_t *in) {
    buckets_taken_t taken = session_buckets(s);
    if (!s->o->given[OPT_BUCKETS]) (void)buckets_warn(&taken, in->length, in->path, s->d);
}

/* Outputs that nobody wants take memory. */
static bool prepare(const session_t *s, results_t *r, const inputs_t *in, reformer_io_t *io) {
    gradients_seed(s->o, io);
    io->positions = in->positions;
    if (s->o->given[OPT_GRADIENTS] && !s->o->given[OPT_OUTPUT]) {
        inputs_give(in, io);
        return true;
    }
    return results_prepare(r, in, &s->model.facts, io, s->d);
}

static bool run_step(session_t *s, reformer_io_t *io, output_set_t *set) {
    float *gradients = exec_gradients_new(s->exec, s->d);
    bool ok = gradients && session_gradients(s, io, gradients) &&
              gradients_put(s->plan, gradients, set, s->o->text[OPT_GRADIENTS], s->d);
    heap_free(gradients);
    return ok;
}

/* Activations are those of a forward. */
static bool check_wishes(const options_t *o, diag_t *d) {
    if (!o->given[OPT_GRADIENTS] || !o->given[OPT_DUMP_ACTIVATIONS]) return true;
    diag_error(d, IN_FILE("--dump-activations"),
               "shows a forward, and --gradients is a train step: run it twice");
    return false;
}

static bool run_session(session_t *s, results_t *r, output_set_t *set) {
    const options_t *o = s->o;
    inputs_t in;
    if (!check_wishes(o, s->d)) return false;
    if (!session_profile_open(s) || !session_spec(s) || !session_need_weights(s)) return false;
    if (!inputs_open(&in, s->arena, &s->model, o->text[OPT_INPUT], s->d) ||
        !inputs_fit(&in, &s->model, s->d))
        return false;
    if (!(o->given[OPT_GRADIENTS] ? gradients_there(s, &in) : inputs_of_forward(&in, s->d)))
        return false;
    if (!make_plan(s, &in)) return false;
    check_bucket_number(s, &in);
    if (o->given[OPT_BUCKETS] &&
        !inputs_read_buckets(&in, s->arena, s->plan, o->text[OPT_BUCKETS], s->d))
        return false;
    if (!session_open(s)) return false;
    reformer_io_t io = {.size = sizeof io, .threads = s->threads, .pool = pool_interface(s->pool)};
    trace_sink_t trace = {r, s->d};
    if (!prepare(s, r, &in, &io)) return false;
    if (o->given[OPT_DUMP_ACTIVATIONS]) {
        io.trace = results_trace;
        io.trace_ctx = &trace;
    }
    bool ok = o->given[OPT_GRADIENTS] ? run_step(s, &io, set) : session_forward(s, &io);
    return ok && diag_errors(s->d) == 0 && session_profile_put(s, set);
}

bool forward_file(const options_t *o, results_t *r, output_set_t *set, diag_t *d) {
    *r = (results_t){0};
    session_t s = session_new(o, d);
    s.advises = true;
    bool ok = run_session(&s, r, set);
    session_free(&s);
    return ok;
}

int command_run(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_INPUT, OPT_OUTPUT};
    const char *output = o->text[OPT_OUTPUT];
    int missing = check_needed(o, needed, o->given[OPT_GRADIENTS] ? 1 : 2);
    if (missing) return missing;
    results_t r;
    output_set_t set = {0};
    bool ok = forward_file(o, &r, &set, d) && (!output || results_put(&r, &set, output, d)) &&
              output_set_commit(&set);
    output_set_abort(&set);
    results_free(&r);
    return ok ? 0 : EXIT_VALUE;
}
