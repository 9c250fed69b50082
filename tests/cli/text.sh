#!/bin/sh
# Text that is bytes: every byte and back, ids that are no text, and which spec reads text how.
. "$(dirname "$0")/lib.sh"
SHOW_TEXT=$7
printf 'vocab_size: 300\ncompile: {text: bytes}\n' >bytes.yaml
awk 'BEGIN { for (i = 0; i < 256; i++) print i + 2 }' >all.ids
t() { # NAME WHAT INPUT
    title=$1 what=$2 input=$3
    checks=$((checks + 1))
    name=$title
    "$SHOW_TEXT" "$what" bytes.yaml <"$input" >.out 2>.err || fail "exit $?"
}
t decode decode all.ids
cp .out all.bytes
[ "$(wc -c <all.bytes)" -eq 256 ] || fail 'not 256 bytes'
t encode encode all.bytes
cmp -s .out all.ids || fail 'decode and encode do not meet'
t file file all.bytes
cmp -s .out all.ids || fail 'a file is another text'
t file-ends file-ends all.bytes
[ "$(tail -n 1 .out)" = 256 ] || fail 'a token of a file is not a byte'
t stream stream all.ids
cmp -s .out all.bytes || fail 'the stream is another text'
echo '67 0 1 197 -1 258 2147483647 257 2' >some.ids
t steps steps some.ids
[ "$(tr '\n' ' ' <.out)" = '41   c3    ff 00  ' ] || fail 'not a byte per id'
t agree agree /dev/null
t ends ends all.bytes
[ "$(tail -n 1 .out)" = 256 ] || fail 'a token is not a byte'

# Which spec reads text how.
printf 'vocab_size: 300\n' >bytes.yaml
check unset 1 'bytes.yaml: error: how text becomes ids is unknown: vocab_size is 300, not 258' "$SHOW_TEXT" encode bytes.yaml
grep -q 'hint: --set compile.text=bytes: id = byte + 2; or compile.text=sentencepiece:FILE' .err || fail 'no hint'
printf 'vocab_size: 258\n' >bytes.yaml
check default 0 - "$SHOW_TEXT" encode bytes.yaml
printf 'compile: {text: "sentencepiece:a.model"}\n' >pieces.yaml
"$SHOW_TEXT" built-in
case $? in
0) check missing 1 '^a.model: error: cannot open' "$SHOW_TEXT" encode pieces.yaml ;;
*) check not-built-in 1 'pieces.yaml:1:17: error: this build has no SentencePiece' "$SHOW_TEXT" encode pieces.yaml ;;
esac
grep -q 'hint: ' .err || fail 'no hint'
finish
