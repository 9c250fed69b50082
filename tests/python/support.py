"""What the package's tests share: golden cases, small models, the command line.

In: SOURCE_DIR, REFORMERC (the command line), CC of the environment.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np

import reformerc

SOURCE = Path(os.environ["SOURCE_DIR"])
CASES = SOURCE / "tests/golden/cases"

SMALL = {
    "architectures": ["ReformerModelWithLMHead"],
    "is_decoder": True,
    "vocab_size": 258,
    "eos_token_id": 7,
    "attn_layers": ["local", "lsh"],
    "hidden_size": 24,
    "num_attention_heads": 3,
    "attention_head_size": 10,
    "feed_forward_size": 40,
    "axial_pos_embds": False,
    "max_position_embeddings": 64,
    "local_attn_chunk_length": 6,
    "lsh_attn_chunk_length": 4,
    "num_buckets": 4,
    "hash_seed": 11,
    "initializer_range": 0.3,
    "hidden_dropout_prob": 0.0,
    "lsh_attention_probs_dropout_prob": 0.0,
    "local_attention_probs_dropout_prob": 0.0,
}


def small(**options):
    return reformerc.compile({**SMALL, **options.pop("keys", {})}, weights="random:5", **options)


_TYPES = {"F32": "<f4", "I32": "<i4", "I64": "<i8", "U8": "u1", "BOOL": "|b1"}


def read_tensors(path):
    data = Path(path).read_bytes()
    n = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + n])
    head.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[8 + n + t["data_offsets"][0] : 8 + n + t["data_offsets"][1]], _TYPES[t["dtype"]])
        .reshape(t["shape"])
        .copy()
        for name, t in head.items()
    }


class Case:
    """A folder of golden/cases: inputs, and the numbers of Hugging Face."""

    def __init__(self, name):
        self.folder = CASES / name
        self.inputs = read_tensors(self.folder / "inputs.safetensors")
        self.outputs = read_tensors(self.folder / "outputs.safetensors")
        rotations = self.folder / "rotations.safetensors"
        self.rotations = rotations if rotations.exists() else None

    def of_int32(self, name):
        array = self.inputs.get(name)
        return None if array is None else array.astype(np.int32)

    def arguments(self):
        names = "labels", "start_positions", "end_positions"
        given = {name: self.of_int32(name) for name in names if name in self.inputs}
        mask = self.inputs.get("attention_mask")
        if mask is not None:
            given["attention_mask"] = (mask != 0).astype(np.uint8)
        return given

    def compile(self, **options):
        settings = {"compile.batch_size": len(self.inputs["input_ids"]), **options.pop("settings", {})}
        return reformerc.compile(self.folder, rotations=self.rotations, settings=settings, **options)


def command(*arguments, check=True):
    """The command line: what it wrote to stdout, and to stderr."""
    done = subprocess.run(
        [os.environ["REFORMERC"], *map(str, arguments)], capture_output=True, check=False, cwd=SOURCE
    )
    if check and done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout, done.stderr.decode()


class TestCase(unittest.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def refused(self, pattern, call, *arguments, kind=reformerc.InputError, **options):
        with self.assertRaisesRegex(kind, pattern):
            call(*arguments, **options)
