#!/bin/sh
# Text through SentencePiece models, trained here: ids and text are those of the library's own programs, text that
# arrives piece by piece is the whole text, eval and sweep count bytes and tokens. Skipped where it is not built in.
. "$(dirname "$0")/lib.sh"
SHOW_TEXT=$7
"$SHOW_TEXT" built-in || exit 77
for program in spm_train spm_encode spm_decode; do
    command -v $program >/dev/null 2>&1 || { echo "$program is missing (Debian: sentencepiece)" && exit 1; }
done
head -c 20000 "$CHECKPOINT/validation.txt" >train.txt

# ---- models ----
cat >model.yaml <<'EOF'
architectures: [ReformerModelWithLMHead]
is_decoder: true
vocab_size: 400
attn_layers: [local, lsh]
hidden_size: 32
num_attention_heads: 2
attention_head_size: 16
feed_forward_size: 64
axial_pos_shape: [8, 8]
axial_pos_embds_dim: [16, 16]
max_position_embeddings: 64
local_attn_chunk_length: 16
lsh_attn_chunk_length: 16
num_buckets: 4
initializer_range: 0.3
EOF
train() { # NAME OPTIONS…: NAME.model, and a spec that reads it
    model=$1
    shift
    checks=$((checks + 1))
    name="train $model"
    spm_train --input=train.txt --model_prefix="$model" --num_threads=1 "$@" >.out 2>.err || fail 'spm_train failed'
    { cat model.yaml && printf 'compile: {text: "sentencepiece:%s.model"}\n' "$model"; } >"$model.yaml"
}
printf '61 62\t51\n65\t45\n' >rewrite.tsv # ab is decoded as Q, e as E
train bytes --vocab_size=400 --byte_fallback=true
train pairs --vocab_size=200 --model_type=bpe
train spaces --vocab_size=200 --normalization_rule_name=identity --remove_extra_whitespaces=false \
    --user_defined_symbols='<sep>'
train bare --vocab_size=360 --byte_fallback=true --add_dummy_prefix=false --remove_extra_whitespaces=false \
    --unk_surface= --control_symbols='<c>'
train rewrites --vocab_size=200 --denormalization_rule_tsv=rewrite.tsv

# ---- ids and text: the library's ----
t() { # NAME WHAT MODEL INPUT
    checks=$((checks + 1))
    name=$1
    "$SHOW_TEXT" "$2" "$3.yaml" <"$4" >.out 2>.err || fail "exit $?"
}
cat >lines <<'EOF'
He went away leaving everyone in a state of extraordinary excitement.
  two  blanks, a	tab, and one at the end 
naïve Köln — “Раскольников” 罪と罰 🙂
a word with ▁ in it, and <s> </s> <unk> <sep> <0x41>

x
EOF
for model in bytes pairs spaces bare rewrites; do
    number=0
    while IFS= read -r line; do
        number=$((number + 1))
        printf '%s' "$line" >line
        printf '%s\n' "$line" | spm_encode --model=$model.model --output_format=id >want 2>/dev/null
        t "encode $model $number" encode $model line
        [ "$(tr '\n' ' ' <.out)" = "$(tr '\n' ' ' <want | sed '/^ $/s/ //')" ] || fail 'not the ids of spm_encode'
        cp .out ids
        spm_decode --model=$model.model --input_format=id <want >text 2>/dev/null
        for what in decode stream; do
            t "$what $model $number" $what $model ids
            echo >>.out
            cmp -s .out text || fail 'not the text of spm_decode'
        done
        t "ends $model $number" ends $model line
        [ "$(tail -n 1 .out)" = "$(wc -c <line | sed 's/^0$//')" ] || fail 'the tokens are not all of the text'
        sort -n .out | cmp -s - .out || fail 'the ends do not ascend'
    done <lines
    t "agree $model" agree $model /dev/null
done
[ $number -eq 6 ] || fail 'not all lines were tried'

# What is certain when: bytes b are pieces 3 + b, "é" is c3 a9.
steps() { # NAME MODEL IDS WANT
    echo "$3" >ids
    t "$1" steps "$2" ids
    [ "$(tr '\n' ',' <.out)" = "$4" ] || fail "steps are $(tr '\n' ',' <.out)"
}
steps character bytes '198 172' ',c3a9,,'
steps interrupted bytes '198 3 172' ',efbfbd00,efbfbd,,'
steps unknown-id bytes '198 9999 -1 172' ',,,c3a9,,'
steps control bytes '198 1 172' ',efbfbd,efbfbd,,'
steps unfinished bytes '243 162' ',,efbfbdefbfbd,'
steps four-bytes bytes '243 162 156 133' ',,,f09f9982,,'
steps never-a-character bytes '227 131 3' ',efbfbdefbfbd,00,,'
space=$(awk '$1 == "▁" { print NR - 1 }' spaces.vocab)
steps leading-space spaces "$space $space" ',20,,'
steps after-control spaces "1 $space 1 $space" ',,,20,,'
printf cab >line
t rewritten encode rewrites line
steps rewritten rewrites "$(tr '\n' ' ' <.out)" "$(sed 's/.*//' .out | tr '\n' ',')6351,"

# ---- files of tokens: parts of a text have the ids of the whole ----
same_ids() { # MODEL TEXT
    checks=$((checks + 1))
    name="tokens of $1 $2"
    "$REFORMERC" tokenize "$1.yaml" --text "$2" --output tokens.bin 2>.err || fail "exit $?"
    "$SHOW_TEXT" encode "$1.yaml" <"$2" >want 2>.err || fail "exit $?"
    od -An -v -w2 -tu2 tokens.bin | tr -d ' ' | cmp -s - want || fail 'not the ids of the whole text'
    "$SHOW_TEXT" file "$1.yaml" <"$2" 2>.err | cmp -s - want || fail 'not the ids of the file'
    "$SHOW_TEXT" ends "$1.yaml" <"$2" >want 2>.err || fail "exit $?"
    "$SHOW_TEXT" file-ends "$1.yaml" <"$2" 2>.err | cmp -s - want || fail 'tokens end elsewhere'
}
for model in bytes pairs spaces bare; do same_ids $model "$CHECKPOINT/validation.txt"; done
{ cat train.txt && head -c 100000 /dev/zero | tr '\0' a && printf '%100000s' '' && cat train.txt; } >run.txt # one piece is 100,000 blanks
same_ids pairs run.txt

# ---- tables: what is no text would be read as unknown, without a word ----
printf 'a day\t0\ncaf\351\t1\n' >latin.tsv
check latin 1 '^latin.tsv:2:1: error: byte 4 of column 1, 0xe9, is not UTF-8$' "$REFORMERC" train pairs.yaml --backend reference \
    --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --text latin.tsv --out latin
absent latin

# ---- eval and sweep ----
head -c 3000 "$CHECKPOINT/validation.txt" | tail -c 1200 >text.txt
t windows ends bytes text.txt
scored=$(awk '{ if (NR % 64 != 1) { bytes += $1 - last; n++ } last = $1 } END { print n, bytes }' .out)
for back in reference c jit; do
    "$REFORMERC" eval --help --backend $back 2>&1 | grep -q 'not built in' && continue
    check "eval $back" 0 "back end $back" "$REFORMERC" eval bytes.yaml --weights random:3 --text text.txt --backend $back
    says '^nats_per_token [0-9]+\.[0-9]{6}$'
    says '^bits_per_token [0-9]+\.[0-9]{6}$'
    says "^scored_tokens ${scored% *}\$"
    awk -v bytes="${scored#* }" '{ v[$1] = $2 }
        function near(a, b) { return a - b < 2e-5 * b && b - a < 2e-5 * b }
        END { exit !(near(v["nats_per_token"] * v["scored_tokens"], v["nats_per_byte"] * bytes) &&
                     near(v["bits_per_token"] * log(2), v["nats_per_token"]) &&
                     near(v["bits_per_byte"] * log(2), v["nats_per_byte"])) }' .out || fail 'bytes and tokens do not fit'
    grep '^nats_per_byte' .out >$back.nats
    cat $back.nats reference.nats | awk '{ v[NR] = $2 } END { exit !(v[1] - v[2] < 2e-5 && v[2] - v[1] < 2e-5) }' ||
        fail "$back and the reference differ"
done
[ -e c.nats ] || fail 'back end c was not tried'
sweep() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 pattern_=$3
    shift 3
    check "$title" "$want_code" "$pattern_" "$REFORMERC" sweep bytes.yaml --weights random:3 --text text.txt \
        --backend reference "$@"
}
sweep sweep 0 '2 points, [0-9]+ tokens each' --set num_hashes=1,2 --output r.csv --output r.json
says '^num_hashes  bits/byte  bits/token +tokens/s '
head -n 1 r.csv | grep -q '^num_hashes,bits_per_byte,nats_per_byte,bits_per_token,nats_per_token,scored_tokens,' ||
    fail 'columns of the CSV'
[ "$(awk -F, '{ print NF }' r.csv | sort -u | wc -l)" -eq 1 ] || fail 'rows of different lengths'
grep -q "\"nats_per_token\": $("$REFORMERC" eval bytes.yaml --weights random:3 --text text.txt --backend reference \
    2>.err | sed -n 's/^nats_per_token //p')," r.json || fail 'sweep and eval differ'
sweep skipped 0 '^skipped: num_buckets=7$' --set num_buckets=7,8 --output i.csv
[ "$(sed -n 2p i.csv | sed 's/"[^"]*"//' | tr -cd , | wc -c)" -eq "$(sed -n 3p i.csv | tr -cd , | wc -c)" ] ||
    fail 'a skipped row has other columns'
sweep other-text 0 'compile.text: error: is another way to read the text than before' \
    --set compile.text=sentencepiece:bytes.model,sentencepiece:pairs.model

# ---- where the model is looked for ----
mkdir -p sub/checkpoint elsewhere
cp bytes.yaml sub/spec.yaml
cp bytes.model sub/checkpoint/
cat bytes.model >sub/bytes.model
printf '{"vocab_size": 400}' >sub/checkpoint/config.json
check beside-the-spec 0 - "$SHOW_TEXT" encode sub/spec.yaml
e() { # NAME CODE PATTERN MODEL [ARGUMENTS…]
    title=$1 want_code=$2 pattern_=$3
    shift 3
    check "$title" "$want_code" "$pattern_" "$REFORMERC" eval --weights random --backend reference --text text.txt "$@"
}
cp model.yaml sub/plain.yaml
cp bytes.model elsewhere/here.model
e set-beside-the-spec 0 '' sub/plain.yaml --set compile.text=sentencepiece:bytes.model
e set-here 0 '' sub/plain.yaml --set compile.text=sentencepiece:elsewhere/here.model
e set-absolute 0 '' sub/plain.yaml --set "compile.text=sentencepiece:$WORK/elsewhere/here.model"
e set-nowhere 1 '^sub/nowhere.model: error: cannot open' sub/plain.yaml --set compile.text=sentencepiece:nowhere.model
grep -q "hint: 'compile.text' names it" .err || fail 'no hint'
e in-the-checkpoint 1 '^sub/checkpoint/other.model: error: cannot open' sub/checkpoint --set compile.text=sentencepiece:other.model \
    --set is_decoder=true --set 'architectures=[ReformerModelWithLMHead]' --set 'attn_layers=[local]'

# ---- what is no model, does not fit, or is no text ----
bad() { # NAME PATTERN: bad.model is refused
    e "$1" 1 "$2" model.yaml --set compile.text=sentencepiece:bad.model
}
: >bad.model
bad empty '^bad.model: error: is damaged, or no SentencePiece model'
grep -q 'hint: the library says: ' .err || fail 'no reason'
head -c 100000 bytes.model >bad.model
bad truncated '^bad.model: error: is damaged'
cp train.txt bad.model
bad text '^bad.model: error: is text, not a SentencePiece model'
sed 's/<0x41>/<0x4Z>/' bytes.model >bad.model
bad changed '^bad.model: error: is damaged'
rm bad.model
mkdir bad.model
bad folder '^bad.model: error: is a directory'
e vocabulary 1 "--set compile.text: error: 'bytes.model' has 400 pieces, 'vocab_size' is 399" model.yaml \
    --set vocab_size=399 --set compile.text=sentencepiece:bytes.model
e larger-vocabulary 0 '' bytes.yaml --set vocab_size=401
: >none.txt
printf ' \n' >blank.txt
e no-text 1 '^none.txt: error: has 0 tokens: nothing to score' bytes.yaml --text none.txt
e blank-text 1 '^blank.txt: error: has 0 tokens: nothing to score' bytes.yaml --text blank.txt
tidy .
finish
