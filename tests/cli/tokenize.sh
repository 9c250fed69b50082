#!/bin/sh
# Files of tokens: what stands in each format, from files and pipes of any size, and what is refused.
. "$(dirname "$0")/lib.sh"
small_spec >model.yaml
text=$CHECKPOINT/validation.txt
t() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 pattern_=$3
    shift 3
    check "$title" "$want_code" "$pattern_" "$REFORMERC" tokenize model.yaml "$@"
}
ids() { od -An -v -w"$3" -tu"$3" -j "$2" "$1" | tr -d ' '; } # FILE BYTES-OF-HEADER BYTES-OF-A-TOKEN

# ---- formats: a token is the byte + 2 ----
{ cat "$text" && awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", i }' && printf '\0\1\377\376'; } >text.txt
n=$(wc -c <text.txt)
od -An -v -w1 -tu1 text.txt | awk '{ print $1 + 2 }' >want
t plain 0 "^$n tokens as uint16" --text text.txt -o plain.bin
ids plain.bin 0 2 >got
same plain-ids got want
t llmc 0 '' --text text.txt --output llmc.bin --format llmc
equal llmc-header "$(od -An -w12 -N 12 -td4 llmc.bin | tr -s ' ')" " 20240520 1 $n"
equal llmc-rest "$(od -An -v -N 1012 -j 12 -tx1 llmc.bin | tr -d ' 0\n')" ''
ids llmc.bin 1024 2 >got
same llmc-ids got want
t npy 0 '' --text text.txt --output a.npy
equal npy-header "$(head -c 128 a.npy | tail -c 118 | tr -s ' ')" \
    "{'descr': '<u2', 'fortran_order': False, 'shape': ($n,), } "
equal npy-magic "$(od -An -N 10 -tx1 a.npy)" ' 93 4e 55 4d 50 59 01 00 76 00'
ids a.npy 128 2 >got
same npy-ids got want
t wide-npy 0 "^$n tokens as uint32" --text text.txt --output wide.npy --set vocab_size=65537 --set compile.text=bytes
equal wide-header "$(head -c 24 wide.npy | tail -c 3)" '<u4'
ids wide.npy 128 4 >got
same wide-ids got want
t wide-llmc 0 '' --text text.txt --output wide.bin --set vocab_size=70000 --set compile.text=bytes --format llmc
equal wide-llmc-header "$(od -An -w12 -N 12 -td4 wide.bin | tr -s ' ')" " 20240801 7 $n"
t still-narrow 0 'as uint16' --text text.txt --output b.bin --set vocab_size=65536 --set compile.text=bytes
same still-narrow b.bin plain.bin

# ---- streams ----
cat text.txt >in.txt
mkfifo pipe
cat text.txt >pipe &
t pipe 0 "^$n tokens" --text pipe --output p.bin
wait
same pipe p.bin plain.bin
"$REFORMERC" tokenize model.yaml --text - --output q.bin <text.txt 2>.err
same stdin q.bin plain.bin
for i in 1 2 3 4; do cat text.txt; done >four.txt
t longer 0 '' --text four.txt -o four.bin
for i in 1 2 3 4; do cat plain.bin; done >want
same longer four.bin want

# ---- refusals: nothing is written ----
: >none.txt
t empty 1 '^none.txt: error: has no tokens' --text none.txt -o none.bin
t array 1 '^a.npy: error: is a NumPy array' --text a.npy -o none.bin
t missing 1 '^nowhere.txt: error: cannot open' --text nowhere.txt -o none.bin
t suffix 1 '^none.txt2: error: the suffix decides what is written: .bin or .npy' --text text.txt -o none.txt2
t format 1 "^--format: error: 'llm' is none of nanogpt, llmc, npy" --text text.txt -o none.bin --format llm
grep -q "hint: did you mean 'llmc'" .err || fail 'no hint'
t other-suffix 1 '^none.bin: error: --format npy is written to a file that ends in .npy' --text text.txt -o none.bin --format npy
t too-wide 1 "^none.bin: error: nanoGPT's .bin has ids below 65536, the model has 65537" --text text.txt -o none.bin \
    --set vocab_size=65537 --set compile.text=bytes
t no-text 1 'how text becomes ids is unknown' --text text.txt -o none.bin --set vocab_size=300
mkdir folder.bin
t folder 1 '^folder.bin: error: is a directory' --text text.txt -o folder.bin
t input 1 'is an input of this tokenize and would be overwritten' --text plain.bin -o plain.bin
t no-output 2 'missing --output' --text text.txt
absent none.bin none.txt2
ulimit -f 100 # blocks of 512 bytes
t full 1 '^none.bin: error: cannot write' --text text.txt -o none.bin
absent none.bin
tidy .
finish
