#!/bin/sh
# From a fresh clone to real models and real text: installs what is missing, builds, scores a checkpoint that Hugging Face has
# trained on text it has never seen, and lets one that was trained here write. May be run any number of times, from anywhere.
set -eu
root=$(cd "$(dirname "$0")" && pwd)
"$root/scripts/packages.sh" gcc libc6-dev cmake ninja-build pkg-config libyaml-dev libjansson-dev \
    llvm-19-dev gnuplot-nox
"$root/scripts/packages.sh" g++ libsentencepiece-dev || echo "Going on without SentencePiece: text is bytes only." >&2
"$root/scripts/build.sh" release -DREFORMERC_TESTS=OFF

model=$root/tests/golden/checkpoint
text=$model/validation.txt
cat <<EOF

The model: a Reformer of 1.86 million parameters, trained with Hugging Face on "Crime and Punishment".
The text: $(wc -c <"$text") bytes of the book that it was not trained on.
Compiling the model for this CPU and reading the text:

  reformerc eval ${model#"$root"/} --text ${text#"$root"/}

EOF
"$root/build/release/bin/reformerc" eval "$model" --text "$text"
cat <<EOF

Hugging Face's own score of the same model on the same text: bits_per_byte $(sed -n \
    's/.*"bits_per_byte": *\([0-9]*\.[0-9]\{6\}\).*/\1/p' "$model/eval.json")

A model of the same size, trained here on Tiny Shakespeare (specs/tiny-shakespeare.yaml, 25 minutes), writes:

  reformerc generate specs/tiny-shakespeare --prompt 'ROMEO:' --tokens 260 --temperature 0.7 --seed 7

EOF
"$root/build/release/bin/reformerc" generate "$root/specs/tiny-shakespeare" --prompt 'ROMEO:' --tokens 260 --temperature 0.7 --seed 7
cat <<EOF

The compiler is build/release/bin/reformerc; --help shows what else it does. To have it on the path, with its libraries:

  cmake --install build/release --prefix ~/.local
EOF
