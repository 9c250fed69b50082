"""The cases of dropout/: Hugging Face's modules with the masks that our numbering says (compiler/graph/dropout.h).

    python3 dropout.py FOLDER     needs torch, transformers (4.57.1), safetensors; FOLDER: dropout/

Every dropout of Hugging Face's model is replaced by one whose mask is a function of the element's place, written here a
second time, from the text. Its reversible backward pass then recomputes layers with the same masks, so that its gradients
are right in LSH layers too (with its own generator they are not). Lengths are not padded.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import ReformerConfig, ReformerForSequenceClassification, ReformerModelWithLMHead
from transformers.models.reformer import modeling_reformer as hf

import extensions

COMMON = dict(extensions.BASE, hidden_act="gelu", hidden_dropout_prob=0.2, lsh_attention_probs_dropout_prob=0.15,
              local_attention_probs_dropout_prob=0.1)
CASES = {
    "lm_axial": (dict(COMMON, attn_layers=["lsh", "local", "lsh"], num_buckets=[2, 4]), 48,
                 dict(seed=81985529216486895, step=7, first_row=2)),
    "classifier_absolute": (dict(COMMON, attn_layers=["lsh", "local"], lsh_attn_chunk_length=24, is_decoder=False,
                                 axial_pos_embds=False, classifier_dropout=0.3, num_labels=3), 24,
                            dict(seed=5, step=4000000000, first_row=6)),
}
PLACES = dict(word=0, position=1, probabilities=2, attention=3, feed_forward_in=4, feed_forward=5, hidden=6, classifier=7)
OUTSIDE = 65535
stack, calls, masks = [], [], {}


def philox(counter, key):
    low = np.uint64(0xFFFFFFFF)
    c = [np.asarray(x, dtype=np.uint64) for x in counter]
    k = list(key)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), b & low, (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), a & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def factors(element, layer, place, p):
    """What elements with these numbers are multiplied by."""
    element = element.astype(np.uint64)
    block = element // np.uint64(8)
    high = (block >> np.uint64(32)) & np.uint64(0xFFFF)
    counter = [block & np.uint64(0xFFFFFFFF), np.uint64(layer << 16) | high, np.full_like(block, place),
               np.full_like(block, masks["step"])]
    words = np.stack(philox(counter, [masks["seed"] & 0xFFFFFFFF, masks["seed"] >> 32]), -1)
    at = (element % np.uint64(8)).astype(np.int64)
    word = np.take_along_axis(words, (at // 2)[..., None], -1)[..., 0]
    half = (word >> ((at % 2) * 16).astype(np.uint64)) & np.uint64(0xFFFF)
    t = int(np.floor(p * 65536 + 0.5))
    return np.where(half < t, 0.0, 65536 / (65536 - t))


def numbers(rows, width):
    return np.arange(rows)[:, None] * ((width + 7) // 8 * 8) + np.arange(width)[None]


def dropout(x, p=0.5, training=True, inplace=False):
    if not training or p == 0:
        return x
    place, layer = stack[-1]
    width = x.shape[-1]
    rows = x.numel() // width
    before = masks["first_row"] * (rows // x.shape[0])
    # probabilities: [row, head, chunk of all rounds, query, key] or [row, head, query, key]: rows as they are numbered
    n = numbers(rows + before, width)[before:]
    number = PLACES[place]
    if place == "classifier":
        number += calls.pop(0)
    m = factors(n, layer, number, p).reshape(x.shape)
    return x * torch.tensor(m, dtype=x.dtype)


def dropout2d(x, p=0.5, training=True, inplace=False):
    """x: [row, second axis, first axis, ...]: one decision for all of the rest."""
    n = numbers(x.shape[0] + masks["first_row"], x.shape[1])[masks["first_row"]:]
    m = factors(n, OUTSIDE, PLACES["position"], p).reshape(x.shape[:2] + (1,) * (x.dim() - 2))
    return x * torch.tensor(m, dtype=x.dtype)


def place(module, what, layer=OUTSIDE):
    plain = module.forward

    def forward(*args, **more):
        stack.append((what, layer))
        if what == "classifier":
            calls[:] = [0, 1]
        try:
            return plain(*args, **more)
        finally:
            stack.pop()

    module.forward = forward


def place_all(model):
    inner = model.reformer
    place(inner.embeddings, "word")
    if isinstance(inner.embeddings.position_embeddings, hf.PositionEmbeddings):
        place(inner.embeddings.position_embeddings, "position")
    place(inner.encoder, "hidden")
    for i, layer in enumerate(inner.encoder.layers):
        place(layer.attention.self_attention, "probabilities", i)
        place(layer.attention.output, "attention", i)
        place(layer.feed_forward.dense, "feed_forward_in", i)
        place(layer.feed_forward.output, "feed_forward", i)
    if hasattr(model, "classifier"):
        place(model.classifier, "classifier")


def run(name, folder):
    keys, length, chosen = CASES[name]
    masks.update(chosen)
    config = ReformerConfig(**keys)
    config._attn_implementation = "eager"
    head = ReformerModelWithLMHead if config.is_decoder else ReformerForSequenceClassification
    model = head(config)
    extensions.draw_weights(model, 4)
    place_all(model)
    torch.nn.functional.dropout, torch.nn.functional.dropout2d = dropout, dropout2d
    g = torch.Generator().manual_seed(5)
    ids = torch.randint(0, config.vocab_size, (2, length), generator=g)
    labels = ids if config.is_decoder else torch.tensor([2, 0])
    rotations = {}
    for i, layer in enumerate(model.reformer.encoder.layers):
        a = layer.attention.self_attention
        if isinstance(a, hf.LSHSelfAttention) and length > a.chunk_length:
            torch.manual_seed(a.hash_seed)
            buckets = [a.num_buckets] if isinstance(a.num_buckets, int) else list(a.num_buckets)
            shape = (a.num_attention_heads, a.attention_head_size, a.num_hashes, sum(buckets) // 2)
            rotations[f"layers.{i}.rotations"] = torch.randn(shape)
    model.train()
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    to = folder / name
    to.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().clone().contiguous() for k, v in model.state_dict().items() if "mask_value" not in k},
              to / "model.safetensors")
    save_file({"input_ids": ids.to(torch.int32), "labels": labels.to(torch.int32)}, to / "inputs.safetensors")
    save_file({k: p.grad.clone() for k, p in model.named_parameters()}, to / "grads.safetensors")
    if rotations:
        save_file(rotations, to / "rotations.safetensors")
    architecture = type(model).__name__
    (to / "config.json").write_text(json.dumps({"architectures": [architecture], "model_type": "reformer", **keys},
                                               indent=1) + "\n")
    (to / "masks.json").write_text(json.dumps({**chosen, "loss": loss.item()}, indent=1) + "\n")
    print(name, loss.item())


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in CASES:
        run(case, pathlib.Path(sys.argv[1]))
