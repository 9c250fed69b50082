#!/bin/sh
# Files of another kind than what is wanted are named, with what to do; a model of bytes may be given any bytes, but no
# weights; what a checkpoint folder has for reading text is hinted at.
. "$(dirname "$0")/lib.sh"
SHOW_TEXT=$7
r=$REFORMERC
few='--no-warnings --backend reference --threads 1'
mkdir files
cd files || exit 1
printf '\223NUMPY\001\000v\000' >array.npy
printf 'PK\003\004\024\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\005\000\000\000x.npydata' >arrays.npz
printf 'PK\003\004\024\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\020\000\000\000archive/data.pkldata' >torch.bin
printf 'PK\003\004\024\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\005\000\000\000x.txtdata' >some.zip
printf '\200\002\212\012l\374\234F' >old.bin
printf '\200\004\225\012' >frame.pkl
printf 'GGUF\003\000\000\000' >model.gguf
printf '\211HDF\r\n\032\n....' >tf_model.h5
printf '\201\250reformer\202' >flax_model.msgpack
printf '\000\000\006\010\001\032\002\010\001\000\005\007block0' >model.ckpt.index
printf 'PAR1\025\004' >table.parquet
printf '\037\213\010\000' >text.gz
printf '\375\067zXZ\000' >text.xz
printf '\050\265\057\375' >text.zst
printf 'BZh91AY&SY' >text.bz2
printf '\377\376h\000i\000' >utf16.txt
printf 'version https://git-lfs.github.com/spec/v1\n' >pointer
printf '<!DOCTYPE html>' >page.html
printf '{"metadata": {"total_size": 1}, "weight_map": {}}' >model.index.json
printf '{"version": "1.0", "added_tokens": []}' >tokenizer.json
printf '{"vocab": 1}' >some.json
"$FORGE" make tensors.st 'input_ids:I32:1,4=1*'
cd ..
printf 'some text\n' >plain.txt

wanted() { # NAME THING HINT FILE COMMAND…: the command refuses the file as no THING
    title=$1 thing=$2 hint=$3 file=$4
    shift 4
    check "$title: $file" 1 "$file: error: is .*, not $thing" "$@"
    if [ -n "$hint" ]; then grep -Eq -e "hint: .*$hint" .err || fail "no hint $hint"; fi
}
eval="$r eval $CHECKPOINT $few --set compile.sequence_length=64 --text"

# ---- text
for file in array.npy arrays.npz torch.bin old.bin frame.pkl model.gguf tf_model.h5 flax_model.msgpack model.ckpt.index \
    table.parquet tensors.st; do
    wanted text text '' $file $eval files/$file
done
wanted score text '' tensors.st "$r" score "$CHECKPOINT" $few --text files/tensors.st
wanted prompt text '' array.npy "$r" generate "$CHECKPOINT" $few --tokens 1 --prompt-file files/array.npy
check prompt-stdin 1 'is a NumPy array \(.npy\), not text' sh -c 'exec "$@" <files/array.npy' sh "$r" generate "$CHECKPOINT" $few --tokens 1
wanted sweep text '' tensors.st "$r" sweep "$CHECKPOINT" $few --set num_hashes=1 --text files/tensors.st
taken() { # WHAT HINT FILE: read by a model of bytes, with a warning
    check "taken: $3" 0 "$3: warning: is $1; its (bytes are read as they are|text is read as it stands)" "$r" eval "$CHECKPOINT" \
        --backend reference --threads 1 --set compile.sequence_length=64 --text files/$3
    grep -q -e "hint: .*$2" .err || fail "no hint $2"
}
taken 'a gzip archive' unpack text.gz
taken 'a zip archive' unpack some.zip
taken 'an xz archive' unpack text.xz
taken 'text in UTF-16' iconv utf16.txt
taken 'a Git LFS pointer' 'git lfs pull' pointer
taken 'an index of weights in several files' '--weights takes it' model.index.json
taken 'a web page' 'page about the file' page.html
check json-is-text 0 '' $eval files/some.json
grep -q 'is JSON' .err && fail 'JSON is text'
printf '\200\002\001 no pickle' >bytes
check bytes 0 '' $eval bytes
grep -Eq 'pickle|archive' .err && fail 'taken for something else'

# ---- weights and tensors
run="$r run $CASES/a_clm_lsh_1hash $few --output o.st"
wanted weights safetensors 'numpy.load\("array.npy"\)' array.npy $run --input files/tensors.st --weights files/array.npy
wanted input safetensors 'dict\(numpy.load\("arrays.npz"\)\)' arrays.npz $run --input files/arrays.npz
wanted rotations safetensors 'torch.load' torch.bin $run --input files/tensors.st --rotations files/torch.bin
wanted weights safetensors 'torch.load' old.bin $run --input files/tensors.st --weights files/old.bin
for file in model.gguf tf_model.h5 flax_model.msgpack model.ckpt.index; do
    wanted weights safetensors "only safetensors are read" $file $run --input files/tensors.st --weights files/$file
done
wanted weights safetensors unpack text.zst $run --input files/tensors.st --weights files/text.zst
wanted weights safetensors unpack text.bz2 $run --input files/tensors.st --weights files/text.bz2
check weights-text 1 'plain.txt: error: is text, not safetensors' $run --input files/tensors.st --weights plain.txt
absent o.st
for file in flax_model.msgpack tf_model.h5 model.ckpt.index; do
    mkdir "folder-$file"
    cp "$CASES/a_clm_lsh_1hash/config.json" files/$file "folder-$file"
    check "folder: $file" 1 "holds $file but no model.safetensors" "$r" "folder-$file" --no-warnings -o m.c
    grep -q 'hint: only safetensors are read' .err || fail 'no hint'
done
absent m.c m.h

# ---- specs, files of our own
wanted spec 'a spec' iconv utf16.txt "$r" files/utf16.txt -o m.c
wanted spec 'a spec' '--weights takes it' model.index.json "$r" files/model.index.json -o m.c
wanted spec 'a spec' '' tensors.st "$r" files/tensors.st -o m.c
wanted tuning 'a file of tuning' '' some.json "$r" tune "$CHECKPOINT" --tuning files/some.json
cp files/array.npy r.csv.partial
check record 1 'r.csv.partial: error: is a NumPy array \(.npy\), not the record of a sweep' "$r" sweep "$CHECKPOINT" $few --set num_hashes=1 \
    --text plain.txt --output r.csv
absent r.csv

# ---- how text becomes ids
printf 'vocab_size: 300\n' >spec.yaml
mkdir with
cp spec.yaml with
cp files/tokenizer.json with
check only-json 1 'how text becomes ids is unknown' "$SHOW_TEXT" encode with/spec.yaml
grep -q 'hint: .*tokenizer.json is not read' .err || fail 'no hint'
for file in tokenizer.model spiece.model; do
    : >with/$file
    check "beside: $file" 1 'how text becomes ids is unknown' "$SHOW_TEXT" encode with/spec.yaml
    grep -q "hint: $file stands beside it: --set compile.text=sentencepiece:$file" .err || fail 'no hint'
done
cp "$CASES/a_clm_lsh_1hash/config.json" "$CASES/a_clm_lsh_1hash/model.safetensors" with
check folder 1 '^with: error: how text becomes ids is unknown' "$r" eval with $few --text plain.txt
grep -q 'hint: spiece.model stands beside it' .err || fail 'no hint'
if "$SHOW_TEXT" built-in; then
    check misnamed 1 'sp.model: error: cannot open' "$r" eval with $few --text plain.txt --set compile.text=sentencepiece:sp.model
    grep -q "hint: .*which has spiece.model" .err || fail 'no hint'
    for file in array.npy tokenizer.json tensors.st; do
        printf 'vocab_size: 300\ncompile: {text: "sentencepiece:files/%s"}\n' $file >pieces.yaml
        wanted pieces 'a SentencePiece model' '' $file "$SHOW_TEXT" encode pieces.yaml
    done
fi
finish
