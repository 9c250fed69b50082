/* Collecting and writing of profile.h. */
#include "machine/profile.h"

#include <ctype.h>
#include <string.h>

#include "report/fields.h"
#include "support/clock.h"
#include "support/file.h"
#include "support/heap.h"

/* Enough for an hour of launches that take milliseconds; viewers give up earlier. */
enum { MAX_EVENTS = 2000000, MAX_DEPTH = 4 };

typedef struct {
    int name; /* into names */
    double start, seconds;
} event_t;

struct profile {
    char **names;                 /* [n_names] in the order in which they were first heard */
    int n_names, cap_names, last; /* last: the one heard most recently */
    event_t *events;
    size_t n, cap, dropped;
    event_t open[MAX_DEPTH];
    int depth;
};

profile_t *profile_new(void) {
    profile_t *p = heap_new(1, sizeof *p);
    return p;
}

void profile_free(profile_t *p) {
    if (!p) return;
    for (int k = 0; k < p->n_names; k++) heap_free(p->names[k]);
    heap_free(p->names);
    heap_free(p->events);
    heap_free(p);
}

void profile_clear(profile_t *p) {
    p->n = p->dropped = 0;
}

static void *grown(void *list, size_t n, size_t size) {
    return heap_resize(list, n * size);
}

/* Forwards repeat their launches, so the search begins behind the last one. */
static int name_index(profile_t *p, const char *name) {
    for (int k = 1; k <= p->n_names; k++) {
        int i = (p->last + k) % p->n_names;
        if (strcmp(p->names[i], name) == 0) return p->last = i;
    }
    if (p->n_names == p->cap_names) {
        p->cap_names = p->cap_names ? 2 * p->cap_names : 64;
        p->names = grown(p->names, (size_t)p->cap_names, sizeof *p->names);
    }
    p->names[p->n_names] = heap_text(name);
    return p->last = p->n_names++;
}

void profile_begin(profile_t *p, const char *name) {
    if (!p) return;
    if (p->depth == MAX_DEPTH) bug("launch '%s' within %d others", name, MAX_DEPTH);
    event_t *e = &p->open[p->depth++];
    e->name = name_index(p, name);
    e->start = clock_now();
}

static void keep(profile_t *p, const event_t *e) {
    if (p->n == MAX_EVENTS) {
        p->dropped++;
        return;
    }
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 1024;
        p->events = grown(p->events, p->cap, sizeof *p->events);
    }
    p->events[p->n++] = *e;
}

void profile_end(profile_t *p) {
    if (!p) return;
    double now = clock_now();
    if (p->depth == 0) bug("the end of a launch that has not begun");
    event_t *e = &p->open[--p->depth];
    e->seconds = now - e->start;
    keep(p, e);
}

void profile_launch(void *ctx, const char *name, int begin) {
    if (begin) profile_begin(ctx, name);
    else profile_end(ctx);
}

size_t profile_count(const profile_t *p) {
    return p->n;
}

profile_event_t profile_at(const profile_t *p, size_t i) {
    const event_t *e = &p->events[i];
    return (profile_event_t){p->names[e->name], e->start, e->seconds};
}

const char *label_kind(const char *label) {
    static const char layer[] = "layer";
    if (strncmp(label, layer, sizeof layer - 1) != 0) return label;
    const char *p = label + sizeof layer - 1, *digits = p;
    while (isdigit((unsigned char)*p)) p++;
    return p > digits && *p == '.' ? p + 1 : label;
}

/* ---- the trace ------------------------------------------------------------------------------- */

static double first_start(const profile_t *p) {
    double first = p->n ? p->events[0].start : 0;
    for (size_t k = 1; k < p->n; k++)
        if (p->events[k].start < first) first = p->events[k].start;
    return first;
}

static void put_event(sbuf_t *out, const profile_event_t *e, double from) {
    sbuf_puts(out, ",\n{\"name\": ");
    put_json(out, e->name);
    sbuf_puts(out, ", \"cat\": ");
    put_json(out, label_kind(e->name));
    sbuf_printf(out, ", \"ph\": \"X\", \"ts\": %.3f, \"dur\": %.3f, \"pid\": 1, \"tid\": 1}",
                1e6 * (e->start - from), 1e6 * e->seconds);
}

bool profile_put(const profile_t *p, const char *path, const char *process, output_set_t *set,
                 diag_t *d) {
    sbuf_t out = {0};
    double from = first_start(p);
    sbuf_puts(&out,
              "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n{\"name\": "
              "\"process_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"args\": {\"name\": ");
    put_json(&out, process);
    sbuf_puts(&out, "}}");
    for (size_t k = 0; k < p->n; k++) {
        profile_event_t e = profile_at(p, k);
        put_event(&out, &e, from);
    }
    sbuf_puts(&out, "\n]}\n");
    bool ok = output_set_write(set, path, out.data, out.size, d);
    if (ok && p->dropped)
        diag_warning(d, IN_FILE(path), "holds the first %d launches; %zu more were not kept",
                     MAX_EVENTS, p->dropped);
    sbuf_free(&out);
    return ok;
}
