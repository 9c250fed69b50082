#!/bin/sh
# bench --decode: steps of generation. Its files agree with each other and with what it was asked; what cannot be
# measured is refused before anything runs. No check here asks for a speed.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
tiny=$CASES/a_clm_lsh_1hash # 64 positions
b() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" bench "$tiny" --decode --repeat 2 --tokens 3 "$@"
}

# ---- what it finds ----
b figures 0 '4 cases, 2 rounds each of 3 steps; back end c' --backend c --lengths 40,16 --threads 1,2 --targets native \
    --output r.json --output r.csv
[ "$(grep -Ec '^context (40|16), batch 1, [a-z0-9-]+, [12] threads?: [0-9.]+ ms a step, [0-9.]+ tokens/s' .err)" -eq 4 ] ||
    fail 'no line per case'
says '^Generation$'
says '^ +40 +[a-z0-9-]+ +2 +[0-9.]+ [num]?s ±[0-9.]+ % +[0-9.]+ [num]?s +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ %$'
says '^Flatness over the context$'
says '^Kernels: context 16, [a-z0-9-]+, 1 thread$'
says '^ +lsh.attention +[0-9]+ +[0-9.]+ [num]?s'
says '^ +between launches '
present r.json r.csv
tidy .
json r.json 'cases.#' 4
json r.json output '"logits"'
json r.json steps_per_round 3
json r.json cases.0.context 40
json r.json cases.1.threads 2
json r.json cases.2.context 16
json r.json cases.0.kernels.0.name '"embed"'
json r.json cases.0.kernels.0.launches 1
json r.json 'flatness.#' 2
json r.json flatness.1.threads 2
[ "$(awk -F, '$5 == ""' r.csv | wc -l)" -eq 4 ] || fail 'not a row per case'
[ "$(awk -F, 'NF != 18' r.csv | wc -l)" -eq 0 ] || fail 'a row of the CSV has other columns'

# Figures fit together. A launch of `hidden` states is not among the kernels: nobody asked for them.
for k in 0 1 2 3; do
    seconds=$(value r.json cases.$k.seconds.median)
    holds "speed of case $k" "(1 / $seconds / $(value r.json cases.$k.tokens_per_second) - 1)^2 < 1e-8"
    holds "best of case $k" "0 < $(value r.json cases.$k.seconds_best) && $(value r.json cases.$k.seconds_best) <= $(value r.json cases.$k.seconds.low)"
    holds "floor of case $k" "$(value r.json cases.$k.of_floor.median) > 0 && $(value r.json cases.$k.read_bytes_per_second.median) > 0"
    holds "times of case $k" "$(value r.json cases.$k.prefill_seconds) > 0 && $(value r.json cases.$k.instrumented_seconds.median) > 0"
    holds "bytes of case $k" "$(value r.json cases.$k.weights_bytes) + $(value r.json cases.$k.window_bytes) < $(value r.json cases.$k.stream_bytes)"
done
for k in 0 1; do
    holds 'flatness' "$(value r.json flatness.$k.slowest_by_fastest) >= 1"
    slow=$(value r.json flatness.$k.slowest_context)
    [ "$slow" -eq 40 ] || [ "$slow" -eq 16 ] || fail "a context of $slow was not asked for"
done
if grep -q last_hidden_state r.csv; then fail 'a kernel that did not run'; fi

# What a step must read is known: it does not depend on the context or the threads, windows are keys and values of
# rounds x chunks, and weights those that a step reads, so a second layer and a second round add what they have.
for what in weights_bytes window_bytes stream_bytes; do
    for k in 1 2 3; do json r.json cases.$k.$what "$(value r.json cases.0.$what)"; done
done
holds 'a longer context has a larger cache' "$(value r.json cases.0.cache_bytes) > $(value r.json cases.2.cache_bytes)"
chunk=$(value "$tiny/config.json" lsh_attn_chunk_length)
heads=$(value "$tiny/config.json" num_attention_heads)
layers=$(value "$tiny/config.json" 'attn_layers.#')
before=$(value "$tiny/config.json" lsh_num_chunks_before)
json r.json cases.0.window_bytes $((layers * heads * (1 + before) * chunk * 2 * $(value "$tiny/config.json" attention_head_size) * 4))
b rounds 0 '1 case' --lengths 16 --threads 1 --set num_hashes=3 --output h.json
json h.json cases.0.window_bytes $((3 * $(value r.json cases.0.window_bytes)))
b batches 0 '2 cases' --lengths 16 --threads 1 --batches 1,3 --output n.json
says '^ +context +batch +target'
json n.json cases.1.batch 3
json n.json cases.1.window_bytes $((3 * $(value n.json cases.0.window_bytes)))
holds 'rows share the weights' "$(value n.json cases.1.weights_bytes) < 1.2 * $(value n.json cases.0.weights_bytes)"
holds 'speed of rows' "($(value n.json cases.1.tokens_per_second) * $(value n.json cases.1.seconds.median) / 3 - 1)^2 < 1e-8"
b default 0 '' --threads 1 --output d.json
json d.json cases.0.context $((64 - 2 * 4))

# ---- pictures ----
if command -v gnuplot >/dev/null 2>&1; then
    b picture 0 '' --lengths 40,16 --threads 1 --output p.svg
    grep -q '<svg' p.svg || fail 'p.svg is no picture'
    grep -q 'tokens per second' p.svg || fail 'p.svg shows no speed'
else
    echo 'no gnuplot: pictures are not tested'
fi

# ---- what it refuses ----
b too-long 1 '^--lengths: error: 60 tokens and 8 steps are more than the 64 positions hold' --lengths 16,60 --threads 1
b beyond 1 '^--lengths: error: 65 tokens' --lengths 65 --threads 1
b no-tokens 1 "^--tokens: error: '0'" --tokens 0
b two-tokens 1 '^--tokens: error: one number, not 2' --tokens 3,4
b vs 1 '^--vs: error: compares forwards' --vs num_hashes=2
b interpreter 1 '^--backend: error: interpreter compiles nothing' --backend interpreter
check forwards 1 '^--tokens: error: are steps of generation' "$r" bench "$tiny" --tokens 3
check classifier 1 '^--decode: error: .*f_cls_3labels_train is no causal language model' "$r" bench \
    "$CASES/f_cls_3labels_train" --decode
check masked 1 'is no causal language model' "$r" bench "$CASES/c_mlm_alt_attention_mask" --decode
check base 1 'is no causal language model' "$r" bench "$CASES/p_base_model_local_only" --decode
finish
