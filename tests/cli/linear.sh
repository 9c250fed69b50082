#!/bin/sh
# Files and lists of any size: read in linear time and bounded memory, and told of in a few lines. Each input is of a kind
# that once took minutes or gigabytes; the limits are several times what it takes now.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
model=$CASES/a_clm_lsh_1hash
SECONDS_OF_CPU=4 KIB=2000000

# check under limits of processor time and memory, and of what is said. An end by the limit of time is code 152.
limited() { # NAME CODE PATTERN COMMAND…
    title=$1 code_wanted=$2 text=$3
    shift 3
    check "$title" "$code_wanted" "$text" \
        sh -c 'ulimit -t "$1" && ulimit -v "$2" && shift 2 && exec "$@"' limited $SECONDS_OF_CPU $KIB "$@"
    checks=$((checks + 1))
    [ "$(wc -c <.err)" -le 20000 ] || fail "said $(wc -c <.err) bytes"
    [ "$(grep -c ' error: ' .err)" -le 50 ] || fail 'said more than 50 errors'
}
repeat() { # TEXT N, in blocks of a thousand
    awk -v text="$1" -v n="$2" 'BEGIN {
        block = text
        for (m = 1; m < 1024; m *= 2) block = block block
        for (; n >= m; n -= m) printf "%s", block
        while (n-- > 0) printf "%s", text
    }'
}
count() { awk -v form="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf form, i, i, i }'; } # FORM N

# ---- specs ----
spec() { limited "$1" 1 "$2" "$r" "$1.yaml" --dump spec; } # NAME PATTERN
count 'k%d: %d\n' 100000 >keys.yaml
spec keys "keys.yaml:1:1: error: unknown key 'k0'"
{ echo 'a:' && count '  - &a%d x\n' 999 && repeat '  - *a998
' 900000; } >aliases.yaml
spec aliases "aliases.yaml:1:1: error: unknown key 'a'"
{ count '%%TAG !a%d! x\n' 100000 && printf -- '---\na: 1\n'; } >directives.yaml
spec directives 'directives.yaml:101:1: error: more than 100 directives'
{ echo 'a0: &a0 [x,x,x,x,x,x,x,x,x]' && awk 'BEGIN { for (i = 1; i < 900; i++) { l = "*a" (i - 1)
    printf "a%d: &a%d [%s,%s,%s,%s,%s,%s,%s,%s,%s]\n", i, i, l, l, l, l, l, l, l, l, l } }'; } >laughs.yaml
spec laughs "laughs.yaml:1:1: error: unknown key 'a0'"
{ echo 'm0: &m0 {k0: 1}' && awk 'BEGIN { for (i = 1; i < 900; i++) { l = "*m" (i - 1)
    printf "m%d: &m%d {<<: [%s,%s,%s,%s,%s], k%d: 2}\n", i, i, l, l, l, l, l, i } }'; } >merges.yaml
spec merges 'merge keys make more than 1000000 values'
{ printf 'a: ' && repeat '[' 500000; } >deep.yaml
spec deep 'deep.yaml:1:67: error: nested deeper than 64 levels'
{ printf 'attn_layers: [lsh' && repeat ',lsh' 100000 && echo ']'; } >layers.yaml
spec layers "'attn_layers' has 100001 layers, the limit is 4096"
{ printf 'hidden_size: ' && repeat 9 10000000; } >scalar.yaml
spec scalar "'hidden_size' must be an integer, .*, not '9{60}…'"
{ printf 'hidden_size: 64\ncompile: {targets: [t0' && count ',t%d' 300000 && echo ']}'; } >targets.yaml
spec targets "'compile.targets' must be one of"
{ printf '{"model_type": "reformer"' && count ',"k%d": %d' 100000 && printf '}'; } >keys.json
limited 'a config of many keys' 0 "warning: unknown key 'k0' ignored" "$r" keys.json --dump spec

# ---- tensors ----
tensors() { # FORM N: a header of so many
    printf '{' && awk -v form="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++)
        printf form "%s", i, 4 * i, 4 * i + 4, i < n - 1 ? "," : "}" }'
}
tensors '"t%d":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}' 60000 >many.json
"$FORGE" headed many.st many.json 240000
limited 'many tensors as weights' 1 'none of its tensors is of this model' "$r" "$model" --weights many.st -o m.c
limited 'many tensors as input' 1 't0: no such input' "$r" run "$model" --input many.st --output o.st
limited 'many tensors as rotations' 1 "tensor 't0' is not the rotations" "$r" "$model" --rotations many.st -o m.c
limited 'many tensors as buckets' 1 '' "$r" run "$model" --input many.st --buckets many.st --output o.st
{ printf '{"t":{"dtype":"F32","shape":[0],"x":[{}' && repeat ',{}' 20000000 && printf '],"data_offsets":[0,0]}}'; } >values.json
"$FORGE" headed values.st values.json 0
limited 'many values in a header' 1 'the header is not valid JSON: more than 4000000 values' "$r" "$model" --weights values.st -o m.c
{ printf '{"weight_map":{"t":["x"' && repeat ',0' 20000000 && printf ']}}'; } >values.index.json
limited 'many values in an index' 1 'is not valid JSON: more than 4000000 values' "$r" "$model" --weights values.index.json -o m.c
rm values.json values.st values.index.json
{ printf '{"weight_map":{"t":"x"' && count ',"t%d":"none%d"' 100000 && printf '}}'; } >missing.index.json
limited 'many files that are missing' 1 "names the file 'none0', which is missing" "$r" "$model" --weights missing.index.json -o m.c
{ printf '{"weight_map":{"t0":"many.st"' && awk 'BEGIN { for (i = 1; i < 60000; i++) printf ",\"t%d\":\"many.st\"", i; print "}}" }'; } >one.index.json
limited 'many tensors of an index' 1 'none of its tensors is of this model' "$r" "$model" --weights one.index.json -o m.c
{ printf '{"input_ids":{"dtype":"' && repeat x 3000000 && printf '","shape":[1,1],"data_offsets":[0,4]}}'; } >dtype.json
"$FORGE" headed dtype.st dtype.json 4
limited 'a long name of a type' 1 'dtype x{60}… \(3000000 bytes\)' "$r" run "$model" --input dtype.st --output o.st

# ---- loop IR ----
head='module "m" target "x86-64"'
{ echo "$head" && count 'buffer b%d: workspace f32 [4]\n' 100000; } >buffers.rir
limited 'many buffers' 1 'buffers.rir:1026:[0-9]+: error: more than 1024 buffers' "$r" buffers.rir
{ echo "$head" && count 'func f%d(f32 %%a) -> f32 {\n yield %%a\n}\n' 100000; } >functions.rir
limited 'many functions' 1 'error: more than 1024 functions' "$r" functions.rir
{ echo "$head" && echo 'entry e {' && count ' %%v%d = const.i64 %d\n' 30000 && echo '}'; } >values.rir
limited 'many instructions' 0 - "$r" values.rir

# ---- the command line ----
"$FORGE" make ids.st 'input_ids:I32:1,4=1*'
echo hello >text.txt
word=$(repeat x 100000)
long() { # CODE COMMAND…: a word takes the place of WORD
    wanted=$1
    shift
    line=
    for a in "$@"; do
        case $a in
        *WORD*) line="$line \"${a%%WORD*}\$word${a#*WORD}\"" ;;
        *) line="$line \"$a\"" ;;
        esac
    done
    eval "limited \"a long word: \$*\" $wanted '…|too long' $line"
}
long 1 "$r" WORD -o m.c
long 2 "$r" --WORD
long 2 "$r" "$model" WORD -o m.c
for option in seed threads target tuning weights buckets rotations output set dump set=num_hashes= set=compile.; do
    case $option in
    set=*) long 1 "$r" "$model" -o m.c "--${option}WORD" ;;
    *) long 1 "$r" "$model" -o m.c "--$option=WORD" ;;
    esac
done
long 1 "$r" "$model" -o m.c --set=WORD=1
for option in backend input output; do
    long 1 "$r" run "$model" --backend reference --input ids.st --output o.st "--$option=WORD"
done
for option in temperature top-k top-p repetition-penalty beams length-penalty tokens; do
    long 1 "$r" generate "$CHECKPOINT" --prompt a --tokens 1 "--$option=WORD"
done
long 1 "$r" generate "$CHECKPOINT" --tokens 1 --prompt-file=WORD
for option in lengths batches threads targets repeat vs; do
    long 1 "$r" bench "$model" "--$option=WORD"
done
long 1 "$r" verify "$model" --backends=WORD
long 1 "$r" eval "$CHECKPOINT" --text=WORD
long 1 "$r" explain "$model" --peak=WORD
long 1 "$r" schema --format=WORD
long 1 "$r" sweep "$CHECKPOINT" --text text.txt --set num_hashes=WORD
long 1 "$r" sweep "$CHECKPOINT" --text text.txt --set num_hashes=[1,WORD
long 0 "$r" sweep "$CHECKPOINT" --backend reference --text text.txt --set num_hashes=1,WORD
word=$(repeat 'x ' 50000)
long 1 "$r" "$model" -o m.c --seed=WORD
long 1 "$r" "$model" -o m.c --set num_hashes=WORD
long 1 "$r" "$model" -o m.c --set WORD=1

sets=$(repeat '--set num_hashes=1 ' 50000)
limited 'many settings' 1 '\-\-set is given more than 1000 times' "$r" "$model" $sets -o m.c
limited 'many outputs' 1 '\-\-output is given more than 100 times' "$r" sweep "$CHECKPOINT" --text text.txt $(count '-oo%d.csv ' 60000)
limited 'many alternatives' 1 'the alternatives make more than 10000 points' \
    "$r" sweep "$CHECKPOINT" --text text.txt --set "num_hashes=$(count '%d,' 20000)1"
limited 'many combinations' 1 'the alternatives make more than 10000 points' "$r" sweep "$CHECKPOINT" --text text.txt \
    --set "num_hashes=$(count '%d,' 2000)2001" --set "attn_layers=$(count '%d,' 2000)2001" --set "hash_seed=$(count '%d,' 2000)2001"
limited 'many stops' 0 '' "$r" generate "$CHECKPOINT" --prompt a -n 1 $(repeat '--stop=x ' 20000)
finish
