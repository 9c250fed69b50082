#!/bin/sh
# The published model of 524,288 tokens reads as many as the ninth argument says, and its peak memory stays near that
# of its two streams: tokens x hidden size x 2 streams x 4 bytes, for all of them 1 GiB.
. "$(dirname "$0")/lib.sh"
spec=$SOURCE/specs/crime-and-punishment.yaml
tokens=${10:?tokens}
streams=$((tokens * 256 * 2 * 4))
"$FORGE" make in.st "input_ids:I32:1,$tokens=7*" "labels:I32:1,$tokens=7*"
check translate 0 - "$REFORMERC" "$spec" --weights random:1 --target native -o model.c \
    --set compile.sequence_length=$tokens --set compile.name=model
cat >main.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "model.h"
int main(int argc, char **argv) {
    size_t n = (size_t)atol(argv[1]), bytes = model_workspace_bytes(n, 2);
    FILE *f = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (!f || fseek(f, 0, SEEK_END) != 0) return 2;
    size_t size = (size_t)ftell(f);
    rewind(f);
    void *weights = aligned_alloc(64, (size + 63) / 64 * 64), *work = aligned_alloc(64, bytes);
    int32_t *ids = malloc(n * sizeof *ids);
    if (!weights || !work || !ids || fread(weights, 1, size, f) != size) return 2;
    unsigned x = 1;
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)((x = x * 1664525u + 1013904223u) >> 24) % 256;
    model_t m = {0};
    float loss = 0;
    model_io_t io = {.size = sizeof io, .input_ids = ids, .labels = ids, .batch = 1, .length = n,
                     .threads = 2, .loss = &loss};
    int code = model_bind(&m, weights, size);
    if (!code) code = model_forward(&m, &io, work, bytes);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("%d %f %zu %ld\n", code, (double)loss, bytes, u.ru_maxrss * 1024L);
    return code != 0;
}
C
check compile 0 - with_libs cc -O2 main.c model.c -o main
check forward 0 - ./main $tokens model.weights
says '^0 [0-9]+\.[0-9]+ '
cat .out
awk -v streams=$streams '{ printf "two streams %d MiB, workspace %d MiB, peak memory %d MiB: %.3f of the streams\n",
    streams / 1048576, $3 / 1048576, $4 / 1048576, $4 / streams; exit !($4 < 1.5 * streams) }' .out ||
    fail 'peak memory is more than 1.5 times the two streams'
finish
