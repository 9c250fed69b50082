#!/usr/bin/env python3
"""Random small models, written with Hugging Face's cache and by `reformerc generate`: the same tokens?

Each model is drawn from its number: layers, chunks, buckets, rounds, positions, prompt. transformers decodes greedily
with its cache; reformerc reads the same checkpoint folder and ids, with every back end asked for and both ways of
`compile.decode`. As `huggingface`, tokens must be the same and logits agree within 2e-5 of the largest magnitude.
`corrected` may differ where Hugging Face's code goes wrong, which takes several rounds of hashing or a local layer
that looks back two chunks; it is an error anywhere else.

    python3 tests/golden/random_decode.py --reformerc build/release/bin/reformerc --first 0 --count 100

Needs PyTorch, transformers 4.x with the Reformer, and safetensors (tests/bench/huggingface.py says how to get them);
nothing of the project needs this file.
"""
import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import ReformerConfig, ReformerModelWithLMHead, logging

TOLERANCE = 2e-5
SPARE = 80  # positions beyond prompt and text: what a prompt may be padded to


def draw_case(number):
    """A configuration, a prompt's length, tokens to write."""
    draw = random.Random(number)
    chunks = [2, 3, 4, 5, 8, 16]
    local, lsh = draw.choice(chunks), draw.choice(chunks)
    prompt = draw.choice([1, 2, 5, lsh, lsh + 1, local + 1, draw.randint(1, 60), draw.randint(1, 60)])
    tokens = draw.choice([12, 40])
    hidden, first = draw.choice([16, 24, 32]), draw.choice([5, 8])
    rows = draw.choice([4, 8, 16])
    shape = [rows, -(-(prompt + tokens + SPARE) // rows)]
    config = ReformerConfig(
        attn_layers=[draw.choice(["lsh", "local"]) for _ in range(draw.randint(1, 4))],
        local_attn_chunk_length=local,
        lsh_attn_chunk_length=lsh,
        local_num_chunks_before=draw.choice([0, 1, 1, 2, 3]),
        lsh_num_chunks_before=draw.choice([0, 1, 1, 2]),
        local_num_chunks_after=0,
        lsh_num_chunks_after=0,
        num_attention_heads=draw.randint(1, 4),
        attention_head_size=draw.choice([4, 7, 8, 16, 20]),
        hidden_size=hidden,
        feed_forward_size=draw.choice([16, 40]),
        axial_pos_embds=draw.random() < 0.7,
        axial_pos_shape=shape,
        axial_pos_embds_dim=[first, hidden - first],
        max_position_embeddings=shape[0] * shape[1],
        num_buckets=draw.choice([2, 4, 6, 8, [2, 4], [4, 6], [2, 2]]),
        num_hashes=draw.randint(1, 4),
        hash_seed=draw.randint(0, 1000),
        vocab_size=draw.choice([11, 50, 64]),
        hidden_act=draw.choice(["relu", "gelu", "silu"]),
        initializer_range=draw.choice([0.1, 0.2, 0.4]),
        layer_norm_eps=1e-12,
        is_decoder=True,
        use_cache=True,
    )
    return config, prompt, tokens


def draw_model(config, number):
    torch.manual_seed(number)
    model = ReformerModelWithLMHead(config).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:  # biases and norms begin as zeros and ones
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@torch.no_grad()
def decode(model, ids, count):
    """Tokens, and the logits that chose them."""
    tokens, logits, past = [], [], None
    for _ in range(count):
        out = model(ids, past_buckets_states=past, use_cache=True)
        past = out.past_buckets_states
        logits.append(out.logits[0, -1])
        tokens.append(int(logits[-1].argmax()))
        ids = torch.tensor([tokens[-1:]])
    return tokens, torch.stack(logits)


def generate(reformerc, folder, mode, backend, count):
    output = folder / "out.safetensors"
    run = subprocess.run(
        [reformerc, "generate", folder, "--input", folder / "in.safetensors", "--output", output, "--tokens",
         str(count), "--set", f"compile.decode={mode}", "--backend", backend],
        capture_output=True, text=True)  # fmt: skip
    if run.returncode:
        sys.exit(f"{' '.join(map(str, run.args))}: exit {run.returncode}\n{run.stderr}")
    out = load_file(output)
    return out["tokens"][0].tolist(), out["logits"][0]


def departure(want, got):
    """What differs, None: nothing. Logits are compared up to the first other token, which they chose."""
    first = next((i for i, (x, y) in enumerate(zip(want[0], got[0])) if x != y), None)
    end = None if first is None else first + 1
    worst = float((want[1][:end] - got[1][:end]).abs().max() / max(1.0, float(want[1].abs().max())))
    if first is None and worst <= TOLERANCE:
        return None
    return f"logits by {worst:.1e} of their magnitude" + ("" if first is None else f", token {first}")


def may_correct(config):
    local = "local" in config.attn_layers and config.local_num_chunks_before > 1
    return local or ("lsh" in config.attn_layers and config.num_hashes > 1)


def check(number, folder, options):
    config, prompt, count = draw_case(number)
    model = draw_model(config, number)
    model.save_pretrained(folder, safe_serialization=True)
    ids = torch.randint(0, config.vocab_size, (1, prompt))
    save_file({"input_ids": ids.to(torch.int32)}, folder / "in.safetensors")
    want = decode(model, ids, count)
    good = corrected = True
    for backend in options.backends.split(","):
        what = departure(want, generate(options.reformerc, folder, "huggingface", backend, count))
        if what:
            print(f"FAIL {number}: {backend} differs: {what}\n{config.to_json_string()}", flush=True)
            good = False
        if departure(want, generate(options.reformerc, folder, "corrected", backend, count)):
            corrected = False
            if not may_correct(config):
                print(f"FAIL {number}: {backend}, corrected, differs without a cause", flush=True)
                good = False
    return good, not corrected


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reformerc", type=Path, required=True)
    parser.add_argument("--backends", default="jit,reference")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    options.reformerc = options.reformerc.resolve()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    failed = corrected = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + options.count):
            good, other = check(number, Path(folder), options)
            failed += not good
            corrected += other
    print(f"{options.count - failed} models the same, {failed} not; corrected writes otherwise for {corrected}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
