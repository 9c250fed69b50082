#!/usr/bin/env python3
"""Writes checkpoint/generate.tsv: what `model.generate` of transformers writes with the trained checkpoint.

A line is a part of validation.txt as prompt (first byte, bytes), the options of `reformerc generate`, and the text
in hexadecimal; generate.sh compares. Several beams are run row by row, each with its part of the cache: Hugging
Face's batches gather states of other rows.

    python3 tests/golden/generate.py            # transformers 4.x with the Reformer, PyTorch, safetensors
"""
import itertools
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import ReformerConfig, ReformerModelWithLMHead

CHECKPOINT = Path(__file__).resolve().parent / "checkpoint"
BYTE = 2  # id = byte + 2
PROMPTS = [(1000, 128), (5000, 256), (9000, 64), (20000, 192)]  # whole chunks: no bucket of padding is cached
SEARCHES = [
    {"--beams": 2},
    {"--beams": 4},
    {"--beams": 4, "--repetition-penalty": 1.3},
    {"--beams": 4, "--length-penalty": 0.3, "--eos": ".", "--early-stopping": True},
    {"--beams": 3, "--length-penalty": 2.0, "--eos": "."},
    {"--beams": 8, "--eos": ".", "--early-stopping": True},
    {"--beams": 4, "--length-penalty": -1.0, "--eos": "."},
    {"--repetition-penalty": 1.1},
    {"--repetition-penalty": 2.0},
    {"--repetition-penalty": 0.8, "--eos": ","},
]
TOKENS = 60


def row_of(past, row):
    return [tuple(t if t is None or not t.numel() else t[row : row + 1] for t in layer) for layer in past]


def rows_together(pasts):
    def join(tensors):
        return tensors[0] if tensors[0] is None or not tensors[0].numel() else torch.cat(tensors)

    return [tuple(join(parts) for parts in zip(*layer)) for layer in zip(*pasts)]


class RowByRow(ReformerModelWithLMHead):
    def forward(self, input_ids=None, past_buckets_states=None, **options):
        if past_buckets_states is None or len(input_ids) == 1:
            return super().forward(input_ids=input_ids, past_buckets_states=past_buckets_states, **options)
        rows = [
            super(RowByRow, self).forward(
                input_ids=input_ids[row : row + 1], past_buckets_states=row_of(past_buckets_states, row), **options
            )
            for row in range(len(input_ids))
        ]
        together = rows[0]
        together.logits = torch.cat([row.logits for row in rows])
        together.past_buckets_states = rows_together([row.past_buckets_states for row in rows])
        return together


def generate(model, ids, options):
    eos = ord(options["--eos"]) + BYTE if "--eos" in options else None
    with torch.no_grad():
        out = model.generate(
            ids,
            max_new_tokens=TOKENS,
            do_sample=False,
            num_beams=options.get("--beams", 1),
            length_penalty=options.get("--length-penalty", 1.0),
            early_stopping=options.get("--early-stopping", False),
            repetition_penalty=options.get("--repetition-penalty", 1.0),
            eos_token_id=eos,
            pad_token_id=0,
            use_cache=True,
        )
    tokens = list(itertools.takewhile(lambda token: token != eos and token >= BYTE, out[0, ids.shape[1] :].tolist()))
    return bytes(token - BYTE for token in tokens)


def as_text(options):
    words = [f"--tokens {TOKENS}"]
    for name, value in options.items():
        if name == "--eos":
            words.append(f"--stop-at-eos --set eos_token_id={ord(value) + BYTE}")
        else:
            words.append(name if value is True else f"{name} {value}")
    return " ".join(words)


def main():
    model = RowByRow(ReformerConfig.from_pretrained(CHECKPOINT))
    model.load_state_dict(load_file(CHECKPOINT / "model.safetensors"))
    model.eval()
    text = (CHECKPOINT / "validation.txt").read_bytes()
    with open(CHECKPOINT / "generate.tsv", "w", encoding="ascii") as out:
        for (start, length), options in itertools.product(PROMPTS, SEARCHES):
            ids = torch.tensor([[byte + BYTE for byte in text[start : start + length]]])
            print(start, length, as_text(options), generate(model, ids, options).hex(), sep="\t", file=out)


if __name__ == "__main__":
    main()
