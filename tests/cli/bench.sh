#!/bin/sh
# bench: its files agree with each other and with what it was asked; wrong arguments are refused before
# anything runs. --instrument: traces that viewers open. No check here asks for a speed.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
tiny=$CASES/a_clm_lsh_1hash # 64 positions
fast=jit # what compiles in no time
"$r" --version | grep -q 'no LLVM' && fast=c
b() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" bench "$tiny" --repeat 2 "$@"
}

# ---- what it finds ----
check help 0 - "$r" bench --help
says '\-\-lengths N\[,N'
b figures 0 "4 cases, 2 rounds each; back end $fast" --backend $fast --lengths 64,32 --threads 1,2 --targets native \
    --output r.json --output r.csv
[ "$(grep -Ec '^length (32|64), batch 1, [a-z0-9-]+, [12] threads?: [0-9]+ tokens/s' .err)" -eq 4 ] || fail 'no line per case'
says '^Machine$'
says '^ +64 +[a-z0-9-]+ +2 +[0-9.]+ [num]?s ±[0-9.]+ % +[0-9]+ +[0-9.]+ +[0-9.]+ %$'
says '^Kernels: length 32, [a-z0-9-]+, 1 thread$'
says '^ +lsh.hash +[0-9]+ +[0-9.]+ [num]?s'
says '^ +between launches '
present r.json r.csv
tidy .
json r.json 'cases.#' 4
json r.json 'machine.#' 2
json r.json output '"loss"'
json r.json weights '"random"'
json r.json cases.0.length 64
json r.json cases.1.threads 2
json r.json cases.2.length 32
json r.json cases.0.kernels.0.name '"embed"'
json r.json cases.0.kernels.0.launches 1
[ "$(awk -F, '$5 == ""' r.csv | wc -l)" -eq 4 ] || fail 'not a row per case'
[ "$(awk -F, 'NF != 22' r.csv | wc -l)" -eq 0 ] || fail 'a row of the CSV has other columns'

# Figures fit together: kernels add up to the whole, speed and share of the peak follow from the seconds.
for k in 0 1 2 3; do
    seconds=$(value r.json cases.$k.seconds.median)
    told=$(value r.json cases.$k.instrumented_seconds.median)
    holds "speed of case $k" "($(value r.json cases.$k.length) / $seconds / $(value r.json cases.$k.tokens_per_second) - 1)^2 < 1e-8"
    holds "quartiles of case $k" "$(value r.json cases.$k.seconds.low) <= $seconds && $seconds <= $(value r.json cases.$k.seconds.high)"
    holds "share of case $k" "$(value r.json cases.$k.of_peak.median) > 0 && $told > 0"
    holds "workspace of case $k" "$(value r.json cases.$k.workspace_bytes) > 1000"
    sums=$(awk -F, -v case=$k '$5 == "" && NR > 1 { n++; all = $10 } $5 != "" && NR > 1 && n == case + 1 { flops += $10 }
        n == case + 1 { whole = all } END { print flops / whole }' r.csv)
    holds "flops of case $k" "($sums - 1)^2 < 1e-8"
done
holds 'flops grow with the length' "$(value r.json cases.0.flops) > 1.5 * $(value r.json cases.2.flops)"
holds 'threads change no flops' "$(value r.json cases.0.flops) == $(value r.json cases.1.flops)"
for k in 0 1; do
    holds 'rates' "$(value r.json machine.$k.fma_flops_per_second.median) > 0 && $(value r.json machine.$k.triad_bytes_per_second.low) > 0"
done

json r.json dtype '"float32"'
holds 'products of float32 alone' "$(value r.json cases.0.products.float32) == $(value r.json cases.0.flops)"

# Of bfloat16, where this CPU has products of it: each kind counts, and is held against a peak of its own.
b bfloat16 0 '' --backend $fast --lengths 64 --threads 1 --set compile.dtype=bfloat16 --output h.json --output h.csv
json h.json dtype '"bfloat16"'
[ "$(awk -F, '$20 == "bfloat16" || NR == 1' h.csv | wc -l)" -eq "$(wc -l <h.csv)" ] || fail 'a row of the CSV has no type'
if grep -q dot2_flops h.json; then
    says '^ +target +threads +peak GFLOP/s +bfloat16 +int8 '
    says '^ +feed_forward .* bfloat16( [0-9]+ %)?$'
    says 'each kind at its own'
    both=$(value h.json cases.0.products.float32)+$(value h.json cases.0.products.bfloat16)
    holds 'kinds add up' "($both) / $(value h.json cases.0.flops) - 1 < 1e-8 && $(value h.json cases.0.products.bfloat16) > 0"
    peak=$(value h.json cases.0.peak_flops_per_second.median)
    holds 'a peak of both' "$peak > 0 && $(value h.json machine.0.dot2_flops_per_second.median) > 0"
    flops=$(value h.json cases.0.flops) seconds=$(value h.json cases.0.seconds.median)
    holds 'a share of it' "$(value h.json cases.0.of_peak.median) > 0.2 * $flops / $seconds / $peak"
fi
b x86-64 0 '' --backend $fast --lengths 64 --threads 1 --set compile.dtype=bfloat16 --targets "$(uname -m | tr _ - | sed s/x86-64/x86-64-v3/)" --output w.json
holds 'made float32, its products are' "$(value w.json cases.0.products.float32) == $(value w.json cases.0.flops)"

b batches 0 '2 cases' --lengths 32 --batches 1,3 --threads 1 --output n.json
says '^ +length +batch +target'
json n.json cases.1.batch 3
holds 'rows share nothing' "$(value n.json cases.1.flops) > 2 * $(value n.json cases.0.flops)"
check base-model 0 '' "$r" bench "$CASES/p_base_model_local_only" --repeat 1 --threads 1 --lengths 16 --output base.json
json base.json output '"last_hidden_state"'
check classifier 0 '' "$r" bench "$(ls -d "$CASES"/*cls* "$CASES"/*classif* 2>/dev/null | head -n 1)" --repeat 1 --threads 1
check spec-says-length 0 '^1 case' "$r" bench "$tiny" --repeat 1 --threads 1 --set compile.sequence_length=48 --output s.json
json s.json cases.0.length 48

# ---- against another ----
b vs-setting 0 '' --lengths 32 --threads 1 --vs num_hashes=4 --output v.json
says '^Against num_hashes=4$'
says '^ +32 +[a-z0-9-]+ +1 +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ … [0-9.]+ +[0-9.]+ +(MODEL|the other|neither)$'
holds 'a ratio' "$(value v.json cases.0.vs_ratio.median) > 0 && $(value v.json cases.0.vs_tokens_per_second.median) > 0"
json v.json cases.0.vs_length 32
holds 'a ratio of processor time' "$(value v.json cases.0.vs_cpu_ratio.low) > 0"
# Code for any length is measured at the length of its pair, and what it hashes into is said.
b vs-dynamic 0 "'num_buckets' is null: 16 is taken, the number for 64 tokens; .* takes 8 for the 32 tokens of a forward" \
    --lengths 32 --threads 1 --set num_buckets=null --vs compile.sequence_length=dynamic --output v.json
json v.json cases.0.vs_length 32
b vs-list 0 '' --lengths 32 --threads 1 --set num_buckets=4 --vs 'compile.sequence_length=[16,64]' --output v.json
json v.json cases.0.vs_length 32
[ -s .err ] && grep -q num_buckets .err && fail 'a number that is settled is warned of'
b vs-length 0 '' --lengths 32 --threads 1 --set num_buckets=4 --vs compile.sequence_length=64 --output v.json
json v.json cases.0.vs_length 64
b vs-backend 0 '1 case, 2 rounds each; back end c' --lengths 32 --threads 1 --backend c --vs backend=c
b vs-spec 0 '' --lengths 32 --threads 1 --vs "$CASES/p_base_model_local_only/config.json"
says '^Against .*p_base_model_local_only/config.json$'

# ---- pictures ----
if command -v gnuplot >/dev/null 2>&1; then
    b picture 0 '' --lengths 64,32 --threads 1,2 --output p.svg
    grep -q '<svg' p.svg || fail 'p.svg is no picture'
    grep -q 'threads' p.svg || fail 'p.svg has no key'
else
    echo 'no gnuplot: pictures are not tested'
fi
check no-gnuplot 1 'q.svg: error: is drawn by gnuplot' env PATH=/dev/null "$r" bench "$tiny" --output q.svg
absent q.svg

# ---- what it refuses ----
check no-model 2 'missing MODEL' "$r" bench
check option 2 "did you mean '--lengths'" "$r" bench "$tiny" --length-s 3
check argument 2 'needs an argument' "$r" bench "$tiny" --lengths
b zero 1 "^--lengths: error: '0'" --lengths 0
b letters 1 "^--lengths: error: '16,x'" --lengths 16,x
b empty-number 1 "^--batches: error: '1,'" --batches 1,
b twice 1 '^--threads: error: 2 stands twice' --threads 2,2
b many-threads 1 "^--threads: error: '4096'" --threads 4096
b too-long 1 'more than the positions hold' --lengths 32,65
b target 1 "^--targets: error: 'x86' is not a target" --targets x86
b repeat 1 "^--repeat: error: 'often'" --repeat often
b interpreter 1 '^--backend: error: interpreter compiles nothing' --backend interpreter
b vs-reference 1 '^--vs: error: reference compiles nothing' --vs backend=reference
b vs-nothing 1 "^--vs: error: 'nowhere.yaml' is no model" --vs nowhere.yaml
b vs-key 1 "unknown key 'hashes'" --vs hashes=2
b weights 1 'nowhere.safetensors: error: cannot open' --weights nowhere.safetensors
b suffix 1 'r.txt: error: the suffix decides' --output r.txt
b place 1 'nowhere/r.csv: error: cannot create' --output nowhere/r.csv
check stdin 1 "^MODEL: error: '-' can be read once only" "$r" bench -
cp "$tiny/config.json" config.json
check over-the-model 1 'config.json: error: is an input of this bench' "$r" bench config.json --output config.json
absent nowhere r.txt
if [ -w /dev/full ]; then
    check full 1 'stdout: error: cannot write' sh -c '"$1" bench "$2" --repeat 1 --threads 1 --lengths 16 >/dev/full' sh "$r" "$tiny"
fi

# ---- traces ----
printf 'It was a dark night and the wind was high' >night.txt
e="--text night.txt --threads 2 --set compile.sequence_length=32"
check eval-trace 0 '' "$r" eval "$CHECKPOINT" $e --backend $fast --instrument t.json
says '^bits_per_byte '
cp .out scored
check eval-plain 0 '' "$r" eval "$CHECKPOINT" $e --backend $fast
[ "$(grep per_byte .out)" = "$(grep per_byte scored)" ] || fail '--instrument changes the score'
json t.json traceEvents.0.ph '"M"'
json t.json traceEvents.1.name '"embed"'
json t.json traceEvents.1.ph '"X"'
json t.json traceEvents.2.name '"layer0.local.project"'
json t.json traceEvents.2.cat '"local.project"'
holds 'begin and duration' "$(value t.json traceEvents.2.ts) >= $(value t.json traceEvents.1.ts) + $(value t.json traceEvents.1.dur)"
forwards=$(grep -c '"name": "forward"' t.json)
[ "$forwards" -eq 2 ] || fail "$forwards forwards, not one per window"
[ "$(value t.json 'traceEvents.#')" -eq "$(grep -c '"ph":' t.json)" ] || fail 'not an event per line'
check run-trace 0 '' "$r" run "$tiny" --weights random --input "$tiny/inputs.safetensors" --output o.safetensors \
    --instrument u.json
json u.json traceEvents.1.name '"embed"'
check trace-reference 1 '^--instrument: error: back end reference has no launches' "$r" eval "$CHECKPOINT" $e \
    --backend reference --instrument x.json
check trace-stdout 1 '^--instrument: error: the trace goes into a file' "$r" eval "$CHECKPOINT" $e --instrument -
check trace-place 1 'nowhere/x.json: error: cannot create' "$r" eval "$CHECKPOINT" $e --instrument nowhere/x.json
check trace-folder 1 'is a directory' "$r" eval "$CHECKPOINT" $e --instrument .
absent x.json nowhere
tidy .

# ---- translation ----
check plain 0 '' "$r" "$CHECKPOINT/config.json" -o plain.c
check instrumented 0 '' "$r" "$CHECKPOINT/config.json" -o model.c --instrument
grep -q '"layer#.local.project", layer);' model.c || fail 'no labels in model.c'
if grep -q labelled plain.c; then fail 'labels in code without --instrument'; fi
grep -q 'profile, profile_ctx' model.h || fail 'model.h does not tell of profile'
check takes-nothing 2 "takes no argument" "$r" "$CHECKPOINT/config.json" -o model.c --instrument=x
finish
