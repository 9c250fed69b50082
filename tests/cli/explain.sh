#!/bin/sh
# explain: its figures are those of other parts (published parameter counts, the runtime's workspace, the
# budgets' flops, the file that is written); warnings come where a spec provokes them and not elsewhere; the
# page is well-formed and needs nothing from outside; bad arguments are refused.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
specs=$SOURCE/specs
fixed='--target x86-64-v3 --threads 1 --peak 100 --bandwidth 20'
x() { # NAME CODE PATTERN MODEL ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" explain "$@"
}
row() { # ROW COLUMN: of the table rows that begin with ROW, the COLUMN-th word, without separators
    awk -v row="$1" -v c="$2" '{ line = $0; sub(/^ +/, "", line) }
        index(line, row) == 1 { gsub(",", ""); print $c; exit }' .out
}
section() { awk -v s="$1" '$0 ~ "^" s { on = 1; next } /^[^ ]/ { on = 0 } on' .out >section.txt; }

# The reports of the models that we show: what is asked of them, parts of this script ask below. No warnings, but that
# duplication hashes what exact attention would do for less (that is its experiment, and it is told so), and that a window
# that outgrows the L2 cache, a fact of the machine, may be told where that is small.
for spec in "$specs"/*.yaml; do
    x "no warning for $(basename "$spec")" 0 '' "$spec" $fixed
    cp .out "report.$(basename "$spec" .yaml)"
    if [ "$(getconf LEVEL2_CACHE_SIZE 2>/dev/null || echo 0)" -ge 1048576 ]; then unwanted=.; else
        unwanted='(warning|error):( [^a]| a [^w])'; fi
    if [ "$(basename "$spec")" = duplication.yaml ]; then
        equal 'what duplication is told' "$(grep -c 'warning: LSH attention takes .* times the flops of exact' .err)" 1
        continue
    fi
    if grep -Eq "$unwanted" .err; then fail 'stderr is not empty'; fi
done
report() { name="report of $1" && cp "report.$1" .out; }

# ---- the report of a whole, word for word where no machine is in it ----
for model in bench crime-and-punishment-bytes; do
    report $model
    sed "s|^.*/specs/|specs/|" .out >"$model.txt"
    checks=$((checks + 1))
    cmp -s "$model.txt" "$SOURCE/tests/cli/explain/$model.txt" || {
        fail "the report of $model differs from tests/cli/explain/$model.txt"
        diff "$SOURCE/tests/cli/explain/$model.txt" "$model.txt" | head -n 10
    }
done

# ---- parameters: what is published of these models ----
x crime 0 '' "$specs/crime-and-punishment.yaml" $fixed --set compile.sequence_length=4096
section parameters
equal 'parameters of crime-and-punishment' "$(awk '$1 == "total" { gsub(",", ""); print $2 }' section.txt)" 2748224
report enwik8
section parameters
equal 'parameters of enwik8' "$(awk '$1 == "total" { gsub(",", ""); print $2 }' section.txt)" 149182722

# ---- layers of their own: a row for each kind of them ----
x 'own layers' 0 '' "$specs/bench.yaml" $fixed --set extensions.layers.1.num_hashes=2 --set extensions.norm=rms \
    --set 'extensions.layers.3={num_buckets: [8, 16], lsh_attn_chunk_length: 32}' \
    --set extensions.layers.0.feed_forward_size=512 --set extensions.feed_forward_gate=true
says '^  hash  *2 rounds, 128 buckets, chosen from the length; layer 1$'
says '^  hash  *4 rounds, 128 buckets = \[8, 16\]; layer 3$'
says '^  hash  *4 rounds, 128 buckets, chosen from the length; layer 5$'
says '^  LSH  *chunks of 64, each with 1 before and 0 after: 128 keys per query; layers 1, 5$'
says '^  LSH  *chunks of 32, each with 1 before and 0 after: 64 keys per query; layer 3$'
says '^  heads  *8 of 64, causal$'
says '^  widths  *hidden 512, feed-forward 2048 \(relu\); layers 1 \.\.\. 5$'
says '^  feed_forward.gate.dense.weight  *1  *512 x 512 '
says '^  feed_forward.gate.dense.weight.2  *5  *2048 x 512 '
grep -q 'layer_norm.bias' .out && fail 'RMS norms have no bias'

# ... and their number types, of a spec and of a graph
types='--no-warnings --set compile.sequence_length=256 --set compile.dtype=int8'
own="$types --set extensions.layers.0.dtype=float32 --set extensions.layers.3.dtype=bfloat16"
check 'graph' 0 - "$r" "$specs/bench.yaml" $own -o types.graph
for model in "$specs/bench.yaml $own" types.graph; do
    x "number types, $model" 0 - $model $fixed --no-warnings
    says '^  dtype  *float32; layer 0$'
    says '^  dtype  *bfloat16; layer 3$'
    says '^  dtype  *int8; words and the head, layers 1 \.\.\. 2, 4 \.\.\. 5$'
done
x 'one number type' 0 - "$specs/bench.yaml" $types $fixed
says '^  dtype  *int8$'
x 'a number type that no layer has' 0 - "$specs/bench.yaml" $types $fixed --set attn_layers='[local]' \
    --set extensions.layers.0.dtype=bfloat16
says '^  dtype  *bfloat16; layer 0$'
says '^  dtype  *int8; words and the head$'
x 'without a head' 0 - "$CASES/p_base_model_local_only" $fixed --no-warnings --set extensions.layers.0.dtype=int8
says '^  dtype  *float32; words, layer 1$'

# ... and the weights file is as large as it says.
small="$CASES/b_clm_alt_4hash_factorised"
check translated 0 '' "$r" "$small" -o m.c --target x86-64-v3 --set compile.sequence_length=64
x small 0 '' "$small" $fixed --set compile.sequence_length=64 --no-warnings
section parameters
equal 'bytes in the file' "$(awk '$1 == "total" { gsub(",", ""); print $3 }' section.txt)" "$(wc -c <m.weights | tr -d ' ')"

# ---- flops and workspace: as the budgets count them, the latter by the runtime itself ----
budget() { # MODEL THREADS ARGUMENTS…: the bytes and flops that break these budgets
    model=$1 n=$2
    shift 2
    "$r" "$model" -o budget.c --target x86-64-v3 --threads "$n" --set 'expect.workspace="<= 1"' \
        --set 'expect.flops_per_token="<= 1"' "$@" 2>&1
}
for n in 1 3; do
    for case in b_clm_alt_4hash_factorised c_mlm_alt_attention_mask g_qa_train h_clm_absolute_pos; do
        for length in 24 64 dynamic; do
            [ "$n $length" = '3 24' ] && continue # more threads are more of what 64 has, too
            budget "$CASES/$case/config.json" $n --set compile.sequence_length=$length >said
            x "$case $length $n" 0 '' "$CASES/$case/config.json" --target x86-64-v3 --threads $n --peak 1 --bandwidth 1 \
                --set compile.sequence_length=$length --no-warnings
            section workspace
            total=$(awk '$1 == "total" { gsub(",", ""); print $2 }' section.txt)
            equal "workspace of $case" "$total" "$(sed -n 's/.*the workspace is \([0-9]*\) bytes.*/\1/p' said)"
            sum=$(awk '{ gsub(",", "") } $3 == "prepared" || $3 == "scratch" { s += $2 }
                $3 != "prepared" && $3 != "scratch" && $1 ~ /^[0-9]+$/ && $1 + $2 > most { most = $1 + $2 }
                $3 == "scratch" { at = $1; scratch = $2 } END { print at + scratch, at - most }' section.txt)
            equal "end of the last part of $case" "${sum% *}" "$total"
            [ "${sum#* }" -ge 0 ] && [ "${sum#* }" -lt 64 ] || fail "the buffers end ${sum#* } bytes before scratch"
            section work
            flops=$(awk '$1 == "total" { gsub(",", ""); print $3 }' section.txt)
            want=$(sed -n 's/.*a token takes \([0-9]*\) flops.*/\1/p' said)
            awk -v a="$flops" -v b="$want" 'BEGIN { d = a * 1e6 - b; exit !(b > 0 && d < 51 && d > -51) }' ||
                fail "a token takes $flops Mflop here and $want flops there"
        done
    done
done

# Flops by hand: feed-forward products of bench are 2 x 2 x 512 x 2048 per layer; the rest is bias, norm, relu.
report bench
section work
awk '$1 == "feed_forward" { d = $3 * 1e6 / (6 * 4 * 512 * 2048); exit !(d > 1 && d < 1.01) }' section.txt ||
    fail 'flops of the feed-forward'
awk '$1 == "lsh.attention" { exit !($2 == 3 * 4 * 4) }' section.txt || fail '3 layers, 4 groups, 4 rounds'
awk '$1 == "local.attention" { exit !($2 == 3 * 4) }' section.txt || fail '3 layers, 4 groups'

# ---- predictions follow what is given ----
says 'fma peak +100\.0 GFLOP/s on 1 thread'
fast() { awk '$1 == "tokens" && $2 == "per" { gsub(",", ""); print $NF }' .out; }
slow=$(fast)
x twice 0 - "$specs/bench.yaml" --target x86-64-v3 --threads 1 --peak 200 --bandwidth 40
awk -v a="$slow" -v b="$(fast)" 'BEGIN { exit !(a > 0 && b / a > 1.99 && b / a < 2.01) }' || fail 'twice the machine is not twice as fast'
x bfloat16 0 'warning: 128 buckets in one factor: hashing takes' "$specs/bench.yaml" --target x86-64-v4+bf16 --set compile.dtype=bfloat16 --threads 1 --peak 100 --bandwidth 40 --html b.html
says '^  kernel +launches +Mflop +share +bytes moved +streamed +flop/byte +products +predicted +bound by$'
says '^  feed_forward .* bfloat16( [0-9]+ %)? +[0-9.]+ m?s +arithmetic$'
says '^  lsh.hash .* float32 +[0-9.]+ m?s'
says 'fma peak +100\.0 GFLOP/s on 1 thread'
says 'bfloat16 peak +200\.0 GFLOP/s on 1 thread'
says 'peak of its products, each kind'
grep -q '200.0 GFLOP/s: bfloat16 peak of 1 thread' b.html || fail 'no roof of bfloat16'
x starved 0 - "$specs/bench.yaml" --target x86-64-v3 --threads 1 --peak 100 --bandwidth 0.01
says 'feed_forward .* memory$'
other=aarch64
[ "$(uname -m)" = aarch64 ] && other=x86-64-v3
x other-machine 0 - "$specs/bench.yaml" --target $other
says "not predicted: this CPU does not run $other"
x other-given 0 - "$specs/bench.yaml" --target $other --peak 10 --bandwidth 10
says '^  one forward'
x measured 0 '' "$specs/crime-and-punishment-bytes.yaml" --threads 1
says 'measured now'
says 'tokens per second, predicted +[1-9]'

# ---- a train step, of specs that train ----
grep -q 'train step' .out && fail 'a train step that nobody asked for'
x train 0 - "$specs/bench.yaml" $fixed --set train.memory=auto --html train.html
says '^  train.memory: auto, up to 1.00 GiB of values$'
says '^  feed_forward.dense.dense.weight.2 +6 +2048 x 512 +packed again +25,165,824$'
section parameters
equal 'parameters, some of them packed twice' "$(awk '$1 == "total" { gsub(",", ""); print $2 }' section.txt)" 18642240
for kind in streams 'hidden activations' 'normed inputs' 'operands of attention \(lsh\)' \
    'operands of attention \(local\)' 'attention outputs \(lsh\)' 'attention outputs \(local\)'; do
    says "^  $kind +[0-9,]+ +[0-9.]+ +[0-9.]+ m?s +(yes|no: .*)\$"
done
says '^  normed inputs .* no: saves no time$'
equal 'kinds that are chosen' "$(grep -c ' yes$' .out)" 6
# bytes: of six layers' two norms, each [4096][512] of floats; of all but the last values of two streams
equal 'bytes of normed inputs' "$(row 'normed inputs' 3)" $((12 * 4096 * 512 * 4))
equal 'bytes of streams' "$(row streams 2)" $((11 * 4096 * 512 * 4))
equal 'bytes of what is chosen' "$(row chosen 2)" "$(awk '/ yes$/ { gsub(",", ""); sub(/^[ a-z()]*/, ""); s += $1 } END { print s + 0 }' .out)"
# the forward's kernels are those of a forward; the graph and the loops count nearly the same, and a step is four forwards
section 'work of one train step'
awk '$1 ~ /^feed_forward(_[2-9])?$/ { s += $3 } END { d = s / 25.2092; exit !(d > 0.99 && d < 1.01) }' section.txt ||
    fail 'flops of the forward in a step'
loops=$(awk '$1 == "total" { print $3 }' section.txt)
section 'parts of a train step'
awk -v loops="$loops" '$1 == "total" { all = $2; forwards = $3 } { for (i = 1; i < NF; i++) if ($i ~ /^[0-9]+[.]/) { sum += $i; break } }
    END { d = sum - 2 * all; e = all / loops; exit !(d < 0.001 && d > -0.001 && e > 0.98 && e < 1.02 && forwards > 2.9 && forwards < 4.05) }' section.txt ||
    fail 'the parts of a train step'
# ... and nothing of a step is left out where nothing is kept
x 'train, reversible' 0 - "$specs/bench.yaml" $fixed --set train.memory=reversible
says '^  train.memory: reversible$'
equal 'bytes of what is chosen, reversible' "$(row chosen 2)" 0
equal 'workspace of what is chosen, reversible' "$(row chosen 3)" "$(row 'nothing (reversible)' 4)"
section 'parts of a train step'
awk '$1 == "made" { exit !($8 > 0.9 && $8 < 1.05) }' section.txt || fail 'a forward is made again'
# the workspace is the one that a size is compared with
section 'workspace of a train step'
bytes=$(awk '$1 == "total" { gsub(",", ""); print $2 }' section.txt)
equal 'workspace of a train step' "$bytes" "$(row 'nothing (reversible)' 4)"
x 'train, too small' 1 "^--set train.memory: error: 'train.memory' is 1.00 MiB; a train step of 1 x 4096 tokens takes $(awk "BEGIN { printf \"%.2f\", $bytes / 1048576 }") MiB even if it keeps nothing" \
    "$specs/bench.yaml" $fixed --set train.memory=1MiB
x 'train, a size' 0 - "$specs/bench.yaml" $fixed --set train.memory=$bytes
says '^  train.memory: a workspace of [0-9.]+ MiB, which leaves 0 B for values$'
says '^  streams .* no: no room$'
x 'train, a larger size' 0 - "$specs/bench.yaml" $fixed --set train.memory=$((bytes + 130000000))
says '^  streams .* yes$'
says '^  hidden activations .* no: no room$'
[ "$(row chosen 3)" -le $((bytes + 130000000)) ] || fail 'a workspace is larger than train.memory'
x 'train, no loss' 1 'error: the model has no loss to train it by' "$CASES/p_base_model_local_only" $fixed --set train.memory=auto
x 'train, of a graph' 0 '' "$small" $fixed --no-warnings --set train.steps=3 --set compile.sequence_length=64
"$r" "$small" -o small.graph --set train.memory=reversible --set compile.sequence_length=64
x 'train, of a graph' 0 '' small.graph $fixed
says '^what a train step keeps$'
# a second local attention in one layer: of that kind lowering takes nothing that is kept, of the others it does
"$r" "$CASES/k_train_clm_4layers/config.json" -o one.graph --set compile.sequence_length=64
awk '/^layers.0.self_attention /{ second = $0; sub(/ trace=.*/, "", second) }
    /^layers.0.y1 /{ print
        n = split("query key value", part)
        for (i = 1; i <= n; i++) {
            print "encoder.layers.0.second." part[i] " = param() : f32[32,32] layer=0"
            print "layers.0.second_" part[i] " = dense(layers.0.attention_norm, encoder.layers.0.second." part[i] ", _) : f32[1,64,32] layer=0"
            gsub("layers[.]0[.]" part[i], "layers.0.second_" part[i], second)
        }
        sub(/layers.0.self_attention/, "layers.0.second_attention", second)
        print second
        print "encoder.layers.0.second.output = param() : f32[32,32] layer=0"
        print "layers.0.second_output = dense(layers.0.second_attention, encoder.layers.0.second.output, _) : f32[1,64,32] layer=0"
        print "layers.0.y1_second = add(layers.0.y1, layers.0.second_output) : f32[1,64,32] layer=0"
        done = 1
        next }
    done { gsub(/layers.0.y1,/, "layers.0.y1_second,") } { print }' one.graph >two.graph
x 'train, of an edited graph' 0 '' two.graph $fixed --set train.memory=auto
says '^  streams .* yes$'
says '^  attention outputs .local. .* no: not lowered$'
says '^  hidden activations .* yes$'
check 'translation of an edited graph' 0 '' "$r" two.graph -o two.c --target x86-64-v3 --set train.memory=auto
x 'train, elsewhere' 0 '' "$small" --target aarch64 --set train.memory=auto --no-warnings --set compile.sequence_length=dynamic
case $(uname -m) in x86_64) says '^  kept +bytes +workspace +Mflop less +chosen$' ;; esac
own_check() { # without xmllint: every tag that opens is closed in order
    awk 'BEGIN { RS = "<" } NR > 1 {
        split($0, part, ">"); tag = part[1]
        if (tag ~ /^[!?]/ || tag ~ /\/$/) next
        name = tag; sub(/[ \n].*/, "", name)
        if (name ~ /^\//) { if (stack[depth--] != substr(name, 2)) bad = 1 } else stack[++depth] = name
    } END { exit bad || depth != 0 }' "$1"
}
own_check train.html || fail 'tags do not match'
equal 'drawings of a train step' "$(grep -c '<svg' train.html)" 4

# ---- lengths ----
x list 0 '' "$small" $fixed --set 'compile.sequence_length=[16, 64, 32]' --no-warnings
says 'length +16, 32, 64, the smallest that fits; shown for 64'
x dynamic 0 '' "$small" $fixed --set compile.sequence_length=dynamic --no-warnings
says 'length +any up to [0-9]+, padded to multiples of [0-9]+'
x padded 0 '' "$CASES/d_clm_autopad_50_to_64" $fixed --set compile.sequence_length=50 --no-warnings
says 'every input is padded to 64'
x short 0 '' "$specs/bench.yaml" $fixed --set compile.sequence_length=40 --no-warnings
says 'exact attention: the sequence fits one chunk of 64'

# ---- the crossover: where the columns cross ----
report bench
from=$(sed -n 's/.*costs less from \([0-9]*\) tokens on/\1/p' .out)
section LSH
awk -v from="${from:-0}" '{ gsub(",", "") } $1 ~ /^[0-9]+$/ { n++; if (($2 < $3) != ($1 >= from)) bad = 1 }
    END { exit !(n > 5 && from > 64 && !bad) }' section.txt || fail "the table does not cross at $from"
x many-rounds 0 '' "$specs/bench.yaml" $fixed --set num_hashes=16
more=$(sed -n 's/.*costs less from \([0-9]*\) tokens on/\1/p' .out)
[ "${more:-0}" -gt "$from" ] || fail "more rounds do not cross later: $more"
x never 0 '' "$CASES/a_clm_lsh_1hash" $fixed --set num_hashes=8 --no-warnings
says 'never costs less, up to [0-9]+ tokens'

# ---- warnings: one for each mistake ----
cp "$specs/bench.yaml" bad.yaml
warn() { # NAME MESSAGE HINT KEY VALUE [ARGUMENTS…]: bad.yaml with KEY: VALUE warns at the value's place
    name=$1 message=$2 hint=$3 key=$4 value=$5
    shift 5
    grep -v "^$key:" "$specs/bench.yaml" >bad.yaml
    printf '%s: %s\n' "$key" "$value" >>bad.yaml
    sed -i '/^compile:/,/^  batch_size/d' bad.yaml
    at=$(grep -n "^$key:" bad.yaml | cut -d: -f1):$((${#key} + 3))
    x "$name" 0 "^bad.yaml:$at: warning: $message" bad.yaml $fixed "$@"
    grep -Eq "hint: .*$hint" .err || fail "no hint: $hint"
    equal "warnings of $name" "$(grep -c warning: .err)" 1
}
warn buckets '2048 buckets in one factor: hashing takes [0-9.]+ % of a forward' 'num_buckets: \[32, 64\]' \
    num_buckets 2048 --set compile.sequence_length=4096 --set num_hashes=3
x 'buckets, silent' 0 - bad.yaml $fixed --set compile.sequence_length=4096 --set num_hashes=3 --no-warnings
warn layers 'LSH attention takes [0-9.]+ times the flops of exact attention at 512 tokens' 'pays from 2[0-9]+ tokens on' \
    attn_layers '[lsh, lsh, lsh, lsh, lsh, lsh]' --set compile.sequence_length=512 --set num_hashes=8
warn head '36 does not fill tiles of 16 lanes \(x86-64-v3\): 25 % of them' 'multiples of 16' \
    attention_head_size 36 --set compile.sequence_length=4096
warn hidden '40 does not fill tiles of 16 lanes' 'multiples of 16' \
    hidden_size 40 --set compile.sequence_length=4096 --set 'axial_pos_embds_dim=[8, 32]' --set 'num_buckets=[8, 16]'
cache=$(getconf LEVEL2_CACHE_SIZE 2>/dev/null || echo 0)
if [ "${cache:-0}" -gt 0 ] && [ "$cache" -lt 8388608 ]; then
    warn window 'a window of 2 x 8192 keys of 64 takes [0-9.]+ MiB .* L2 cache' 'shorter chunks' \
        local_attn_chunk_length 8192 --set compile.sequence_length=16384 --set 'axial_pos_shape=[128, 128]' \
        --set 'lsh_attn_chunk_length=64'
fi

# Where products of bfloat16 take half of the time, the hash, which is of float32, takes more of it.
share_of_hash() { # TARGET
    x "the hash on $1" 0 'hashing takes [0-9.]+ % of a forward' "$specs/bench.yaml" --target "$1" --threads 1 --peak 100 \
        --bandwidth 20 --set compile.dtype=bfloat16 --set num_buckets=2048 --set num_hashes=3 --set compile.sequence_length=4096
    share=$(sed -n 's/.*hashing takes \([0-9.]*\) %.*/\1/p' .err)
}
share_of_hash x86-64-v4
beside_fma=$share
share_of_hash x86-64-v4+bf16
holds 'the hash beside dot2' "${share:-0} > 1.3 * ${beside_fma:-99}"

# Translation interrupts for what is dear only, and never fails for it.
dear='--set num_buckets=4096 --set num_hashes=8 --set compile.sequence_length=4096'
check dear 0 '^--set num_buckets: warning: 4096 buckets in one factor' "$r" "$specs/bench.yaml" -o dear.c $dear
present dear.c
check dear-silent 0 - "$r" "$specs/bench.yaml" -o dear.c $dear --no-warnings
check cheap 0 - "$r" "$CASES/a_clm_lsh_1hash/config.json" -o cheap.c --set num_hashes=8 --set compile.sequence_length=64
check silent-but-wrong 1 '^--set num_hashes: error' "$r" "$specs/bench.yaml" -o wrong.c --no-warnings --set num_hashes=x
absent wrong.c

# ---- the page ----
# Lines from thin buffers to their labels: "M x y L x y H x". Two cross where the one that is above at the start of
# the shorter one is not at their common end.
leaders() { sed -n 's/^<path class="leader" d="M\([0-9.]*\) \([0-9.]*\)L\([0-9.]*\) \([0-9.]*\)H.*/\1 \2 \3 \4/p' "$1"; }
crossings() {
    leaders "$1" | awk '{ x[NR] = $1; y[NR] = $2; X[NR] = $3; Y[NR] = $4 }
        function at(k, t) { return y[k] + (Y[k] - y[k]) * (t - x[k]) / (X[k] - x[k]) }
        END { for (i = 1; i <= NR; i++) for (k = 1; k < i; k++) {
            t = x[i] > x[k] ? x[i] : x[k]; d = at(i, t) - at(k, t)
            if (d * (Y[i] - Y[k]) < 0 && (d > 0.1 || d < -0.1)) n++ }
          print n + 0 }'
}
printf '<path class="leader" d="M1.0 1.0L9.0 9.0H9\n<path class="leader" d="M1.0 9.0L9.0 1.0H9\n' >cross.svg
equal 'crossings of a cross' "$(crossings cross.svg)" 1
awk '/<svg/ { n++ } n == 4' train.html >last.svg # the others are a forward's
equal 'lines that cross in a train step' "$(crossings last.svg)" 0
[ "$(leaders last.svg | wc -l)" -ge 10 ] || fail 'the memory of a train step has no labels'
all_leaders=0
for model in "$specs/bench.yaml" "$specs/enwik8.yaml" "$specs/crime-and-punishment.yaml" "$specs/torch-benchmark.yaml" \
    "$small" "$CASES/p_base_model_local_only" "$CASES/g_qa_train" \
    "$CASES/e_clm_short_full_attention_7"; do
    # by a name of its own: the page tells it, and the folder that all this stands in may hold any word
    rm -f model
    ln -s "$model" model
    x "page of $(basename "$model")" 0 - model $fixed --no-warnings --html page.html
    present page.html
    if command -v xmllint >/dev/null; then xmllint --noout page.html 2>.err || fail 'the page is not well-formed'; fi
    own_check page.html || fail 'tags do not match'
    equal drawings "$(grep -c '<svg' page.html)" 2
    grep -v 'xmlns="http://www.w3.org/2000/svg"' page.html | grep -Eq '(href|src|url\(|@import|https?:|<script|<link)' &&
        fail 'the page refers to something outside'
    [ "$(grep -c '<circle' page.html)" -ge 4 ] || fail 'a roofline without kernels'
    for said in '>predicted, not measured: where a kernel would run' '>GFLOP/s, predicted<'; do
        grep -q "$said" page.html || fail "the roofline does not say $said"
    done
    equal "lines that cross in $(basename "$model")" "$(crossings page.html)" 0
    all_leaders=$((all_leaders + $(leaders page.html | wc -l)))
    buffers=$(grep -c '<g><title>' page.html)
    [ "$buffers" -ge 6 ] || fail "a map of $buffers buffers"
done
[ $all_leaders -ge 20 ] || fail "$all_leaders lines to labels: the test tests nothing"
checks=$((checks + 1))
printf '<p>open</b>' >broken.html
own_check broken.html && fail 'the own check passes anything'
x to-stdout 0 - "$small" $fixed --no-warnings --html -
says '^<!DOCTYPE html>$'
equal 'reports on stdout' "$(grep -c '^parameters$' .out)" 0

# Text from outside: a path with markup and control characters.
odd='a<b>&"c'"'"'.yaml'
cp "$specs/crime-and-punishment-bytes.yaml" "$odd"
x odd-name 0 - "$odd" $fixed --html odd.html
own_check odd.html || fail 'a path breaks the page'
grep -q '<title>a&lt;b&gt;&amp;&quot;c&#39;.yaml' odd.html || fail 'a path is not escaped'
tab=$(printf 'a\033b.yaml')
cp "$specs/crime-and-punishment-bytes.yaml" "$tab"
x control-characters 0 - "$tab" $fixed --html odd.html
says '^a\?b.yaml: '
own_check odd.html || fail 'a control character breaks the page'

# ---- bad arguments ----
check help 0 - "$r" explain --help
says '--html FILE'
check no-model 2 'missing MODEL' "$r" explain
x unknown-option 2 "unknown option '--weights'" "$small" --weights x
x missing-model 1 'nowhere.yaml' nowhere.yaml
for bad in 0 -1 x 1e999 nan '1 2'; do
    x "peak '$bad'" 1 "^--peak: error: '.*' is not a number above 0" "$small" --no-warnings --peak "$bad" --bandwidth 1
    x "bandwidth '$bad'" 1 "^--bandwidth: error" "$small" --no-warnings --peak 1 --bandwidth "$bad"
done
x empty-html 1 '--html: an empty argument' "$small" --html ''
x no-folder 1 'nowhere/p.html: error: cannot create' "$small" $fixed --no-warnings --html nowhere/p.html
equal 'lines on stdout after an error' "$(wc -l <.out | tr -d ' ')" 0
mkdir d.html
x folder 1 'd.html: error' "$small" $fixed --no-warnings --html d.html
if [ -e /dev/full ]; then
    name='full disk'
    "$r" explain "$small" $fixed --no-warnings >/dev/full 2>.err
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
fi
tidy .
finish
