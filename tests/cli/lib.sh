# Sourced by the scripts here: a line per check of the command line.
#
#   check NAME CODE PATTERN COMMAND…   runs it; the exit code must be CODE and stderr match the extended regular
#                                      expression PATTERN ('' : any; '-' : stderr must be empty)
#   says PATTERN                       stdout of the last check matches
#   equal NAME GOT WANT                two texts
#   same NAME FILE FILE                two files
#   holds NAME EXPRESSION              of awk
#   value FILE PATH / json FILE PATH VALUE    what a JSON file has there, by the program SHOW_JSON
#   absent FILE… / present FILE…       what exists
#   end_when SIGNAL CONDITION…         sends $pid the signal when the condition holds, or after $patience / 20 s; its exit
#                                      code is $code then
#   trains NAME CODE PATTERN ARGUMENTS…        a check of `train` by the reference, which compiles nothing
#   small_spec                         on stdout, a language model of bytes that compiles in no time: 32 tokens
#   hashing_spec                       on stdout, one that hashes: 64 tokens, for C compilers
#   in_folder FOLDER COMMAND…
#   finish                             exit code of the script
#
# Scripts get: REFORMERC, FORGE, SOURCE (of the repository), WORK (an own, empty folder; made here).
set -u
REFORMERC=$1 FORGE=$2 SOURCE=$3 WORK=$4
CASES=$SOURCE/tests/golden/cases
CHECKPOINT=$SOURCE/tests/golden/checkpoint
# LeakSanitizer's tracer crashes over the thread-local storage of workers that have called a library loaded later, LLVM's.
export ASAN_OPTIONS=exitcode=99 LSAN_OPTIONS=exitcode=99:use_tls=0:print_suppressions=0 LC_ALL=C
rm -rf "$WORK"
mkdir -p "$WORK"
cd "$WORK" || exit 1
checks=0
failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAIL %s: %s\n' "$name" "$1"
    sed 's/^/    /' "$WORK/.err" | head -n 8
}

check() {
    name=$1 want=$2 pattern=$3
    shift 3
    checks=$((checks + 1))
    "$@" >"$WORK/.out" 2>"$WORK/.err" </dev/null
    code=$?
    if [ "$code" -ne "$want" ]; then fail "exit $code, not $want: $*"; fi
    if [ "$pattern" = - ]; then
        if [ -s "$WORK/.err" ]; then fail "stderr is not empty"; fi
    elif [ -n "$pattern" ] && ! grep -Eq -e "$pattern" "$WORK/.err"; then
        fail "stderr does not match: $pattern"
    fi
}

says() {
    checks=$((checks + 1))
    grep -Eq -e "$1" "$WORK/.out" || fail "stdout does not match: $1"
}

equal() {
    checks=$((checks + 1))
    name=$1
    [ "$2" = "$3" ] || fail "is $2, not $3"
}

same() {
    checks=$((checks + 1))
    name=$1
    cmp -s "$2" "$3" || fail "$2 and $3 differ"
}

holds() {
    checks=$((checks + 1))
    name=$1
    awk "BEGIN { exit !($2) }" </dev/null || fail "$2 does not hold"
}

value() { "$SHOW_JSON" "$1" "$2" 2>&1; }

json() {
    checks=$((checks + 1))
    got=$(value "$1" "$2") || true
    [ "$got" = "$3" ] || fail "$1: $2 is $got, not $3"
}

absent() {
    checks=$((checks + 1))
    for file in "$@"; do if [ -e "$file" ]; then fail "$file exists"; fi; done
}

present() {
    checks=$((checks + 1))
    for file in "$@"; do if [ ! -s "$file" ]; then fail "$file is missing or empty"; fi; done
}

# No temporary file of an output was left behind in these folders.
tidy() {
    checks=$((checks + 1))
    for folder in "$@"; do
        if ls "$folder" | grep -q '\.tmp-'; then fail "a temporary file is left in $folder"; fi
    done
}

patience=2400
end_when() {
    end_by=$1
    shift
    tries=0
    until "$@" || [ $tries -gt $patience ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -"$end_by" $pid
    wait $pid
    code=$?
}

trains() {
    trained=$1 code_wanted=$2 pattern_wanted=$3
    shift 3
    check "$trained" "$code_wanted" "$pattern_wanted" "$REFORMERC" train --backend reference --threads 1 "$@"
}

small_spec() {
    cat <<'END'
architectures: [ReformerModelWithLMHead]
attn_layers: [local]
is_decoder: true
hidden_size: 16
num_attention_heads: 1
attention_head_size: 16
feed_forward_size: 16
vocab_size: 258
axial_pos_embds: false
local_attn_chunk_length: 8
max_position_embeddings: 32
compile: {sequence_length: 32, targets: [x86-64]}
END
}

hashing_spec() {
    cat <<'END'
architectures: [ReformerModelWithLMHead]
is_decoder: true
vocab_size: 258
attn_layers: [lsh]
hidden_size: 16
num_attention_heads: 2
attention_head_size: 8
feed_forward_size: 24
axial_pos_shape: [8, 8]
axial_pos_embds_dim: [8, 8]
max_position_embeddings: 64
lsh_attn_chunk_length: 8
num_buckets: 4
initializer_range: 0.3
END
}

in_folder() { (cd "$1" && shift && "$@"); }

# A compiler's command line with what --cflags (and --libs) print, quoted as a shell reads it.
with_flags() { eval "\"\$@\" $("$REFORMERC" --cflags)"; }
with_libs() { eval "\"\$@\" $("$REFORMERC" --cflags --libs)"; }

finish() {
    printf '%d checks, %d failed\n' "$checks" "$failures"
    [ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
    exit
}
