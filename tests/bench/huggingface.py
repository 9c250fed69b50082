#!/usr/bin/env python3
"""Hugging Face's Reformer and reformerc side by side: the same weights, tokens and threads, in turns.

For each length a model of the spec is drawn at random (fixed seed, the grid of positions as square as the
length allows) and written as a checkpoint folder, which both programs read. Then

  1. `reformerc run` and Hugging Face compute the same tokens; logits must agree within 2e-5 of the largest
     magnitude. Where near-ties of the hash (the two best buckets of a row within 1e-5 of its norm) fell
     otherwise, the first layer with other buckets may differ in near-ties only, and logits are compared again
     with Hugging Face's buckets imposed.
  2. Each round starts a process of Hugging Face (a forward to warm up, then as many as two seconds hold, one at
     least: logits, without a cache or gradients), and one of `reformerc bench` (which warms up too, times as
     many, and computes the loss from the logits instead of storing them).

Speeds are medians, the ratio is the median of the rounds' ratios. Memory is the largest resident set of these
whole processes: Python, PyTorch and weights are in that of Hugging Face, LLVM and weights in that of reformerc,
which bench reads before it measures anything else. The JSON also has that of `reformerc run`, which compiles
without a cache and holds logits and hidden states to write them to a file.

With --decode it is generation: after contexts of --lengths tokens (default 1024,4096), --tokens steps of one token each
with the cache that a prefill filled. Both programs run with one thread and with all, and of each the better one counts.
`reformerc generate` writes a few tokens greedily first, as Hugging Face does (`compile.decode: huggingface`, its
bookkeeping of buckets to the letter); where they differ it is said after which, and how near the two best logits were.

With --dtype bfloat16 all of that is measured in bfloat16: Hugging Face's models are converted (weights, activations and what
its hash draws), reformerc takes `compile.dtype: bfloat16`, with --train `train.dtype`, which rounds the factors of products
and nothing else. Whether
both compute the same is asked in float32, before; of bfloat16 it is told how far the logits of either are from Hugging Face's
in float32, for other roundings send tokens to other buckets. Forwards then have a third side, as training steps have: a
plain transformer (below), whose loss is computed. --plain has it in float32, too.

With --train it is a training step without its update: forward, loss and gradients of all weights, without dropout, at
--lengths tokens (default 1024,4096). Beside Hugging Face's Reformer stands a plain transformer of the same sizes (vocabulary,
width, layers, heads, feed-forward; norms first, PyTorch's scaled_dot_product_attention, causal): what somebody would train
instead. reformerc keeps for its backward pass what `train.memory: auto` says.
Gradients are compared first, tensor by tensor, with Hugging Face's buckets imposed: each must agree within 4e-5 of its
largest magnitude, twice the bound of one program that rounds against one that does not. That is done with gelu where the
model has relu: a unit that rounding alone takes over relu's kink moves a weight's gradient by 1 % (4,096 tokens).

Needs PyTorch, transformers (4.x, which has the Reformer) and PyYAML; nothing of the project needs this file.
Debian:

    apt-get install python3-torch python3-yaml python3-venv libopenblas0-openmp
    python3 -m venv --system-site-packages DIR && DIR/bin/pip install transformers==4.30.2
    DIR/bin/python tests/bench/huggingface.py --lengths 1024,4096,16384

PyTorch of Debian takes the BLAS that it finds; with the reference BLAS it would be measured far too slow, so
the BLAS is printed. Threads wait passively (OMP_WAIT_POLICY=PASSIVE), which is the better setting for Hugging
Face on shared cores; set the variable to try another. Checkpoint and tensors go to $TMPDIR, else /tmp: up to
5 GB for 65,536 tokens, and as much memory for as long as buckets are compared.
"""
import argparse
import concurrent.futures
import importlib.util
import json
import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GRADIENT_TOLERANCE = 4e-5  # of a tensor's largest magnitude; below NOISE of all it is a zero
NOISE = 1e-6
TOLERANCE = 2e-5  # of max(1, largest magnitude): that of the golden tests
NEAR_TIE = 1e-5  # of the norm of what is hashed
LEAST_SECONDS = 2  # of what a process of Hugging Face times
GREEDY = 16  # tokens that both write before steps are timed
WARM_UP = 2  # steps of Hugging Face's
DROPOUT = ("hidden_dropout_prob", "lsh_attention_probs_dropout_prob", "local_attention_probs_dropout_prob")
SECTIONS = ("compile", "train", "expect", "extensions")  # of a spec, beside the model's keys
NEEDED = {
    "torch": "Debian: apt-get install python3-torch libopenblas0-openmp; else: pip install torch",
    "transformers": "pip install transformers==4.30.2 (a venv with --system-site-packages sees Debian's PyTorch)",
    "yaml": "Debian: apt-get install python3-yaml; else: pip install pyyaml",
}


class Failure(Exception):
    """What ends the program with a message and exit code 1."""


# ---- in processes of their own: whatever imports torch --------------------------------------------------


def in_child(function, *arguments):
    """The result of a function, computed by a new process that inherits no memory."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except concurrent.futures.process.BrokenProcessPool:
            raise Failure("Hugging Face: error: its process was killed\n    hint: memory may be short") from None
        except Exception as error:
            raise Failure(f"Hugging Face: error: {type(error).__name__}: {error}") from error


def open_model(folder, dtype="float32"):
    """The model of a checkpoint folder, ready to run."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    model = transformers.ReformerModelWithLMHead.from_pretrained(folder).eval()
    return model.to(getattr(torch, dtype))


def make_model(folder, keys, length, seed, labels):
    """Writes config.json, model.safetensors and input.safetensors; `labels`: the tokens are labels, too."""
    import torch
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    model = transformers.ReformerModelWithLMHead(transformers.ReformerConfig(**keys))
    model.save_pretrained(folder, safe_serialization=True)
    ids = torch.randint(model.config.vocab_size, (1, length))
    tensors = {"input_ids": ids, **({"labels": ids.clone()} if labels else {})}
    save_file(tensors, folder / "input.safetensors")


def input_of(folder):
    from safetensors.torch import load_file

    return load_file(folder / "input.safetensors")["input_ids"]


def status_bytes(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def blas_in_use():
    """The files of BLAS libraries that this process has mapped."""
    files = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    names = ("blas", "mkl", "libblis")
    return sorted(f for f in files if any(n in os.path.basename(f) for n in names) and "lapack" not in f)


def time_forward(folder, threads, dtype, keys, plain):
    """Seconds of every forward after the first, and what the process looked like: of Hugging Face's Reformer, or of the
    plain transformer."""
    import time

    import torch
    import transformers

    torch.set_num_threads(threads)
    ids = input_of(folder)
    if plain:
        torch.manual_seed(0)
        torch.set_grad_enabled(False)
        model = plain_transformer(keys, ids.shape[1]).eval().to(getattr(torch, dtype))
        forward = lambda: model(ids)
    else:
        model = open_model(folder, dtype)
        forward = lambda: model(ids, use_cache=False)
    seconds = []
    forward()
    while sum(seconds) < LEAST_SECONDS:
        start = time.perf_counter()
        forward()
        seconds.append(time.perf_counter() - start)
    return {
        "seconds": seconds,
        "peak_rss_bytes": status_bytes("VmHWM"),
        "blas": blas_in_use(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def plain_transformer(keys, length):
    """A model that maps tokens to its loss, of the Reformer's sizes."""
    import torch
    from torch import nn
    from torch.nn import functional

    width, inner = keys.get("hidden_size", 256), keys.get("feed_forward_size", 512)
    heads, size = keys.get("num_attention_heads", 12), keys.get("attention_head_size", 64)

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.into = nn.Linear(width, 3 * heads * size, bias=False)
            self.out = nn.Linear(heads * size, width, bias=False)
            self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

        def forward(self, x):
            rows = x.shape[:2]
            q, k, v = self.into(self.norm1(x)).view(*rows, 3, heads, size).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(*rows, heads * size))
            return x + self.down(functional.relu(self.up(self.norm2(x))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            vocabulary = keys.get("vocab_size", 320)
            self.words, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.layers = nn.ModuleList(Layer() for _ in keys["attn_layers"])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

        def forward(self, ids):
            x = self.words(ids) + self.positions.weight[: ids.shape[1]]
            for layer in self.layers:
                x = layer(x)
            logits = self.head(self.norm(x))
            return functional.cross_entropy(logits[0, :-1], ids[0, 1:])

    return Model().train()


def train_model(folder, dtype="float32"):
    model = open_model(folder, dtype).train()
    import torch

    torch.set_grad_enabled(True)
    return model


def time_steps_of(step, parameters):
    """Seconds of every step after the first."""
    import time

    seconds = []
    while len(seconds) < 2 or sum(seconds[1:]) < LEAST_SECONDS:
        for p in parameters:
            p.grad = None
        start = time.perf_counter()
        step().backward()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def time_train(folder, threads, dtype, keys, plain):
    """A process of Hugging Face's Reformer, or of the plain transformer."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    ids = input_of(folder)
    if plain:
        torch.manual_seed(0)
        model = plain_transformer(keys, ids.shape[1]).to(getattr(torch, dtype))
        seconds = time_steps_of(lambda: model(ids), list(model.parameters()))
    else:
        model = train_model(folder, dtype)
        seconds = time_steps_of(lambda: model(ids, labels=ids).loss, list(model.parameters()))
    return {"seconds": seconds, "peak_rss_bytes": status_bytes("VmHWM"), "blas": blas_in_use(),
            "torch": torch.__version__, "transformers": transformers.__version__}


def reference_gradients(folder, threads):
    """Writes Hugging Face's gradients to their.safetensors; returns the loss."""
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(threads)
    model, ids = train_model(folder), input_of(folder)
    loss = model(ids, labels=ids).loss
    loss.backward()
    save_file({name: p.grad.contiguous() for name, p in model.named_parameters() if p.grad is not None},
              folder / "their.safetensors")
    return float(loss)


def gradients_difference(folder):
    """The worst tensor: how far, of its largest magnitude, and its name."""
    from safetensors.torch import load_file

    mine, theirs = load_file(folder / "mine.safetensors"), load_file(folder / "their.safetensors")
    if sorted(mine) != sorted(theirs):
        raise RuntimeError(f"other gradients: {sorted(set(mine) ^ set(theirs))}")
    largest = max(float(t.abs().max()) for t in theirs.values())
    worst = 0, "none"
    for name, t in theirs.items():
        if mine[name].shape != t.shape:
            raise RuntimeError(f"{name} has another shape")
        size = max(float(t.abs().max()), NOISE * largest)
        worst = max(worst, (float((mine[name] - t).abs().max()) / size, name))
    return worst


def prefill(model, ids):
    """Hugging Face's cache after a prompt, and the logits of what follows it."""
    out = model(ids, use_cache=True)
    return out.past_buckets_states, out.logits[:, -1]


def greedy_steps(model, past, logits):
    """Yields logits and the token that they picked, step by step, without end."""
    while True:
        token = logits.argmax(-1, keepdim=True)
        yield logits, token
        out = model(token, past_buckets_states=past, use_cache=True)
        past, logits = out.past_buckets_states, out.logits[:, -1]


def write_greedy(folder, threads):
    """Writes what Hugging Face generates to greedy.safetensors: tokens and the logits that picked them."""
    import itertools

    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(threads)
    model = open_model(folder)
    steps = list(itertools.islice(greedy_steps(model, *prefill(model, input_of(folder))), GREEDY))
    save_file({"tokens": torch.cat([token for _, token in steps], 1).contiguous(),
               "logits": torch.stack([logits for logits, _ in steps], 1).contiguous()}, folder / "greedy.safetensors")


def greedy_agreement(folder):
    """How many tokens are the same, and how far logits differ up to there."""
    from safetensors.torch import load_file

    mine, theirs = load_file(folder / "own.safetensors"), load_file(folder / "greedy.safetensors")
    same = (mine["tokens"] == theirs["tokens"])[0].tolist() + [False]
    n = same.index(False)
    compared = min(n + 1, GREEDY)  # these logits follow from the same tokens
    difference = (mine["logits"] - theirs["logits"])[0, :compared].abs().max()
    facts = {"tokens": GREEDY, "same": n, "largest_difference": float(difference),
             "largest_magnitude": float(theirs["logits"].abs().max())}
    if n < GREEDY:
        two = theirs["logits"][0, n].topk(2).values
        facts["margin"] = float(two[0] - two[1])
    return facts


def time_steps(folder, threads, dtype, tokens):
    """Seconds of every step after the first ones, and what the process looked like."""
    import time

    import torch
    import transformers

    torch.set_num_threads(threads)
    model, ids = open_model(folder, dtype), input_of(folder)
    start = time.perf_counter()
    steps = greedy_steps(model, *prefill(model, ids))
    facts = {"prefill_seconds": time.perf_counter() - start}
    for _ in range(WARM_UP + 1):
        next(steps)
    seconds = []
    for _ in range(tokens):
        start = time.perf_counter()
        next(steps)
        seconds.append(time.perf_counter() - start)
    facts.update(seconds=seconds, threads=threads, tokens_per_second=1 / statistics.median(seconds),
                 peak_rss_bytes=status_bytes("VmHWM"), blas=blas_in_use(), torch=torch.__version__,
                 transformers=transformers.__version__)
    return facts


def hash_margins(attention, vectors, rounds):
    """Buckets [head][round][token], and how far the two best of any factor lie apart, as a share of the norm."""
    import torch

    factors = attention.num_buckets
    factors = [factors] if isinstance(factors, int) else list(factors)
    heads, size = vectors.shape[1], vectors.shape[3]
    torch.manual_seed(attention.hash_seed)
    rotations = torch.randn(heads, size, rounds, sum(factors) // 2)
    buckets, margins = [], []
    for head in range(heads):
        x = vectors[0, head]
        rotated = torch.einsum("td,drc->rtc", x, rotations[head])
        bucket, margin, first, scale = 0, torch.full(rotated.shape[:2], math.inf), 0, 1
        for factor in factors:
            part = rotated[..., first : first + factor // 2]
            both = torch.cat([part, -part], dim=-1)
            two = both.topk(2, dim=-1).values
            margin = torch.minimum(margin, (two[..., 0] - two[..., 1]) / x.norm(dim=-1))
            bucket = bucket + scale * both.argmax(dim=-1)
            first, scale = first + factor // 2, scale * factor
        buckets.append(bucket + scale * torch.arange(rounds)[:, None])
        margins.append(margin)
    return torch.stack(buckets), torch.stack(margins)


def reference(folder, threads):
    """Writes Hugging Face's logits, and buckets and margins of layers that hash, to reference.safetensors."""
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(threads)
    model, ids = open_model(folder), input_of(folder)
    tensors = {}

    def listen(layer, attention):
        def hashed(vectors, rounds, *rest, **more):
            buckets = original(vectors, rounds, *rest, **more)
            shaped = buckets.view(1, vectors.shape[1], rounds, vectors.shape[2])
            again, margins = hash_margins(attention, vectors, rounds)
            clear = margins >= NEAR_TIE
            if not torch.equal(again[clear], shaped[0][clear]):
                raise RuntimeError(f"layer {layer}: these transformers hash otherwise than this script knows")
            tensors[f"layers.{layer}.buckets"] = shaped.to(torch.int32).contiguous()
            tensors[f"margins.{layer}"] = margins[None].contiguous()
            return buckets

        original, attention._hash_vectors = attention._hash_vectors, hashed

    for k, layer in enumerate(model.reformer.encoder.layers):
        if hasattr(layer.attention.self_attention, "_hash_vectors"):
            listen(k, layer.attention.self_attention)
    tensors["logits"] = model(ids, use_cache=False).logits.contiguous()
    margins = {name: tensors.pop(name) for name in list(tensors) if name.startswith("margins.")}
    near = sum(int((m < NEAR_TIE).sum()) for m in margins.values())
    rows = sum(m.numel() for m in margins.values())
    save_file({"logits": tensors.pop("logits"), **margins}, folder / "reference.safetensors")
    save_file(tensors, folder / "buckets.safetensors")
    return {"hashed_rows": rows, "near_ties": near}


def logits_difference(folder, name):
    """The largest difference from Hugging Face's logits, and their largest magnitude."""
    from safetensors.torch import load_file
    from safetensors import safe_open

    mine = load_file(folder / name)["logits"]
    with safe_open(folder / "reference.safetensors", "pt") as file:
        theirs = file.get_tensor("logits")
    return float((mine - theirs).abs().max()), float(theirs.abs().max())


def rounded_differences(folder, threads, dtype):
    """By program the root mean square of its logits' difference from Hugging Face's in float32, of their own."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    with safe_open(folder / "reference.safetensors", "pt") as file:
        exact = file.get_tensor("logits")
    theirs = open_model(folder, dtype)(input_of(folder), use_cache=False).logits.float()
    mine = load_file(folder / "rounded.safetensors")["logits"]
    size = exact.square().mean()
    return {name: float(((x - exact).square().mean() / size).sqrt())
            for name, x in (("huggingface", theirs), ("reformerc", mine))}


def first_other_buckets(folder, name):
    """Of the first layer that hashed otherwise: its number, how many rows, how many of them no near-ties."""
    from safetensors import safe_open

    with safe_open(folder / name, "pt") as mine, safe_open(folder / "buckets.safetensors", "pt") as theirs:
        keys = sorted(theirs.keys(), key=lambda key: int(key.split(".")[1]))
        for key in keys:
            other = mine.get_tensor(key) != theirs.get_tensor(key)
            if not other.any():
                continue
            layer = int(key.split(".")[1])
            with safe_open(folder / "reference.safetensors", "pt") as file:
                clear = file.get_tensor(f"margins.{layer}") >= NEAR_TIE
            return {"layer": layer, "rows": int(other.sum()), "clear_rows": int((other & clear).sum())}
    return None


# ---- reformerc ------------------------------------------------------------------------------------------


def run_reformerc(options, *arguments):
    """Runs it; returns the largest resident set of the process in bytes."""
    command = [str(options.reformerc), *map(str, arguments), "--no-warnings"]
    with tempfile.TemporaryFile() as talk:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=talk, stderr=talk)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)  # wait4 took it from subprocess
        if child.returncode == 0:
            return usage.ru_maxrss * 1024
        talk.seek(0)
        said = talk.read().decode(errors="replace").strip()
        raise Failure(f"{' '.join(command)}: exit {child.returncode}\n{said}")


def run_model(options, folder, output, *more):
    return run_reformerc(options, "run", folder, "--input", folder / "input.safetensors", "--output",
                         folder / output, "--threads", options.threads, *more)


def bench_model(options, folder, length, forwards, *more):
    result = folder / "bench.json"
    run_reformerc(options, "bench", folder, "--lengths", length, "--threads", options.threads, "--repeat",
                  forwards, "--output", result, *dtype_options(options), *more)
    return json.loads(result.read_text())["cases"][0]


def dtype_options(options):
    key = "train.dtype" if options.what == "train" else "compile.dtype"
    return () if options.dtype == "float32" else ("--set", f"{key}={options.dtype}")


def bench_steps(options, folder, length):
    """Cases of one thread and of all, as bench found them."""
    result = folder / "bench.json"
    memory = run_reformerc(options, "bench", folder, "--decode", "--lengths", length, "--threads",
                           ",".join(map(str, options.settings)), "--tokens", options.tokens, "--repeat", 1, "--output",
                           result, *dtype_options(options))
    return [{**case, "peak_rss_bytes": memory} for case in json.loads(result.read_text())["cases"]]


# ---- a length -------------------------------------------------------------------------------------------


def say(text):
    print(text, file=sys.stderr, flush=True)


def square_grid(length):
    rows = max(k for k in range(1, math.isqrt(length) + 1) if length % k == 0)
    return [rows, length // rows]


def keys_for(keys, length):
    mine = {**keys, "max_position_embeddings": max(length, keys.get("max_position_embeddings", 4096))}
    if mine.get("axial_pos_embds", True):
        mine["axial_pos_shape"] = square_grid(length)
    if mine.get("hash_seed") is None:
        mine["hash_seed"] = 0  # else each program draws rotations of its own
    return mine


def agreement(options, folder):
    """Compares logits; returns the facts and the memory of `reformerc run`."""
    memory = run_model(options, folder, "own.safetensors")
    facts = in_child(reference, folder, options.threads)
    difference, magnitude = in_child(logits_difference, folder, "own.safetensors")
    bound = TOLERANCE * max(1, magnitude)
    facts.update(largest_difference=difference, largest_magnitude=magnitude, bound=bound, other_buckets=None)
    if difference > bound:
        run_model(options, folder, "activations.safetensors", "--dump-activations")
        other = in_child(first_other_buckets, folder, "activations.safetensors")
        (folder / "activations.safetensors").unlink()
        facts["other_buckets"] = other
        if not other or other["clear_rows"]:
            facts["agree"] = False
            return facts, memory
        run_model(options, folder, "imposed.safetensors", "--buckets", folder / "buckets.safetensors")
        difference, _ = in_child(logits_difference, folder, "imposed.safetensors")
        facts["largest_difference_with_imposed_buckets"] = difference
    facts["agree"] = difference <= bound
    return facts, memory


def agreement_text(length, facts):
    text = (f"length {length}: logits {'agree' if facts['agree'] else 'DIFFER'}: largest difference "
            f"{facts['largest_difference']:.2g} (bound {facts['bound']:.2g}, largest logit "
            f"{facts['largest_magnitude']:.3g}); {facts['near_ties']} near-ties in {facts['hashed_rows']:,} "
            "hashed rows")
    other = facts["other_buckets"]
    if other:
        text += (f"; layer {other['layer']} chose other buckets in {count(other['rows'], 'row')}, "
                 f"{other['clear_rows']} of them no near-ties")
    if "largest_difference_with_imposed_buckets" in facts:
        text += ("; with Hugging Face's buckets imposed the largest difference is "
                 f"{facts['largest_difference_with_imposed_buckets']:.2g}")
    return text


def measure(options, keys, folder, length):
    """The rounds, in turns."""
    theirs, plain, mine = [], [], []
    for k in range(options.repeat):
        for into, is_plain in ((theirs, False), (plain, True))[: 1 + options.plain]:
            t = in_child(time_forward, folder, options.threads, options.dtype, keys, is_plain)
            t["tokens_per_second"] = length / statistics.median(t["seconds"])
            into.append(t)
        mine.append(bench_model(options, folder, length, len(theirs[-1]["seconds"])))
        between = f", plain transformer {plain[-1]['tokens_per_second']:.0f}" if plain else ""
        say(f"length {length}, round {k + 1} of {options.repeat}: Hugging Face {theirs[-1]['tokens_per_second']:.0f} "
            f"tokens/s{between}, reformerc {mine[-1]['tokens_per_second']:.0f}")
    return theirs, plain, mine


def side(rounds):
    speeds = [r["tokens_per_second"] for r in rounds]
    return {"tokens_per_second": statistics.median(speeds), "rounds": speeds,
            "peak_rss_bytes": max(r["peak_rss_bytes"] for r in rounds)}


def summary(length, theirs, mine):
    """What the rounds say; of each round of either side tokens_per_second and peak_rss_bytes."""
    ratios = [m["tokens_per_second"] / t["tokens_per_second"] for m, t in zip(mine, theirs)]
    case = {"length": length, "huggingface": side(theirs), "reformerc": side(mine)}
    case["speed_ratio"] = {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    case["memory_share"] = case["reformerc"]["peak_rss_bytes"] / case["huggingface"]["peak_rss_bytes"]
    return case


def compare(options, keys, length, folder):
    say(f"length {length}: a model of random weights")
    in_child(make_model, folder, keys_for(keys, length), length, options.seed, False)
    facts, memory = agreement(options, folder)
    say(agreement_text(length, facts))
    if not facts["agree"]:
        raise Failure(f"length {length}: error: the programs compute different things, their speed says nothing")
    if options.dtype != "float32":
        run_model(options, folder, "rounded.safetensors", *dtype_options(options))
        facts["rounded"] = in_child(rounded_differences, folder, options.threads, options.dtype)
        say(f"length {length}: logits in {options.dtype} are off by {100 * facts['rounded']['huggingface']:.2g} % "
            f"(Hugging Face), {100 * facts['rounded']['reformerc']:.2g} % (reformerc), root mean squares")
    theirs, plain, mine = measure(options, keys_for(keys, length), folder, length)
    for m in mine:
        m["peak_rss_bytes"] = m["peak_rss_bytes"] or memory  # null: the system does not tell
    case = train_summary(length, theirs, plain, mine) if plain else summary(length, theirs, mine)
    case["reformerc"].update(run_peak_rss_bytes=memory, workspace_bytes=mine[0]["workspace_bytes"],
                             target=mine[0]["target"])
    case["logits"] = facts
    case["versions"] = {name: theirs[0][name] for name in ("torch", "transformers", "blas")}
    return case


# ---- training -------------------------------------------------------------------------------------------


def gradients_agreement(options, folder, length):
    in_child(reference, folder, options.threads)  # for its buckets
    loss = in_child(reference_gradients, folder, options.threads)
    memory = run_reformerc(options, "run", folder, "--input", folder / "input.safetensors", "--gradients",
                           folder / "mine.safetensors", "--buckets", folder / "buckets.safetensors", "--threads",
                           options.threads)
    worst, name = in_child(gradients_difference, folder)
    agree = worst <= GRADIENT_TOLERANCE
    say(f"length {length}: gradients {'agree' if agree else 'DIFFER'}: {worst:.2g} of its largest magnitude at most "
        f"(bound {GRADIENT_TOLERANCE:.2g}), {name}; Hugging Face's loss is {loss:.6f}")
    if not agree:
        raise Failure(f"length {length}: error: the programs compute different things, their speed says nothing")
    return {"largest_difference": worst, "of": name, "loss": loss}, memory


def measure_train(options, keys, folder, length):
    theirs, plain, mine = [], [], []
    for k in range(options.repeat):
        for into, is_plain in ((theirs, False), (plain, True)):
            t = in_child(time_train, folder, options.threads, options.dtype, keys, is_plain)
            t["tokens_per_second"] = length / statistics.median(t["seconds"])
            into.append(t)
        mine.append(bench_model(options, folder, length, max(2, len(theirs[-1]["seconds"])), "--train", "--set",
                                "train.memory=auto"))
        say(f"length {length}, round {k + 1} of {options.repeat}: Hugging Face {theirs[-1]['tokens_per_second']:.0f} "
            f"tokens/s, plain transformer {plain[-1]['tokens_per_second']:.0f}, reformerc "
            f"{mine[-1]['tokens_per_second']:.0f}")
    return theirs, plain, mine


def train_summary(length, theirs, plain, mine):
    case = summary(length, theirs, mine)
    other = summary(length, plain, mine)
    case["transformer"], case["transformer_ratio"] = other["huggingface"], other["speed_ratio"]
    return case


def compare_train(options, keys, length, folder):
    say(f"length {length}: a model of random weights")
    keys = {**keys_for(keys, length), **{key: 0.0 for key in DROPOUT}}
    smooth = {**keys, "hidden_act": "gelu"} if keys.get("hidden_act", "relu") == "relu" else keys
    in_child(make_model, folder, smooth, length, options.seed, True)
    facts, memory = gradients_agreement(options, folder, length)
    if smooth is not keys:
        in_child(make_model, folder, keys, length, options.seed, True)
    theirs, plain, mine = measure_train(options, keys, folder, length)
    for m in mine:
        m["peak_rss_bytes"] = m["peak_rss_bytes"] or memory  # null: the system does not tell
    case = train_summary(length, theirs, plain, mine)
    case["reformerc"].update(workspace_bytes=mine[0]["workspace_bytes"], target=mine[0]["target"])
    case["gradients"] = facts
    case["versions"] = {name: theirs[0][name] for name in ("torch", "transformers", "blas")}
    return case


# ---- generation -----------------------------------------------------------------------------------------


def decode_buckets(keys, length):
    """What Hugging Face would choose for a prompt of this length, spelled out: it must not depend on who asks."""
    chunk, most = keys.get("lsh_attn_chunk_length", 64), keys["max_position_embeddings"]
    power = (2 * (length // chunk)).bit_length() - 1
    limit = 2 * max(int((most // chunk) ** 0.5), chunk)
    return [2 ** (power // 2), 2 ** (power - power // 2)] if 2**power > limit else 2**power


def decode_keys(keys, length):
    mine = keys_for(keys, 2 * length)
    if mine.get("num_buckets") is None:
        mine["num_buckets"] = decode_buckets(mine, length)
    return mine


def greedy_text(length, facts):
    text = f"context {length}: {facts['same']} of {count(facts['tokens'], 'greedy token')} the same"
    if "margin" in facts:
        text += f" (the two best logits of the next one are {facts['margin']:.2g} apart)"
    return text + (f"; largest difference of logits {facts['largest_difference']:.2g}, largest logit "
                   f"{facts['largest_magnitude']:.3g}")


def greedy(options, folder):
    run_reformerc(options, "generate", folder, "--input", folder / "input.safetensors", "--output",
                  folder / "own.safetensors", "--tokens", GREEDY, "--threads", options.threads, "--set",
                  "compile.decode=huggingface")
    in_child(write_greedy, folder, options.threads)
    return in_child(greedy_agreement, folder)


def best_setting(rounds):
    """Of [round][setting] the column with the best median speed."""
    columns = [list(column) for column in zip(*rounds)]
    return max(columns, key=lambda column: statistics.median(r["tokens_per_second"] for r in column))


def measure_steps(options, folder, length):
    """The rounds, in turns: [round][setting] of both."""
    theirs, mine = [], []
    for k in range(options.repeat):
        theirs.append([in_child(time_steps, folder, threads, options.dtype, options.tokens) for threads in options.settings])
        mine.append(bench_steps(options, folder, length))
        speeds = [" and ".join(f"{s['tokens_per_second']:.1f}" for s in side[-1]) for side in (theirs, mine)]
        settings = " and ".join(map(str, options.settings))
        say(f"context {length}, round {k + 1} of {options.repeat}: Hugging Face {speeds[0]} tokens/s, reformerc "
            f"{speeds[1]} ({settings} threads)")
    return theirs, mine


def decode_summary(length, theirs, mine):
    """As summary(), of the better settings of both."""
    theirs, mine = best_setting(theirs), best_setting(mine)
    case = summary(length, theirs, mine)
    case["huggingface"]["threads"], case["reformerc"]["threads"] = theirs[0]["threads"], mine[0]["threads"]
    case["reformerc"]["of_floor"] = statistics.median(m["of_floor"]["median"] for m in mine)
    return case


def compare_steps(options, keys, length, folder):
    say(f"context {length}: a model of random weights")
    in_child(make_model, folder, decode_keys(keys, length), length, options.seed, False)
    facts = greedy(options, folder)
    say(greedy_text(length, facts))
    theirs, mine = measure_steps(options, folder, length)
    case = decode_summary(length, theirs, mine)
    case["reformerc"]["target"] = mine[0][0]["target"]
    case["greedy"] = facts
    case["versions"] = {name: theirs[0][0][name] for name in ("torch", "transformers", "blas")}
    return case


# ---- the report -----------------------------------------------------------------------------------------


def mebibytes(size):
    return f"{size / 2**20:.0f} MiB"


def count(n, what):
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def table(cases):
    rows = [("length", "HF tokens/s", "reformerc", "ratio", "low … high", "HF memory", "reformerc", "share")]
    for c in cases:
        ratio = c["speed_ratio"]
        rows.append((str(c["length"]), f"{c['huggingface']['tokens_per_second']:.0f}",
                     f"{c['reformerc']['tokens_per_second']:.0f}", f"{ratio['median']:.2f}",
                     f"{ratio['low']:.2f} … {ratio['high']:.2f}", mebibytes(c["huggingface"]["peak_rss_bytes"]),
                     mebibytes(c["reformerc"]["peak_rss_bytes"]), f"{c['memory_share']:.3f}"))
    return aligned(rows)


def train_table(cases):
    rows = [("length", "HF tokens/s", "transformer", "reformerc", "by HF", "low … high", "by transformer", "low … high",
             "HF memory", "transformer", "reformerc")]
    for c in cases:
        first, second = c["speed_ratio"], c["transformer_ratio"]
        sides = [c["huggingface"], c["transformer"], c["reformerc"]]
        rows.append((str(c["length"]), *(f"{s['tokens_per_second']:.0f}" for s in sides),
                     f"{first['median']:.2f}", f"{first['low']:.2f} … {first['high']:.2f}", f"{second['median']:.2f}",
                     f"{second['low']:.2f} … {second['high']:.2f}", *(mebibytes(s["peak_rss_bytes"]) for s in sides)))
    return aligned(rows)


def aligned(rows):
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def decode_table(cases):
    rows = [("context", "HF tokens/s", "threads", "reformerc", "threads", "ratio", "low … high", "of floor")]
    for c in cases:
        theirs, mine, ratio = c["huggingface"], c["reformerc"], c["speed_ratio"]
        rows.append((str(c["length"]), f"{theirs['tokens_per_second']:.1f}", str(theirs["threads"]),
                     f"{mine['tokens_per_second']:.1f}", str(mine["threads"]), f"{ratio['median']:.1f}",
                     f"{ratio['low']:.1f} … {ratio['high']:.1f}", f"{100 * mine['of_floor']:.0f} %"))
    return aligned(rows)


def report(options, cases):
    versions = cases[0]["versions"]
    blas = ", ".join(os.path.basename(os.path.dirname(f)) + "/" + os.path.basename(f) for f in versions["blas"])
    threads = "the better of 1 and " * (options.decode and options.threads > 1) + count(options.threads, "thread")
    print(f"{options.dtype}, {threads}, {count(options.repeat, 'round')}; PyTorch {versions['torch']}, "
          f"transformers {versions['transformers']}, BLAS: {blas or 'none seen'}; OMP_WAIT_POLICY="
          f"{os.environ['OMP_WAIT_POLICY']}; reformerc for {cases[0]['reformerc']['target']}")
    tables = {"decode": decode_table, "train": train_table, "forward": train_table if options.plain else table}
    print(tables[options.what](cases), flush=True)
    if any("/blas/libblas.so" in f for f in versions["blas"]):
        say("warning: PyTorch computes with the reference BLAS, several times slower than it can\n"
            "    hint: apt-get install libopenblas0-openmp")
    if options.output:
        write_result(options, cases)


def write_result(options, cases):
    result = {"spec": str(options.spec), "dtype": options.dtype, "threads": options.threads, "rounds": options.repeat, "seed": options.seed,
              "environment": {k: os.environ[k] for k in sorted(os.environ) if k.startswith(("OMP_", "OPENBLAS_"))},
              "decode": options.decode, "train": options.train, "cases": cases}
    part = options.output.with_name(f"{options.output.name}.tmp-{os.getpid()}")
    try:
        part.write_text(json.dumps(result, indent=2) + "\n")
        part.replace(options.output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Failure(f"{options.output}: error: cannot write: {error.strerror}") from None


# ---- the command line -----------------------------------------------------------------------------------


def number(text, where, most):
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise Failure(f"{where}: error: '{text}' is not a number from 1 to {most}")
    return int(text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default=ROOT / "specs/bench.yaml", metavar="FILE",
                        help="the model, a causal one; default: specs/bench.yaml")
    parser.add_argument("--decode", action="store_true", help="compares generation, after so many tokens of context")
    parser.add_argument("--train", action="store_true",
                        help="compares training steps (forward and backward), with a plain transformer too")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"),
                        help="what all programs compute in; default: float32")
    parser.add_argument("--plain", action="store_true", help="forwards of a plain transformer, too, as of bfloat16")
    parser.add_argument("--lengths", metavar="N[,N...]",
                        help="tokens; default: 1024,4096,16384, of --decode and --train 1024,4096")
    parser.add_argument("--tokens", metavar="N", help="steps of a round, of --decode; default: 64")
    parser.add_argument("--threads", metavar="N", help="of both; default: all cores this process may use")
    parser.add_argument("--repeat", default="3", metavar="N", help="rounds; default: 3")
    parser.add_argument("--seed", default="1", metavar="N", help="of weights and tokens; default: 1")
    parser.add_argument("--reformerc", metavar="PROGRAM", help="default: build/release/bin/reformerc, else of PATH")
    parser.add_argument("--output", metavar="FILE.json", help="writes all samples and facts")
    options = parser.parse_args()
    if options.decode and options.train:
        raise Failure("--train: error: compares training steps, and --decode generation")
    options.plain = not options.decode and (options.plain or options.train or options.dtype != "float32")
    options.what = "decode" if options.decode else "train" if options.train else "forward"
    usual = "1024,4096,16384" if options.what == "forward" else "1024,4096"
    lengths = usual if options.lengths is None else options.lengths
    options.lengths = [number(text, "--lengths", 2**24) for text in lengths.split(",")]
    if options.tokens is not None and not options.decode:
        raise Failure("--tokens: error: are steps of generation\n    hint: --decode measures them")
    options.tokens = number("64" if options.tokens is None else options.tokens, "--tokens", 2**20)
    options.threads = number(options.threads or str(len(os.sched_getaffinity(0))), "--threads", 1024)
    options.settings = sorted({1, options.threads})
    options.repeat = number(options.repeat, "--repeat", 1000)
    options.seed = number(options.seed, "--seed", 2**31)
    options.spec = Path(options.spec)
    options.output = options.output and Path(options.output)
    return options


def check_output(options):
    """Before an hour of measurements."""
    if not options.output:
        return
    if options.output.is_dir():
        raise Failure(f"{options.output}: error: is a directory, a file is to be written here")
    if not os.access(options.output.parent, os.W_OK):
        raise Failure(f"{options.output}: error: cannot create a file in {options.output.parent}")


def check_modules():
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        hints = "".join(f"\n    hint: {name}: {NEEDED[name]}" for name in missing)
        raise Failure(f"Python: error: {sys.executable} has no {', '.join(missing)}{hints}")


def find_reformerc(options):
    built = ROOT / "build/release/bin/reformerc"
    asked = options.reformerc or (built if built.exists() else "reformerc")
    options.reformerc = shutil.which(asked)
    if not options.reformerc:
        raise Failure(f"--reformerc: error: '{asked}' is no program\n    hint: ./setup.sh builds it")


def read_spec(options):
    """The keys of the model, which are those of Hugging Face's configuration."""
    import yaml

    try:
        keys = yaml.safe_load(options.spec.read_text())
    except OSError as error:
        raise Failure(f"{options.spec}: error: cannot read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Failure(f"{options.spec}: error: {error}") from None
    if not isinstance(keys, dict) or not keys.get("is_decoder"):
        raise Failure(f"{options.spec}: error: is no causal model\n    hint: `is_decoder: true` makes one")
    keys = {key: value for key, value in keys.items() if key not in SECTIONS}
    chunks = [keys.get(f"{kind}_attn_chunk_length", 64) for kind in ("lsh", "local")]
    if not all(isinstance(chunk, int) and chunk > 0 for chunk in chunks):
        raise Failure(f"{options.spec}: error: lengths of chunks are no numbers: {chunks}")
    chunks = math.lcm(*chunks)
    for length in options.lengths:
        if length % chunks:
            raise Failure(f"--lengths: error: {length} is no multiple of the chunks' length, {chunks}")
    return keys


def set_environment(options):
    """Of the processes to come; passively waiting threads are Hugging Face's better setting."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)
    os.environ.update(TRANSFORMERS_OFFLINE="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


def side_by_side(options, keys):
    cases = []
    try:
        for length in options.lengths:
            with tempfile.TemporaryDirectory(prefix="side-by-side-") as folder:
                os.environ["REFORMERC_CACHE"] = os.path.join(folder, "cache")
                one = {"decode": compare_steps, "train": compare_train, "forward": compare}[options.what]
                cases.append(one(options, keys, length, Path(folder)))
    finally:  # what is done is told in any case
        if cases:
            report(options, cases)


def main():
    try:
        options = parse_arguments()
        check_output(options)
        find_reformerc(options)
        check_modules()
        keys = read_spec(options)
        set_environment(options)
        side_by_side(options, keys)
    except Failure as failure:
        say(str(failure))
        return 1
    except OSError as error:  # a full disk, a closed pipe
        say(f"{error.filename or 'stdout'}: error: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
