"""Forwards of specs/bench.yaml from Python beside `reformerc bench`, in turns; run by hand, on a machine that does nothing else.

bench.py [ROUNDS [LENGTH [THREADS]]]: medians, least times, their ratios. SOURCE_DIR, REFORMERC and REFORMERC_LIBRARY as the
tests have them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import reformerc

rounds, length, threads = (int(a) for a in [*sys.argv[1:], *["7", "4096", "1"][len(sys.argv) - 1 :]])
spec = Path(os.environ["SOURCE_DIR"], "specs/bench.yaml")
model = reformerc.compile(
    spec, weights="random", threads=threads, settings={"compile.sequence_length": length, "compile.batch_size": 1}
)
ids = np.random.default_rng(0).integers(0, model.vocab, (1, length), np.int32)


def from_python() -> float:
    start = time.perf_counter()
    model(ids, labels=ids, outputs=[])  # the loss, as bench
    return time.perf_counter() - start


def from_command_line(out: Path) -> float:
    subprocess.run(
        [os.environ["REFORMERC"], "bench", spec, "--lengths", str(length), "--threads", str(threads), "--repeat", "1",
         "--targets", model.target, "-o", out],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seconds: float = json.loads(out.read_text())["cases"][0]["seconds"]["median"]
    return seconds


from_python()
here: list[float] = []
there: list[float] = []
with tempfile.TemporaryDirectory() as folder:
    for k in range(rounds):
        pair = [(here, from_python), (there, lambda: from_command_line(Path(folder, "bench.json")))]
        for times, run in pair if k % 2 else pair[::-1]:
            times.append(run())
        print(f"round {k + 1}: Python {here[-1]:.4f} s, command line {there[-1]:.4f} s", flush=True)
for name, of in (("median", statistics.median), ("least", min)):
    print(f"{name}: Python {of(here):.4f} s, command line {of(there):.4f} s, ratio {of(here) / of(there):.4f}")

# What a call costs beside its forward: a model that does next to nothing.
tiny = reformerc.compile(
    {"architectures": ["ReformerModelWithLMHead"], "is_decoder": True, "vocab_size": 8, "attn_layers": ["local"],
     "hidden_size": 8, "num_attention_heads": 1, "attention_head_size": 8, "feed_forward_size": 8, "axial_pos_embds": False,
     "max_position_embeddings": 8, "local_attn_chunk_length": 4, "compile": {"sequence_length": 4}},
    weights="random", threads=1,
)  # fmt: skip
few = np.ones((1, 4), np.int32)
tiny(few, labels=few, outputs=[])
start = time.process_time()
for _ in range(5000):
    tiny(few, labels=few, outputs=[])
print(f"a call of a model that does next to nothing: {(time.process_time() - start) / 5000 * 1e6:.1f} us of CPU time")
