#!/usr/bin/env python3
"""What products of small numbers do to the trained checkpoint: bits per byte, and how many tokens fall into other buckets.

    python3 dtype_buckets.py REFORMERC WINDOWS DTYPE    needs numpy; so many windows of validation.txt, by the reference

A third run has the roundings of DTYPE and the buckets of float32.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from bf16 import read, write

CHECKPOINT = pathlib.Path(__file__).resolve().parent / "checkpoint"
LENGTH, BATCH, BYTE = 512, 39, 2  # id = byte + 2


def run(reformerc, folder, options):
    """nats per byte, and buckets by name"""
    command = [reformerc, "run", CHECKPOINT, "--input", folder / "in", "--output", folder / "out", "--backend", "reference"]
    subprocess.run(command + ["--dump-activations", *options], check=True)
    out = read(folder / "out")
    return float(out["loss"]), {name: x.copy() for name, x in out.items() if name.endswith("buckets")}


def main(reformerc, windows, dtype):
    small = ["--set", f"compile.dtype={dtype}"]
    text = (CHECKPOINT / "validation.txt").read_bytes()[:windows * LENGTH]
    ids = np.frombuffer(text, np.uint8).reshape(windows, LENGTH).astype(np.int32) + BYTE
    nats, moved = np.zeros(3), {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for at in range(0, windows, BATCH):
            rows = ids[at:at + BATCH]
            write(folder / "in", {"input_ids": rows, "labels": rows}, "I32")
            exact, buckets = run(reformerc, folder, [])
            rounded, others = run(reformerc, folder, small)
            write(folder / "buckets", buckets, "I32")
            imposed, _ = run(reformerc, folder, [*small, "--buckets", folder / "buckets"])
            nats += np.array([exact, rounded, imposed]) * len(rows) / windows
            for layer, x in buckets.items(): moved.setdefault(layer, []).append(x != others[layer])
    for what, n in zip(["float32", dtype, f"{dtype} with the buckets of float32"], nats):
        print(f"{n / np.log(2):.6f} bits per byte: {what}")
    for layer, parts in moved.items():
        differ = np.concatenate(parts)  # [window, head, round, token]
        print(f"{layer}: {differ.mean():.2%} of all hashes differ, {differ.any((1, 2)).mean():.2%} of all tokens have one that does")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
