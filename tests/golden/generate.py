#!/usr/bin/env python3
"""Writes checkpoint/generate.tsv: what `model.generate` of transformers writes with the trained checkpoint.

A line is a part of validation.txt as prompt (first byte, bytes), the options of `reformerc generate`, the score of
beams or -, and the text in hexadecimal; generate.sh compares. All are without a cache: Hugging Face's keeps the
buckets of padding, and batches of beams gather states of other rows.

    python3 tests/golden/generate.py            # transformers 4.57, PyTorch, safetensors
"""
import itertools
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import ReformerConfig, ReformerModelWithLMHead

CHECKPOINT = Path(__file__).resolve().parent / "checkpoint"
BYTE = 2  # id = byte + 2
PROMPTS = [(1000, 64), (5000, 11), (20000, 37)]
SEARCHES = [
    {"--beams": 2},
    {"--beams": 4},
    {"--beams": 4, "--repetition-penalty": 1.3},
    {"--beams": 4, "--length-penalty": 0.3, "--eos": ".", "--early-stopping": True},
    {"--beams": 3, "--length-penalty": 2.0, "--eos": "."},
    {"--beams": 8, "--eos": ".", "--early-stopping": True},
    {"--beams": 4, "--length-penalty": -1.0, "--eos": "."},
    {"--beams": 3, "--eos": "\n"},
    {"--beams": 3, "--length-penalty": 0.0, "--eos": "\n"},
    {"--beams": 5, "--length-penalty": 2.0, "--eos": "\n", "--early-stopping": True},
    {"--beams": 3, "--length-penalty": 2.0, "--eos": "\n", "--early-stopping": "never"},
    {"--beams": 3, "--length-penalty": -1.0, "--eos": "n", "--early-stopping": "never"},
    {"--beams": 4, "--eos": ".,\n"},
    {"--beams": 2, "--length-penalty": 2.0, "--eos": "aeio", "--early-stopping": "never"},
    {"--repetition-penalty": 1.1},
    {"--repetition-penalty": 2.0},
    {"--repetition-penalty": 0.8, "--eos": ","},
    {"--repetition-penalty": 0.8, "--eos": ",.\n"},
]
TOKENS = 40


def ends_of(options):
    return [ord(end) + BYTE for end in options.get("--eos", "")]


def generate(model, ids, options):
    """The text without its end, and the score of beams."""
    ends, beams = ends_of(options), options.get("--beams", 1)
    with torch.no_grad():
        out = model.generate(
            ids,
            max_new_tokens=TOKENS,
            do_sample=False,
            num_beams=beams,
            length_penalty=options.get("--length-penalty", 1.0),
            early_stopping=options.get("--early-stopping", False),
            repetition_penalty=options.get("--repetition-penalty", 1.0),
            eos_token_id=ends or None,
            pad_token_id=0,
            use_cache=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
    written = out.sequences[0, ids.shape[1] :].tolist()
    tokens = itertools.takewhile(lambda token: token not in ends and token >= BYTE, written)
    score = f"{out.sequences_scores[0].item():.6f}" if beams > 1 else "-"
    return bytes(token - BYTE for token in tokens), score


def as_text(options):
    words = [f"--no-cache --tokens {TOKENS}"]
    for name, value in options.items():
        if name == "--eos":
            ends = ",".join(str(end) for end in ends_of(options))
            words.append(f"--stop-at-eos --set eos_token_id={f'[{ends}]' if len(value) > 1 else ends}")
        elif value == "never":
            words.append("--early-stopping-never")
        else:
            words.append(name if value is True else f"{name} {value}")
    return " ".join(words)


def main():
    torch.set_num_threads(1)
    model = ReformerModelWithLMHead(ReformerConfig.from_pretrained(CHECKPOINT))
    model.load_state_dict(load_file(CHECKPOINT / "model.safetensors"), strict=False)  # mask values of older versions
    model.eval()
    text = (CHECKPOINT / "validation.txt").read_bytes()
    with open(CHECKPOINT / "generate.tsv", "w", encoding="ascii") as out:
        for (start, length), options in itertools.product(PROMPTS, SEARCHES):
            ids = torch.tensor([[byte + BYTE for byte in text[start : start + length]]])
            written, score = generate(model, ids, options)
            print(start, length, as_text(options), score, written.hex(), sep="\t", file=out)


if __name__ == "__main__":
    main()
