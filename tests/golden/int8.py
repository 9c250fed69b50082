#!/usr/bin/env python3
"""Writes int8/CASE.safetensors and mixed/CASE.safetensors: logits and loss, in double, of some of the cases when products are
of integers, and when the first layer's are of float32, the second's of bfloat16, and all others of integers.

    python3 int8.py FOLDER        needs numpy; FOLDER: that of this file

A row of a factor, and of the words, is q times m / 127 where m is its greatest magnitude and q = rint(x times (127 / m)), all
in float32 (docs/dtype.md). What attention gives is a factor of bfloat16, like those of attention itself: bf16.py's model.
"""
import pathlib
import sys

import numpy as np

import bf16 as small
from bf16 import CASES, Model, read, write

MIXED = ["b_clm_alt_4hash_factorised", "c_mlm_alt_attention_mask"]
round_bf16 = small.bf16


def integers(x):
    x = np.asarray(x, np.float32)
    m = np.abs(x).max(-1, keepdims=True)
    assert np.all(np.isfinite(m)) and np.all((m == 0) | (m > 2.0 ** -100))
    safe = np.where(m == 0, np.float32(1), m)
    q = np.rint(x * (np.float32(127) / safe))
    assert q.dtype == np.float32 and np.abs(q).max() <= 127
    return q.astype(np.float64) * (m / np.float32(127)).astype(np.float64)


class Typed(Model):
    """types: of the first layers; all others, the head and the words are of integers"""

    def __init__(self, folder, types=()):
        super().__init__(folder)
        self.types = types

    def words(self):
        return integers(self.w["embeddings.word_embeddings.weight"])

    def type_of(self, layer):
        return self.types[layer] if layer < len(self.types) else "int8"

    def dense(self, x, name):
        parts = name.split(".")
        dtype = self.type_of(int(parts[2])) if parts[0] == "encoder" else "int8"
        if dtype == "int8" and name.endswith("attention.output.dense"): dtype = "bfloat16"
        factor = {"float32": lambda x: x, "bfloat16": round_bf16, "int8": integers}[dtype]
        return factor(x) @ factor(self.w[name + ".weight"]).T + self.w.get(name + ".bias", 0)

    def attention(self, x, n):
        small.bf16 = (lambda x: x) if self.type_of(n) == "float32" else round_bf16
        y = super().attention(x, n)
        small.bf16 = round_bf16
        return y


def main(folder):
    for kind, cases, types in (("int8", CASES, ()), ("mixed", MIXED, ("float32", "bfloat16"))):
        for case in cases:
            model = Typed(folder / "cases" / case, types)
            logits = model.logits()
            loss = np.array(model.loss(logits))
            write(folder / kind / f"{case}.safetensors", {"logits": logits, "loss": loss})
            exact = read(folder / "cases" / case / "outputs.safetensors")
            print(kind, case, f"loss {loss:.9f}, of float32 {exact['loss']:.9f}; logits differ by", np.abs(logits - exact["logits"]).max())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
