#!/bin/sh
# build.sh MODEL OUT [OPTION…]: a model that writes text in a browser.
#
#     runtime/web/build.sh specs/tiny-shakespeare site && python3 -m http.server -d site
#
# MODEL is a causal language model whose text is bytes, with its weights; options are reformerc's (--weights FILE,
# --set compile.dtype=int8). OUT becomes a folder that any static web server can serve, with no other file:
#
#     model.wasm      code          model.weights   what it is bound to
#     reformer.js     how JavaScript calls it       worker.js, index.html   a page
#
# $REFORMERC, $CLANG: programs; default: reformerc, clang (with lld; no libc is needed). OUT is written whole or not at all.
set -eu
if [ $# -lt 2 ]; then
    echo 'build.sh MODEL OUT [OPTION of reformerc…]' >&2
    exit 2
fi
model=$1 out=$2
shift 2
web=$(cd "$(dirname "$0")" && pwd)
clang=${CLANG:-clang}
reformerc=${REFORMERC:-reformerc}

fail() {
    echo "build.sh: error: $1" >&2
    exit 1
}
command -v "$reformerc" >/dev/null || fail "no $reformerc; say which: REFORMERC=build/release/bin/reformerc"
command -v "$clang" >/dev/null || fail "no $clang; Debian: clang and lld, or say which: CLANG=clang-19"
if [ -e "$out" ] && [ ! -d "$out" ]; then fail "$out is there, and no folder"; fi
made=$(mktemp -d "${TMPDIR:-/tmp}/reformer-web.XXXXXX")
trap 'rm -rf "$made"' EXIT

# bytes, and not pieces of SentencePiece: 'A' is 65 + 2
printf A >"$made/letter"
"$reformerc" tokenize "$model" --text "$made/letter" --output "$made/letter.bin" --no-warnings \
    >/dev/null 2>"$made/said" || { cat "$made/said" >&2 && exit 1; }
[ "$(od -An -tu2 "$made/letter.bin" | tr -d ' ')" = 67 ] ||
    fail "$model: the page reads and writes bytes (compile.text: bytes), id = byte + 2"

"$reformerc" "$model" -o "$made/model.c" --target wasm32 --set compile.name=model --set compile.batch_size=1 "$@"
set --
grep -q MODEL_POSITIONS "$made/model.h" || fail "$model does not write text: it is no causal language model"
[ -s "$made/model.weights" ] || fail "$model has no weights: --weights FILE"

# All of the runtime but what starts threads.
for file in "$web"/../*.c; do
    case ${file##*/} in cpus.c | openmp.c | pool.c | threads.c) continue ;; esac
    set -- "$@" "$file"
done
# 1 MiB of stack, in front of the data: what runs over it traps. Local data are gone through by the collector.
"$clang" --target=wasm32 -std=c11 -O2 -mbulk-memory -ffreestanding -nostdlib \
    -isystem "$web/libc" -I"$made" -I"$web" -I"$web/.." \
    "$web/writer.c" "$made/model.c" "$web/host.c" "$@" \
    -Wl,--no-entry,--gc-sections,--strip-all,--stack-first,-z,stack-size=1048576 -o "$made/model.wasm"
mkdir -p "$out"
cp "$web/index.html" "$web/worker.js" "$web/reformer.js" "$made/model.wasm" "$made/model.weights" "$out/"
