"""The cases q_*: models that Hugging Face's configuration cannot say, of Hugging Face's own modules.

    python3 extensions.py FOLDER [CASE ...]     needs torch, transformers (4.57.1), safetensors; FOLDER: cases/

Each layer is built by Hugging Face from a configuration of its own; where norms are RMS norms, every LayerNorm is
replaced; a gated feed-forward multiplies the activation with a second dense layer, gate.dense. Lengths are multiples
of all chunk lengths, so that nothing is padded. Weights are drawn until the two best buckets of every token
differ by 1e-5 of the vector's norm at least, as in the other cases.
"""
import copy
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import ReformerConfig, ReformerForMaskedLM, ReformerModelWithLMHead
from transformers.models.reformer import modeling_reformer as hf

BASE = dict(attention_head_size=16, attn_layers=["local", "lsh"], axial_pos_shape=[8, 6], axial_pos_embds_dim=[10, 22],
            axial_norm_std=1.0, feed_forward_size=40, hash_seed=3, hidden_act="silu", hidden_dropout_prob=0.0,
            hidden_size=32, is_decoder=True, layer_norm_eps=1e-6, local_attn_chunk_length=8, lsh_attn_chunk_length=8,
            local_num_chunks_before=1, local_num_chunks_after=0, lsh_num_chunks_before=1, lsh_num_chunks_after=0,
            local_attention_probs_dropout_prob=0.0, lsh_attention_probs_dropout_prob=0.0, max_position_embeddings=48,
            num_attention_heads=2, num_buckets=4, num_hashes=2, vocab_size=40)
LAYERS = [{"local_attn_chunk_length": 12, "num_attention_heads": 3, "feed_forward_size": 24},
          {"num_hashes": 3, "num_buckets": [4, 2], "hidden_act": "relu"},
          None,
          {"lsh_attn_chunk_length": 4, "lsh_num_chunks_before": 2, "attention_head_size": 7, "num_buckets": 6},
          {"local_attn_chunk_length": 48, "hidden_act": "gelu_new"},
          {"lsh_attn_chunk_length": 16, "num_hashes": 1, "num_attention_heads": 1, "feed_forward_size": 64}]
BOTH_WAYS = [{"lsh_num_chunks_after": 1, "num_hashes": 3}, {"local_num_chunks_before": 0, "local_num_chunks_after": 2},
             {"lsh_attn_chunk_length": 24, "num_attention_heads": 4}]
CASES = {
    "q_clm_gate": (dict(BASE), {"feed_forward_gate": True}),
    "q_clm_rms": (dict(BASE), {"norm": "rms"}),
    "q_clm_layers": (dict(BASE, attn_layers=["local", "lsh", "lsh", "lsh", "local", "lsh"]), {"layers": LAYERS}),
    "q_mlm_all_mask": (dict(BASE, attn_layers=["lsh", "local", "lsh"], is_decoder=False, axial_pos_embds=False),
                       {"feed_forward_gate": True, "norm": "rms", "layers": BOTH_WAYS}),
}


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Gate(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.dense = nn.Linear(hidden, inner)


def replace_norms(module):
    for name, child in module.named_children():
        if isinstance(child, nn.LayerNorm):
            setattr(module, name, RMSNorm(child.weight.numel(), child.eps))
        else:
            replace_norms(child)


def add_gate(feed_forward, config):
    feed_forward.gate = Gate(config.hidden_size, config.feed_forward_size)

    def chunk(x):
        x = feed_forward.layer_norm(x)
        inner = feed_forward.dense
        return feed_forward.output(inner.act_fn(inner.dense(x)) * feed_forward.gate.dense(x))

    feed_forward.forward_chunk = chunk


def build(config, extensions):
    head = ReformerModelWithLMHead if config.is_decoder else ReformerForMaskedLM
    model = head(config)
    layers = model.reformer.encoder.layers
    own = list(extensions.get("layers", []))
    for i in range(len(layers)):
        c = copy.deepcopy(config)
        for key, value in (own[i] if i < len(own) and own[i] else {}).items():
            setattr(c, key, tuple(value) if isinstance(value, list) else value)
        layers[i] = hf.ReformerLayer(c, i)
        if extensions.get("feed_forward_gate"):
            add_gate(layers[i].feed_forward, c)
    if extensions.get("norm") == "rms":
        replace_norms(model)
    return model.eval()


def draw_weights(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        with torch.no_grad():
            p.copy_(torch.randn(p.shape, generator=g) * 0.15 + (1.0 if name.endswith("norm.weight") else 0.0))


def watch(model, seen):
    """Hooks for what --dump-activations shows, and the margin of every bucket."""
    margins = []
    for i, layer in enumerate(model.reformer.encoder.layers):
        def keep(_, __, out, i=i):
            seen[f"layers.{i}.y1"], seen[f"layers.{i}.y2"] = out.attn_output, out.hidden_states
        layer.register_forward_hook(keep)
        a = layer.attention.self_attention
        if not isinstance(a, hf.LSHSelfAttention):
            continue

        def hash_vectors(vectors, num_hashes, mask, increase_num_buckets=False, a=a, i=i):
            buckets = type(a)._hash_vectors(a, vectors, num_hashes, mask, increase_num_buckets)
            factors = [a.num_buckets] if isinstance(a.num_buckets, int) else list(a.num_buckets)
            torch.manual_seed(a.hash_seed)
            drawn = torch.randn(a.num_attention_heads, a.attention_head_size, num_hashes, sum(factors) // 2)
            seen[f"layers.{i}.buckets"] = buckets.view(*vectors.shape[:2], num_hashes, -1)
            seen[f"layers.{i}.rotations"] = drawn
            rotated = torch.einsum("bmtd,mdhr->bmhtr", vectors, drawn) / vectors.norm(dim=-1)[:, :, None, :, None]
            at = 0
            for f in factors:
                x = rotated[..., at:at + f // 2]
                best = torch.cat([x, -x], -1).topk(2, -1).values
                gap = best[..., 0] - best[..., 1]
                margins.append(gap if mask is None else gap[mask.bool()[:, None, None].expand_as(gap)])
                at += f // 2
            return buckets

        a._hash_vectors = hash_vectors
    return margins


def inputs_of(config, masked):
    g = torch.Generator().manual_seed(5)
    shape = (2, config.max_position_embeddings)
    ids = torch.randint(0, config.vocab_size, shape, generator=g)
    labels = torch.where(torch.rand(shape, generator=g) < 0.3, ids, torch.full_like(ids, -100))
    mask = None
    if masked:
        mask = torch.ones(shape, dtype=torch.long)
        mask[0, 31:] = 0
        mask[1, 5] = 0
    return ids, labels, mask


def gradients(model, ids, labels, mask):
    """Of the loss by every parameter, as Hugging Face's reversible backward pass computes them."""
    model.train()
    model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def run(name, folder):
    keys, extensions = CASES[name]
    config = ReformerConfig(**keys)
    config._attn_implementation = "eager"
    ids, labels, mask = inputs_of(config, "mask" in name)
    for seed in range(1, 100):
        model, seen = build(config, extensions), {}
        draw_weights(model, seed)
        margins = watch(model, seen)
        with torch.no_grad():
            out = model(input_ids=ids, attention_mask=mask, labels=labels)
            seen["last_hidden_state"] = model.reformer(input_ids=ids, attention_mask=mask).last_hidden_state
        margin = min((float(m.min()) for m in margins), default=1.0)
        if margin >= 1e-5:
            break
    seen["logits"], seen["loss"] = out.logits, out.loss
    to = folder / name
    to.mkdir(parents=True, exist_ok=True)
    as_file = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items() if "mask_value" not in k}
    save_file(as_file, to / "model.safetensors")
    given = {"input_ids": ids, "labels": labels}
    if mask is not None:
        given["attention_mask"] = mask
    save_file({k: v.to(torch.int32) for k, v in given.items()}, to / "inputs.safetensors")
    rotations = {k: v for k, v in seen.items() if k.endswith(".rotations")}
    save_file(rotations, to / "rotations.safetensors")
    outputs = {k: v.to(torch.int32) if k.endswith("buckets") else v for k, v in seen.items() if k not in rotations}
    save_file({k: v.contiguous() for k, v in outputs.items()}, to / "outputs.safetensors")
    save_file(gradients(model, ids, labels, mask), to / "grads.safetensors")
    architecture = "ReformerModelWithLMHead" if config.is_decoder else "ReformerForMaskedLM"
    written = {"architectures": [architecture], "model_type": "reformer", **keys, "extensions": extensions}
    (to / "config.json").write_text(json.dumps(written, indent=1) + "\n")
    meta = {"name": name, "weight_seed": seed, "min_bucket_margin": margin, "position_stride": 1,
            "loss": float(out.loss)}
    (to / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    print(name, "seed", seed, "margin", margin, "loss", float(out.loss))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[2:] or CASES:
        run(case, pathlib.Path(sys.argv[1]))
