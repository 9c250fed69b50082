#!/bin/sh
# huggingface.py as far as it goes without PyTorch: -S hides installed packages, -B leaves no bytecode behind.
. "$(dirname "$0")/../cli/lib.sh"
script=$SOURCE/tests/bench/huggingface.py
python="$5 -S -B"
h() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" $python "$script" --reformerc "$REFORMERC" "$@"
}

h help 0 - --help
says '^ +--lengths N\[,N...\]'
h nothing-installed 1 'has no torch, transformers, yaml'
grep -q '^    hint: torch: .*apt-get install python3-torch' .err || fail 'does not say what to install'
h option 2 'unrecognized arguments: --length-s' --length-s 3
h letters 1 "^--lengths: error: 'x' is not a number" --lengths 1024,x
h empty-number 1 "^--lengths: error: ''" --lengths 1024,
h no-lengths 1 "^--lengths: error: '' is not a number" --lengths ''
h tokens 1 "^--tokens: error: '0' is not a number" --decode --tokens 0
h tokens-of-forwards 1 '^--tokens: error: are steps of generation' --tokens 8
h repeat 1 "^--repeat: error: '0'" --repeat 0
h threads 1 "^--threads: error: '-1'" --threads=-1
h folder 1 '^nowhere/r.json: error: cannot create' --output nowhere/r.json
h output-folder 1 'is a directory' --output .
h dtype 2 "invalid choice: 'float16'" --dtype float16
check program 1 "^--reformerc: error: 'nowhere' is no program" $python "$script" --reformerc nowhere
absent nowhere

# What the rounds say: medians, and the ratio of each round by itself.
check figures 0 - env PYTHONPATH="$SOURCE/tests/bench" $python -c '
import huggingface as h
rounds = lambda *speeds: [{"tokens_per_second": s, "peak_rss_bytes": 2**20 * s} for s in speeds]
case = h.summary(64, rounds(100, 200, 50), rounds(400, 500, 250))
print(case["huggingface"]["tokens_per_second"], case["reformerc"]["tokens_per_second"])
print(case["speed_ratio"]["low"], case["speed_ratio"]["median"], case["speed_ratio"]["high"], case["memory_share"])
print(h.table([case]))
print(h.square_grid(4096), h.square_grid(8192), h.square_grid(7))'
says '^100 400$'
says '^2.5 4.0 5.0 2.5$'
says '^ +64 +100 +400 +4.00 +2.50 … 5.00 +200 MiB +500 MiB +2.500$'
says '^\[64, 64\] \[64, 128\] \[1, 7\]$'

# Training: three sides, two ratios.
h both 1 '^--train: error: compares training steps, and --decode generation' --train --decode
check training 0 - env PYTHONPATH="$SOURCE/tests/bench" $python -c '
import huggingface as h
rounds = lambda *speeds: [{"tokens_per_second": s, "peak_rss_bytes": 2**20 * s} for s in speeds]
case = h.train_summary(64, rounds(100, 200, 50), rounds(200, 250, 100), rounds(400, 500, 250))
print(case["huggingface"]["tokens_per_second"], case["transformer"]["tokens_per_second"])
print(case["speed_ratio"]["median"], case["transformer_ratio"]["median"])
print(h.train_table([case]))'
says '^100 200$'
says '^4.0 2.0$'
says '^ +64 +100 +200 +400 +4.00 +2.50 … 5.00 +2.00 +2.00 … 2.50 +200 MiB +250 MiB +500 MiB$'

# Generation: of each program the better number of threads, and the ratio of each round by itself.
check steps 0 - env PYTHONPATH="$SOURCE/tests/bench" $python -c '
import huggingface as h
def rounds(*speeds):
    row = lambda pair: [{"tokens_per_second": s, "peak_rss_bytes": 2**20, "threads": t, "of_floor": {"median": s / 1000}}
                        for t, s in enumerate(pair, 1)]
    return [row(pair) for pair in speeds]
case = h.decode_summary(64, rounds((10, 8), (9, 20), (12, 7)), rounds((300, 500), (900, 600), (200, 480)))
print(case["huggingface"]["tokens_per_second"], case["huggingface"]["threads"], case["reformerc"]["threads"])
print(case["speed_ratio"]["low"], case["speed_ratio"]["median"])
print(h.decode_table([case]))
print(h.greedy_text(64, {"tokens": 16, "same": 3, "margin": 2e-7, "largest_difference": 1e-6, "largest_magnitude": 2.0}))
keys = {"lsh_attn_chunk_length": 64, "max_position_embeddings": 65536}
print(h.decode_buckets(keys, 1024), h.decode_buckets(keys, 4096), h.decode_buckets(keys, 8192), h.decode_buckets(keys, 64))
mine = h.decode_keys({"axial_pos_embds": True}, 1024)
print(mine["axial_pos_shape"], mine["max_position_embeddings"], mine["num_buckets"])
print(h.decode_keys({"num_buckets": 8}, 1024)["num_buckets"])'
says '^10 1 2$'
says '^40.0 50.0$'
says '^ +64 +10.0 +1 +500.0 +2 +50.0 +40.0 … 66.7 +50 %$'
says '^context 64: 3 of 16 greedy tokens the same \(the two best logits of the next one are 2e-07 apart\); '
says '^32 128 \[16, 16\] 2$'
says '^\[32, 64\] 4096 32$'
says '^8$'
finish
