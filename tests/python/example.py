"""A morning with a small Reformer, from Python: a spec, training, what it has learnt, text. `python3 example.py`

A model of bytes learns a line by heart in some hundred steps; it is asked what surprises it, and writes.
"""

import numpy as np
import numpy.typing as npt

import reformerc

# ---- A spec: Hugging Face's keys, and what this compiler adds.
SPEC = {
    "architectures": ["ReformerModelWithLMHead"],
    "is_decoder": True,
    "vocab_size": 258,  # bytes: id = byte + 2
    "attn_layers": ["local", "lsh"],
    "hidden_size": 32,
    "num_attention_heads": 2,
    "attention_head_size": 16,
    "feed_forward_size": 64,
    "axial_pos_embds": False,
    "max_position_embeddings": 64,
    "local_attn_chunk_length": 8,
    "lsh_attn_chunk_length": 8,
    "num_buckets": 4,
    "hash_seed": 0,
    "hidden_dropout_prob": 0.0,
    "lsh_attention_probs_dropout_prob": 0.0,
    "local_attention_probs_dropout_prob": 0.0,
    "train": {"optimizer": {"type": "adamw", "lr": 0.01}},
}
LINE = "the quick brown fox jumps over the lazy dog. "


def ids_of(text: str) -> npt.NDArray[np.int32]:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int32) + 2


# ---- Compiled into machine code, with random weights; train=True: it can learn.
model = reformerc.compile(SPEC, weights="random:1", train=True, generate=True)
print(model, "with", len(model.gradients(reformerc.Batch(ids_of(LINE), labels=ids_of(LINE)))[1]), "tensors")

# ---- A forward: NumPy in, NumPy out, nothing copied.
before = model(ids_of(LINE), labels=ids_of(LINE), outputs=["token_losses"])
assert before.loss is not None
print(f"loss before: {before.loss:.3f} nats per byte")

# ---- Training: a step is a call.
with model.trainer() as trainer:
    for _ in range(60):
        report = trainer.step(reformerc.Batch(ids_of(LINE), labels=ids_of(LINE)))
    print(f"loss after {report.step + 1} steps: {report.loss:.3f}, gradient's norm {report.grad_norm:.2f}")
    learnt = {name: array.copy() for name, array in trainer.weights.items()}

# ---- What it has learnt are arrays by Hugging Face's names.
print(f"{sum(a.size for a in learnt.values())} weights, the largest {max(abs(a).max() for a in learnt.values()):.2f}")
model.bind(learnt)

# ---- What surprises it: the loss of each token.
odd = "the quick brown fox jumps over the lazy cat. "
after = model(ids_of(odd), labels=ids_of(odd), outputs=["token_losses"])
assert after.token_losses is not None
at = int(after.token_losses[0].argmax()) + 1
print(f"most surprising in {odd!r}: {odd[at]!r} at {at}")
assert odd[at] == "c"

# ---- It writes, piece by piece.
text = "".join(model.generate("the quick", 20))
print(f"the quick|{text}")
assert LINE.startswith("the quick" + text[:11])
