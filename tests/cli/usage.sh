#!/bin/sh
# The command line itself: help, usage errors (2), bad option values (1), stdout that cannot be written.
. "$(dirname "$0")/lib.sh"
model=$CASES/a_clm_lsh_1hash
r=$REFORMERC

check help 0 - "$r" --help
says 'reformerc eval MODEL --weights W --text FILE'
says '-o, --output OUT'
check help-short 0 - "$r" -h
check help-command 0 - "$r" run --help
says '--dump-activations'
check help-of-command 0 - "$r" help eval
says '--text FILE'
# Of an option that several commands have, help of each says what it does there.
check help-parts 0 - "$r" help run
says 'where the output tensors go'
! grep -qE 'FILE.tsv|FILE.npy|io.trace' .out || fail 'what other commands do'
check help-parts-of-no-name 0 - "$r" --help
says 'what to write: FILE.c, or .o'
! grep -qE 'where the output tensors go|-o: [a-z]' .out || fail 'what other commands do'
check help-parts-of-several 0 - "$r" help score
says "the text to score; '-' is stdin"
check help-of-nothing 2 "'evil' is not a command" "$r" help evil
check version 0 - "$r" --version
says '^reformerc [0-9]+\.[0-9]+\.[0-9]+'
check help-spec 0 - "$r" --help-spec
says 'lsh_attn_chunk_length'
says 'sequence_length'
check schema 0 - "$r" schema
says '"num_hashes"'
check schema-markdown 0 - "$r" schema --format markdown
says 'num_hashes'
check schema-format 1 "'yaml' is not one of json, markdown, dictionary" "$r" schema --format yaml
check cflags 0 - "$r" --cflags
says "^-I'?/.*(runtime|include)'?\$"
check libs 0 - "$r" --libs
says '/libreformer_rt\.a'
check cflags-and-libs 0 - "$r" --cflags --libs
says '^-I.*libreformer_rt\.a'

check nothing 2 'missing MODEL' "$r"
check no-output 2 'missing -o OUT' "$r" "$model"
check run-nothing 2 'missing MODEL' "$r" run
check run-no-input 2 'missing --input' "$r" run "$model" --output out.st
check run-no-output 2 'missing --output' "$r" run "$model" --input in.st
check eval-no-text 2 'missing --text' "$r" eval "$model"
check unknown-option 2 "unknown option '--wieghts'" "$r" run "$model" --wieghts x
check unknown-option-hint 2 "did you mean '--weights'" "$r" run "$model" --wieghts x
check unknown-option-value 2 "did you mean '--threads'" "$r" run "$model" --thread5=2
check option-too-short 2 "did you mean '--target', '--threads'" "$r" run "$model" --t native
check unknown-letter 2 "unknown option '-q'" "$r" "$model" -q
check other-commands-option 2 "unknown option '--text'" "$r" run "$model" --text x
check missing-argument 2 "'--weights' needs an argument" "$r" run "$model" --weights
check missing-argument-letter 2 "'-o' needs an argument" "$r" "$model" -o
check flag-with-argument 2 "'--verify' takes no argument" "$r" "$model" --verify=1
check two-models 2 "unexpected argument 'b'" "$r" a b -o x.c
check no-such-command 2 "'compile' is not a command, and was taken for MODEL" "$r" compile a.yaml -o x.c
check mistyped-command 2 "did you mean the command 'run'" "$r" runn "$model" --output x
check mistyped-alone 2 "did you mean the command 'verify'" "$r" verfy
check no-command-no-file 2 "^reformerc: error: there is no command, file or folder 'nosuchcommand'" "$r" nosuchcommand
check no-output-of-stdin 2 'missing -o OUT' "$r" -
check schema-operand 2 "unexpected argument" "$r" schema x

if [ "$(uname -m)" = x86_64 ]; then # what REFORMER_CPU takes away is not there for any command
    for cpu in x86-64 none; do
        check "targets of $cpu" 1 'does not run aarch64; it runs x86-64' env REFORMER_CPU=$cpu "$r" bench "$model" --targets x86-64,aarch64
    done
    check capped 1 'does not run x86-64-v3; it runs x86-64$' env REFORMER_CPU=x86-64 "$r" bench "$model" --targets x86-64-v3
    check 'capped, predicted' 0 '' env REFORMER_CPU=x86-64 "$r" explain "$model" --target x86-64-v3
    says 'not predicted: this CPU does not run x86-64-v3'
fi

for n in abc -1 0 1e9 1025 '' ' 4' 4x 99999999999999999999 0x4; do
    check "threads '$n'" 1 '^--threads: error' "$r" run "$model" --input i --output o --threads "$n"
done
for n in abc -1 1e9 18446744073709551616; do
    check "seed '$n'" 1 '^--seed: error' "$r" run "$model" --input i --output o --seed "$n"
done
if "$r" --version | grep -q 'no LLVM'; then
    check backend-jit 1 'jit is not built in' "$r" run "$model" --input i --output o --backend jit
    grep -q 'llvm-19-dev' .err || fail 'it does not say what to install'
fi
check backend-typo 1 "did you mean 'reference'" "$r" run "$model" --input i --output o --backend refrence
check target-typo 1 "did you mean 'x86-64-v3'" "$r" run "$model" --input i --output o --target x86-64-v33
check target-empty 1 '^--target: error' "$r" "$model" -o x.c --target x86-64,
check target-mixed 1 'x86-64 and aarch64' "$r" "$model" -o x.c --target x86-64,aarch64
check set-no-value 1 "'num_hashes' is not KEY=VALUE" "$r" "$model" -o x.c --set num_hashes
check set-unknown 1 '^--set num_hashs: error' "$r" "$model" -o x.c --set num_hashs=2
check set-bad-type 1 '^--set num_hashes: error' "$r" "$model" -o x.c --set num_hashes=two
check empty-argument 1 '--cc: an empty argument' "$r" run "$model" --input i --output o --cc ''
check dump-typo 1 "did you mean 'graph'" "$r" "$model" --dump grahp
check dump-spec 0 '"num_hashes": *1' "$r" "$model" --dump spec --set compile.sequence_length=64
check dump-graph 0 'lsh_attention' "$r" "$model" --dump graph --set compile.sequence_length=64
check dump-gradients 0 '^grad.lm_head.bias = gradient' "$r" "$model" --dump gradients --set compile.sequence_length=64
check dump-no-gradients 1 'error: the model has no loss to train it by' "$r" "$model" --dump gradients --set 'architectures=[ReformerModel]'
check dump-loops 0 'kernel' "$r" "$model" --dump loops --set compile.sequence_length=64

# Data must arrive, or the exit code says so.
if [ -e /dev/full ]; then
    name='full disk'
    "$r" --help >/dev/full 2>.err
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
fi
name='closed stdout'
"$r" --help >&- 2>.err
[ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a closed stdout was not noticed'
name='closed stderr'
"$r" --help >/dev/null 2>&- || fail 'needs no stderr'
name='all closed'
"$r" "$model" -o closed.c --set compile.sequence_length=64 <&- >&- 2>&- || fail 'needs no standard streams'
grep -q 'closed_forward' closed.c || fail 'wrote the wrong file'
finish
