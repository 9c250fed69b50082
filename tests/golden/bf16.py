#!/usr/bin/env python3
"""Writes bf16/CASE.safetensors: logits and loss, in double, of some of the cases when products are of bfloat16.

    python3 bf16.py FOLDER        needs numpy; FOLDER: that of this file

The model is written here a second time, from docs/semantics.md and docs/dtype.md: everything is in double, but for x and W
of every x Wt, queries, keys, values and weights of attention, and the words, which are rounded to float32 and then to
bfloat16. What is hashed is not. Rotations are those of the case. Masks are there, but
nothing is padded.
"""
import json
import pathlib
import struct
import sys

import numpy as np

CASES = ["a_clm_lsh_1hash", "b_clm_alt_4hash_factorised", "c_mlm_alt_attention_mask", "e_clm_short_full_attention_7",
         "e_mlm_short_eq_chunk_8", "f_cls_3labels_train", "q_clm_gate"]
TYPES = {"F32": np.float32, "I32": np.int32, "F64": np.float64}
EIGHT_BITS = 256.0


def read(path):
    data = path.read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, t in json.loads(data[8:8 + n]).items():
        if name == "__metadata__": continue
        first, last = t["data_offsets"]
        tensors[name] = np.frombuffer(data[8 + n + first:8 + n + last], TYPES[t["dtype"]]).reshape(t["shape"])
    return tensors


def write(path, tensors, dtype="F64"):
    header, at, size = {}, 0, np.dtype(TYPES[dtype]).itemsize
    for name, x in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [at, at + size * x.size]}
        at += size * x.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(x.astype(TYPES[dtype]).tobytes() for x in tensors.values()))


def bf16(x):
    """float32, then 8 bits of it: what numpy rounds half to even; nothing here is as large or as small as to be special"""
    x = x.astype(np.float32).astype(np.float64)
    mantissa, exponent = np.frexp(x)
    assert np.all((x == 0) | (np.abs(x) > 2.0 ** -126)) and np.all(np.abs(x) < 2.0 ** 127)
    return np.ldexp(np.rint(mantissa * EIGHT_BITS) / EIGHT_BITS, exponent)


class Model:
    def __init__(self, folder):
        self.c = json.loads((folder / "config.json").read_text())
        self.w = {k.removeprefix("reformer."): v.astype(np.float64) for k, v in read(folder / "model.safetensors").items()}
        drawn = folder / "rotations.safetensors"  # cases without a hash have none
        self.rotations = {k: v.astype(np.float64) for k, v in read(drawn).items()} if drawn.exists() else {}
        self.i = read(folder / "inputs.safetensors")
        self.ids = self.i["input_ids"]
        self.batch, self.length = self.ids.shape
        self.mask = self.i.get("attention_mask", np.ones_like(self.ids)) != 0
        self.masked = not self.mask.all()

    # ---- rows

    def dense(self, x, name):
        y = bf16(x) @ bf16(self.w[name + ".weight"]).T
        return y + self.w.get(name + ".bias", 0)

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdims=True)
        scale = 1 / np.sqrt((centred * centred).mean(-1, keepdims=True) + self.c["layer_norm_eps"])
        return centred * scale * self.w[name + ".weight"] + self.w[name + ".bias"]

    def act(self, x):
        return {"relu": lambda: np.maximum(x, 0), "silu": lambda: x / (1 + np.exp(-x))}[self.c["hidden_act"]]()

    def embed(self):
        grid = self.c["axial_pos_shape"]
        tables = [self.w[f"embeddings.position_embeddings.weights.{a}"] for a in range(2)]
        places = np.concatenate([np.broadcast_to(t, (*grid, t.shape[-1])) for t in tables], -1)
        places = places.reshape(grid[0] * grid[1], -1)[:self.length]
        return self.words()[self.ids] + places

    def words(self):
        return bf16(self.w["embeddings.word_embeddings.weight"])

    # ---- attention

    @staticmethod
    def lse(total, top):
        """the logarithm of a sum of e^(s - top); in float32 where its spacing shows (Q1, Q2)"""
        return top + np.log(total) if abs(top) <= 256 else float(np.float32(top) + np.log(np.float32(total)))

    @classmethod
    def soften(cls, s):
        top = s.max()
        lse = cls.lse(np.exp(s - top).sum(), top)
        return np.exp((s - top) + (top - lse)), lse

    @classmethod
    def soften_rounded(cls, s, norm):
        """probabilities of which e^(s - shift) is rounded, and the logarithm of their sum; norm None: the shift is the greatest"""
        shift = s.max()
        if norm is not None and norm <= 60 * np.log(2) and shift > -256: shift = norm
        weights = np.exp(s - shift)
        weights = np.where(weights < 2.0 ** -126, 0, weights)
        weights = bf16(weights)
        lse = cls.lse(weights.sum(), shift)
        return weights * np.exp((shift if abs(shift) <= 256 else float(np.float32(shift))) - lse), lse

    def window(self, chunk, chunks, c, kind):
        before, after = self.c[f"{kind}_num_chunks_before"], self.c[f"{kind}_num_chunks_after"]
        return np.concatenate([np.arange(chunk) + (c + o) % chunks * chunk for o in range(-before, after + 1)])

    def exact(self, kind):
        """whether a layer sees every key: there is no more than a chunk of them"""
        return self.length <= self.c[f"{kind}_attn_chunk_length"]

    def attend(self, q, k, v, b, order, kind):
        """of one head; order: positions in their slots. By slot: outputs, and lse"""
        chunk = self.c[f"{kind}_attn_chunk_length"]
        out, lse = np.zeros((len(order), v.shape[1])), np.zeros(len(order))
        for slot, at in enumerate(order):
            keys = order if self.exact(kind) else order[self.window(chunk, len(order) // chunk, slot // chunk, kind)]
            s = k[keys] @ q[at]
            hidden = ~self.mask[b, keys] | ((keys > at) if self.c["is_decoder"] else False)
            s = np.where(hidden, -1e9, s)
            if kind == "lsh": s = np.where(keys == at, -1e5, s)
            p, lse[slot] = self.soften_rounded(s, np.sqrt(q[at] @ q[at]) if kind == "lsh" else None)
            out[slot] = p @ v[keys]
        return out, lse

    def factors(self):
        n = self.c["num_buckets"]
        return n if isinstance(n, list) else [n]

    def buckets(self, q, rotations, b):
        """[rounds, length], round offsets included; rotations [d, rounds, R]"""
        factors, rounds = self.factors(), rotations.shape[1]
        every = int(np.prod(factors))
        found = np.zeros((rounds, self.length), int)
        for r in range(rounds):
            rotated, at, power = q @ rotations[:, r], 0, 1
            for f in factors:
                part = rotated[:, at:at + f // 2]
                found[r] += power * np.concatenate([part, -part], -1).argmax(-1)
                at, power = at + f // 2, power * f
            found[r, ~self.mask[b]] = every
            found[r] += r * (every + self.masked)
        return found

    def lsh_head(self, q, v, rotations, b):
        d = q.shape[1]
        order = np.arange(self.length)
        if not self.exact("lsh"): order = np.argsort(self.buckets(q, rotations, b).reshape(-1), kind="stable")
        q, v = bf16(q), bf16(v)
        k = q / np.sqrt((q * q).mean(-1, keepdims=True) + 1e-6) / np.sqrt(d)
        rounds = len(order) // self.length
        slots, lse = self.attend(q, k, v, b, order % self.length, "lsh")
        out, of = np.zeros((len(order), d)), np.zeros(len(order))
        out[order], of[order] = slots, lse
        out, of = out.reshape(rounds, self.length, d), of.reshape(rounds, self.length)
        if rounds == 1: return out[0]
        weights = np.stack([self.soften(of[:, t])[0] for t in range(self.length)], -1)
        return (weights[..., None] * out).sum(0)

    def attention(self, x, n):
        kind, d = self.c["attn_layers"][n], self.c["attention_head_size"]
        prefix = f"encoder.layers.{n}.attention.self_attention."
        names = ["query_key", "value"] if kind == "lsh" else ["query", "key", "value"]
        parts = [self.dense(x, prefix + name) for name in names]
        out = np.zeros_like(parts[0])
        for b in range(self.batch):
            for h in range(self.c["num_attention_heads"]):
                own = np.s_[b, :, h * d:(h + 1) * d]
                if kind == "lsh":
                    out[own] = self.lsh_head(parts[0][own], parts[1][own], self.rotations.get(f"layers.{n}.rotations", {h: None})[h], b)
                else:
                    q, k, v = (bf16(p[own]) for p in parts)
                    out[own] = self.attend(q, k / np.sqrt(d), v, b, np.arange(self.length), "local")[0]
        return self.dense(out, f"encoder.layers.{n}.attention.output.dense")

    # ---- all of it

    def feed_forward(self, x, n):
        prefix = f"encoder.layers.{n}.feed_forward."
        x = self.norm(x, prefix + "layer_norm")
        inner = self.act(self.dense(x, prefix + "dense.dense"))
        if prefix + "gate.dense.weight" in self.w: inner = inner * self.dense(x, prefix + "gate.dense")
        return self.dense(inner, prefix + "output.dense")

    def logits(self):
        y1 = y2 = self.embed()
        for n in range(len(self.c["attn_layers"])):
            y1 = y1 + self.attention(self.norm(y2, f"encoder.layers.{n}.attention.layer_norm"), n)
            y2 = y2 + self.feed_forward(y1, n)
        z = self.norm(np.concatenate([y1, y2], -1), "encoder.layer_norm")
        if "classifier.dense.weight" in self.w:
            return self.dense(np.tanh(self.dense(z[:, 0], "classifier.dense")), "classifier.out_proj")
        self.w["lm_head.bias"] = self.w.get("lm_head.bias", self.w.get("lm_head.decoder.bias"))
        self.w["lm_head.decoder.bias"] = self.w["lm_head.bias"]
        return self.dense(z, "lm_head.decoder")

    def loss(self, logits):
        labels = self.i["labels"]
        if self.c["is_decoder"]: logits, labels = logits[:, :-1], labels[:, 1:]
        logits, labels = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
        kept = labels != -100
        logits, labels = logits[kept], labels[kept]
        top = logits.max(-1, keepdims=True)
        of = (top + np.log(np.exp(logits - top).sum(-1, keepdims=True)))[:, 0] - logits[np.arange(len(labels)), labels]
        return of.mean()


def main(folder):
    for case in CASES:
        model = Model(folder / "cases" / case)
        logits = model.logits()
        loss = np.array(model.loss(logits))
        write(folder / "bf16" / f"{case}.safetensors", {"logits": logits, "loss": loss})
        exact = read(folder / "cases" / case / "outputs.safetensors")
        print(case, f"loss {loss:.9f}, of float32 {exact['loss']:.9f}; logits differ by", np.abs(logits - exact["logits"]).max())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
